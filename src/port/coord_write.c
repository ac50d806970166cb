/* coord_write.c - changes of hashes, texts and sorted sets, alone and several
 * as one; part of coord_store.h.
 *
 * A change is prepared, which makes all memory and finds all mistakes, and then
 * done, which cannot fail. So several are prepared, and either all are done or
 * what was prepared is undone. No key may come twice: one change could take the
 * entry away that another one has prepared for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_impl.h"
#include <stdlib.h>

#define FIELDS_MAX 256 /* of one hash */

struct change {
    const struct coord_write *w;
    struct coord_entry *e; /* NULL: there is nothing to delete */
    bool fresh;
    struct list made; /* members to be put */
};

static const enum coord_kind kind_of[COORD_OPS] = {
    [COORD_HASH_PUT] = COORD_IS_HASH, [COORD_TEXT_PUT] = COORD_IS_TEXT,
    [COORD_ZSET_PUT] = COORD_IS_ZSET, [COORD_ZSET_RAISE] = COORD_IS_ZSET,
    [COORD_ZSET_DEL] = COORD_IS_ZSET,
};

bool
coord_is_write(enum coord_op op)
{
    return op == COORD_HASH_PUT || op == COORD_TEXT_PUT || op == COORD_DEL ||
           op == COORD_ZSET_PUT || op == COORD_ZSET_RAISE ||
           op == COORD_ZSET_DEL;
}

bool
coord_has_member(enum coord_op op)
{
    return op == COORD_ZSET_PUT || op == COORD_ZSET_RAISE ||
           op == COORD_ZSET_DEL;
}

int64_t
coord_top(const struct coord_entry *e)
{
    return list_empty(&e->members)
               ? 0
               : container_of(e->members.prev, struct coord_member, item)
                     ->score;
}

static bool
is_put(enum coord_op op)
{
    return op == COORD_HASH_PUT || op == COORD_TEXT_PUT ||
           op == COORD_ZSET_PUT || op == COORD_ZSET_RAISE;
}

/* --- members -------------------------------------------------------------- */

static struct coord_member *
member_new(struct slice name, struct slice value, int64_t score)
{
    struct coord_member *m = malloc(sizeof(*m) + name.n + value.n);

    if (!m)
        return NULL;
    m->score = score;
    m->name_n = name.n;
    m->value_n = value.n;
    if (name.n)
        memcpy(m->bytes, name.p, name.n);
    if (value.n)
        memcpy(m->bytes + name.n, value.p, value.n);
    list_init(&m->item);
    return m;
}

static struct slice
name_of(const struct coord_member *m)
{
    return slice_of(m->bytes, m->name_n);
}

/* A sorted set may have many. */
static uint64_t
member_hash(const struct coord_store *s, const struct coord_entry *e,
            struct slice name)
{
    return map_hash(s->keys.seed ^ e->item.hash, name.p, name.n);
}

static struct coord_member *
in_set(const struct coord_store *s, const struct coord_entry *e,
       struct slice name)
{
    for (struct map_item *it = map_first(&s->members, member_hash(s, e, name));
         it; it = map_next(it)) {
        struct coord_member *m = container_of(it, struct coord_member, found);

        if (m->of == e && slice_eq(name_of(m), name))
            return m;
    }
    return NULL;
}

static struct coord_member *
member_find(const struct coord_store *s, struct coord_entry *e,
            struct slice name)
{
    if (e->kind == COORD_IS_ZSET)
        return in_set(s, e, name);
    LIST_FOREACH (it, &e->members) {
        struct coord_member *m = container_of(it, struct coord_member, item);

        if (slice_eq(name_of(m), name))
            return m;
    }
    return NULL;
}

static void
member_drop(struct coord_store *s, struct coord_entry *e,
            struct coord_member *m)
{
    coord_member_free(s, e, m);
    e->n--;
}

/* In its place by (score, name); fields have no score. */
static void
member_link(struct coord_store *s, struct coord_entry *e,
            struct coord_member *m)
{
    struct list *at = e->members.prev;

    for (; at != &e->members; at = at->prev) { /* most come last */
        struct coord_member *o = container_of(at, struct coord_member, item);

        if (o->score < m->score ||
            (o->score == m->score && slice_cmp(name_of(o), name_of(m)) < 0))
            break;
    }
    list_insert_before(at->next, &m->item);
    if (e->kind == COORD_IS_ZSET) {
        m->of = e;
        map_add(&s->members, &m->found, member_hash(s, e, name_of(m)));
    }
    e->n++;
    s->items++;
}

static void
free_all(struct list *made)
{
    struct list *it;

    while ((it = list_pop(made)) != NULL)
        free(container_of(it, struct coord_member, item));
}

/* --- preparing ------------------------------------------------------------ */

static enum err
make_one(struct change *c, struct slice name, struct slice value, int64_t score)
{
    struct coord_member *m = member_new(name, value, score);

    if (m)
        list_push(&c->made, &m->item);
    return m ? ERR_OK : ERR_NOMEM;
}

static enum err
make_fields(struct change *c)
{
    const struct coord_write *w = c->w;
    enum err err = w->n == 0                ? ERR_INVAL
                   : w->n > COORD_PAIRS_MAX ? ERR_TOOBIG
                                            : ERR_OK;

    for (unsigned i = 0; i < w->n && !err; i++) {
        err = coord_name_check(w->pairs[i].name);
        if (!err && w->pairs[i].value.n > COORD_VALUE_MAX)
            err = ERR_TOOBIG;
        if (!err)
            err = make_one(c, w->pairs[i].name, w->pairs[i].value, 0);
    }
    return err;
}

static enum err
make(struct change *c)
{
    const struct coord_write *w = c->w;

    if (w->op == COORD_HASH_PUT)
        return make_fields(c);
    if (w->op == COORD_ZSET_PUT || w->op == COORD_ZSET_RAISE)
        return make_one(c, slice_str(w->member), SLICE_NULL, w->score);
    if (w->value.n > COORD_TEXT_MAX)
        return ERR_TOOBIG;
    return make_one(c, SLICE_NULL, w->value, 0);
}

static enum err
prepare_put(struct coord_store *s, struct change *c, size_t *pending)
{
    unsigned n_new = 0;
    enum err err = make(c);

    if (!err)
        err = coord_get_or_make(s, c->w->key, kind_of[c->w->op], &c->e,
                                &c->fresh);
    if (err) {
        c->e = NULL;
        c->fresh = false;
        return err;
    }
    LIST_FOREACH (i, &c->made) {
        struct coord_member *m = container_of(i, struct coord_member, item);

        n_new += member_find(s, c->e, name_of(m)) == NULL;
    }
    *pending += n_new;
    if (*pending > s->items_max - s->items)
        return ERR_NOMEM;
    if (c->w->op == COORD_HASH_PUT && c->e->n + n_new > FIELDS_MAX)
        return ERR_TOOBIG;
    return ERR_OK;
}

static enum err
prepare(struct coord_store *s, struct change *c, size_t *pending)
{
    list_init(&c->made);
    c->fresh = false;
    if (is_put(c->w->op))
        return prepare_put(s, c, pending);
    c->e = coord_find(s, slice_str(c->w->key));
    if (!c->e)
        return ERR_OK;
    if (c->w->op == COORD_DEL)
        return c->e->kind == COORD_IS_LEASE ? ERR_INVAL : ERR_OK;
    return c->e->kind == COORD_IS_ZSET ? ERR_OK : ERR_INVAL;
}

static void
undo(struct coord_store *s, struct change *c)
{
    free_all(&c->made);
    if (c->fresh)
        coord_entry_free(s, c->e);
}

/* --- doing ---------------------------------------------------------------- */

/* The score of a member behind all of E's. */
static int64_t
behind(const struct coord_entry *e)
{
    int64_t top = coord_top(e);

    return top < INT64_MAX ? top + 1 : top;
}

static void
put(struct coord_store *s, struct change *c)
{
    struct list *it;
    bool timed;

    while ((it = list_pop(&c->made)) != NULL) {
        struct coord_member *m = container_of(it, struct coord_member, item);
        struct coord_member *old = member_find(s, c->e, name_of(m));

        if (c->w->op == COORD_ZSET_RAISE)
            m->score = i64_max(m->score, behind(c->e));
        if (old && c->e->kind == COORD_IS_ZSET && old->score == m->score) {
            free(m); /* it is where it should be */
            continue;
        }
        if (old)
            member_drop(s, c->e, old);
        member_link(s, c->e, m);
    }
    if (c->w->ttl.ns <= 0) {
        if (c->w->op == COORD_TEXT_PUT)
            heap_remove(&s->expiry, &c->e->expiry);
        return;
    }
    timed = heap_set(&s->expiry, &c->e->expiry, mono_add(s->now, c->w->ttl));
    assert(timed); /* reserved */
}

static enum err
done(struct coord_store *s, struct change *c)
{
    struct coord_member *m;

    if (is_put(c->w->op)) {
        put(s, c);
        return ERR_OK;
    }
    if (!c->e)
        return ERR_NOENT;
    if (c->w->op == COORD_DEL) {
        coord_entry_drop(s, c->e);
        return ERR_OK;
    }
    m = member_find(s, c->e, slice_str(c->w->member));
    if (!m)
        return ERR_NOENT;
    member_drop(s, c->e, m);
    if (c->e->n == 0)
        coord_entry_drop(s, c->e);
    return ERR_OK;
}

/* --- requests ------------------------------------------------------------- */

static enum err
reserve_expiry(struct coord_store *s, size_t n)
{
    size_t most = size_min(s->expiry.n + n, s->items_max);

    return heap_reserve(&s->expiry, most) ? ERR_OK : ERR_NOMEM;
}

enum err
coord_write_one(struct coord_store *s, struct coord_request *r)
{
    const struct coord_write w = {.op = r->op,
                                  .key = r->key,
                                  .member = r->member,
                                  .value = r->value,
                                  .pairs = r->pairs,
                                  .n = r->n,
                                  .ttl = r->ttl,
                                  .score = r->score};
    struct change c = {.w = &w};
    size_t pending = 0;
    enum err err = reserve_expiry(s, 1);

    if (err)
        return err;
    err = prepare(s, &c, &pending);
    if (err) {
        undo(s, &c);
        return err;
    }
    return done(s, &c);
}

static enum err
write_check(const struct coord_write *w)
{
    enum err err =
        coord_is_write(w->op) ? coord_name_check(slice_str(w->key)) : ERR_INVAL;

    if (!err && coord_has_member(w->op))
        err = coord_name_check(slice_str(w->member));
    if (!err && w->op == COORD_ZSET_RAISE && w->score < 1)
        err = ERR_INVAL;
    return err;
}

enum err
coord_all_check(const struct coord_request *r)
{
    unsigned pairs = 0;
    enum err err = r->n == 0                 ? ERR_INVAL
                   : r->n > COORD_WRITES_MAX ? ERR_TOOBIG
                                             : ERR_OK;

    for (unsigned i = 0; i < r->n && !err; i++) {
        const struct coord_write *w = &r->writes[i];

        err = write_check(w);
        pairs += w->op == COORD_HASH_PUT ? w->n : 0;
        for (unsigned j = 0; j < i && !err; j++)
            if (strcmp(r->writes[j].key, w->key) == 0)
                err = ERR_INVAL;
        if (!err && pairs > COORD_PAIRS_MAX)
            err = ERR_TOOBIG;
    }
    return err;
}

enum err
coord_write_all(struct coord_store *s, struct coord_request *r)
{
    struct change c[COORD_WRITES_MAX];
    size_t pending = 0;
    unsigned n = 0;
    enum err err = reserve_expiry(s, r->n);

    while (!err && n < r->n) {
        c[n] = (struct change){.w = &r->writes[n]};
        err = prepare(s, &c[n], &pending);
        n++;
    }
    for (unsigned i = 0; i < n; i++) {
        if (err)
            undo(s, &c[i]);
        else
            r->number += done(s, &c[i]) == ERR_OK;
    }
    return err;
}
