/* stitch_avx2.c - see stitch.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/vec_avx2.h"
#include "hash/stitch.h"
