/* field.h - what requests, responses and trailers have in common. For the
 * parsers of this folder; others use head.h, resp.h and chunked.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_FIELD_H
#define WIRE_FIELD_H

#include "wire/head.h"

/* Looks for line ends from S->pos on. True at the end of the empty line, which
 * S->pos then is. False with *BAD none: more is needed. LINE_MAX bounds the
 * first line with its CR (HTTP_REF_TARGET_LONG), FIELDS_MAX the lines after it.
 * The answer does not depend on how the bytes were cut. */
bool http_scan_lines(struct http_scan *s, size_t line_max, uint32_t fields_max,
                     const char *p, size_t n, enum http_refusal *bad);

/* A field line of at least one byte, without its CR LF. */
enum http_refusal http_field_parse(struct http_field *f, struct slice line);

/* What is wrong with bytes that http_is_field_value() does not like. */
enum http_refusal http_which_control(struct slice s);

#endif
