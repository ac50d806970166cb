/* sha256.h - the constants of SHA-256 (FIPS 180-4 section 4.2.2), and the
 * order in which its eight words change places.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_SHA256_H
#define HASH_SHA256_H

#include "hash/word.h"

extern const uint32_t hash_sha256_k[64];

/* Sixteen rounds as S(i, a, b, c, d, e, f, g, h): instead of moving the words
 * one place on, each round names them one place on. */
#define SHA256_ROUNDS_8(S, i)          \
    S((i) + 0, a, b, c, d, e, f, g, h) \
    S((i) + 1, h, a, b, c, d, e, f, g) \
    S((i) + 2, g, h, a, b, c, d, e, f) \
    S((i) + 3, f, g, h, a, b, c, d, e) \
    S((i) + 4, e, f, g, h, a, b, c, d) \
    S((i) + 5, d, e, f, g, h, a, b, c) \
    S((i) + 6, c, d, e, f, g, h, a, b) \
    S((i) + 7, b, c, d, e, f, g, h, a)
#define SHA256_ROUNDS_16(S) SHA256_ROUNDS_8(S, 0) SHA256_ROUNDS_8(S, 8)

#endif
