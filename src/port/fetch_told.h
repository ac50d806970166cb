/* fetch_told.h - the second half of a request whose whole answer is there: for
 * drivers in virtual time that make answers up. They begin a request with
 * r->x.conn at a struct fetch_told of their own, fill in the body, and call
 * r->answered(r); from there on the two functions below are the driver's.
 *
 * Bytes and the end are told from the loop, never inside a call. One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_FETCH_TOLD_H
#define PORT_FETCH_TOLD_H

#include "port/fetch.h"

#define FETCH_TOLD_MAX 1024

struct fetch_told {
    struct fetch_request *r;
    char body[FETCH_TOLD_MAX];
    size_t n; /* of it */
    /* Frees what T is in; behind it ENDED is called. */
    void (*over)(struct fetch_told *t);
    size_t at; /* the rest is 0 at first */
    bool posted, ending;
    struct task task;
};

void fetch_told_read(struct fetch_request *r, void *p, size_t n, bool fill,
                     fetch_got_fn *got);
/* A read that has not had its turn has none. */
void fetch_told_end(struct fetch_request *r, fetch_fn *ended);
/* There is no body to be sent: aborts. */
void fetch_told_send(struct fetch_request *r, struct slice a, struct slice b,
                     fetch_sent_fn *sent);

#endif
