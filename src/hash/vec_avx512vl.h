/* vec_avx512vl.h - eight lanes with AVX-512VL: any function of three words is
 * one instruction, and so is a rotate. The last argument of the former is its
 * truth table: bit 4x + 2y + z is the function of those bits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_VEC_AVX512VL_H
#define HASH_VEC_AVX512VL_H

#include "hash/vec_avx2.h"

#undef VEC_NAME
#undef V_ROL
#undef V_XOR3
#undef V_ADD_F
#undef V_ADD_G
#undef V_ADD_I
#undef V_CH
#undef V_MAJ

#define VEC_NAME(w)         hash_avx512_##w
#define V_ROL(x, s)         _mm256_rol_epi32(x, s)
#define V_TERN(x, y, z, t)  _mm256_ternarylogic_epi32(x, y, z, t)
#define V_XOR3(x, y, z)     V_TERN(x, y, z, 0x96)
#define V_ADD_F(a, b, c, d) V_ADD(a, V_TERN(b, c, d, 0xca))
#define V_ADD_G(a, b, c, d) V_ADD(a, V_TERN(b, c, d, 0xe4))
#define V_ADD_I(a, b, c, d) V_ADD(a, V_TERN(b, c, d, 0x39))
#define V_CH(e, f, g)       V_TERN(e, f, g, 0xca)
#define V_MAJ(a, b, c)      V_TERN(a, b, c, 0xe8)

#endif
