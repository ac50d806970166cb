/* lanes.c - see lanes.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/lanes.h"

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
lanes_hook(struct loop *l, struct hook *h, bool idle)
{
    struct lanes *ln = container_of(h, struct lanes, hook);
    unsigned full = hash_kernels_lanes(ln->k);

    (void)l;
    if (ln->n == 0)
        return false;
    if (ln->n < full && !idle && ++ln->turns < LANES_TURNS_MAX)
        return true;
    ln->turns = 0;
    do {
        lanes_run(ln);
    } while (ln->n >= full);
    return ln->n > 0;
}

void
lanes_init(struct lanes *ln, struct loop *l, const struct hash_kernels *k)
{
    ln->k = k;
    ln->n = ln->turns = 0;
    ln->runs = ln->items = 0;
    list_init(&ln->ready);
    ln->hook.run = lanes_hook;
    loop_hook(l, &ln->hook);
}

void
lanes_add(struct lanes *ln, struct lane_item *it)
{
    list_push(&ln->ready, &it->item);
    ln->n++;
}
