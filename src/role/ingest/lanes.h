/* lanes.h - the hash lanes of one loop.
 *
 * What has been received on any connection of the loop is queued here and
 * hashed together with what is ready elsewhere: eight streams cost as much time
 * as two. So a piece waits for company, but only for company that will come:
 * for as many clients as had a piece here a moment ago and have none now, and
 * no longer than it was given. A client alone never waits, whatever it sends.
 * DONE runs in the batch hook or the timer, never inside lanes_add().
 *
 * A body that is kept in memory comes as a whole, its pieces one after the
 * other without a wait between: those who were hashed together once stay
 * together, and are written together afterwards: doc/performance.md has what
 * that spares.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_LANES_H
#define ROLE_INGEST_LANES_H

#include "base/list.h"
#include "hash/hash.h"
#include "port/loop.h"
#include <stdatomic.h>

/* Nanoseconds that a byte may wait for company. Alone it costs 1.25 of the
 * processor's time, in company 0.32. Twice as long as 4 costs sixteen clients
 * nothing and saves 7 % of all; four of them lose 8 % of their throughput for
 * 5 %: doc/performance.md. */
#define LANES_PATIENCE 8
/* For so long a client that fell silent is waited for: it may be between two
 * uploads, of which the first is being synced. */
#define LANES_RECENT  dur_ms(40)
#define LANES_CLIENTS 32 /* remembered; more are not needed to fill the lanes */

struct lane_item {
    struct hash_state *state;
    const void *p;
    size_t n;
    const void *client; /* identity of who sends; NULL: one piece is all */
    bool final;         /* the stream ends here: DIGESTS is filled */
    struct dur wait;    /* for company, at most; see lanes_wait() */
    struct hash_digests *digests;
    void (*done)(struct lane_item *it);
    struct list item; /* the lanes' */
    struct mono due;
};

/* A client of late: with a piece in the queue, or expected to have one. */
struct lane_client {
    const void *client;
    struct mono last;
    bool ready;
};

struct lanes {
    const struct hash_kernels *k;
    struct loop *loop;
    struct hook hook;
    struct timer timer;
    struct list ready;
    unsigned n;      /* ready */
    struct mono due; /* when the most impatient of them has waited enough */
    struct lane_client client[LANES_CLIENTS];
    /* For the metrics, read by others: lanes in use = items / runs. */
    _Atomic(uint64_t) runs;
    _Atomic(uint64_t) items;
};

static inline struct dur
lanes_wait(size_t bytes)
{
    return (struct dur){(int64_t)bytes * LANES_PATIENCE};
}

void lanes_init(struct lanes *ln, struct loop *l, const struct hash_kernels *k);
/* The state of one stream may be in one item at a time. */
void lanes_add(struct lanes *ln, struct lane_item *it);

#endif
