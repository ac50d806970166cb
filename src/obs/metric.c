/* metric.c - the registry: where series live and how they are counted.
 *
 * Idea. A series is a few neighbouring 64-bit cells: one for a counter or a
 * gauge, one per bucket and one for the sum for a histogram. All cells exist
 * once per shard, and a thread always counts in the same shard, so two loops
 * do not fight for a cache line; a reader adds the shards up. Cells come in
 * chunks of 1,024 that are never moved or freed, therefore a handle is a plain
 * index and counting takes no lock.
 *
 * Finding a series by its labels reads a hash table whose entries, once linked,
 * never change and never leave; making one takes the lock. A series that was
 * dropped stays and is only not shown.
 *
 * Chunk 0 begins with a dump: the zero handle, and whatever no memory was left
 * for, counts there and is not shown. SPDX-License-Identifier: Apache-2.0 */
#include "obs/metric_int.h"
#include "base/map.h"
#include <stdlib.h>

static unsigned
thread_index(void)
{
    static _Atomic unsigned next;
    static _Thread_local unsigned mine; /* 0: not asked yet */

    if (!mine)
        mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) + 1;
    return mine - 1;
}

static _Atomic uint64_t *
cell_at(struct metrics *m, unsigned shard, uint32_t cell)
{
    return atomic_load_explicit(&m->shard[shard].chunk[cell / METRIC_CHUNK],
                                memory_order_relaxed) +
           cell % METRIC_CHUNK;
}

uint64_t
metrics_sum(struct metrics *m, uint32_t cell)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < m->shards; i++)
        sum += atomic_load_explicit(cell_at(m, i, cell), memory_order_relaxed);
    return sum;
}

static bool
chunk_make(struct metrics *m)
{
    unsigned c = m->chunks;

    if (c == METRIC_CHUNKS)
        return false;
    for (unsigned i = 0; i < m->shards; i++) {
        _Atomic uint64_t *p = aligned_alloc(64, METRIC_CHUNK * sizeof(*p));

        if (!p)
            return false; /* the earlier shards' are used the next time */
        for (size_t k = 0; k < METRIC_CHUNK; k++)
            atomic_init(&p[k], 0);
        if (m->shard[i].chunk[c])
            free((void *)p);
        else
            atomic_store_explicit(&m->shard[i].chunk[c], p,
                                  memory_order_release);
    }
    m->chunks = c + 1;
    return true;
}

/* N neighbouring cells in one chunk, or the dump. */
static uint32_t
cells_take(struct metrics *m, unsigned n)
{
    uint32_t at = m->cells;

    assert(n > 0 && n <= METRIC_DUMP);
    if (at % METRIC_CHUNK + n > METRIC_CHUNK)
        at = (at / METRIC_CHUNK + 1) * METRIC_CHUNK;
    if (at / METRIC_CHUNK >= m->chunks && !chunk_make(m))
        return 0;
    m->cells = at + n;
    return at;
}

static unsigned
cells_of(const struct metric_desc *d)
{
    /* The buckets, the one above the last bound, the sum. */
    return d->type == METRIC_HISTOGRAM ? d->nbounds + 2 : 1;
}

unsigned
metric_labels(const struct metric_desc *d)
{
    unsigned n = 0;

    while (n < METRIC_LABELS_MAX && d->label[n].name)
        n++;
    return n;
}

static bool
value_is_known(const char *values, struct slice v)
{
    struct slice rest = slice_str(values), one;

    while (slice_cut(&rest, '|', &one))
        if (slice_eq(one, v))
            return true;
    return false;
}

/* The key of a label set: its values, each with its length before it. False
 * when a closed label does not know its value. */
static bool
key_make(const struct metric_desc *d, const struct slice *value, size_t n,
         struct metric_key *k)
{
    k->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice v = slice_head(value[i], METRIC_VALUE_MAX);

        if (d->label[i].values && !value_is_known(d->label[i].values, v))
            return false;
        k->p[k->n++] = (char)v.n;
        if (v.n)
            memcpy(k->p + k->n, v.p, v.n);
        k->n += v.n;
    }
    return true;
}

static struct metric_item *
item_find(struct metrics *m, enum metric id, const struct metric_key *k,
          uint64_t hash)
{
    struct metric_item *it = atomic_load_explicit(&m->slot[hash % METRIC_SLOTS],
                                                  memory_order_acquire);

    for (; it; it = it->chain)
        if (it->hash == hash && it->metric == id && it->key.n == k->n &&
            memcmp(it->key.p, k->p, k->n) == 0)
            return it;
    return NULL;
}

/* Called with the lock held. NULL: no memory. */
static struct metric_item *
item_make(struct metrics *m, enum metric id, const struct metric_key *k,
          uint64_t hash)
{
    struct metric_item *it = calloc(1, sizeof(*it) + k->n);
    _Atomic(struct metric_item *) *slot = &m->slot[hash % METRIC_SLOTS];

    if (!it)
        return NULL;
    it->metric = id;
    it->hash = hash;
    it->key.n = k->n;
    it->key.p = it->text;
    memcpy(it->text, k->p, k->n);
    it->cell = cells_take(m, cells_of(metric_desc(id)));
    atomic_init(&it->live, it->cell != 0);
    it->chain = atomic_load_explicit(slot, memory_order_relaxed);
    atomic_store_explicit(slot, it, memory_order_release);
    atomic_store_explicit(m->last[id] ? &m->last[id]->next : &m->first[id], it,
                          memory_order_release);
    m->last[id] = it;
    m->count[id]++;
    m->series++;
    return it;
}

static uint64_t
key_hash(struct metrics *m, enum metric id, const struct metric_key *k)
{
    return map_hash(m->seed + (uint64_t)id, k->p, k->n);
}

static struct metric_item *
item_other(struct metrics *m, enum metric id)
{
    char text[METRIC_KEY_MAX];
    struct metric_key k = {text, 0};
    struct metric_item *it;
    uint64_t hash;

    for (unsigned i = metric_labels(metric_desc(id)); i-- > 0;) {
        memcpy(k.p + k.n, "\5other", 6);
        k.n += 6;
    }
    hash = key_hash(m, id, &k);
    if (m->plain[M_SERIES_OVERFLOW]) /* not while the registry is opened */
        metric_inc(m, metric_plain(m, M_SERIES_OVERFLOW));
    if ((it = item_find(m, id, &k, hash)))
        return it;
    pthread_mutex_lock(&m->lock);
    if (!(it = item_find(m, id, &k, hash)))
        it = item_make(m, id, &k, hash);
    pthread_mutex_unlock(&m->lock);
    return it;
}

static struct series
series_at(struct metrics *m, enum metric id, struct metric_item *it)
{
    (void)m;
    if (!it)
        return (struct series){0};
    if (!atomic_load_explicit(&it->live, memory_order_relaxed) && it->cell)
        atomic_store_explicit(&it->live, true, memory_order_relaxed);
    return (struct series){it->cell, (uint16_t)id};
}

struct series
metric_series_of(struct metrics *m, enum metric id, const struct slice *value,
                 size_t n)
{
    const struct metric_desc *d = metric_desc(id);
    char text[METRIC_KEY_MAX];
    struct metric_key k = {text, 0};
    struct metric_item *it;
    uint64_t hash;
    bool room;

    if (!m)
        return (struct series){0};
    assert(n == metric_labels(d));
    if (!key_make(d, value, n, &k))
        return series_at(m, id, item_other(m, id));
    hash = key_hash(m, id, &k);
    if ((it = item_find(m, id, &k, hash)))
        return series_at(m, id, it);

    pthread_mutex_lock(&m->lock);
    it = item_find(m, id, &k, hash); /* another thread may have been first */
    room = m->series < METRIC_SERIES_MAX &&
           (!d->series_max || m->count[id] < d->series_max);
    if (!it && room)
        it = item_make(m, id, &k, hash);
    pthread_mutex_unlock(&m->lock);
    return series_at(m, id, it ? it : item_other(m, id));
}

struct series
metric_series_str(struct metrics *m, enum metric id, const char *const *value,
                  size_t n)
{
    struct slice v[METRIC_LABELS_MAX];

    assert(n <= METRIC_LABELS_MAX);
    for (size_t i = 0; i < n; i++)
        v[i] = slice_str(value[i]);
    return metric_series_of(m, id, v, n);
}

struct series
metric_plain(struct metrics *m, enum metric id)
{
    if (!m)
        return (struct series){0};
    assert(!metric_desc(id)->label[0].name && m->plain[id]);
    return (struct series){m->plain[id], (uint16_t)id};
}

struct series
metric_nth(struct metrics *m, enum metric id, unsigned i)
{
    const struct metric_desc *d = metric_desc(id);

    if (!m)
        return (struct series){0};
    assert(metric_labels(d) == 1 && d->label[0].values && m->plain[id]);
    assert(i < m->closed[id]);
    return (struct series){m->plain[id] + i * cells_of(d), (uint16_t)id};
}

void
metric_add(struct metrics *m, struct series s, uint64_t n)
{
    if (m)
        atomic_fetch_add_explicit(
            cell_at(m, thread_index() & (m->shards - 1), s.cell), n,
            memory_order_relaxed);
}

void
metric_move(struct metrics *m, struct series s, int64_t by)
{
    metric_add(m, s, (uint64_t)by); /* the sum over shards wraps back */
}

void
metric_set(struct metrics *m, struct series s, int64_t v)
{
    if (m)
        atomic_store_explicit(cell_at(m, 0, s.cell), (uint64_t)v,
                              memory_order_relaxed);
}

void
metric_observe(struct metrics *m, struct series s, int64_t v)
{
    const struct metric_desc *d = metric_desc(s.metric);
    unsigned i = 0;

    if (!m || !s.cell)
        return;
    assert(d->type == METRIC_HISTOGRAM);
    v = v < 0 ? 0 : v;
    while (i < d->nbounds && (uint64_t)v > d->bounds[i])
        i++;
    metric_add(m, (struct series){s.cell + i, s.metric}, 1);
    metric_add(m, (struct series){s.cell + d->nbounds + 1, s.metric},
               (uint64_t)v);
}

int64_t
metric_value(struct metrics *m, struct series s)
{
    const struct metric_desc *d = metric_desc(s.metric);
    uint64_t sum = 0;

    if (!m || !s.cell)
        return 0;
    if (d->type != METRIC_HISTOGRAM)
        return (int64_t)metrics_sum(m, s.cell);
    for (unsigned i = 0; i <= d->nbounds; i++)
        sum += metrics_sum(m, s.cell + i);
    return (int64_t)sum;
}

void
metric_drop(struct metrics *m, struct series s)
{
    struct metric_item *it;

    if (!m || !s.cell)
        return;
    it = atomic_load_explicit(&m->first[s.metric], memory_order_acquire);
    while (it && it->cell != s.cell)
        it = atomic_load_explicit(&it->next, memory_order_acquire);
    if (it)
        atomic_store_explicit(&it->live, false, memory_order_relaxed);
}

bool
metrics_on_scrape(struct metrics *m, metric_scrape_fn *fn, void *arg)
{
    if (!m || m->scrapers == countof(m->scrape))
        return m == NULL;
    m->scrape[m->scrapers].fn = fn;
    m->scrape[m->scrapers++].arg = arg;
    return true;
}

/* All label sets of a family whose labels are closed, in the order of the
 * table, the last label running fastest (ING-302). */
static bool
family_fill(struct metrics *m, enum metric id)
{
    const struct metric_desc *d = metric_desc(id);
    unsigned n = metric_labels(d);
    struct slice value[METRIC_LABELS_MAX], rest[METRIC_LABELS_MAX];
    unsigned i = 0;

    for (unsigned k = 0; k < n; k++)
        if (!d->label[k].values)
            return true; /* open: made when they are met */
    for (;;) {
        struct series s;

        for (; i < n; i++) {
            rest[i] = slice_str(d->label[i].values);
            (void)slice_cut(&rest[i], '|', &value[i]);
        }
        s = metric_series_of(m, id, value, n);
        if (!s.cell)
            return false;
        if (!m->plain[id])
            m->plain[id] = s.cell;
        m->closed[id]++;
        while (i > 0 && !slice_cut(&rest[i - 1], '|', &value[i - 1]))
            i--;
        if (i == 0)
            return true;
    }
}

struct metrics *
metrics_open(unsigned shards, unsigned groups, uint64_t seed)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->seed = seed;
    m->groups = groups | METRIC_GROUP_PROCESS;
    m->shards = 1;
    while (m->shards < shards && m->shards < METRIC_SHARDS)
        m->shards *= 2;
    m->cells = METRIC_DUMP;
    if (!chunk_make(m))
        metrics_close(&m);
    for (unsigned id = 0; m && id < METRIC_COUNT; id++)
        if (!family_fill(m, id))
            metrics_close(&m);
    return m;
}

void
metrics_close(struct metrics **m)
{
    struct metrics *x = *m;

    *m = NULL;
    if (!x)
        return;
    for (unsigned id = 0; id < METRIC_COUNT; id++) {
        struct metric_item *it = x->first[id], *next;

        for (; it; it = next) {
            next = it->next;
            free(it);
        }
    }
    for (unsigned i = 0; i < METRIC_SHARDS; i++)
        for (unsigned c = 0; c < METRIC_CHUNKS; c++)
            free((void *)x->shard[i].chunk[c]);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
