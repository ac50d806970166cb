/* vec_avx512.h - sixteen lanes with AVX-512 F and BW; see vec_avx512vl.h for
 * V_TERN. SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_VEC_AVX512_H
#define HASH_VEC_AVX512_H

#include <immintrin.h>

#define VEC                __m512i
#define VEC_LANES          16
#define VEC_NAME(w)        hash_avx512_##w
#define V_ADD(x, y)        _mm512_add_epi32(x, y)
#define V_SET1(w)          _mm512_set1_epi32((int)(w))
#define V_SHR(x, s)        _mm512_srli_epi32(x, s)
#define V_ROL(x, s)        _mm512_rol_epi32(x, s)
#define V_TERN(x, y, z, t) _mm512_ternarylogic_epi32(x, y, z, t)
#define V_XOR3(x, y, z)    V_TERN(x, y, z, 0x96)

#define V_ADD_F(a, b, c, d) V_ADD(a, V_TERN(b, c, d, 0xca))
#define V_ADD_G(a, b, c, d) V_ADD(a, V_TERN(b, c, d, 0xe4))
#define V_ADD_H(a, b, c, d) V_ADD(a, V_XOR3(b, c, d))
#define V_ADD_I(a, b, c, d) V_ADD(a, V_TERN(b, c, d, 0x39))
#define V_CH(e, f, g)       V_TERN(e, f, g, 0xca)
#define V_MAJ(a, b, c)      V_TERN(a, b, c, 0xe8)

#define V_LOAD(p)         _mm512_loadu_si512((const void *)(p))
#define V_STORE(p, x)     _mm512_storeu_si512((void *)(p), x)
#define V_UNPACKLO(x, y)  _mm512_unpacklo_epi32(x, y)
#define V_UNPACKHI(x, y)  _mm512_unpackhi_epi32(x, y)
#define V_UNPACKLO2(x, y) _mm512_unpacklo_epi64(x, y)
#define V_UNPACKHI2(x, y) _mm512_unpackhi_epi64(x, y)
#define V_BYTES(x, t)     _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(t))

/* 16 bytes each of the streams i, i + 4, i + 8 and i + 12. */
#define V_ROW(p, i, off)                                                  \
    _mm512_inserti32x4(                                                   \
        _mm512_inserti32x4(                                               \
            _mm512_inserti32x4(_mm512_castsi128_si512(V_PART(p, i, off)), \
                               V_PART(p, (i) + 4, off), 1),               \
            V_PART(p, (i) + 8, off), 2),                                  \
        V_PART(p, (i) + 12, off), 3)
#define V_PART(p, i, off) _mm_loadu_si128((const void *)((p)[i] + (off)))

#endif
