/* heap.c - sift up, sift down; every item knows its place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"
#include <stdlib.h>

#define HEAP_FIRST ((size_t)16)

void
heap_init(struct heap *h, size_t max)
{
    assert(max < SIZE_MAX / sizeof(struct heap_item *) / 2);
    *h = (struct heap){.max = max};
}

/* Items still in are told that they are out. */
void
heap_release(struct heap *h)
{
    for (size_t i = 0; i < h->n; i++)
        h->a[i]->pos = 0;
    free(h->a);
    *h = (struct heap){.max = h->max};
}

static bool
earlier(const struct heap_item *a, const struct heap_item *b)
{
    if (a->at.ns != b->at.ns)
        return a->at.ns < b->at.ns;
    return a->seq < b->seq;
}

static void
place(struct heap *h, size_t i, struct heap_item *it)
{
    h->a[i] = it;
    it->pos = i + 1;
}

/* Moves IT, which belongs at or near the hole I, to where it belongs. */
static void
sift(struct heap *h, size_t i, struct heap_item *it)
{
    while (i > 0 && earlier(it, h->a[(i - 1) / 2])) {
        place(h, i, h->a[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t kid = 2 * i + 1;

        if (kid + 1 < h->n && earlier(h->a[kid + 1], h->a[kid]))
            kid++;
        if (kid >= h->n || !earlier(h->a[kid], it))
            break;
        place(h, i, h->a[kid]);
        i = kid;
    }
    place(h, i, it);
}

static bool
grow(struct heap *h, size_t cap)
{
    struct heap_item **a = realloc(h->a, cap * sizeof(struct heap_item *));

    if (!a)
        return false;
    h->a = a;
    h->cap = cap;
    return true;
}

static bool
room(struct heap *h)
{
    if (h->n >= h->max)
        return false;
    if (h->n < h->cap)
        return true;
    return grow(h, size_min(h->cap ? h->cap * 2 : HEAP_FIRST, h->max));
}

bool
heap_reserve(struct heap *h, size_t n)
{
    assert(n <= h->max);
    if (n <= h->cap)
        return true;
    return grow(h, size_min(n < h->cap * 2 ? h->cap * 2 : n, h->max));
}

bool
heap_set(struct heap *h, struct heap_item *it, struct mono at)
{
    assert(it->pos <= h->n);
    if (it->pos == 0) {
        if (!room(h))
            return false;
        it->pos = ++h->n;
    } else {
        assert(h->a[it->pos - 1] == it);
    }
    it->at = at;
    it->seq = ++h->seq;
    sift(h, it->pos - 1, it);
    return true;
}

void
heap_remove(struct heap *h, struct heap_item *it)
{
    struct heap_item *last;
    size_t i;

    if (it->pos == 0)
        return;
    assert(it->pos <= h->n && h->a[it->pos - 1] == it);
    i = it->pos - 1;
    it->pos = 0;
    last = h->a[--h->n];
    if (last != it)
        sift(h, i, last);
}
