/* form.h - application/x-www-form-urlencoded bodies: the pairs of query.h.
 *
 *     if (form_is(content_type))
 *         query_init(&q, body, text, sizeof(text), FORM_PAIRS_MAX);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_FORM_H
#define WIRE_FORM_H

#include "wire/query.h"

#define FORM_PAIRS_MAX 64

/* Is the value of Content-Type that of a form, with whatever parameters? */
bool form_is(struct slice content_type);

/* Appends key=value, '&' before it when B is not empty. */
bool form_add(struct buf *b, struct slice key, struct slice value);

#endif
