/* lanes.c - see lanes.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/lanes.h"

void
lanes_forget(struct lanes *ln, struct lane_stream *s)
{
    if (s->item.next == NULL)
        return;
    list_remove(&s->item);
    s->item.next = s->item.prev = NULL;
    ln->n_recent--;
}

/* Takes up to HASH_JOBS_MAX items off the queue, hashes them and tells. */
static void
lanes_run(struct lanes *ln)
{
    struct lane_item *it[HASH_JOBS_MAX];
    struct hash_job job[HASH_JOBS_MAX];
    const struct hash_state *ends[HASH_JOBS_MAX];
    struct hash_digests digests[HASH_JOBS_MAX];
    unsigned n = 0, m = 0;

    while (n < HASH_JOBS_MAX && !list_empty(&ln->ready)) {
        it[n] = container_of(list_pop(&ln->ready), struct lane_item, item);
        job[n] = (struct hash_job){it[n]->state, it[n]->p, it[n]->n};
        n++;
    }
    ln->n -= n;
    ln->runs++;
    ln->items += n;
    hash_run(ln->k, job, n);
    for (unsigned i = 0; i < n; i++) {
        if (it[i]->final)
            ends[m++] = it[i]->state;
        if (it[i]->stream && it[i]->final)
            lanes_forget(ln, it[i]->stream);
    }
    hash_final_many(ln->k, ends, digests, m);
    m = 0;
    for (unsigned i = 0; i < n; i++)
        if (it[i]->final)
            *it[i]->digests = digests[m++];
    for (unsigned i = 0; i < n; i++)
        it[i]->done(it[i]);
}

/* Streams that fell silent are not waited for any more. */
static void
lanes_expire(struct lanes *ln)
{
    while (!list_empty(&ln->recent)) {
        struct lane_stream *s =
            container_of(ln->recent.next, struct lane_stream, item);

        if (mono_before(ln->loop->now, mono_add(s->last, LANES_RECENT)))
            return;
        lanes_forget(ln, s);
    }
}

static bool
lanes_due(struct lanes *ln)
{
    unsigned full = hash_kernels_lanes(ln->k);

    if (ln->n >= full)
        return true;
    lanes_expire(ln);
    return ln->n >= ln->n_recent ||
           mono_reached(ln->loop->now, mono_add(ln->oldest, LANES_WAIT));
}

static void
lanes_go(struct lanes *ln)
{
    while (ln->n && lanes_due(ln)) {
        lanes_run(ln);
        ln->oldest = ln->loop->now;
    }
    if (ln->n)
        loop_timer(ln->loop, &ln->timer, mono_add(ln->oldest, LANES_WAIT));
}

static bool
lanes_hook(struct loop *l, struct hook *h, bool idle)
{
    (void)l;
    (void)idle;
    lanes_go(container_of(h, struct lanes, hook));
    return false;
}

static void
lanes_fire(struct loop *l, struct timer *t)
{
    (void)l;
    lanes_go(container_of(t, struct lanes, timer));
}

void
lanes_init(struct lanes *ln, struct loop *l, const struct hash_kernels *k)
{
    *ln = (struct lanes){.k = k, .loop = l};
    list_init(&ln->ready);
    list_init(&ln->recent);
    ln->hook.run = lanes_hook;
    ln->hook.late = true; /* reads end in the hook of the server */
    ln->timer.fire = lanes_fire;
    loop_hook(l, &ln->hook);
}

void
lanes_add(struct lanes *ln, struct lane_item *it)
{
    if (ln->n++ == 0)
        ln->oldest = ln->loop->now;
    list_push(&ln->ready, &it->item);
    if (it->stream == NULL)
        return;
    it->stream->last = ln->loop->now;
    if (it->stream->item.next)
        list_remove(&it->stream->item);
    else
        ln->n_recent++;
    list_push(&ln->recent, &it->stream->item);
}
