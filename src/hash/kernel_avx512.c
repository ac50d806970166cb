/* kernel_avx512.c - see passes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/vec_avx512.h"
#include "hash/passes.h"

PASSES(x16)
