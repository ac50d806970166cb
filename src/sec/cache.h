/* cache.h - tokens that were verified, remembered by one loop.
 *
 * A hit costs a hash of the token's end and a comparison of all its bytes, well
 * under 1 us, where a check costs 45 us. An entry dies when the token does
 * (exp + leeway), when the keys change (generation), or as the one not used for
 * the longest time when the cache is full.
 *
 * Refusals are remembered for one second and 16 tokens, so that a client that
 * repeats its expired token a thousand times a second costs one check; more
 * would let strangers push out the entries of others.
 *
 * One per loop, no locks. Memory: at most ENTRIES * (TOKEN_CACHED_MAX + 1 KiB).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_CACHE_H
#define SEC_CACHE_H

#include "sec/claims.h"

/* Longer tokens are verified each time. */
#define TOKEN_CACHED_MAX   ((size_t)2048)
#define TOKEN_REFUSALS_MAX 16

struct token_cache;

/* SEED is secret and random. NULL: no memory. */
struct token_cache *token_cache_open(size_t entries, uint64_t seed);
void token_cache_close(struct token_cache **c); /* sets *C to NULL */

/* Whether TOKEN was seen. Then *WHY is what token_verify() would say now, and
 * with TOKEN_OK *CLAIMS is valid until the next call on this cache. */
bool token_cache_get(struct token_cache *c, struct slice token,
                     uint64_t generation, struct wall now, enum token_why *why,
                     const struct claims **claims);

/* Remembers what token_verify() said with the keys of GENERATION. CLAIMS is
 * copied; it may be NULL for a refusal. No memory is no fault: the token is
 * checked again the next time. */
void token_cache_put(struct token_cache *c, struct slice token,
                     uint64_t generation, struct dur leeway, struct wall now,
                     enum token_why why, const struct claims *claims);

struct token_cache_stats {
    size_t entries;
    size_t bytes;
    uint64_t hits;
    uint64_t misses;
    uint64_t evicted;
};
void
token_cache_stats(const struct token_cache *c, struct token_cache_stats *out);

#endif
