/* trace.h - whom a request belongs to: W3C Trace Context and request ids
 * (ING-310, ALR-006). SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_TRACE_H
#define WIRE_TRACE_H

#include "base/slice.h"

#define TRACEPARENT_TEXT 56 /* 55 characters and the zero */
#define REQUEST_ID_MAX   128

struct traceparent {
    uint8_t trace_id[16];
    uint8_t parent_id[8]; /* the span of who sends it */
    uint8_t flags;        /* bit 0: sampled */
};

/* Strict (W3C Trace Context section 3.2): lower-case hexadecimal, no zero ids,
 * not version ff. Of versions above 00 the known fields are read. What is
 * refused is to be treated as if it were not there. */
bool traceparent_parse(struct slice s, struct traceparent *out);
/* Version 00; returns OUT. */
const char *
traceparent_text(const struct traceparent *t, char out[TRACEPARENT_TEXT]);

/* 1 to 128 letters, digits and -._~:/+=@ so that an id can go into headers,
 * logs and shells as it is. */
bool request_id_valid(struct slice s);

#endif
