/* map.h - intrusive hash table: chains of items that their owners embed.
 *
 * The owner hashes and compares; map_hash() is a fine hash for bytes. A map
 * used on bytes from outside takes a random SEED, so that nobody can aim for
 * one chain. The table doubles up to MAX buckets; the number of items is the
 * owner's to bound. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/base.h"

struct map_item {
    struct map_item *next;
    uint64_t hash;
};

struct map {
    struct map_item **slot;
    size_t mask;
    size_t n;
    size_t max; /* slots at most, a power of two */
    uint64_t seed;
};

uint64_t map_hash(uint64_t seed, const void *p, size_t n);

/* False: no memory. MAX is rounded up to a power of two. */
bool map_init(struct map *m, size_t max, uint64_t seed);
void map_release(struct map *m); /* does not touch the items */
void map_add(struct map *m, struct map_item *it, uint64_t hash);
void map_remove(struct map *m, struct map_item *it); /* it must be in */
/* First item of HASH, and the next of the same hash after IT; NULL at the
 * end. The caller compares keys. */
struct map_item *map_first(const struct map *m, uint64_t hash);
struct map_item *map_next(const struct map_item *it);

#endif
