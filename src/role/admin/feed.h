/* feed.h - up to which number have all changes of an element come?
 *
 * Numbers come in any order; the position is the highest one below which none
 * is missing. What is ahead of a hole is kept as ranges, a bounded number of
 * them: when they are used up the far ones are forgotten, which only means that
 * they are asked for again later. Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_FEED_H
#define ROLE_ADMIN_FEED_H

#include "base/base.h"

#define FEED_RANGES 16

struct feed {
    uint64_t position;
    struct {
        uint64_t first;
        uint64_t last;
    } ahead[FEED_RANGES]; /* in order, apart from each other */
    unsigned n;
};

void feed_init(struct feed *f, uint64_t position);
/* FIRST ... LAST have come. False: something had to be forgotten. */
bool feed_mark(struct feed *f, uint64_t first, uint64_t last);

#endif
