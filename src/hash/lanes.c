/* lanes.c - fills the lanes of kernels from streams of unequal lengths: see
 * lanes.h. SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include <string.h>

/* When streams take turns: short enough that they end together, long enough
 * that loading and storing the states (some 200 cycles, half a block of eight
 * lanes) does not count. */
#define TURN_MIN 8
#define TURN_MAX 256

/* Returns how many of N still have blocks, and moves those to the front. */
static unsigned
drop_finished(struct hash_lane *lane, unsigned n)
{
    for (unsigned i = 0; i < n;)
        if (lane[i].blocks == 0)
            lane[i] = lane[--n];
        else
            i++;
    return n;
}

static const struct hash_step *
pick_step(const struct hash_kernels *k, unsigned n)
{
    const struct hash_step *s = k->steps;

    while (s->from > n)
        s++;
    return s;
}

/* Moves the W longest of N to the front. */
static void
longest_first(struct hash_lane *lane, unsigned n, unsigned w)
{
    for (unsigned i = 0; i < w; i++) {
        unsigned best = i;

        for (unsigned j = i + 1; j < n; j++)
            if (lane[j].blocks > lane[best].blocks)
                best = j;
        struct hash_lane t = lane[i];

        lane[i] = lane[best];
        lane[best] = t;
    }
}

/* How many blocks the first W may go on: until one of them ends, or for a turn
 * if others wait who could not fill the lanes by themselves. */
static size_t
turn_blocks(const struct hash_lane *lane, unsigned n, unsigned w)
{
    size_t least = lane[0].blocks;
    size_t turn = least / 8;

    if (turn < TURN_MIN)
        turn = TURN_MIN;
    if (turn > TURN_MAX)
        turn = TURN_MAX;
    for (unsigned i = 1; i < w; i++)
        least = size_min(least, lane[i].blocks);
    return n > w && n < 2 * w ? size_min(least, turn) : least;
}

void
hash_lanes_run(const struct hash_kernels *k, struct hash_lane *lane, unsigned n)
{
    uint32_t waste[8];
    struct hash_lane idle = {waste, waste, NULL, 0};
    struct hash_lane *row[HASH_LANES_MAX];

    assert(n <= HASH_JOBS_MAX);
    memset(waste, 0, sizeof(waste));
    while ((n = drop_finished(lane, n)) > 0) {
        const struct hash_step *s = pick_step(k, n);
        const unsigned w = n < s->lanes ? n : s->lanes;
        size_t blocks;

        assert(s->lanes <= HASH_LANES_MAX);
        longest_first(lane, n, n > w ? w : 0);
        blocks = turn_blocks(lane, n, w);
        idle.p = lane[0].p;
        for (unsigned i = 0; i < s->lanes; i++)
            row[i] = i < w ? &lane[i] : &idle;
        s->run(row, blocks);
        for (unsigned i = 0; i < w; i++) {
            lane[i].p += blocks * HASH_BLOCK;
            lane[i].blocks -= blocks;
        }
    }
}
