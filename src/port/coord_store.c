/* coord_store.c - see coord_store.h.
 *
 * A key is an entry in a hash table, and in a heap while it can expire. Fields
 * and members hang on their entry in order; there are few of each. A
 * reservation is an entry of its own, named after pool and member, since a pool
 * may have thousands that expire each on its own.
 *
 * An operation first makes whatever memory it needs, then changes: so that one
 * that fails has changed nothing. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_impl.h"
#include <stdlib.h>

#define SLOTS_MAX ((size_t)1 << 20)

/* --- entries -------------------------------------------------------------- */

struct coord_entry *
coord_find(struct coord_store *s, struct slice key)
{
    uint64_t hash = map_hash(s->keys.seed, key.p, key.n);

    for (struct map_item *it = map_first(&s->keys, hash); it;
         it = map_next(it)) {
        struct coord_entry *e = container_of(it, struct coord_entry, item);

        if (slice_eq(slice_of(e->key, e->key_n), key))
            return e;
    }
    return NULL;
}

struct coord_entry *
coord_entry_new(struct coord_store *s, struct slice key, enum coord_kind kind)
{
    struct coord_entry *e =
        s->items < s->items_max ? calloc(1, sizeof(*e) + key.n) : NULL;

    if (!e)
        return NULL;
    e->kind = kind;
    e->key_n = key.n;
    memcpy(e->key, key.p, key.n);
    list_init(&e->members);
    list_init(&e->in_pool);
    map_add(&s->keys, &e->item, map_hash(s->keys.seed, key.p, key.n));
    s->items++;
    return e;
}

void
coord_member_free(struct coord_store *s, const struct coord_entry *e,
                  struct coord_member *m)
{
    if (e->kind == COORD_IS_ZSET)
        map_remove(&s->members, &m->found);
    list_remove(&m->item);
    free(m);
    s->items--;
}

void
coord_entry_free(struct coord_store *s, struct coord_entry *e)
{
    struct list *it;

    heap_remove(&s->expiry, &e->expiry);
    map_remove(&s->keys, &e->item);
    while (e->kind != COORD_IS_POOL && !list_empty(&e->members)) {
        it = e->members.next;
        coord_member_free(s, e, container_of(it, struct coord_member, item));
    }
    free(e->owner);
    free(e);
    s->items--;
}

/* A reservation leaves its pool, and the pool with its last. */
void
coord_entry_drop(struct coord_store *s, struct coord_entry *e)
{
    struct coord_entry *pool = e->pool;
    struct list *it;

    if (e->kind == COORD_IS_POOL) {
        while ((it = list_pop(&e->members)) != NULL)
            coord_entry_free(s, container_of(it, struct coord_entry, in_pool));
    } else if (pool) {
        list_remove(&e->in_pool);
        pool->sum -= e->sum;
        if (list_empty(&pool->members))
            coord_entry_free(s, pool);
    }
    coord_entry_free(s, e);
}

static void
expire(struct coord_store *s)
{
    struct heap_item *it;

    while ((it = heap_first(&s->expiry)) && mono_reached(s->now, it->at))
        coord_entry_drop(s, container_of(it, struct coord_entry, expiry));
}

/* An entry of that kind, made when missing (*MADE). */
enum err
coord_get_or_make(struct coord_store *s, const char *key, enum coord_kind kind,
                  struct coord_entry **out, bool *made)
{
    struct coord_entry *e = coord_find(s, slice_str(key));

    *made = !e;
    *out = e;
    if (e)
        return e->kind == kind ? ERR_OK : ERR_INVAL;
    *out = coord_entry_new(s, slice_str(key), kind);
    return *out ? ERR_OK : ERR_NOMEM;
}

/* --- leases --------------------------------------------------------------- */

static bool
held(const struct coord_store *s, const struct coord_entry *e)
{
    return e->owner && !mono_reached(s->now, e->until);
}

static bool
is_mine(const struct coord_store *s, const struct coord_entry *e,
        const char *owner, uint64_t epoch)
{
    return e && e->kind == COORD_IS_LEASE && held(s, e) && e->epoch == epoch &&
           strcmp(e->owner, owner) == 0;
}

struct slice
coord_text(const struct coord_entry *e)
{
    const struct coord_member *m =
        container_of(e->members.next, struct coord_member, item);

    return slice_of(m->bytes, m->value_n);
}

/* A text is a lock of somebody who knows no epochs. Our own makes room. */
static bool
held_by_text(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e = coord_find(s, slice_str(r->key));

    if (!e || e->kind != COORD_IS_TEXT)
        return false;
    if (slice_eq(coord_text(e), slice_str(r->owner))) {
        coord_entry_drop(s, e);
        return false;
    }
    r->left = e->expiry.pos ? mono_sub(e->expiry.at, s->now) : r->ttl;
    return true;
}

static enum err
lease_take(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e;
    char *owner;
    enum err err;
    bool made;

    if (r->ttl.ns <= 0)
        return ERR_INVAL;
    if (held_by_text(s, r))
        return ERR_BUSY;
    err = coord_get_or_make(s, r->key, COORD_IS_LEASE, &e, &made);
    if (err)
        return err;
    if (held(s, e) && strcmp(e->owner, r->owner) != 0) {
        r->left = mono_sub(e->until, s->now);
        return ERR_BUSY;
    }
    owner = strdup(r->owner);
    if (!owner) {
        if (made)
            coord_entry_free(s, e);
        return ERR_NOMEM;
    }
    free(e->owner);
    e->owner = owner;
    e->epoch = u64_max(e->epoch + 1, u64_max(r->floor, (uint64_t)s->wall.ms));
    e->until = mono_add(s->now, r->ttl);
    r->epoch = e->epoch;
    r->left = r->ttl;
    return ERR_OK;
}

static enum err
lease_keep(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e = coord_find(s, slice_str(r->key));

    if (e && e->kind != COORD_IS_LEASE)
        return ERR_INVAL;
    if (r->op == COORD_LEASE_RENEW && r->ttl.ns <= 0)
        return ERR_INVAL;
    if (!is_mine(s, e, r->owner, r->epoch))
        return ERR_CONFLICT;
    if (r->op == COORD_LEASE_RENEW) {
        e->until = mono_add(s->now, r->ttl);
        r->left = r->ttl;
    } else {
        e->until = s->now;
    }
    return ERR_OK;
}

/* --- reading -------------------------------------------------------------- */

enum err
coord_name_check(struct slice s)
{
    if (s.n == 0)
        return ERR_INVAL;
    return s.n > COORD_KEY_MAX ? ERR_TOOBIG : ERR_OK;
}

/* The first MAX members to the request's pairs and buffer, whose memory is
 * reserved once, since slices into it must stay. */
static enum err
tell(struct coord_entry *e, unsigned max, struct coord_request *r)
{
    size_t bytes = 0;
    unsigned n = 0;
    char *p;

    LIST_FOREACH (it, &e->members) {
        struct coord_member *m = container_of(it, struct coord_member, item);

        if (n++ == max)
            break;
        bytes += m->name_n + m->value_n;
    }
    p = bytes ? buf_reserve(r->out, bytes) : NULL;
    if (bytes && !p)
        return ERR_TOOBIG;
    r->out->n += bytes;
    LIST_FOREACH (it, &e->members) {
        struct coord_member *m = container_of(it, struct coord_member, item);
        struct coord_pair *to = &r->pairs[r->n];

        if (r->n == max)
            break;
        memcpy(p, m->bytes, m->name_n + m->value_n);
        to->name = slice_of(p, m->name_n);
        to->value = slice_of(p + m->name_n, m->value_n);
        to->score = m->score;
        p += m->name_n + m->value_n;
        r->n++;
    }
    return ERR_OK;
}

static enum err
hash_get(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e = coord_find(s, slice_str(r->key));

    r->n = 0;
    if (!e)
        return ERR_NOENT;
    if (e->kind != COORD_IS_HASH)
        return ERR_INVAL;
    return e->n > r->cap ? ERR_TOOBIG : tell(e, e->n, r);
}

static enum err
zset_range(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e = coord_find(s, slice_str(r->key));

    r->n = 0;
    if (!e)
        return ERR_OK;
    return e->kind == COORD_IS_ZSET ? tell(e, r->cap, r) : ERR_INVAL;
}

static enum err
text_get(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e = coord_find(s, slice_str(r->key));

    if (!e)
        return ERR_NOENT;
    if (e->kind != COORD_IS_TEXT)
        return ERR_INVAL;
    return buf_add_slice(r->out, coord_text(e)) ? ERR_OK : ERR_TOOBIG;
}

/* --- one operation -------------------------------------------------------- */

enum needs {
    OWNER = 1,
    MEMBER = 2,
    GUARDED = 4,
};

static const struct {
    enum err (*run)(struct coord_store *s, struct coord_request *r);
    unsigned needs;
} table[COORD_OPS] = {
    [COORD_LEASE_TAKE] = {lease_take, OWNER},
    [COORD_LEASE_RENEW] = {lease_keep, OWNER},
    [COORD_LEASE_FREE] = {lease_keep, OWNER},
    [COORD_HASH_PUT] = {coord_write_one, GUARDED},
    [COORD_HASH_GET] = {hash_get, 0},
    [COORD_DEL] = {coord_write_one, GUARDED},
    [COORD_TEXT_PUT] = {coord_write_one, GUARDED},
    [COORD_TEXT_GET] = {text_get, 0},
    [COORD_ZSET_PUT] = {coord_write_one, MEMBER | GUARDED},
    [COORD_ZSET_DEL] = {coord_write_one, MEMBER | GUARDED},
    [COORD_ZSET_RAISE] = {coord_write_one, MEMBER | GUARDED},
    [COORD_ZSET_RANGE] = {zset_range, 0},
    [COORD_CHANGED] = {coord_changed, MEMBER},
    [COORD_ALL] = {coord_write_all, GUARDED},
    [COORD_BUCKET_TAKE] = {coord_bucket_take, 0},
    [COORD_RESERVE] = {coord_reserve, MEMBER},
    [COORD_RELEASE] = {coord_release, MEMBER},
};

static enum err
check(struct coord_store *s, const struct coord_request *r)
{
    const struct coord_guard *g = r->guard;
    unsigned needs = table[r->op].needs;
    enum err err = r->op == COORD_ALL ? coord_all_check(r)
                                      : coord_name_check(slice_str(r->key));

    if (!err && (needs & OWNER))
        err = coord_name_check(slice_str(r->owner));
    if (!err && (needs & MEMBER))
        err = coord_name_check(slice_str(r->member));
    if (!err && ((r->op == COORD_ZSET_RAISE && r->score < 1) ||
                 (r->op == COORD_CHANGED && r->score < 0)))
        err = ERR_INVAL;
    if (!err && g && (needs & GUARDED) &&
        !is_mine(s, coord_find(s, slice_str(g->key)), g->owner, g->epoch))
        err = ERR_CONFLICT;
    return err;
}

void
coord_store_do(struct coord_store *s, struct coord_request *r, struct mono now,
               struct wall wall)
{
    assert((unsigned)r->op < COORD_OPS && table[r->op].run);
    /* Loops read their clocks each for itself. */
    if (mono_before(s->now, now))
        s->now = now;
    if (s->wall.ms < wall.ms)
        s->wall = wall;
    expire(s);
    r->left.ns = 0;
    r->number = 0;
    r->err = check(s, r);
    if (!r->err)
        r->err = table[r->op].run(s, r);
    if (r->err == ERR_INVAL || r->err == ERR_TOOBIG || r->err == ERR_NOMEM)
        (void)fault_set(&r->fault, r->err, coord_op_name(r->op),
                        r->key ? r->key : "");
}

bool
coord_store_init(struct coord_store *s, size_t items_max, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->items_max = items_max;
    heap_init(&s->expiry, items_max);
    if (!map_init(&s->keys, size_min(items_max, SLOTS_MAX), seed))
        return false;
    if (map_init(&s->members, size_min(items_max, SLOTS_MAX), seed))
        return true;
    map_release(&s->keys);
    return false;
}

void
coord_store_release(struct coord_store *s)
{
    for (size_t i = 0; s->keys.slot && i <= s->keys.mask; i++) {
        while (s->keys.slot[i]) {
            struct coord_entry *e =
                container_of(s->keys.slot[i], struct coord_entry, item);

            coord_entry_drop(s, e);
        }
    }
    assert(s->items == 0);
    heap_release(&s->expiry);
    map_release(&s->keys);
    map_release(&s->members);
}

static const char *const names[] = {
    [COORD_LEASE_TAKE] = "lease_take",
    [COORD_LEASE_RENEW] = "lease_renew",
    [COORD_LEASE_FREE] = "lease_free",
    [COORD_HASH_PUT] = "hash_put",
    [COORD_HASH_GET] = "hash_get",
    [COORD_DEL] = "del",
    [COORD_TEXT_PUT] = "text_put",
    [COORD_TEXT_GET] = "text_get",
    [COORD_ALL] = "all",
    [COORD_ZSET_PUT] = "zset_put",
    [COORD_ZSET_DEL] = "zset_del",
    [COORD_ZSET_RANGE] = "zset_range",
    [COORD_ZSET_RAISE] = "zset_raise",
    [COORD_CHANGED] = "changed",
    [COORD_PUBLISH] = "publish",
    [COORD_BUCKET_TAKE] = "bucket_take",
    [COORD_RESERVE] = "reserve",
    [COORD_RELEASE] = "release",
};

const char *
coord_op_name(enum coord_op op)
{
    return (unsigned)op < COORD_OPS ? names[op] : "unknown";
}
