/* passes.h - as many streams as a vector has lanes: MD5 of a slice, then
 * SHA-256 of the same, both in vectors. For processors without SHA-NI, and for
 * those whose vectors outrun it (select.c). Included by kernel_*.c.
 *
 * MD5 is bound by its chain of steps, SHA-256 by the number of instructions;
 * they are not woven into each other because their 28 vectors of state and
 * words do not fit into the registers. SPDX-License-Identifier: Apache-2.0 */
#include "hash/sha256.h"
#include "hash/vec.h"

/* The words in quarters, each before the steps that need it first. */
#define STEP(i, f, a, b, c, d, x, s, k)       \
    if ((i) < 16 && (i) % 4 == 0)             \
        vec_words(w + (i), p, off + 4 * (i)); \
    VEC_MD5_STEP(w, i, f, a, b, c, d, x, s)

static void
md5_pass(struct vec_md5 *md5, const uint8_t *const *p, size_t off, size_t end)
{
    VEC a = md5->a, b = md5->b, c = md5->c, d = md5->d;
    VEC w[16];

    for (; off < end; off += HASH_BLOCK) {
        const VEC a0 = a, b0 = b, c0 = c, d0 = d;

        MD5_ROUNDS(STEP)
        a = V_ADD(a, a0);
        b = V_ADD(b, b0);
        c = V_ADD(c, c0);
        d = V_ADD(d, d0);
    }
    *md5 = (struct vec_md5){a, b, c, d};
}

#define ROR(x, n) V_ROL(x, 32 - (n))

/* FIPS 180-4 section 4.1.2. */
#define SUM1(e)   V_XOR3(ROR(e, 6), ROR(e, 11), ROR(e, 25))
#define SUM0(a)   V_XOR3(ROR(a, 2), ROR(a, 13), ROR(a, 22))
#define SIGMA0(x) V_XOR3(ROR(x, 7), ROR(x, 18), V_SHR(x, 3))
#define SIGMA1(x) V_XOR3(ROR(x, 17), ROR(x, 19), V_SHR(x, 10))

#define ROUND(i, a, b, c, d, e, f, g, h)         \
    h = V_ADD(V_ADD(h, V_SET1(k[i])), w[i]);     \
    h = V_ADD(V_ADD(h, V_CH(e, f, g)), SUM1(e)); \
    d = V_ADD(d, h);                             \
    h = V_ADD(h, V_ADD(SUM0(a), V_MAJ(a, b, c)));

/* The same, and word i of the 16 after these. */
#define NEXT(i)                               \
    w[i] =                                    \
        V_ADD(V_ADD(w[i], w[((i) + 9) % 16]), \
              V_ADD(SIGMA0(w[((i) + 1) % 16]), SIGMA1(w[((i) + 14) % 16])));
#define ROUND_NEXT(i, a, b, c, d, e, f, g, h) \
    ROUND(i, a, b, c, d, e, f, g, h)          \
    NEXT(i)

ALWAYS_INLINE void
sha256_words(VEC w[16], const uint8_t *const *p, size_t off)
{
    const __m128i swap =
        _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
#define ROW(i, o) V_BYTES(V_ROW(p, i, off + (o)), swap)
#define QUARTER(q)                                            \
    vec_turn(w + 4 * (q), ROW(0, 16 * (q)), ROW(1, 16 * (q)), \
             ROW(2, 16 * (q)), ROW(3, 16 * (q)));
    QUARTER(0)
    QUARTER(1)
    QUARTER(2)
    QUARTER(3)
#undef ROW
#undef QUARTER
}

static void
sha256_pass(VEC st[8], const uint8_t *const *p, size_t off, size_t end)
{
    VEC a = st[0], b = st[1], c = st[2], d = st[3];
    VEC e = st[4], f = st[5], g = st[6], h = st[7];
    VEC w[16];

    for (; off < end; off += HASH_BLOCK) {
        const uint32_t *k = hash_sha256_k;

        sha256_words(w, p, off);
        for (unsigned r = 0; r < 3; r++, k += 16) {
            SHA256_ROUNDS_16(ROUND_NEXT)
        }
        SHA256_ROUNDS_16(ROUND)
        st[0] = a = V_ADD(a, st[0]);
        st[1] = b = V_ADD(b, st[1]);
        st[2] = c = V_ADD(c, st[2]);
        st[3] = d = V_ADD(d, st[3]);
        st[4] = e = V_ADD(e, st[4]);
        st[5] = f = V_ADD(f, st[5]);
        st[6] = g = V_ADD(g, st[6]);
        st[7] = h = V_ADD(h, st[7]);
    }
}

#define PASSES(lanes)                                                    \
    HASH_KERNEL(VEC_NAME(lanes))                                         \
    {                                                                    \
        const uint8_t *p[VEC_LANES];                                     \
        struct vec_md5 md5 = vec_md5_load(lane, VEC_LANES);              \
        uint32_t t[8][VEC_LANES];                                        \
        VEC st[8];                                                       \
                                                                         \
        for (unsigned i = 0; i < VEC_LANES; i++) {                       \
            p[i] = lane[i]->p;                                           \
            for (unsigned j = 0; j < 8; j++)                             \
                t[j][i] = lane[i]->sha256[j];                            \
        }                                                                \
        for (unsigned j = 0; j < 8; j++)                                 \
            st[j] = V_LOAD(t[j]);                                        \
        for (size_t i = 0; i < n; i += HASH_SLICE) {                     \
            const size_t end = size_min(i + HASH_SLICE, n) * HASH_BLOCK; \
                                                                         \
            md5_pass(&md5, p, i *HASH_BLOCK, end);                       \
            sha256_pass(st, p, i *HASH_BLOCK, end);                      \
        }                                                                \
        vec_md5_store(md5, lane, VEC_LANES);                             \
        for (unsigned j = 0; j < 8; j++)                                 \
            V_STORE(t[j], st[j]);                                        \
        for (unsigned i = 0; i < VEC_LANES; i++)                         \
            for (unsigned j = 0; j < 8; j++)                             \
                lane[i]->sha256[j] = t[j][i];                            \
    }
