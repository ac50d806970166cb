/* prng.h - one seed reproduces everything: xoshiro256** of Blackman and Vigna
 * (public domain design), seeded by splitmix64. Not for secrets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include "base/base.h"

struct prng {
    uint64_t s[4];
};

void prng_init(struct prng *r, uint64_t seed);
uint64_t prng_next(struct prng *r);
/* Uniform in [0, n); n > 0. */
uint64_t prng_below(struct prng *r, uint64_t n);
void prng_fill(struct prng *r, void *p, size_t n);

#endif
