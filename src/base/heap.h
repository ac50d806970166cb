/* heap.h - a binary heap of deadlines; equal deadlines leave in the order in
 * which they came, so that every run has the same order (libuv's start_id).
 *
 * Intrusive: the owner embeds a struct heap_item. The array has its ceiling at
 * birth and grows up to it. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/base.h"
#include "base/mono.h"

struct heap_item {
    struct mono at;
    uint64_t seq;
    size_t pos; /* 1-based place in the array; 0: not in a heap */
};

struct heap {
    struct heap_item **a;
    size_t n;
    size_t cap;
    size_t max;
    uint64_t seq;
};

void heap_init(struct heap *h, size_t max);
void heap_release(struct heap *h);
/* Puts IT in, or moves it when it is in. False: ceiling or no memory. */
bool heap_set(struct heap *h, struct heap_item *it, struct mono at);
/* From now on heap_set() succeeds while it holds no more than N, at most its
 * ceiling. False: no memory. */
bool heap_reserve(struct heap *h, size_t n);
/* Takes IT out; does nothing when it is not in. */
void heap_remove(struct heap *h, struct heap_item *it);
/* The earliest, or NULL. */
static inline struct heap_item *
heap_first(const struct heap *h)
{
    return h->n ? h->a[0] : NULL;
}

#endif
