/* coord_store.h - what port/coord_mem.c keeps: leases, hashes, sorted sets,
 * buckets and reservations under keys, each with its time to live. One caller
 * at a time; time is an argument. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_STORE_H
#define PORT_COORD_STORE_H

#include "base/heap.h"
#include "base/map.h"
#include "port/coord.h"

struct coord_store {
    struct map keys;
    struct map members; /* of sorted sets */
    struct heap expiry;
    size_t items;
    size_t items_max;
    struct mono now; /* never goes back */
    struct wall wall;
};

bool coord_store_init(struct coord_store *s, size_t items_max, uint64_t seed);
void coord_store_release(struct coord_store *s);
/* Carries R out at that time and sets its results. Not for COORD_PUBLISH. */
void coord_store_do(struct coord_store *s, struct coord_request *r,
                    struct mono now, struct wall wall);

#endif
