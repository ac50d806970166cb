/* lanes.h - the hash lanes of one loop.
 *
 * What has been received on any connection of the loop is queued here and
 * hashed together with what is ready elsewhere: eight streams cost as much time
 * as two. So a piece waits for company, but only for company that will come:
 * for as many clients as had a piece here a moment ago and have none now, and
 * no longer than LANES_WAIT. A client alone never waits, whatever it sends.
 * DONE runs in the batch hook or the timer, never inside lanes_add().
 *
 * Measured, CPU-seconds per GB of 1 MiB uploads on 16 connections: see the
 * commit and doc/performance.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_LANES_H
#define ROLE_INGEST_LANES_H

#include "base/list.h"
#include "hash/hash.h"
#include "port/loop.h"
#include <stdatomic.h>

/* What a lone piece of 256 KiB costs is 0.33 ms of CPU time, of which company
 * spares three quarters: worth a wait of this, not of more. */
#define LANES_WAIT ((struct dur){1000000})
/* For so long a client that fell silent is waited for: it may be between two
 * uploads, of which the first is being synced. */
#define LANES_RECENT  dur_ms(25)
#define LANES_CLIENTS 32 /* remembered; more are not needed to fill the lanes */

struct lane_item {
    struct hash_state *state;
    const void *p;
    size_t n;
    const void *client; /* identity of who sends; NULL: one piece is all */
    bool final;         /* the stream ends here: DIGESTS is filled */
    struct hash_digests *digests;
    void (*done)(struct lane_item *it);
    struct list item; /* the lanes' */
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
    unsigned n;         /* ready */
    struct mono oldest; /* when the first of them came */
    struct lane_client client[LANES_CLIENTS];
    /* For the metrics, read by others: lanes in use = items / runs. */
    _Atomic(uint64_t) runs;
    _Atomic(uint64_t) items;
};

void lanes_init(struct lanes *ln, struct loop *l, const struct hash_kernels *k);
/* The state of one stream may be in one item at a time. */
void lanes_add(struct lanes *ln, struct lane_item *it);

#endif
