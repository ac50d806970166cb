/* lanes.h - the hash lanes of one loop.
 *
 * What has been received on any connection of the loop is queued here and hashed
 * together with what is ready elsewhere: eight streams cost as much time as two.
 * So a piece waits for company, but only for company that will come: for as many
 * streams as had a piece here within the last milliseconds, and no longer than
 * LANES_WAIT. A single upload, and one among thousands of slow ones, never
 * waits. DONE runs in the batch hook or the timer, never inside lanes_add().
 *
 * Measured, CPU-seconds per GB of 1 MiB uploads on 16 connections: see the
 * commit and doc/performance.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_LANES_H
#define ROLE_INGEST_LANES_H

#include "base/list.h"
#include "hash/hash.h"
#include "port/loop.h"

/* A piece of 256 KiB comes every 0.25 ms at 1 GB/s: time for eight of them. */
#define LANES_WAIT dur_ms(2)
/* A stream that had no piece for so long is not waited for. */
#define LANES_RECENT dur_ms(8)

/* One stream of pieces; embedded by its owner, zeroed before the first. */
struct lane_stream {
    struct list item; /* of the recent ones, or zero */
    struct mono last; /* piece */
};

struct lane_item {
    struct hash_state *state;
    const void *p;
    size_t n;
    struct lane_stream *stream; /* NULL: one piece is all */
    bool final; /* the stream ends here: DIGESTS is filled */
    struct hash_digests *digests;
    void (*done)(struct lane_item *it);
    struct list item; /* the lanes' */
};

struct lanes {
    const struct hash_kernels *k;
    struct loop *loop;
    struct hook hook;
    struct timer timer;
    struct list ready;
    struct list recent; /* struct lane_stream, the one longest ago first */
    unsigned n;         /* ready */
    unsigned n_recent;
    struct mono oldest; /* when the first of ready came */
    uint64_t runs;      /* for the metrics: lanes in use = items / runs */
    uint64_t items;
};

void lanes_init(struct lanes *ln, struct loop *l, const struct hash_kernels *k);
/* The state of one stream may be in one item at a time. */
void lanes_add(struct lanes *ln, struct lane_item *it);
/* S has ended; harmless when it is not known. */
void lanes_forget(struct lanes *ln, struct lane_stream *s);

#endif
