/* feed.c - see feed.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/feed.h"
#include <string.h>

void
feed_init(struct feed *f, uint64_t position)
{
    memset(f, 0, sizeof(*f));
    f->position = position;
}

static void
take_out(struct feed *f, unsigned i)
{
    f->n--;
    memmove(&f->ahead[i], &f->ahead[i + 1], (f->n - i) * sizeof(f->ahead[0]));
}

bool
feed_mark(struct feed *f, uint64_t first, uint64_t last)
{
    unsigned i = 0;
    bool kept = true;

    assert(first <= last);
    /* Swallow the ranges that it touches. */
    while (i < f->n) {
        if (f->ahead[i].last + 1 < first) {
            i++;
        } else if (last + 1 < f->ahead[i].first) {
            break;
        } else {
            first = u64_min(first, f->ahead[i].first);
            last = u64_max(last, f->ahead[i].last);
            take_out(f, i);
        }
    }
    if (first <= f->position + 1) {
        f->position = u64_max(f->position, last);
        return true;
    }
    if (f->n == FEED_RANGES) {
        kept = false;
        if (i == f->n)
            return kept; /* it is the farthest itself */
        f->n--;
    }
    memmove(&f->ahead[i + 1], &f->ahead[i], (f->n - i) * sizeof(f->ahead[0]));
    f->ahead[i].first = first;
    f->ahead[i].last = last;
    f->n++;
    return kept;
}
