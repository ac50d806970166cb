/* coord_mem.h - port/coord.h within one process, for the embedded default, the
 * simulator and tests. Time is that of the loops that ask.
 *
 * Everything that is kept counts against one ceiling: a key, a field, a member,
 * a reservation is one item each. Safe for all loops; what an operation does is
 * done when it is submitted, its completion comes in a later turn.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_MEM_H
#define PORT_COORD_MEM_H

#include "port/coord.h"

/* SEED: secret, for keys that come from outside. NULL: no memory. */
struct coord *coord_mem_open(size_t items_max, uint64_t seed);
/* Items kept now; those that have expired leave at the next operation. */
size_t coord_mem_items(struct coord *c);

#endif
