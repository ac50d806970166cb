/* cache.c - see cache.h.
 *
 * The hash takes the last 32 bytes only. They are the end of a signature, which
 * is as good as random for every token that verified, and nobody can make two
 * valid tokens of the same end; of tokens that did not verify there are never
 * more than 16. All bytes are compared before anything is believed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/cache.h"
#include "base/list.h"
#include "base/map.h"
#include <stdlib.h>

#define HASHED     ((size_t)32)
#define REFUSAL_MS 1000

struct entry {
    struct map_item item;
    struct list lru;
    uint64_t generation;
    int64_t from_ms;
    int64_t until_ms;
    enum token_why why;
    struct claims claims;
    size_t len;
    char token[];
};

struct token_cache {
    struct map map;
    struct list good; /* oldest use first */
    struct list refused;
    size_t goods;
    size_t refusals;
    size_t max;
    struct token_cache_stats stats;
};

struct token_cache *
token_cache_open(size_t entries, uint64_t seed)
{
    struct token_cache *c = calloc(1, sizeof(*c));

    assert(entries > 0);
    if (!c)
        return NULL;
    if (!map_init(&c->map, entries, seed)) {
        free(c);
        return NULL;
    }
    list_init(&c->good);
    list_init(&c->refused);
    c->max = entries;
    return c;
}

static void
entry_drop(struct token_cache *c, struct entry *e)
{
    map_remove(&c->map, &e->item);
    list_remove(&e->lru);
    if (e->why == TOKEN_OK)
        c->goods--;
    else
        c->refusals--;
    c->stats.bytes -= sizeof(*e) + e->len;
    free(e);
}

void
token_cache_close(struct token_cache **c)
{
    struct token_cache *x = *c;

    *c = NULL;
    if (!x)
        return;
    LIST_FOREACH_SAFE (it, nx, &x->good)
        entry_drop(x, container_of(it, struct entry, lru));
    LIST_FOREACH_SAFE (it, nx, &x->refused)
        entry_drop(x, container_of(it, struct entry, lru));
    map_release(&x->map);
    free(x);
}

static uint64_t
hash_of(const struct token_cache *c, struct slice token)
{
    size_t n = size_min(token.n, HASHED);

    return map_hash(c->map.seed + token.n, token.p + token.n - n, n);
}

static struct entry *
entry_find(const struct token_cache *c, struct slice token, uint64_t hash)
{
    struct map_item *it = map_first(&c->map, hash);

    for (; it; it = map_next(it)) {
        struct entry *e = container_of(it, struct entry, item);

        if (slice_eq(slice_of(e->token, e->len), token))
            return e;
    }
    return NULL;
}

bool
token_cache_get(struct token_cache *c, struct slice token, uint64_t generation,
                struct wall now, enum token_why *why,
                const struct claims **claims)
{
    struct entry *e = NULL;

    *claims = NULL;
    if (token.n && token.n <= TOKEN_CACHED_MAX)
        e = entry_find(c, token, hash_of(c, token));
    /* A clock that was set back makes a token young again: from_ms. */
    if (e && (e->generation != generation || now.ms >= e->until_ms ||
              now.ms < e->from_ms)) {
        entry_drop(c, e);
        e = NULL;
    }
    if (!e) {
        c->stats.misses++;
        return false;
    }
    c->stats.hits++;
    *why = e->why;
    if (e->why == TOKEN_OK) {
        list_remove(&e->lru);
        list_push(&c->good, &e->lru);
        *claims = &e->claims;
    }
    return true;
}

/* Room for one more of its kind. */
static void
make_room(struct token_cache *c, enum token_why why)
{
    struct list *from = why == TOKEN_OK ? &c->good : &c->refused;

    if (why == TOKEN_OK ? c->goods < c->max : c->refusals < TOKEN_REFUSALS_MAX)
        return;
    entry_drop(c, container_of(from->next, struct entry, lru));
    c->stats.evicted++;
}

void
token_cache_put(struct token_cache *c, struct slice token, uint64_t generation,
                struct dur leeway, struct wall now, enum token_why why,
                const struct claims *claims)
{
    struct entry *e;
    uint64_t hash;

    if (token.n == 0 || token.n > TOKEN_CACHED_MAX)
        return;
    assert(why != TOKEN_OK || claims);
    hash = hash_of(c, token);
    if ((e = entry_find(c, token, hash))) /* two requests waited for it */
        entry_drop(c, e);
    make_room(c, why);
    e = malloc(sizeof(*e) + token.n);
    if (!e)
        return;
    *e = (struct entry){
        .generation = generation,
        .from_ms = now.ms,
        .until_ms = now.ms + REFUSAL_MS,
        .why = why,
        .len = token.n,
    };
    if (why == TOKEN_OK) {
        e->claims = *claims;
        e->from_ms = claims->nbf_s * 1000 - leeway.ns / 1000000;
        e->until_ms = claims->exp_s * 1000 + leeway.ns / 1000000;
    }
    memcpy(e->token, token.p, token.n);
    map_add(&c->map, &e->item, hash);
    list_push(why == TOKEN_OK ? &c->good : &c->refused, &e->lru);
    if (why == TOKEN_OK)
        c->goods++;
    else
        c->refusals++;
    c->stats.bytes += sizeof(*e) + e->len;
}

void
token_cache_stats(const struct token_cache *c, struct token_cache_stats *out)
{
    *out = c->stats;
    out->entries = c->goods + c->refusals;
}
