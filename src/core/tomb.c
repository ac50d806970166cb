/* tomb.c - see tomb.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/tomb.h"
#include <stdlib.h>

#define LOOKS_MAX 64

static uint64_t
hash_of(const struct tombs *t, const struct uuid *id)
{
    return map_hash(t->map.seed, id->b, sizeof(id->b));
}

bool
tombs_init(struct tombs *t, size_t max, uint64_t seed)
{
    *t = (struct tombs){.max = max};
    list_init(&t->age);
    return map_init(&t->map, max, seed);
}

static void
forget(struct tombs *t, struct tomb *b)
{
    map_remove(&t->map, &b->item);
    list_remove(&b->age);
    free(b->place);
    free(b);
}

void
tombs_release(struct tombs *t)
{
    LIST_FOREACH_SAFE (it, next, &t->age)
        forget(t, container_of(it, struct tomb, age));
    map_release(&t->map);
}

struct tomb *
tombs_get(const struct tombs *t, const struct uuid *file_id)
{
    struct map_item *it = map_first(&t->map, hash_of(t, file_id));

    for (; it; it = map_next(it)) {
        struct tomb *b = container_of(it, struct tomb, item);

        if (uuid_eq(&b->file_id, file_id))
            return b;
    }
    return NULL;
}

/* The oldest that may be forgotten make room. Those that are pinned are stepped
 * over, but not for long: there may be as many of them as there were deletes
 * since the last clean point. */
static void
make_room(struct tombs *t)
{
    unsigned looks = LOOKS_MAX;

    LIST_FOREACH_SAFE (it, next, &t->age) {
        struct tomb *b = container_of(it, struct tomb, age);

        if (t->map.n < t->max || looks-- == 0)
            return;
        if (!b->pinned)
            forget(t, b);
    }
}

static struct tomb *
get_or_add(struct tombs *t, const struct uuid *file_id, struct wall at)
{
    struct tomb *b = tombs_get(t, file_id);

    if (!b) {
        make_room(t);
        if (!(b = calloc(1, sizeof(*b))))
            return NULL;
        b->file_id = *file_id;
        map_add(&t->map, &b->item, hash_of(t, file_id));
    } else {
        list_remove(&b->age);
    }
    b->at = at;
    list_push(&t->age, &b->age);
    return b;
}

struct tomb *
tombs_delete(struct tombs *t, const struct uuid *file_id, uint64_t epoch,
             uint64_t seq, struct wall at, const char *place)
{
    size_t n = place ? strlen(place) + 1 : 0;
    char *copy = place ? malloc(n) : NULL;
    struct tomb *b;

    if (place && !copy)
        return NULL;
    if (copy)
        memcpy(copy, place, n);
    if (!(b = get_or_add(t, file_id, at))) {
        free(copy);
        return NULL;
    }
    b->deleted = true;
    b->number = epoch;
    b->seq = seq;
    if (copy) {
        free(b->place);
        b->place = copy;
    }
    return b;
}

struct tomb *
tombs_abort(struct tombs *t, const struct uuid *file_id, uint64_t attempt,
            struct wall at)
{
    struct tomb *b = tombs_get(t, file_id);

    if (b && b->deleted)
        return b;
    if (!(b = get_or_add(t, file_id, at)))
        return NULL;
    if (attempt > b->number)
        b->number = attempt;
    return b;
}

size_t
tombs_expire(struct tombs *t, struct wall before)
{
    size_t n = 0;

    LIST_FOREACH_SAFE (it, next, &t->age) {
        struct tomb *b = container_of(it, struct tomb, age);

        if (b->at.ms >= before.ms)
            break;
        if (!b->pinned) {
            forget(t, b);
            n++;
        }
    }
    return n;
}

void
tombs_forget(struct tombs *t, const struct uuid *file_id, struct wall at)
{
    struct tomb *b = tombs_get(t, file_id);

    if (b && !b->pinned && b->at.ms <= at.ms)
        forget(t, b);
}

bool
tombs_allow(const struct tombs *t, const struct uuid *file_id, uint64_t attempt)
{
    const struct tomb *b = tombs_get(t, file_id);

    return !b || (!b->deleted && attempt > b->number);
}
