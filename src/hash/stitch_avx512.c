/* stitch_avx512.c - see stitch.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/vec_avx512vl.h"
#include "hash/stitch.h"
