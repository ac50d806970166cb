/* md5.h - the 64 steps of MD5 (RFC 1321 section 3.4) as one table, from which
 * every kernel makes its own code, scalar or vector, alone or woven into
 * SHA-256.
 *
 * A row is S(step, function, a, b, c, d, word, rotate, constant) and means
 *   a = b + rotl(a + function(b, c, d) + word + constant, rotate)
 *
 * MD5 has no parallelism of its own: each step waits for the one before it. So
 * a kernel is as fast as the chain b -> function -> add -> rotate -> add. The
 * sums below are written so that a + word + constant, and whatever else does
 * not need the newest b, is ready beforehand; the files that use them are
 * compiled with -fno-tree-reassoc, or GCC sorts the sums its own way. F and I
 * then cost 5 cycles; G, whose two halves never have a bit in common and so
 * may be added one after the other, and H cost 4: 288 cycles for 64 bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_MD5_H
#define HASH_MD5_H

#include "hash/word.h"

/* The constants again, for kernels that take them from memory. */
extern const uint32_t hash_md5_k[64];

#define MD5_ROUNDS_F(S)                      \
    S(0, F, a, b, c, d, 0, 7, 0xd76aa478)    \
    S(1, F, d, a, b, c, 1, 12, 0xe8c7b756)   \
    S(2, F, c, d, a, b, 2, 17, 0x242070db)   \
    S(3, F, b, c, d, a, 3, 22, 0xc1bdceee)   \
    S(4, F, a, b, c, d, 4, 7, 0xf57c0faf)    \
    S(5, F, d, a, b, c, 5, 12, 0x4787c62a)   \
    S(6, F, c, d, a, b, 6, 17, 0xa8304613)   \
    S(7, F, b, c, d, a, 7, 22, 0xfd469501)   \
    S(8, F, a, b, c, d, 8, 7, 0x698098d8)    \
    S(9, F, d, a, b, c, 9, 12, 0x8b44f7af)   \
    S(10, F, c, d, a, b, 10, 17, 0xffff5bb1) \
    S(11, F, b, c, d, a, 11, 22, 0x895cd7be) \
    S(12, F, a, b, c, d, 12, 7, 0x6b901122)  \
    S(13, F, d, a, b, c, 13, 12, 0xfd987193) \
    S(14, F, c, d, a, b, 14, 17, 0xa679438e) \
    S(15, F, b, c, d, a, 15, 22, 0x49b40821)

#define MD5_ROUNDS_G(S)                      \
    S(16, G, a, b, c, d, 1, 5, 0xf61e2562)   \
    S(17, G, d, a, b, c, 6, 9, 0xc040b340)   \
    S(18, G, c, d, a, b, 11, 14, 0x265e5a51) \
    S(19, G, b, c, d, a, 0, 20, 0xe9b6c7aa)  \
    S(20, G, a, b, c, d, 5, 5, 0xd62f105d)   \
    S(21, G, d, a, b, c, 10, 9, 0x02441453)  \
    S(22, G, c, d, a, b, 15, 14, 0xd8a1e681) \
    S(23, G, b, c, d, a, 4, 20, 0xe7d3fbc8)  \
    S(24, G, a, b, c, d, 9, 5, 0x21e1cde6)   \
    S(25, G, d, a, b, c, 14, 9, 0xc33707d6)  \
    S(26, G, c, d, a, b, 3, 14, 0xf4d50d87)  \
    S(27, G, b, c, d, a, 8, 20, 0x455a14ed)  \
    S(28, G, a, b, c, d, 13, 5, 0xa9e3e905)  \
    S(29, G, d, a, b, c, 2, 9, 0xfcefa3f8)   \
    S(30, G, c, d, a, b, 7, 14, 0x676f02d9)  \
    S(31, G, b, c, d, a, 12, 20, 0x8d2a4c8a)

#define MD5_ROUNDS_H(S)                      \
    S(32, H, a, b, c, d, 5, 4, 0xfffa3942)   \
    S(33, H, d, a, b, c, 8, 11, 0x8771f681)  \
    S(34, H, c, d, a, b, 11, 16, 0x6d9d6122) \
    S(35, H, b, c, d, a, 14, 23, 0xfde5380c) \
    S(36, H, a, b, c, d, 1, 4, 0xa4beea44)   \
    S(37, H, d, a, b, c, 4, 11, 0x4bdecfa9)  \
    S(38, H, c, d, a, b, 7, 16, 0xf6bb4b60)  \
    S(39, H, b, c, d, a, 10, 23, 0xbebfbc70) \
    S(40, H, a, b, c, d, 13, 4, 0x289b7ec6)  \
    S(41, H, d, a, b, c, 0, 11, 0xeaa127fa)  \
    S(42, H, c, d, a, b, 3, 16, 0xd4ef3085)  \
    S(43, H, b, c, d, a, 6, 23, 0x04881d05)  \
    S(44, H, a, b, c, d, 9, 4, 0xd9d4d039)   \
    S(45, H, d, a, b, c, 12, 11, 0xe6db99e5) \
    S(46, H, c, d, a, b, 15, 16, 0x1fa27cf8) \
    S(47, H, b, c, d, a, 2, 23, 0xc4ac5665)

#define MD5_ROUNDS_I(S)                      \
    S(48, I, a, b, c, d, 0, 6, 0xf4292244)   \
    S(49, I, d, a, b, c, 7, 10, 0x432aff97)  \
    S(50, I, c, d, a, b, 14, 15, 0xab9423a7) \
    S(51, I, b, c, d, a, 5, 21, 0xfc93a039)  \
    S(52, I, a, b, c, d, 12, 6, 0x655b59c3)  \
    S(53, I, d, a, b, c, 3, 10, 0x8f0ccc92)  \
    S(54, I, c, d, a, b, 10, 15, 0xffeff47d) \
    S(55, I, b, c, d, a, 1, 21, 0x85845dd1)  \
    S(56, I, a, b, c, d, 8, 6, 0x6fa87e4f)   \
    S(57, I, d, a, b, c, 15, 10, 0xfe2ce6e0) \
    S(58, I, c, d, a, b, 6, 15, 0xa3014314)  \
    S(59, I, b, c, d, a, 13, 21, 0x4e0811a1) \
    S(60, I, a, b, c, d, 4, 6, 0xf7537e82)   \
    S(61, I, d, a, b, c, 11, 10, 0xbd3af235) \
    S(62, I, c, d, a, b, 2, 15, 0x2ad7d2bb)  \
    S(63, I, b, c, d, a, 9, 21, 0xeb86d391)

#define MD5_ROUNDS(S) \
    MD5_ROUNDS_F(S) MD5_ROUNDS_G(S) MD5_ROUNDS_H(S) MD5_ROUNDS_I(S)

/* clang-format off */
#define MD5_SUM_F(a, b, c, d) a += (d) ^ ((b) & ((c) ^ (d)))
#define MD5_SUM_G(a, b, c, d) a += ~(d) & (c); a += (d) & (b)
#define MD5_SUM_H(a, b, c, d) a += (b) ^ ((c) ^ (d))
#define MD5_SUM_I(a, b, c, d) a += (c) ^ ((b) | ~(d))
/* clang-format on */

/* One step on the stream at P. */
#define MD5_STEP(p, f, a, b, c, d, x, s, k)       \
    a += get_le32((p) + 4 * (x)) + (uint32_t)(k); \
    MD5_SUM_##f(a, b, c, d);                      \
    a = (a << (s) | a >> (32 - (s))) + (b);

#endif
