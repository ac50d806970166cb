/* trace.h - who a piece of work belongs to: the ids of W3C Trace Context and
 * our request id, carried by value with each request and put into every log
 * line (ING-310).
 *
 * Randomness and time are arguments. The header `traceparent` is read and
 * written by wire/. SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_TRACE_H
#define OBS_TRACE_H

#include "base/mono.h"
#include "base/slice.h"

#define TRACE_REQUEST_MAX 128 /* as wire/trace.h allows */

struct trace {
    uint8_t trace_id[16]; /* all zero: none */
    uint8_t span_id[8];
    uint8_t parent_id[8]; /* all zero: this span is the first of its trace */
    uint8_t flags;        /* bit 0: sampled */
    struct mono began;
    char request_id[TRACE_REQUEST_MAX + 1];
};

/* A span of its own trace. The first 16 bytes of RANDOM become the trace id,
 * the rest the span id; all-zero ids are not valid (W3C section 3.2.2.3), so a
 * zero id gets its last bit set. */
void trace_begin(struct trace *t, const uint8_t random[24], struct mono now);
/* A span that continues what a peer began. */
void trace_join(struct trace *t, const uint8_t trace_id[16],
                const uint8_t parent_id[8], uint8_t flags,
                const uint8_t random[8], struct mono now);
/* A span inside PARENT, with its request id. */
void trace_child(struct trace *t, const struct trace *parent,
                 const uint8_t random[8], struct mono now);

/* Takes the request id that the client sent when it is 1 to 128 letters, digits
 * and -._~:/+=@ (it goes into headers and logs as it is; wire/trace.h has the
 * same rule); else makes a UUID from RANDOM. */
void
trace_request_id(struct trace *t, struct slice sent, const uint8_t random[16]);

static inline struct dur
trace_took(const struct trace *t, struct mono now)
{
    return mono_sub(now, t->began);
}

#endif
