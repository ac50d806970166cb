/* cloud_part.c - how large parts are, and the budget of their memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdlib.h>

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
cloud_memory_init(struct cloud_memory *m, uint64_t budget, uint64_t size)
{
    *m = (struct cloud_memory){.budget = budget, .size = size};
    pthread_mutex_init(&m->mu, NULL);
    list_init(&m->waiting);
}

/* Larger ones take the place of those that are kept. */
void *
cloud_memory_take(struct cloud_memory *m, uint64_t size)
{
    void *p = NULL, *gone[CLOUD_KEPT_MAX];
    unsigned n = 0;

    pthread_mutex_lock(&m->mu);
    if (size == m->size && m->n_kept)
        p = m->kept[--m->n_kept];
    while (size > m->size && m->n_kept)
        gone[n++] = m->kept[--m->n_kept];
    pthread_mutex_unlock(&m->mu);
    while (n)
        free(gone[--n]);
    return p ? p : malloc((size_t)size);
}

/* What is kept and what is used stay within the budget together. */
void
cloud_memory_drop(struct cloud_memory *m, void *p, uint64_t size)
{
    pthread_mutex_lock(&m->mu);
    if (p && size == m->size && m->n_kept < CLOUD_KEPT_MAX &&
        m->used + m->n_kept * size <= m->budget) {
        m->kept[m->n_kept++] = p;
        p = NULL;
    }
    pthread_mutex_unlock(&m->mu);
    free(p);
}

void
cloud_memory_trim(struct cloud_memory *m)
{
    void *gone[CLOUD_KEPT_MAX];
    unsigned n = 0;

    pthread_mutex_lock(&m->mu);
    while (m->used == 0 && m->n_kept)
        gone[n++] = m->kept[--m->n_kept];
    pthread_mutex_unlock(&m->mu);
    while (n)
        free(gone[--n]);
}

void
cloud_memory_release(struct cloud_memory *m)
{
    assert(m->used == 0 && list_empty(&m->waiting));
    cloud_memory_trim(m);
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
