/* vec_avx2.h - eight lanes of 32-bit words with AVX2. It and its two siblings
 * name the same operations, so that a kernel is written once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_VEC_AVX2_H
#define HASH_VEC_AVX2_H

#include <immintrin.h>

#define VEC             __m256i
#define VEC_LANES       8
#define VEC_NAME(w)     hash_avx2_##w
#define V_ADD(x, y)     _mm256_add_epi32(x, y)
#define V_AND(x, y)     _mm256_and_si256(x, y)
#define V_OR(x, y)      _mm256_or_si256(x, y)
#define V_XOR(x, y)     _mm256_xor_si256(x, y)
#define V_SET1(w)       _mm256_set1_epi32((int)(w))
#define V_SHR(x, s)     _mm256_srli_epi32(x, s)
#define V_ROL(x, s)     V_OR(_mm256_slli_epi32(x, s), V_SHR(x, 32 - (s)))
#define V_XOR3(x, y, z) V_XOR(V_XOR(y, z), x)

/* The functions of MD5, so that the argument that comes last, b, has the
 * shortest way; G is added in two halves (md5.h). */
#define V_ADD_F(a, b, c, d) V_ADD(a, V_XOR(d, V_AND(b, V_XOR(c, d))))
#define V_ADD_G(a, b, c, d) \
    V_ADD(V_ADD(a, _mm256_andnot_si256(d, c)), V_AND(d, b))
#define V_ADD_H(a, b, c, d) V_ADD(a, V_XOR3(b, c, d))
#define V_ADD_I(a, b, c, d) V_ADD(a, V_XOR(c, V_OR(b, V_XOR(d, V_SET1(-1)))))
/* Those of SHA-256. */
#define V_CH(e, f, g)  V_XOR(g, V_AND(e, V_XOR(f, g)))
#define V_MAJ(a, b, c) V_OR(V_AND(a, b), V_AND(c, V_OR(a, b)))

#define V_LOAD(p)         _mm256_loadu_si256((const void *)(p))
#define V_STORE(p, x)     _mm256_storeu_si256((void *)(p), x)
#define V_UNPACKLO(x, y)  _mm256_unpacklo_epi32(x, y)
#define V_UNPACKHI(x, y)  _mm256_unpackhi_epi32(x, y)
#define V_UNPACKLO2(x, y) _mm256_unpacklo_epi64(x, y)
#define V_UNPACKHI2(x, y) _mm256_unpackhi_epi64(x, y)
#define V_BYTES(x, t)     _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(t))

/* 16 bytes each of the streams i and i + 4. */
#define V_ROW(p, i, off)                                               \
    _mm256_inserti128_si256(_mm256_castsi128_si256(V_PART(p, i, off)), \
                            V_PART(p, (i) + 4, off), 1)
#define V_PART(p, i, off) _mm_loadu_si128((const void *)((p)[i] + (off)))
/* The same when only the first four streams matter. */
#define V_ROW4(p, i, off) _mm256_castsi128_si256(V_PART(p, i, off))

#endif
