/* vec.h - what the vector kernels share, in terms of vec_avx2.h, vec_avx512vl.h
 * or vec_avx512.h, one of which is included first.
 *
 * Lane i of a vector belongs to stream i, so a block of 16 words of each stream
 * is 16 vectors: the blocks are turned, four words at a time, so that it can be
 * woven into other work just before the words are needed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_VEC_H
#define HASH_VEC_H

#include "hash/lanes.h"
#include "hash/md5.h"

/* Four rows of four words per lane group become columns. */
ALWAYS_INLINE void
vec_turn(VEC w[4], VEC r0, VEC r1, VEC r2, VEC r3)
{
    const VEC a0 = V_UNPACKLO(r0, r1), a1 = V_UNPACKHI(r0, r1);
    const VEC a2 = V_UNPACKLO(r2, r3), a3 = V_UNPACKHI(r2, r3);

    w[0] = V_UNPACKLO2(a0, a2);
    w[1] = V_UNPACKHI2(a0, a2);
    w[2] = V_UNPACKLO2(a1, a3);
    w[3] = V_UNPACKHI2(a1, a3);
}

/* Four words of all streams, from byte OFF on. */
ALWAYS_INLINE void
vec_words(VEC w[4], const uint8_t *const *p, size_t off)
{
    vec_turn(w, V_ROW(p, 0, off), V_ROW(p, 1, off), V_ROW(p, 2, off),
             V_ROW(p, 3, off));
}

/* One step of MD5 in all lanes; W is the block. The constant is taken from
 * memory, where AVX-512 broadcasts it within the addition: of a literal GCC
 * makes a move to an integer register and a slow broadcast. */
#define VEC_MD5_STEP(w, i, f, a, b, c, d, x, s) \
    a = V_ADD(a, (w)[x]);                       \
    a = V_ADD(a, V_SET1(hash_md5_k[i]));        \
    a = V_ADD_##f(a, b, c, d);                  \
    a = V_ADD(V_ROL(a, s), b);

struct vec_md5 {
    VEC a, b, c, d;
};

/* The first LANES streams; the lanes beyond are given some value. */
static inline struct vec_md5
vec_md5_load(struct hash_lane *const *lane, unsigned lanes)
{
    uint32_t t[4][VEC_LANES];

    for (unsigned i = 0; i < VEC_LANES; i++)
        for (unsigned j = 0; j < 4; j++)
            t[j][i] = lane[i < lanes ? i : 0]->md5[j];
    return (struct vec_md5){V_LOAD(t[0]), V_LOAD(t[1]), V_LOAD(t[2]),
                            V_LOAD(t[3])};
}

static inline void
vec_md5_store(struct vec_md5 v, struct hash_lane *const *lane, unsigned lanes)
{
    uint32_t t[4][VEC_LANES];

    V_STORE(t[0], v.a);
    V_STORE(t[1], v.b);
    V_STORE(t[2], v.c);
    V_STORE(t[3], v.d);
    for (unsigned i = 0; i < lanes; i++)
        for (unsigned j = 0; j < 4; j++)
            lane[i]->md5[j] = t[j][i];
}

#endif
