/* attempts.c - see attempts.h. A bucket is kept as the time at which it will be
 * full again: no refilling, no timer. SPDX-License-Identifier: Apache-2.0 */
#include "sec/attempts.h"
#include "base/list.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

#define KEY_MAX 160
#define BACK_NS (INT64_C(1000000000) * ATTEMPTS_BACK_S)

struct name {
    struct map_item item;
    struct list lru;
    int64_t full_at_ns;
    size_t n;
    char key[KEY_MAX];
};

struct attempts {
    pthread_mutex_t lock;
    struct map map;
    struct list lru; /* the one that failed least lately first */
    struct name *name;
    size_t max;
    size_t used;
};

struct attempts *
attempts_open(size_t names, uint64_t seed)
{
    struct attempts *a = calloc(1, sizeof(*a));

    assert(names > 0);
    if (!a)
        return NULL;
    a->name = calloc(names, sizeof(*a->name));
    if (!a->name || !map_init(&a->map, names, seed)) {
        free(a->name);
        free(a);
        return NULL;
    }
    pthread_mutex_init(&a->lock, NULL);
    list_init(&a->lru);
    a->max = names;
    return a;
}

void
attempts_close(struct attempts **a)
{
    struct attempts *x = *a;

    *a = NULL;
    if (!x)
        return;
    map_release(&x->map);
    pthread_mutex_destroy(&x->lock);
    free(x->name);
    free(x);
}

/* CLIENT, a byte that is in neither, PEER; cut to what fits. */
static size_t
key_make(struct slice client_id, struct slice peer, char key[KEY_MAX])
{
    client_id = slice_head(client_id, 64);
    peer = slice_head(peer, KEY_MAX - 65);
    if (client_id.n)
        memcpy(key, client_id.p, client_id.n);
    key[client_id.n] = '\n';
    if (peer.n)
        memcpy(key + client_id.n + 1, peer.p, peer.n);
    return client_id.n + 1 + peer.n;
}

static struct name *
name_find(struct attempts *a, const char *key, size_t n, uint64_t hash)
{
    struct map_item *it = map_first(&a->map, hash);

    for (; it; it = map_next(it)) {
        struct name *x = container_of(it, struct name, item);

        if (x->n == n && memcmp(x->key, key, n) == 0)
            return x;
    }
    return NULL;
}

static struct name *
name_new(struct attempts *a, const char *key, size_t n, uint64_t hash)
{
    struct name *x;

    if (a->used < a->max) {
        x = &a->name[a->used++];
    } else {
        assert(!list_empty(&a->lru)); /* max > 0, and all are in use */
        x = container_of(a->lru.next, struct name, lru);
        list_remove(&x->lru);
        map_remove(&a->map, &x->item);
    }
    memcpy(x->key, key, n);
    x->n = n;
    x->full_at_ns = 0;
    map_add(&a->map, &x->item, hash);
    list_push(&a->lru, &x->lru);
    return x;
}

struct dur
attempts_wait(struct attempts *a, struct slice client_id, struct slice peer,
              struct mono now)
{
    char key[KEY_MAX];
    size_t n = key_make(client_id, peer, key);
    struct dur wait = {0};
    const struct name *x;

    pthread_mutex_lock(&a->lock);
    x = name_find(a, key, n, map_hash(a->map.seed, key, n));
    if (x)
        wait.ns = x->full_at_ns - now.ns - BACK_NS * (ATTEMPTS_BURST - 1);
    pthread_mutex_unlock(&a->lock);
    return wait.ns > 0 ? wait : (struct dur){0};
}

void
attempts_failed(struct attempts *a, struct slice client_id, struct slice peer,
                struct mono now)
{
    char key[KEY_MAX];
    size_t n = key_make(client_id, peer, key);
    uint64_t hash = map_hash(a->map.seed, key, n);
    struct name *x;

    pthread_mutex_lock(&a->lock);
    x = name_find(a, key, n, hash);
    if (!x)
        x = name_new(a, key, n, hash);
    if (x->full_at_ns < now.ns)
        x->full_at_ns = now.ns;
    /* Requests that were let in together may fail together; the debt of one
     * name is bounded all the same. */
    if (x->full_at_ns - now.ns < BACK_NS * 2 * ATTEMPTS_BURST)
        x->full_at_ns += BACK_NS;
    list_remove(&x->lru);
    list_push(&a->lru, &x->lru);
    pthread_mutex_unlock(&a->lock);
}

void
attempts_clear(struct attempts *a, struct slice client_id, struct slice peer)
{
    char key[KEY_MAX];
    size_t n = key_make(client_id, peer, key);
    struct name *x;

    pthread_mutex_lock(&a->lock);
    x = name_find(a, key, n, map_hash(a->map.seed, key, n));
    if (x)
        x->full_at_ns = 0; /* the row stays and is reused */
    pthread_mutex_unlock(&a->lock);
}
