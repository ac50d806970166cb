/* coord_changed.c - a sorted set as a log of changes: the hashes of what was
 * raised last, in one answer. Part of coord_store.h.
 *
 * Told twice: first to nobody, to learn how much room is needed, since slices
 * into the buffer must stay. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_impl.h"

struct tale {
    struct coord_pair *to; /* NULL: only counted */
    char *p;
    unsigned n;
    size_t bytes;
};

static void
tell(struct tale *t, const struct coord_member *m, int64_t score)
{
    size_t bytes = m->name_n + m->value_n;

    if (t->to) {
        memcpy(t->p, m->bytes, bytes);
        t->to[t->n] =
            (struct coord_pair){.name = slice_of(t->p, m->name_n),
                                .value = slice_of(t->p + m->name_n, m->value_n),
                                .score = score};
        t->p += bytes;
    }
    t->bytes += bytes;
    t->n++;
}

/* PREFIX + M's name; NULL: there is no such key. */
static struct coord_entry *
find(struct coord_store *s, const char *prefix, const struct coord_member *m)
{
    char key[2 * COORD_KEY_MAX];
    size_t n = strlen(prefix);

    memcpy(key, prefix, n);
    memcpy(key + n, m->bytes, m->name_n);
    return coord_find(s, slice_of(key, n + m->name_n));
}

static void
tell_one(struct coord_store *s, const struct coord_request *r, struct tale *t,
         const struct coord_member *m)
{
    struct coord_entry *e = find(s, r->member, m);

    tell(t, m, m->score);
    if (e == NULL || (e->kind != COORD_IS_HASH && e->kind != COORD_IS_TEXT))
        return;
    LIST_FOREACH (it, &e->members)
        tell(t, container_of(it, struct coord_member, item), 0);
}

/* From the end, where the new ones are, to the first of them, and back. */
static void
tell_all(struct coord_store *s, const struct coord_request *r, struct tale *t,
         const struct coord_entry *set)
{
    const struct list *it = &set->members;

    while (it->prev != &set->members &&
           container_of(it->prev, struct coord_member, item)->score > r->score)
        it = it->prev;
    for (uint64_t i = 0; it != &set->members && i < r->amount;
         it = it->next, i++)
        tell_one(s, r, t, container_of(it, struct coord_member, item));
}

enum err
coord_changed(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *set = coord_find(s, slice_str(r->key));
    struct tale t = {0};

    r->n = 0;
    if (set == NULL)
        return ERR_OK;
    if (set->kind != COORD_IS_ZSET)
        return ERR_INVAL;
    tell_all(s, r, &t, set);
    if (t.n > r->cap)
        return ERR_TOOBIG;
    r->number = (uint64_t)i64_max(coord_top(set), 0);
    if (t.n == 0)
        return ERR_OK;
    t = (struct tale){.to = r->pairs, .p = buf_reserve(r->out, t.bytes)};
    if (t.p == NULL)
        return ERR_TOOBIG;
    tell_all(s, r, &t, set);
    r->out->n += t.bytes;
    r->n = t.n;
    return ERR_OK;
}
