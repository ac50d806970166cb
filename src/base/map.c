/* map.c - chained hash table.
 *
 * The hash is the 64-bit finaliser of MurmurHash3 (public domain design) over
 * words, begun from the seed: quick on keys of tens of bytes, and with a secret
 * seed good enough against aimed collisions in bounded tables.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include <stdlib.h>
#include <string.h>

#define MAP_FIRST ((size_t)16)

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    x ^= x >> 33;
    return x;
}

uint64_t
map_hash(uint64_t seed, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = mix(seed ^ n * 0x9e3779b97f4a7c15ULL);

    for (; n >= 8; b += 8, n -= 8) {
        uint64_t w;

        memcpy(&w, b, 8);
        h = mix(h ^ w) + seed;
    }
    if (n) {
        uint64_t w = 0;

        memcpy(&w, b, n);
        h = mix(h ^ w) + seed;
    }
    return mix(h);
}

bool
map_init(struct map *m, size_t max, uint64_t seed)
{
    size_t top = 1;

    assert(max <= SIZE_MAX / sizeof(struct map_item *) / 4);
    while (top < max)
        top *= 2;
    *m = (struct map){.max = top, .seed = seed};
    m->mask = size_min(MAP_FIRST, top) - 1;
    m->slot = calloc(m->mask + 1, sizeof(struct map_item *));
    return m->slot != NULL;
}

void
map_release(struct map *m)
{
    free(m->slot);
    *m = (struct map){0};
}

/* No memory for more slots makes longer chains, not a failure. */
static void
widen(struct map *m)
{
    size_t slots = (m->mask + 1) * 2;
    struct map_item **slot = calloc(slots, sizeof(struct map_item *));

    if (!slot)
        return;
    for (size_t i = 0; i <= m->mask; i++) {
        struct map_item *it = m->slot[i];

        while (it) {
            struct map_item *next = it->next;
            struct map_item **at = &slot[it->hash & (slots - 1)];

            it->next = *at;
            *at = it;
            it = next;
        }
    }
    free(m->slot);
    m->slot = slot;
    m->mask = slots - 1;
}

void
map_add(struct map *m, struct map_item *it, uint64_t hash)
{
    struct map_item **at;

    if (m->n > m->mask && m->mask + 1 < m->max)
        widen(m);
    at = &m->slot[hash & m->mask];
    it->hash = hash;
    it->next = *at;
    *at = it;
    m->n++;
}

void
map_remove(struct map *m, struct map_item *it)
{
    struct map_item **at = &m->slot[it->hash & m->mask];

    while (*at != it) {
        assert(*at); /* it must be in */
        at = &(*at)->next;
    }
    *at = it->next;
    it->next = NULL;
    m->n--;
}

static struct map_item *
same(struct map_item *it, uint64_t hash)
{
    while (it && it->hash != hash)
        it = it->next;
    return it;
}

struct map_item *
map_first(const struct map *m, uint64_t hash)
{
    return same(m->slot[hash & m->mask], hash);
}

struct map_item *
map_next(const struct map_item *it)
{
    return same(it->next, it->hash);
}
