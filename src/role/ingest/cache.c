/* cache.c - see cache.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/cache.h"
#include "obs/metric.h"
#include <stdlib.h>

struct cache {
    struct map map;
    struct list lru; /* oldest first */
    size_t n, max;
    struct loop *loop;
    struct timer sweep; /* set while there are entries */
    bool sweeping;
    struct metrics *metrics; /* NULL: none */
    struct series hits, misses, items, full, stale;
};

static void cache_sweep(struct loop *l, struct timer *t);

struct cache *
cache_open(size_t entries_max, uint64_t seed, struct loop *l)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    if (!map_init(&c->map, entries_max * 2, seed)) {
        free(c);
        return NULL;
    }
    list_init(&c->lru);
    c->max = entries_max;
    c->loop = l;
    c->sweep.fire = cache_sweep;
    return c;
}

void
cache_unref(struct cache_entry *e)
{
    assert(e->refs > 0);
    if (--e->refs)
        return;
    assert(list_empty(&e->lru));
    e->blob->ops->close(e->reader);
    free(e);
}

static void
cache_drop(struct cache *c, struct cache_entry *e)
{
    map_remove(&c->map, &e->item);
    list_remove(&e->lru);
    c->n--;
    metric_move(c->metrics, c->items, -1);
    cache_unref(e);
}

void
cache_observe(struct cache *c, struct metrics *m)
{
    c->metrics = m;
    c->hits = metric_series(m, M_CACHE_HITS, "memory", "files");
    c->misses = metric_series(m, M_CACHE_MISSES, "memory", "files");
    c->items = metric_series(m, M_CACHE_ITEMS, "memory", "files");
    c->full =
        metric_series(m, M_CACHE_EVICTIONS, "memory", "files", "capacity");
    c->stale =
        metric_series(m, M_CACHE_EVICTIONS, "memory", "files", "invalidated");
}

void
cache_clear(struct cache *c)
{
    LIST_FOREACH_SAFE (it, next, &c->lru) {
        cache_drop(c, container_of(it, struct cache_entry, lru));
    }
    loop_timer_stop(c->loop, &c->sweep);
    c->sweeping = false;
}

static bool
is_stale(const struct cache_entry *e)
{
    return e->info.valid != e->blob->ops->generation(e->blob);
}

static void
cache_sweep(struct loop *l, struct timer *t)
{
    struct cache *c = container_of(t, struct cache, sweep);

    LIST_FOREACH_SAFE (it, next, &c->lru) {
        struct cache_entry *e = container_of(it, struct cache_entry, lru);

        if (is_stale(e)) {
            metric_inc(c->metrics, c->stale);
            cache_drop(c, e);
        }
    }
    c->sweeping = c->n && loop_timer(l, t, mono_add(l->now, CACHE_SWEEP));
}

void
cache_close(struct cache **cp)
{
    struct cache *c = *cp;

    *cp = NULL;
    if (c == NULL)
        return;
    cache_clear(c);
    map_release(&c->map);
    free(c);
}

static struct cache_entry *
cache_find(struct cache *c, const struct uuid *id)
{
    uint64_t h = map_hash(c->map.seed, id, sizeof(*id));

    for (struct map_item *it = map_first(&c->map, h); it; it = map_next(it)) {
        struct cache_entry *e = container_of(it, struct cache_entry, item);

        if (uuid_eq(&e->file_id, id))
            return e;
    }
    return NULL;
}

struct cache_entry *
cache_get(struct cache *c, const struct uuid *file_id)
{
    struct cache_entry *e = cache_find(c, file_id);

    if (e && is_stale(e)) {
        metric_inc(c->metrics, c->stale);
        cache_drop(c, e);
        e = NULL;
    }
    metric_inc(c->metrics, e ? c->hits : c->misses);
    if (e == NULL)
        return NULL;
    list_remove(&e->lru);
    list_push(&c->lru, &e->lru);
    e->refs++;
    return e;
}

struct cache_entry *
cache_put(struct cache *c, const struct uuid *file_id, struct blob *blob,
          struct blob_reader *reader)
{
    struct cache_entry *e = cache_find(c, file_id);

    if (e)
        cache_drop(c, e);
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        blob->ops->close(reader);
        return NULL;
    }
    if (c->n >= c->max && c->n) { /* one is kept even where MAX is 0 */
        metric_inc(c->metrics, c->full);
        cache_drop(c, container_of(c->lru.next, struct cache_entry, lru));
    }
    e->file_id = *file_id;
    e->blob = blob;
    e->reader = reader;
    blob->ops->info(reader, &e->info);
    e->refs = 2;
    list_push(&c->lru, &e->lru);
    map_add(&c->map, &e->item,
            map_hash(c->map.seed, file_id, sizeof(*file_id)));
    c->n++;
    metric_move(c->metrics, c->items, 1);
    if (!c->sweeping)
        c->sweeping =
            loop_timer(c->loop, &c->sweep, mono_add(c->loop->now, CACHE_SWEEP));
    return e;
}
