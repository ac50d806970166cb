/* problem.h - the body of an error answer, in both its forms (D16): the plain
 *
 *     {"error": "not_found", "message": "...", "request_id": "...",
 *      "details": {...}}
 *
 * and, for who accepts application/problem+json, that of RFC 9457 with the same
 * members beside "type", "title", "status" and "detail".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_PROBLEM_H
#define WIRE_PROBLEM_H

#include "base/buf.h"

struct problem {
    int status;
    const char *code;        /* stable, like "not_found" */
    struct slice message;    /* for people; no secrets */
    struct slice request_id; /* empty: left out */
    struct slice details;    /* JSON already; empty: left out */
};

enum problem_form { PROBLEM_PLAIN, PROBLEM_RFC9457 };

/* By the value of Accept (.p may be NULL): only who names
 * application/problem+json gets it. */
enum problem_form problem_form_for(struct slice accept);
/* "application/json" or "application/problem+json" */
const char *problem_content_type(enum problem_form form);
bool
problem_body(struct buf *b, const struct problem *p, enum problem_form form);

/* "Not Found"; "Unknown" for what has no name (RFC 9110 and friends). */
const char *http_reason(int status);

#endif
