/* lanes.h - the hash lanes of one loop.
 *
 * What has been received on any connection of the loop is queued here and hashed
 * together with what is ready elsewhere: more lanes cost hardly more than one.
 * So a piece is held back for a few turns of the loop while other input is being
 * taken in, until the lanes are full, nothing else arrives, or it has waited for
 * LANES_TURNS_MAX turns: a loop busy with something else must not starve an
 * upload. DONE runs in the batch hook, never inside lanes_add().
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_LANES_H
#define ROLE_INGEST_LANES_H

#include "base/list.h"
#include "hash/hash.h"
#include "port/loop.h"

#define LANES_TURNS_MAX 8

struct lane_item {
    struct hash_state *state;
    const void *p;
    size_t n;
    bool final; /* the stream ends here: DIGESTS is filled */
    struct hash_digests *digests;
    void (*done)(struct lane_item *it);
    struct list item; /* the lanes' */
};

struct lanes {
    const struct hash_kernels *k;
    struct hook hook;
    struct list ready;
    unsigned n;
    unsigned turns; /* since the oldest came */
    uint64_t runs;  /* for the metrics: lanes in use = items / runs */
    uint64_t items;
};

void lanes_init(struct lanes *ln, struct loop *l, const struct hash_kernels *k);
/* The state of one stream may be in one item at a time. */
void lanes_add(struct lanes *ln, struct lane_item *it);

#endif
