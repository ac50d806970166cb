/* stitch.h - four, six or eight streams: MD5 in the lanes of one vector, woven
 * into SHA-NI of two streams at a time.
 *
 * What bounds it (cycles, measured on Zen 4 at 3.67 GHz): MD5 of up to eight
 * blocks is 64 steps of 5 cycles, one after the other, whatever the number of
 * blocks: 327 when alone. SHA-256 is 58 for each block. So eight streams could
 * take 468, and take 560 because both want the same units now and then; six
 * take 460, and four, for which MD5 is the bound, 410.
 *
 * The processor looks some hundred vector instructions ahead, so what is to
 * happen at once must stand closer together than that: the steps of MD5 are
 * dealt out evenly to the groups of four rounds of SHA-256, and the words of
 * the blocks are turned a quarter at a time.
 *
 * Tried, and not better by enough: teams of four streams in SHA-NI (8 streams
 * 545, 4 streams 425, and AVX2 has no registers for it); SHA-256's words one
 * team ahead (612); its message schedule in lanes beside MD5 (8 streams 512,
 * 6 the same, 4 444, for twice the code); that in 16 lanes (1300 for 16).
 *
 * Included by stitch_avx2.c and stitch_avx512.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/sha_ni.h"
#include "hash/vec.h"

/* The SHA-256 of one stream while its pair is at work; between that, its state
 * is in memory. */
struct strand {
    struct ni s;
    __m128i m[4];
};

ALWAYS_INLINE void
strand_begin(struct strand *t, const __m128i st[2], const uint8_t *p)
{
    t->s = (struct ni){_mm_load_si128(&st[0]), _mm_load_si128(&st[1])};
    ni_words(t->m, p);
}

ALWAYS_INLINE void
strand_end(const struct strand *t, __m128i st[2])
{
    _mm_store_si128(&st[0], _mm_add_epi32(st[0], t->s.abef));
    _mm_store_si128(&st[1], _mm_add_epi32(st[1], t->s.cdgh));
}

/* Group g % 16 of pair g / 16. */
#define GROUP(g)                                                           \
    if ((g) % 16 == 0) {                                                   \
        strand_begin(&y, st[(g) / 16 * 2], p[(g) / 16 * 2] + off);         \
        strand_begin(&z, st[(g) / 16 * 2 + 1], p[(g) / 16 * 2 + 1] + off); \
    }                                                                      \
    ni_group(&y.s, y.m, (g) % 16);                                         \
    ni_group(&z.s, z.m, (g) % 16);                                         \
    if ((g) % 16 == 15) {                                                  \
        strand_end(&y, st[(g) / 16 * 2]);                                  \
        strand_end(&z, st[(g) / 16 * 2 + 1]);                              \
    }

/* Four words of the first LANES streams. */
ALWAYS_INLINE void
some_words(VEC w[4], const uint8_t *const *p, unsigned lanes, size_t off)
{
    if (lanes > 4)
        vec_words(w, p, off);
    else
        vec_turn(w, V_ROW4(p, 0, off), V_ROW4(p, 1, off), V_ROW4(p, 2, off),
                 V_ROW4(p, 3, off));
}

/* Step I, and before the steps that need them the words: of this block, and at
 * step 56 the first four of the next. */
#define STEP(lanes, i, f, a, b, c, d, x, s)                    \
    if ((i) == 0 || (i) == 4 || (i) == 8)                      \
        some_words(w + (i) + 4, p, lanes, off + 4 * (i) + 16); \
    if ((i) == 56)                                             \
        some_words(head, p, lanes, next);                      \
    VEC_MD5_STEP(w, i, f, a, b, c, d, x, s)

/* Four pairs: one step to a group. */
#define STEP_8(i, f, a, b, c, d, x, s, k) \
    STEP(8, i, f, a, b, c, d, x, s)       \
    GROUP(i)
/* Three pairs: four steps to three groups. */
#define STEP_6(i, f, a, b, c, d, x, s, k) \
    STEP(6, i, f, a, b, c, d, x, s)       \
    if ((i) % 4 != 3) {                   \
        GROUP((i) / 4 * 3 + (i) % 4)      \
    }
/* Two pairs: two steps to a group. */
#define STEP_4(i, f, a, b, c, d, x, s, k) \
    STEP(4, i, f, a, b, c, d, x, s)       \
    if ((i) % 2 == 0) {                   \
        GROUP((i) / 2)                    \
    }

#define STITCH(name, lanes, ROUND)                                      \
    HASH_KERNEL(VEC_NAME(name))                                         \
    {                                                                   \
        struct vec_md5 md5 = vec_md5_load(lane, lanes);                 \
        VEC a = md5.a, b = md5.b, c = md5.c, d = md5.d;                 \
        VEC head[4], w[16];                                             \
        __m128i st[lanes][2];                                           \
        const uint8_t *p[VEC_LANES];                                    \
        struct strand y, z;                                             \
                                                                        \
        for (unsigned i = 0; i < VEC_LANES; i++)                        \
            p[i] = lane[i < (lanes) ? i : 0]->p;                        \
        for (unsigned i = 0; i < (lanes); i++) {                        \
            const struct ni h = ni_load(lane[i]->sha256);               \
                                                                        \
            st[i][0] = h.abef;                                          \
            st[i][1] = h.cdgh;                                          \
        }                                                               \
        some_words(head, p, lanes, 0);                                  \
        for (size_t off = 0; off < n * HASH_BLOCK; off += HASH_BLOCK) { \
            /* The last block is followed, for nothing, by itself. */   \
            const size_t next =                                         \
                off / HASH_BLOCK + 1 < n ? off + HASH_BLOCK : off;      \
            const VEC a0 = a, b0 = b, c0 = c, d0 = d;                   \
                                                                        \
            w[0] = head[0];                                             \
            w[1] = head[1];                                             \
            w[2] = head[2];                                             \
            w[3] = head[3];                                             \
            MD5_ROUNDS(ROUND)                                           \
            a = V_ADD(a, a0);                                           \
            b = V_ADD(b, b0);                                           \
            c = V_ADD(c, c0);                                           \
            d = V_ADD(d, d0);                                           \
        }                                                               \
        vec_md5_store((struct vec_md5){a, b, c, d}, lane, lanes);       \
        for (unsigned i = 0; i < (lanes); i++)                          \
            ni_store((struct ni){st[i][0], st[i][1]}, lane[i]->sha256); \
    }

STITCH(ni_x4, 4, STEP_4)
STITCH(ni_x6, 6, STEP_6)
STITCH(ni_x8, 8, STEP_8)
