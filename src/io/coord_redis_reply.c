/* coord_redis_reply.c - what a script said as the results of a request; see
 * coord_redis_impl.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"
#include <stdlib.h>

static const struct {
    struct slice word;
    enum err err;
} words[] = {
    {{"ok", 2}, ERR_OK},         {{"noent", 5}, ERR_NOENT},
    {{"inval", 5}, ERR_INVAL},   {{"conflict", 8}, ERR_CONFLICT},
    {{"toobig", 6}, ERR_TOOBIG}, {{"nospc", 5}, ERR_NOSPC},
    {{"busy", 4}, ERR_BUSY},     {{"again", 5}, ERR_AGAIN},
};

static struct slice
part(const struct redisReply *said, size_t i)
{
    return i < said->elements ? redis_reply_text(said->element[i]) : SLICE_NULL;
}

static bool
part_u64(const struct redisReply *said, size_t i, uint64_t *out)
{
    return slice_u64(part(said, i), out);
}

/* A span in units of UNIT ns. */
static bool
part_dur(const struct redisReply *said, size_t i, int64_t unit, struct dur *out)
{
    uint64_t n;

    if (!part_u64(said, i, &n) || n > (uint64_t)(INT64_MAX / unit))
        return false;
    out->ns = (int64_t)n * unit;
    return true;
}

/* A whole number, as Redis writes scores that are one. */
static bool
score_of(struct slice s, int64_t *out)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t n;

    if (!slice_u64(slice_skip(s, minus), &n) || n > INT64_MAX)
        return false;
    *out = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

static int
by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct coord_pair *)a)->name,
                     ((const struct coord_pair *)b)->name);
}

/* S at *P, which moves behind it. */
static struct slice
copy(char **p, struct slice s)
{
    char *to = *p;

    if (!to || s.n == 0)
        return slice_of(to, 0);
    memcpy(to, s.p, s.n);
    *p += s.n;
    return slice_of(to, s.n);
}

/* The members of LIST (name, value or score, name ...) to the request's pairs
 * and buffer, whose memory is reserved once, since slices into it must stay. */
static enum err
tell(const struct redisReply *list, struct coord_request *r)
{
    bool scores = r->op == COORD_ZSET_RANGE;
    size_t n = list->elements / 2, bytes = 0;
    char *p;

    if (list->type != REDIS_REPLY_ARRAY || list->elements % 2 || n > r->cap)
        return ERR_CORRUPT;
    for (size_t i = 0; i < list->elements; i += 1 + scores)
        bytes += part(list, i).n;
    p = bytes ? buf_reserve(r->out, bytes) : NULL;
    if (bytes && !p)
        return ERR_TOOBIG;
    r->out->n += bytes;
    for (size_t i = 0; i < n; i++) {
        struct slice name = part(list, 2 * i), value = part(list, 2 * i + 1);
        struct coord_pair *to = &r->pairs[i];

        *to = (struct coord_pair){.name = copy(&p, name)};
        if (!scores)
            to->value = copy(&p, value);
        else if (!score_of(value, &to->score))
            return ERR_CORRUPT;
    }
    r->n = (unsigned)n;
    if (!scores && n)
        qsort(r->pairs, n, sizeof(r->pairs[0]), by_name);
    return ERR_OK;
}

/* LIST is (member, score, {name, value ...}) and so on, again counted first. */
static enum err
tell_changed(const struct redisReply *list, struct coord_request *r)
{
    size_t n = 0, bytes = 0, at = 0;
    char *p;

    if (list->type != REDIS_REPLY_ARRAY || list->elements % 3)
        return ERR_CORRUPT;
    for (size_t i = 0; i < list->elements; i += 3) {
        const struct redisReply *its = list->element[i + 2];

        if (its->type != REDIS_REPLY_ARRAY || its->elements % 2)
            return ERR_CORRUPT;
        n += 1 + its->elements / 2;
        bytes += part(list, i).n;
        for (size_t j = 0; j < its->elements; j++)
            bytes += part(its, j).n;
    }
    if (n > r->cap)
        return ERR_TOOBIG;
    p = bytes ? buf_reserve(r->out, bytes) : NULL;
    if (bytes && !p)
        return ERR_TOOBIG;
    r->out->n += bytes;
    for (size_t i = 0; i < list->elements; i += 3) {
        const struct redisReply *its = list->element[i + 2];
        struct coord_pair *to = &r->pairs[at];

        to[0] = (struct coord_pair){.name = copy(&p, part(list, i))};
        if (!score_of(part(list, i + 1), &to[0].score) || to[0].score < 1)
            return ERR_CORRUPT;
        for (size_t j = 0; j < its->elements; j += 2) {
            to[1 + j / 2].name = copy(&p, part(its, j));
            to[1 + j / 2].value = copy(&p, part(its, j + 1));
            to[1 + j / 2].score = 0;
        }
        qsort(to + 1, its->elements / 2, sizeof(*to), by_name);
        at += 1 + its->elements / 2;
    }
    r->n = (unsigned)n;
    return ERR_OK;
}

static bool
results(struct coord_request *r, const struct redisReply *said)
{
    switch (r->op) {
    case COORD_LEASE_TAKE:
        if (r->err == ERR_BUSY)
            return part_dur(said, 1, 1000000, &r->left);
        r->left = r->ttl;
        return r->err || part_u64(said, 1, &r->epoch);
    case COORD_LEASE_RENEW:
        if (!r->err)
            r->left = r->ttl;
        return true;
    case COORD_HASH_GET:
    case COORD_ZSET_RANGE:
        if (r->err)
            return true;
        if (said->elements < 2)
            return false;
        r->err = tell(said->element[1], r);
        return r->err != ERR_CORRUPT;
    case COORD_CHANGED:
        if (r->err)
            return true;
        if (said->elements < 3 || !part_u64(said, 1, &r->number))
            return false;
        r->err = tell_changed(said->element[2], r);
        if (r->err)
            r->number = 0;
        return r->err != ERR_CORRUPT;
    case COORD_TEXT_GET:
        if (!r->err && !buf_add_slice(r->out, part(said, 1)))
            r->err = ERR_TOOBIG;
        return true;
    case COORD_ALL:
        return r->err || part_u64(said, 1, &r->number);
    case COORD_BUCKET_TAKE:
        if (r->err == ERR_AGAIN && !part_dur(said, 2, 1000, &r->left))
            return false;
        return (r->err && r->err != ERR_AGAIN) || part_u64(said, 1, &r->number);
    case COORD_RESERVE:
        return (r->err && r->err != ERR_NOSPC) || part_u64(said, 1, &r->number);
    default:
        return true;
    }
}

enum err
coord_redis_result(struct coord_request *r, const struct redisReply *said)
{
    struct slice word;

    r->err = ERR_CORRUPT;
    if (r->op == COORD_PUBLISH) {
        if (said->type != REDIS_REPLY_INTEGER || said->integer < 0)
            return ERR_CORRUPT;
        r->number = (uint64_t)said->integer;
        r->err = ERR_OK;
        return ERR_OK;
    }
    if (said->type != REDIS_REPLY_ARRAY)
        return ERR_CORRUPT;
    word = part(said, 0);
    for (size_t i = 0; i < countof(words); i++) {
        if (!slice_eq(words[i].word, word))
            continue;
        r->err = words[i].err;
        if (results(r, said))
            return ERR_OK;
        r->err = ERR_CORRUPT;
    }
    return ERR_CORRUPT;
}
