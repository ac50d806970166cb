/* near.h - how far a name is from the one that was probably meant. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include "base/slice.h"

#define NEAR_FAR 99

/* How many characters must be changed, left out, put in or swapped with their
 * neighbour to get from A to B; NEAR_FAR when that is more than MAX, or a name
 * is longer than 64 bytes. - and _ and the case of letters do not count. */
int near_distance(struct slice a, struct slice b, int max);

/* MAX for NAME: a third of the letters may be wrong, three at most. */
static inline int
near_slips(struct slice name)
{
    return name.n < 9 ? (int)name.n / 3 : 3;
}

#endif
