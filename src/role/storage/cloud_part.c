/* cloud_part.c - how large parts are, and the budget of their memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"

#define PARTS_OF_A_SIZE 1000

uint64_t
cloud_part_size(uint64_t least, uint64_t size, unsigned number)
{
    uint64_t n = least;

    assert(number >= 1 && least % BLOCK_SIZE == 0);
    if (size != BLOB_SIZE_UNKNOWN) {
        uint64_t need = (size + OBJECT_PARTS_MAX - 1) / OBJECT_PARTS_MAX;

        return u64_max(least, align_up(need, BLOCK_SIZE));
    }
    for (unsigned k = (number - 1) / PARTS_OF_A_SIZE; k > 0; k--)
        n = u64_min(2 * n, OBJECT_PART_MAX);
    return n;
}

void
cloud_memory_init(struct cloud_memory *m, uint64_t budget)
{
    *m = (struct cloud_memory){.budget = budget};
    pthread_mutex_init(&m->mu, NULL);
    list_init(&m->waiting);
}

void
cloud_memory_release(struct cloud_memory *m)
{
    assert(m->used == 0 && list_empty(&m->waiting));
    pthread_mutex_destroy(&m->mu);
}

bool
cloud_memory_ask(struct cloud_memory *m, struct cloud_want *w)
{
    bool now;

    assert(!w->asked && w->size <= m->budget);
    pthread_mutex_lock(&m->mu);
    now = list_empty(&m->waiting) && m->used + w->size <= m->budget;
    if (now) {
        m->used += w->size;
    } else {
        w->asked = true;
        list_push(&m->waiting, &w->item);
    }
    pthread_mutex_unlock(&m->mu);
    return now;
}

/* With m->mu held: first come, first served, also where a smaller one further
 * back would fit. */
static void
serve(struct cloud_memory *m)
{
    while (!list_empty(&m->waiting)) {
        struct cloud_want *w =
            container_of(m->waiting.next, struct cloud_want, item);

        if (m->used + w->size > m->budget)
            return;
        list_remove(&w->item);
        m->used += w->size;
        loop_post(w->loop, &w->task);
    }
}

void
cloud_memory_give(struct cloud_memory *m, uint64_t size)
{
    pthread_mutex_lock(&m->mu);
    assert(m->used >= size);
    m->used -= size;
    serve(m);
    pthread_mutex_unlock(&m->mu);
}

bool
cloud_memory_cancel(struct cloud_memory *m, struct cloud_want *w)
{
    bool was = false;

    pthread_mutex_lock(&m->mu);
    if (w->asked && !list_empty(&w->item)) {
        list_remove(&w->item);
        w->asked = false;
        was = true;
        serve(m); /* those behind it may fit */
    }
    pthread_mutex_unlock(&m->mu);
    return was;
}
