/* coord_redis_script.c - a request as the command that carries it out; see
 * coord_redis_impl.h. What a script expects stands in coord_redis_lua.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"
#include <stdio.h>

#define SCORE_MAX  ((int64_t)1 << 53) /* exact in a double */
#define BUCKET_MAX ((int64_t)1 << 52) /* microseconds from empty to full */
#define RANGE_MAX  (REDIS_ELEMENTS_MAX / 2)

/* --- what can be said without asking -------------------------------------- */

static enum err
name_check(struct slice s)
{
    if (s.n == 0)
        return ERR_INVAL;
    return s.n > COORD_KEY_MAX ? ERR_TOOBIG : ERR_OK;
}

/* The driver's own keys beside those of others. */
static bool
is_ours(struct slice key)
{
    return slice_ends(key, SLICE(":epoch")) || slice_ends(key, SLICE(":until"));
}

static enum err
pairs_check(const struct coord_request *r)
{
    enum err e = r->n == 0                ? ERR_INVAL
                 : r->n > COORD_PAIRS_MAX ? ERR_TOOBIG
                                          : ERR_OK;

    for (unsigned i = 0; i < r->n && !e; i++) {
        e = name_check(r->pairs[i].name);
        if (!e && r->pairs[i].value.n > COORD_VALUE_MAX)
            e = ERR_TOOBIG;
    }
    return e;
}

static enum err
bucket_check(const struct coord_request *r)
{
    int64_t per = r->per.ns / 1000 + (r->per.ns % 1000 != 0);

    return r->per.ns <= 0 || r->burst == 0 ||
                   r->burst > (uint64_t)(BUCKET_MAX / per)
               ? ERR_INVAL
               : ERR_OK;
}

static enum err
own_check(const struct coord_request *r)
{
    switch (r->op) {
    case COORD_LEASE_TAKE:
    case COORD_LEASE_RENEW:
        if (r->ttl.ns <= 0)
            return ERR_INVAL;
        return name_check(slice_str(r->owner));
    case COORD_LEASE_FREE:
        return name_check(slice_str(r->owner));
    case COORD_HASH_PUT:
        return pairs_check(r);
    case COORD_ZSET_PUT:
        if (r->score > SCORE_MAX || r->score < -SCORE_MAX)
            return ERR_TOOBIG;
        return name_check(slice_str(r->member));
    case COORD_RESERVE:
        if (r->ttl.ns <= 0)
            return ERR_INVAL;
        return name_check(slice_str(r->member));
    case COORD_ZSET_DEL:
    case COORD_RELEASE:
        return name_check(slice_str(r->member));
    case COORD_BUCKET_TAKE:
        return bucket_check(r);
    case COORD_PUBLISH:
        return r->value.n > COORD_VALUE_MAX ? ERR_TOOBIG : ERR_OK;
    default:
        return ERR_OK;
    }
}

enum err
coord_redis_check(const struct coord_request *r)
{
    struct slice key = slice_str(r->key);
    enum err e = name_check(key);

    assert((unsigned)r->op < COORD_OPS);
    if (!e && r->op != COORD_PUBLISH && is_ours(key))
        e = ERR_INVAL;
    if (!e && r->guard) {
        e = name_check(slice_str(r->guard->key));
        if (!e)
            e = name_check(slice_str(r->guard->owner));
    }
    return e ? e : own_check(r);
}

/* --- the command ---------------------------------------------------------- */

static void
arg(struct coord_args *a, struct slice s)
{
    assert(a->n < ARGS_MAX);
    a->argv[a->n++] = s;
}

static void
arg_note(struct coord_args *a, int len)
{
    assert(len >= 0 && (size_t)len < sizeof(a->notes) - a->used);
    arg(a, slice_of(a->notes + a->used, (size_t)len));
    a->used += (size_t)len + 1;
}

static void
arg_u64(struct coord_args *a, uint64_t v)
{
    arg_note(a, snprintf(a->notes + a->used, sizeof(a->notes) - a->used, "%llu",
                         (unsigned long long)v));
}

static void
arg_i64(struct coord_args *a, int64_t v)
{
    arg_note(a, snprintf(a->notes + a->used, sizeof(a->notes) - a->used, "%lld",
                         (long long)v));
}

static void
arg_named(struct coord_args *a, const char *key, const char *tail)
{
    arg_note(a, snprintf(a->notes + a->used, sizeof(a->notes) - a->used, "%s%s",
                         key, tail));
}

/* Rounded up, so that a short time does not become none. */
static void
arg_ms(struct coord_args *a, struct dur d)
{
    arg_i64(a, d.ns / 1000000 + (d.ns % 1000000 > 0));
}

static void
arg_guard(struct coord_args *a, const struct coord_guard *g)
{
    if (g) {
        arg(a, slice_str(g->owner));
        arg_u64(a, g->epoch);
    } else {
        arg(a, SLICE(""));
        arg(a, SLICE(""));
    }
}

static void
arg_own(struct coord_args *a, const struct coord_request *r)
{
    switch (r->op) {
    case COORD_LEASE_TAKE:
        arg(a, slice_str(r->owner));
        arg_ms(a, r->ttl);
        arg_u64(a, r->floor);
        break;
    case COORD_LEASE_RENEW:
    case COORD_LEASE_FREE:
        arg(a, slice_str(r->owner));
        arg_u64(a, r->epoch);
        arg_ms(a, r->op == COORD_LEASE_FREE ? dur_ms(0) : r->ttl);
        break;
    case COORD_HASH_PUT:
        arg_ms(a, r->ttl);
        for (unsigned i = 0; i < r->n; i++) {
            arg(a, r->pairs[i].name);
            arg(a, r->pairs[i].value);
        }
        break;
    case COORD_HASH_GET:
    case COORD_ZSET_RANGE:
        arg_u64(a, u64_min(r->cap, RANGE_MAX));
        break;
    case COORD_ZSET_PUT:
        arg_ms(a, r->ttl);
        arg(a, slice_str(r->member));
        arg_i64(a, r->score);
        break;
    case COORD_ZSET_DEL:
    case COORD_RELEASE:
        arg(a, slice_str(r->member));
        break;
    case COORD_BUCKET_TAKE:
        arg_i64(a, r->per.ns / 1000 + (r->per.ns % 1000 != 0));
        arg_u64(a, r->burst);
        arg_u64(a, r->amount);
        break;
    case COORD_RESERVE:
        arg(a, slice_str(r->member));
        arg_u64(a, r->amount);
        arg_u64(a, r->limit);
        arg_ms(a, r->ttl);
        break;
    default:
        break;
    }
}

void
coord_redis_text(enum coord_op op, struct buf *body)
{
    buf_clear(body);
    (void)buf_add_str(body, coord_lua_prelude);
    (void)buf_add_str(body, coord_lua[op]);
}

void
coord_redis_args(const struct coord_request *r, struct slice sha,
                 struct buf *body, struct coord_args *a)
{
    a->n = 0;
    a->used = 0;
    if (r->op == COORD_PUBLISH) {
        arg(a, SLICE("PUBLISH"));
        arg(a, slice_str(r->key));
        arg(a, r->value);
        return;
    }
    if (sha.n) {
        arg(a, SLICE("EVALSHA"));
        arg(a, sha);
    } else {
        coord_redis_text(r->op, body);
        arg(a, SLICE("EVAL"));
        arg(a, buf_slice(body));
    }
    arg_u64(a, r->guard ? 5 : 3);
    arg(a, slice_str(r->key));
    arg_named(a, r->key, ":epoch");
    arg_named(a, r->key, ":until");
    if (r->guard) {
        arg(a, slice_str(r->guard->key));
        arg_named(a, r->guard->key, ":epoch");
    }
    arg_guard(a, r->guard);
    arg_own(a, r);
}
