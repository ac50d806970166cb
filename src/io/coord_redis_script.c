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
pairs_check(const struct coord_pair *pairs, unsigned n)
{
    enum err e = n == 0 ? ERR_INVAL : n > COORD_PAIRS_MAX ? ERR_TOOBIG : ERR_OK;

    for (unsigned i = 0; i < n && !e; i++) {
        e = name_check(pairs[i].name);
        if (!e && pairs[i].value.n > COORD_VALUE_MAX)
            e = ERR_TOOBIG;
    }
    return e;
}

static enum err
score_check(int64_t score)
{
    return score > SCORE_MAX || score < -SCORE_MAX ? ERR_TOOBIG : ERR_OK;
}

static enum err
raise_check(enum coord_op op, int64_t score)
{
    if ((op == COORD_ZSET_RAISE && score < 1) ||
        (op == COORD_CHANGED && score < 0))
        return ERR_INVAL;
    return score_check(score);
}

/* A text that began so would be taken for a bucket. */
static enum err
text_check(struct slice text)
{
    if (text.n > COORD_TEXT_MAX)
        return ERR_TOOBIG;
    return slice_starts(text, SLICE("gcra ")) ? ERR_INVAL : ERR_OK;
}

static enum err
write_check(const struct coord_write *w)
{
    enum err e = name_check(slice_str(w->key));

    if (!e && is_ours(slice_str(w->key)))
        e = ERR_INVAL;
    if (e)
        return e;
    switch (w->op) {
    case COORD_HASH_PUT:
        return pairs_check(w->pairs, w->n);
    case COORD_TEXT_PUT:
        return text_check(w->value);
    case COORD_DEL:
        return ERR_OK;
    case COORD_ZSET_RAISE:
    case COORD_ZSET_PUT:
        e = raise_check(w->op, w->score);
        return e ? e : name_check(slice_str(w->member));
    case COORD_ZSET_DEL:
        return name_check(slice_str(w->member));
    default:
        return ERR_INVAL;
    }
}

static enum err
all_check(const struct coord_request *r)
{
    unsigned pairs = 0;
    enum err e = r->n == 0                 ? ERR_INVAL
                 : r->n > COORD_WRITES_MAX ? ERR_TOOBIG
                                           : ERR_OK;

    for (unsigned i = 0; i < r->n && !e; i++) {
        e = write_check(&r->writes[i]);
        pairs += r->writes[i].op == COORD_HASH_PUT ? r->writes[i].n : 0;
        for (unsigned j = 0; j < i && !e; j++)
            if (strcmp(r->writes[j].key, r->writes[i].key) == 0)
                e = ERR_INVAL;
        if (!e && pairs > COORD_PAIRS_MAX)
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
        return pairs_check(r->pairs, r->n);
    case COORD_TEXT_PUT:
        return text_check(r->value);
    case COORD_ALL:
        return all_check(r);
    case COORD_CHANGED:
    case COORD_ZSET_RAISE:
    case COORD_ZSET_PUT: {
        enum err e = raise_check(r->op, r->score);

        return e ? e : name_check(slice_str(r->member));
    }
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
        return r->value.n > COORD_TEXT_MAX ? ERR_TOOBIG : ERR_OK;
    default:
        return ERR_OK;
    }
}

enum err
coord_redis_check(const struct coord_request *r)
{
    struct slice key = slice_str(r->key);
    enum err e = ERR_OK;

    assert((unsigned)r->op < COORD_OPS);
    if (r->op != COORD_ALL)
        e = name_check(key);
    if (!e && r->op != COORD_ALL && r->op != COORD_PUBLISH && is_ours(key))
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
arg_pairs(struct coord_args *a, const struct coord_pair *pairs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        arg(a, pairs[i].name);
        arg(a, pairs[i].value);
    }
}

static void
arg_write(struct coord_args *a, const struct coord_write *w)
{
    static const char *const letter[COORD_OPS] = {
        [COORD_HASH_PUT] = "h", [COORD_TEXT_PUT] = "t",
        [COORD_DEL] = "d",      [COORD_ZSET_PUT] = "z",
        [COORD_ZSET_DEL] = "r", [COORD_ZSET_RAISE] = "u",
    };

    arg(a, slice_str(letter[w->op]));
    arg_ms(a, w->ttl);
    switch (w->op) {
    case COORD_HASH_PUT:
        arg_u64(a, (uint64_t)w->n * 2);
        arg_pairs(a, w->pairs, w->n);
        break;
    case COORD_TEXT_PUT:
        arg_u64(a, 1);
        arg(a, w->value);
        break;
    case COORD_ZSET_PUT:
    case COORD_ZSET_RAISE:
        arg_u64(a, 2);
        arg(a, slice_str(w->member));
        arg_i64(a, w->score);
        break;
    case COORD_ZSET_DEL:
        arg_u64(a, 1);
        arg(a, slice_str(w->member));
        break;
    default:
        arg_u64(a, 0);
        break;
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
        arg_pairs(a, r->pairs, r->n);
        break;
    case COORD_TEXT_PUT:
        arg_ms(a, r->ttl);
        arg(a, r->value);
        break;
    case COORD_ALL:
        arg_u64(a, r->n);
        for (unsigned i = 0; i < r->n; i++)
            arg_write(a, &r->writes[i]);
        break;
    case COORD_HASH_GET:
    case COORD_ZSET_RANGE:
        arg_u64(a, u64_min(r->cap, RANGE_MAX));
        break;
    case COORD_CHANGED:
        arg(a, slice_str(r->member));
        arg_i64(a, r->score);
        arg_u64(a, u64_min(r->amount, RANGE_MAX));
        break;
    case COORD_ZSET_PUT:
    case COORD_ZSET_RAISE:
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

static void
arg_keys(struct coord_args *a, const struct coord_request *r)
{
    unsigned all = r->op == COORD_ALL ? r->n : 0;
    const char *key = all ? r->writes[0].key : r->key;

    arg_u64(a, (r->guard ? 5 : 3) + all);
    arg(a, slice_str(key));
    arg_named(a, key, ":epoch");
    arg_named(a, key, ":until");
    if (r->guard) {
        arg(a, slice_str(r->guard->key));
        arg_named(a, r->guard->key, ":epoch");
    }
    for (unsigned i = 0; i < all; i++)
        arg(a, slice_str(r->writes[i].key));
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
    arg_keys(a, r);
    arg_guard(a, r->guard);
    arg_own(a, r);
}
