/* exchange_mem.h - one HTTP exchange without a connection: a request as text,
 * the answer as text. For tests of routes.
 *
 *     struct exchange_mem x;
 *     exchange_mem_init(&x, &loop.loop, "POST /x HTTP/1.1\r\nHost: h\r\n...");
 *     app->begin(app, &x.exchange);
 *     loop_mem_settle(&loop);
 *     assert(x.ended && x.status == 200) ... x.body, x.headers
 *     exchange_mem_release(&x);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_EXCHANGE_MEM_H
#define TEST_UNIT_EXCHANGE_MEM_H

#include "base/buf.h"
#include "port/serve.h"

struct exchange_mem {
    struct exchange exchange;
    struct http_head head;
    struct slice body_in;
    bool no_peek;      /* the body comes by reads only */
    int64_t read_fail; /* what reads answer instead; 0: they work */
    bool silent;       /* no read ends before exchange_body_by() */
    size_t piece;      /* a read brings no more, unless it is to fill; 0: all */
    /* The client is gone when the N-th read or send ends, counted from 1. */
    uint64_t gone_at, ops_done;
    struct loop *to; /* where it may be moved; NULL: it cannot */
    struct task task;
    struct task sent_task;
    struct timer by;
    exchange_sent_fn *sending;
    void (*arrived)(struct exchange *x);
    bool reading_fills;
    bool started;
    uint64_t promised, sent;
    exchange_read_fn *reading;
    void *at;
    size_t want;
    /* the answer */
    bool ended;
    bool failed; /* by exchange_fail() */
    bool cut;    /* ended with fewer bytes than promised */
    int status;
    struct buf headers; /* "Name: value\n" */
    struct buf body;
};

void
exchange_mem_init(struct exchange_mem *x, struct loop *l, const char *request);
/* The body of the request, instead of what follows its head; must live on. */
void exchange_mem_body(struct exchange_mem *x, struct slice body);
void exchange_mem_release(struct exchange_mem *x);

#endif
