/* lanes.c - see lanes.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/lanes.h"

/* ---- who is expected ---- */

static bool
client_live(const struct lanes *ln, const struct lane_client *c)
{
    return c->client &&
           mono_before(ln->loop->now, mono_add(c->last, LANES_RECENT));
}

/* Clients of late that have no piece in the queue. */
static unsigned
clients_missing(const struct lanes *ln)
{
    unsigned n = 0;

    for (unsigned i = 0; i < LANES_CLIENTS; i++)
        n += !ln->client[i].ready && client_live(ln, &ln->client[i]);
    return n;
}

/* WHO has a piece in the queue. Takes the place of whoever is silent longest.
 * */
static void
client_ready(struct lanes *ln, const void *who)
{
    struct lane_client *place = &ln->client[0];

    for (unsigned i = 0; i < LANES_CLIENTS; i++) {
        struct lane_client *c = &ln->client[i];

        if (c->client == who) {
            place = c;
            break;
        }
        if (!c->ready && (place->ready || mono_before(c->last, place->last)))
            place = c;
    }
    if (place->ready && place->client != who)
        return; /* all places are taken: the lanes are full anyway */
    *place = (struct lane_client){who, ln->loop->now, true};
}

static void
clients_served(struct lanes *ln)
{
    for (unsigned i = 0; i < LANES_CLIENTS; i++) {
        if (ln->client[i].ready)
            ln->client[i].last = ln->loop->now;
        ln->client[i].ready = false;
    }
}

/* ---- hashing ---- */

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
    atomic_fetch_add_explicit(&ln->runs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&ln->items, n, memory_order_relaxed);
    clients_served(ln);
    hash_run(ln->k, job, n);
    for (unsigned i = 0; i < n; i++)
        if (it[i]->final)
            ends[m++] = it[i]->state;
    hash_final_many(ln->k, ends, digests, m);
    m = 0;
    for (unsigned i = 0; i < n; i++)
        if (it[i]->final)
            *it[i]->digests = digests[m++];
    for (unsigned i = 0; i < n; i++)
        it[i]->done(it[i]);
}

static bool
lanes_due(const struct lanes *ln)
{
    return ln->n >= hash_kernels_lanes(ln->k) ||
           mono_reached(ln->loop->now, ln->due) || clients_missing(ln) == 0;
}

/* After a run fewer are left than fill the lanes, or they go at once. */
static void
lanes_set_due(struct lanes *ln)
{
    unsigned i = 0;

    LIST_FOREACH (at, &ln->ready) {
        const struct lane_item *it = container_of(at, struct lane_item, item);

        if (i == 0 || mono_before(it->due, ln->due))
            ln->due = it->due;
        if (++i == hash_kernels_lanes(ln->k))
            break;
    }
}

static void
lanes_go(struct lanes *ln)
{
    while (ln->n && lanes_due(ln)) {
        lanes_run(ln);
        lanes_set_due(ln);
    }
    if (ln->n && !loop_timer(ln->loop, &ln->timer, ln->due))
        while (ln->n) /* no timer to be had, so nobody would come back */
            lanes_run(ln);
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
    ln->hook.run = lanes_hook;
    ln->hook.late = true; /* reads end in the hook of the server */
    ln->timer.fire = lanes_fire;
    loop_hook(l, &ln->hook);
}

void
lanes_add(struct lanes *ln, struct lane_item *it)
{
    it->due = mono_add(ln->loop->now, it->wait);
    if (ln->n++ == 0 || mono_before(it->due, ln->due))
        ln->due = it->due;
    list_push(&ln->ready, &it->item);
    if (it->client)
        client_ready(ln, it->client);
}
