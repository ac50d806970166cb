/* kernel_c.c - both functions in portable C, one lane.
 *
 * Compiled a second time with BMI instructions (rotate and and-not without a
 * copy), under the name that HASH_C_X1 gives, for the last lane of the vector
 * sets. SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include "hash/md5.h"
#include "hash/sha256.h"
#include <string.h>

#ifndef HASH_C_X1
#define HASH_C_X1 hash_c_x1
#endif

#define STEP(i, f, a, b, c, d, x, s, k) MD5_STEP(p, f, a, b, c, d, x, s, k)

static void
md5_blocks(uint32_t st[4], const uint8_t *p, size_t n)
{
    uint32_t a = st[0], b = st[1], c = st[2], d = st[3];

    for (; n > 0; n--, p += HASH_BLOCK) {
        const uint32_t a0 = a, b0 = b, c0 = c, d0 = d;

        MD5_ROUNDS(STEP)
        a += a0;
        b += b0;
        c += c0;
        d += d0;
    }
    st[0] = a;
    st[1] = b;
    st[2] = c;
    st[3] = d;
}

static inline uint32_t
ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* FIPS 180-4 section 4.1.2. */
#define SUM1(e)      (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25))
#define SUM0(a)      (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22))
#define SIGMA0(x)    (ror(x, 7) ^ ror(x, 18) ^ (x) >> 3)
#define SIGMA1(x)    (ror(x, 17) ^ ror(x, 19) ^ (x) >> 10)
#define CH(e, f, g)  ((g) ^ ((e) & ((f) ^ (g))))
#define MAJ(a, b, c) (((a) & (b)) | ((c) & ((a) | (b))))

#define ROUND(i, a, b, c, d, e, f, g, h)      \
    h += k[i] + w[i] + CH(e, f, g) + SUM1(e); \
    d += h;                                   \
    h += SUM0(a) + MAJ(a, b, c);

/* The same, and word i of the 16 after these. */
#define ROUND_NEXT(i, a, b, c, d, e, f, g, h)               \
    ROUND(i, a, b, c, d, e, f, g, h)                        \
    w[i] += SIGMA0(w[((i) + 1) % 16]) + w[((i) + 9) % 16] + \
            SIGMA1(w[((i) + 14) % 16]);

static void
sha256_blocks(uint32_t st[8], const uint8_t *p, size_t n)
{
    uint32_t a = st[0], b = st[1], c = st[2], d = st[3];
    uint32_t e = st[4], f = st[5], g = st[6], h = st[7];

    for (; n > 0; n--, p += HASH_BLOCK) {
        const uint32_t *k = hash_sha256_k;
        uint32_t w[16];

        for (unsigned i = 0; i < 16; i++)
            w[i] = get_be32(p + 4 * i);
        for (unsigned r = 0; r < 3; r++, k += 16) {
            SHA256_ROUNDS_16(ROUND_NEXT)
        }
        SHA256_ROUNDS_16(ROUND)
        st[0] = a += st[0];
        st[1] = b += st[1];
        st[2] = c += st[2];
        st[3] = d += st[3];
        st[4] = e += st[4];
        st[5] = f += st[5];
        st[6] = g += st[6];
        st[7] = h += st[7];
    }
}

void
HASH_C_X1(struct hash_lane *const *lane, size_t n)
{
    struct hash_lane l = *lane[0];

    while (n > 0) {
        const size_t k = size_min(n, HASH_SLICE);

        md5_blocks(l.md5, l.p, k);
        sha256_blocks(l.sha256, l.p, k);
        l.p += k * HASH_BLOCK;
        n -= k;
    }
}
