/* md5.c - the constants of md5.h as an array.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/md5.h"

#define ROW(i, f, a, b, c, d, x, s, k) [i] = (k),

const uint32_t hash_md5_k[64] = {MD5_ROUNDS(ROW)};
