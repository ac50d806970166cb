/* kernel_avx512vl.c - see passes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/vec_avx512vl.h"
#include "hash/passes.h"

PASSES(x8)
