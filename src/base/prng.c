/* prng.c - xoshiro256** seeded by splitmix64, after the reference at
 * prng.di.unimi.it. SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include <string.h>

void
prng_init(struct prng *r, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15ULL;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
        r->s[i] = z ^ z >> 31;
    }
}

static uint64_t
rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t
prng_next(struct prng *r)
{
    uint64_t *s = r->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint64_t
prng_below(struct prng *r, uint64_t n)
{
    uint64_t odd, v;

    assert(n > 0);
    /* 2^64 mod n values at the bottom would be met once too often. */
    odd = (0 - n) % n;
    do
        v = prng_next(r);
    while (v < odd);
    return v % n;
}

void
prng_fill(struct prng *r, void *p, size_t n)
{
    uint8_t *b = p;

    while (n) {
        uint64_t v = prng_next(r);
        size_t k = size_min(n, 8);

        memcpy(b, &v, k);
        b += k;
        n -= k;
    }
}
