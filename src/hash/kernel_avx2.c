/* kernel_avx2.c - see passes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/vec_avx2.h"
#include "hash/passes.h"

PASSES(x8)
