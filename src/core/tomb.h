/* tomb.h - file_ids that must not come back: deleted, or an attempt given up
 * (D27, D30).
 *
 * A late request of a client that was slow, or was repeated by a proxy, would
 * otherwise make a file again that somebody has deleted. Bounded: beyond MAX
 * the oldest are forgotten, and tomb_expire() forgets by age. What still has to
 * be unlinked is pinned and is never forgotten; where that is all of the oldest
 * there may be more than MAX, until it is not.
 *
 * Allocates (one node per tombstone, up to MAX). The owner serialises.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TOMB_H
#define CORE_TOMB_H

#include "base/list.h"
#include "base/map.h"
#include "base/mono.h"
#include "base/uuid.h"

struct tomb {
    struct map_item item;
    struct list age; /* in struct tombs, oldest first */
    struct uuid file_id;
    bool deleted; /* else: attempts up to `number` are given up */
    bool expired; /* deleted by age */
    bool pinned;
    uint64_t number; /* epoch or attempt */
    uint64_t seq;
    struct wall at;
    char *place; /* deleted: "bucket name"; owned here */
};

struct tombs {
    struct map map;
    struct list age;
    size_t max;
};

bool tombs_init(struct tombs *t, size_t max, uint64_t seed);
void tombs_release(struct tombs *t);

/* NULL: none. */
struct tomb *tombs_get(const struct tombs *t, const struct uuid *file_id);
/* Adds or raises. NULL: no memory. A deletion wins over attempts. PLACE may be
 * NULL. */
struct tomb *
tombs_delete(struct tombs *t, const struct uuid *file_id, uint64_t epoch,
             uint64_t seq, struct wall at, const char *place);
struct tomb *tombs_abort(struct tombs *t, const struct uuid *file_id,
                         uint64_t attempt, struct wall at);
/* Forgets what is older than BEFORE and not pinned; returns how many. */
size_t tombs_expire(struct tombs *t, struct wall before);
/* Forgets that of FILE_ID, unless it was renewed after AT or is pinned. */
void tombs_forget(struct tombs *t, const struct uuid *file_id, struct wall at);
/* May ATTEMPT of FILE_ID still be stored? */
bool tombs_allow(const struct tombs *t, const struct uuid *file_id,
                 uint64_t attempt);

#endif
