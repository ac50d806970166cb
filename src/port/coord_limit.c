/* coord_limit.c - token buckets and reservations of coord_store.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_impl.h"

#define NAME_MAX_2 (2 * COORD_KEY_MAX + 1)

/* --- buckets -------------------------------------------------------------- */

/* The bucket is one time: when it will be full. An empty key is a full bucket
 * (the generic cell rate algorithm, ITU-T I.371). */
enum err
coord_bucket_take(struct coord_store *s, struct coord_request *r)
{
    struct coord_entry *e = coord_find(s, slice_str(r->key));
    int64_t per = r->per.ns, whole, want, lack;
    bool made = !e;

    if (e && e->kind != COORD_IS_BUCKET)
        return ERR_INVAL;
    if (per <= 0 || r->burst == 0 || r->burst > (uint64_t)(INT64_MAX / 4 / per))
        return ERR_INVAL;
    if (r->amount > r->burst)
        return ERR_TOOBIG;
    whole = (int64_t)r->burst * per;
    lack = e ? e->until.ns - s->now.ns : 0;
    if (lack > whole) /* it was larger once */
        lack = whole;
    want = (int64_t)r->amount * per;
    if (lack > whole - want) {
        r->left.ns = lack - (whole - want);
        r->number = (uint64_t)((whole - lack) / per);
        return ERR_AGAIN;
    }
    r->number = (uint64_t)((whole - lack - want) / per);
    if (want == 0)
        return ERR_OK;
    if (made && !(e = coord_entry_new(s, slice_str(r->key), COORD_IS_BUCKET)))
        return ERR_NOMEM;
    e->until.ns = s->now.ns + lack + want;
    if (!heap_set(&s->expiry, &e->expiry, e->until)) {
        assert(made); /* one that is in the heap can always move */
        coord_entry_free(s, e);
        return ERR_NOMEM;
    }
    return ERR_OK;
}

/* --- reservations --------------------------------------------------------- */

static struct slice
reservation_name(const struct coord_request *r, char out[NAME_MAX_2])
{
    size_t k = strlen(r->key), m = strlen(r->member);

    memcpy(out, r->key, k);
    out[k] = 0; /* no key has a zero within */
    memcpy(out + k + 1, r->member, m);
    return slice_of(out, k + 1 + m);
}

static enum err
reservation_new(struct coord_store *s, struct coord_request *r,
                struct slice name, struct coord_entry **out)
{
    struct coord_entry *pool, *e;
    bool made;
    enum err err = coord_get_or_make(s, r->key, COORD_IS_POOL, &pool, &made);

    if (err)
        return err;
    e = coord_entry_new(s, name, COORD_IS_RESERVATION);
    if (e && !heap_set(&s->expiry, &e->expiry, mono_add(s->now, r->ttl))) {
        coord_entry_free(s, e);
        e = NULL;
    }
    if (!e) {
        if (made)
            coord_entry_free(s, pool);
        return ERR_NOMEM;
    }
    e->pool = pool;
    list_push(&pool->members, &e->in_pool);
    *out = e;
    return ERR_OK;
}

enum err
coord_reserve(struct coord_store *s, struct coord_request *r)
{
    char bytes[NAME_MAX_2];
    struct slice name = reservation_name(r, bytes);
    struct coord_entry *pool = coord_find(s, slice_str(r->key));
    struct coord_entry *e = coord_find(s, name);
    uint64_t others;
    enum err err;

    if ((pool && pool->kind != COORD_IS_POOL) || r->ttl.ns <= 0)
        return ERR_INVAL;
    others = (pool ? pool->sum : 0) - (e ? e->sum : 0);
    r->number = pool ? pool->sum : 0;
    if (others > r->limit || r->amount > r->limit - others)
        return ERR_NOSPC;
    if (!e && (err = reservation_new(s, r, name, &e)))
        return err;
    (void)heap_set(&s->expiry, &e->expiry, mono_add(s->now, r->ttl));
    e->pool->sum = others + r->amount;
    e->sum = r->amount;
    r->number = e->pool->sum;
    return ERR_OK;
}

enum err
coord_release(struct coord_store *s, struct coord_request *r)
{
    char bytes[NAME_MAX_2];
    struct coord_entry *pool = coord_find(s, slice_str(r->key));
    struct coord_entry *e;

    if (pool && pool->kind != COORD_IS_POOL)
        return ERR_INVAL;
    e = coord_find(s, reservation_name(r, bytes));
    if (!e)
        return ERR_NOENT;
    coord_entry_drop(s, e);
    return ERR_OK;
}
