/* cache.h - files that a loop keeps open, so that a hot download costs neither
 * registry nor database nor open().
 *
 * Bounded; the least recently used goes first. An entry is believed only while
 * its element's generation is the one that it was opened under: any delete on
 * the element makes all of its entries be looked up anew, which is cheap and
 * cannot be wrong. What is believed no more is closed within CACHE_SWEEP, or a
 * deleted file would go on taking its room on the disk. One loop, no locks; an
 * entry in use outlives its eviction.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_CACHE_H
#define ROLE_INGEST_CACHE_H

#include "base/map.h"
#include "port/blob.h"

#define CACHE_SWEEP dur_s(1)

struct cache;
struct metrics;

struct cache_entry {
    struct map_item item;
    struct list lru; /* empty when evicted */
    struct uuid file_id;
    struct blob *blob;
    struct blob_reader *reader;
    struct blob_info info;
    unsigned refs; /* users, and the cache itself */
};

struct cache *cache_open(size_t entries_max, uint64_t seed, struct loop *l);
/* Hits, misses and entries are counted in M from now on. */
void cache_observe(struct cache *c, struct metrics *m);
/* On the loop, or when it has stopped: nobody may use an entry any more. */
void cache_close(struct cache **c);
void cache_clear(struct cache *c);

/* A fresh entry with a reference for the caller, or NULL. */
struct cache_entry *cache_get(struct cache *c, const struct uuid *file_id);
/* Takes READER over; never fails, though without memory it returns NULL and the
 * reader is closed. The caller gets a reference. */
struct cache_entry *cache_put(struct cache *c, const struct uuid *file_id,
                              struct blob *blob, struct blob_reader *reader);
void cache_unref(struct cache_entry *e);

#endif
