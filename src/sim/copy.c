/* copy.c - the store as a replica has it: every key of another one, made by the
 * same operations that anybody would use.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_impl.h"
#include "sim/impl.h"

#define ITEMS_MAX ((size_t)4 << 20)

bool
sim_store_empty(struct coord_store *to)
{
    return coord_store_init(to, ITEMS_MAX, 7);
}

/* As a string: an entry's ends where its memory does. */
static const char *
key_of(const struct coord_entry *e, char out[COORD_KEY_MAX + 1])
{
    bool fits = slice_copy(slice_of(e->key, e->key_n), out, COORD_KEY_MAX + 1);

    assert(fits);
    return out;
}

static struct dur
life(const struct coord_entry *e, struct mono now)
{
    return e->expiry.pos ? mono_sub(e->expiry.at, now) : (struct dur){0};
}

/* The clock of a store goes only forwards, and the copy's has not begun: with
 * none, the floor is the epoch. */
static void
do_at(struct coord_store *to, struct coord_request *r, struct mono now)
{
    coord_store_do(to, r, now, (struct wall){0});
    assert(r->err == ERR_OK);
}

static void
copy_lease(struct coord_store *to, const struct coord_entry *e, struct mono now)
{
    struct dur left = mono_sub(e->until, now);
    char key[COORD_KEY_MAX + 1];
    struct coord_request r = {.op = COORD_LEASE_TAKE,
                              .key = key_of(e, key),
                              .owner = e->owner ? e->owner : "nobody",
                              .floor = e->epoch,
                              .ttl = left.ns > 0 ? left : dur_ms(1)};

    do_at(to, &r, now);
}

static void
copy_members(struct coord_store *to, const struct coord_entry *e,
             struct mono now)
{
    LIST_FOREACH (it, &e->members) {
        struct coord_member *m = container_of(it, struct coord_member, item);
        struct coord_pair pair = {slice_of(m->bytes, m->name_n),
                                  slice_of(m->bytes + m->name_n, m->value_n),
                                  m->score};
        char name[COORD_KEY_MAX + 1], key[COORD_KEY_MAX + 1];
        struct coord_request r = {.key = key_of(e, key), .ttl = life(e, now)};

        if (e->kind == COORD_IS_HASH) {
            r.op = COORD_HASH_PUT;
            r.pairs = &pair;
            r.n = 1;
        } else if (e->kind == COORD_IS_TEXT) {
            r.op = COORD_TEXT_PUT;
            r.value = pair.value;
        } else {
            assert(e->kind == COORD_IS_ZSET);
            r.op = COORD_ZSET_PUT;
            (void)slice_copy(pair.name, name, sizeof(name));
            r.member = name;
            r.score = m->score;
        }
        do_at(to, &r, now);
    }
}

bool
sim_store_copy(struct coord_store *to, const struct coord_store *from,
               struct mono now)
{
    if (!sim_store_empty(to))
        return false;
    for (size_t i = 0; i <= from->keys.mask; i++)
        for (struct map_item *it = from->keys.slot[i]; it; it = it->next) {
            const struct coord_entry *e =
                container_of(it, struct coord_entry, item);

            if (e->expiry.pos && mono_reached(now, e->expiry.at))
                continue;
            if (e->kind == COORD_IS_LEASE)
                copy_lease(to, e, now);
            else
                copy_members(to, e, now);
        }
    return true;
}
