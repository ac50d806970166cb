/* coord_model.c - see coord_model.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_model.h"
#include <stdio.h>
#include <string.h>

static unsigned
count(const struct model_key *k)
{
    unsigned n = 0;

    for (int i = 0; i < MODEL_MEMBERS; i++)
        n += k->kind == MODEL_POOL ? k->amount_until[i] != 0 : k->in[i];
    return n;
}

static void
expire(struct model *m)
{
    for (int i = 0; i < MODEL_KEYS; i++) {
        struct model_key *k = &m->key[i];

        for (int j = 0; j < MODEL_MEMBERS; j++)
            if (k->kind == MODEL_POOL && k->amount_until[j] <= m->now)
                k->amount_until[j] = 0;
        if (((k->kind == MODEL_HASH || k->kind == MODEL_ZSET ||
              k->kind == MODEL_TEXT) &&
             k->expires <= m->now) ||
            (k->kind == MODEL_BUCKET && k->full_at <= m->now) ||
            (k->kind == MODEL_POOL && count(k) == 0))
            memset(k, 0, sizeof(*k));
    }
}

static bool
mine(const struct model *m, int key, int owner, uint64_t epoch)
{
    const struct model_key *k = &m->key[key];

    return k->kind == MODEL_LEASE && k->until > m->now && k->owner == owner &&
           k->epoch == epoch;
}

static enum model_kind
kind_of(enum coord_op op)
{
    switch (op) {
    case COORD_LEASE_TAKE:
    case COORD_LEASE_RENEW:
    case COORD_LEASE_FREE:
        return MODEL_LEASE;
    case COORD_HASH_PUT:
    case COORD_HASH_GET:
        return MODEL_HASH;
    case COORD_TEXT_PUT:
    case COORD_TEXT_GET:
        return MODEL_TEXT;
    case COORD_ZSET_PUT:
    case COORD_ZSET_RAISE:
    case COORD_ZSET_DEL:
    case COORD_ZSET_RANGE:
    case COORD_CHANGED:
        return MODEL_ZSET;
    case COORD_BUCKET_TAKE:
        return MODEL_BUCKET;
    case COORD_RESERVE:
    case COORD_RELEASE:
        return MODEL_POOL;
    default:
        return MODEL_NONE;
    }
}

static enum err
lease(struct model *m, struct model_key *k, struct model_op *o)
{
    bool held = k->kind == MODEL_LEASE && k->until > m->now;

    if (o->op == COORD_LEASE_TAKE && k->kind == MODEL_TEXT) {
        o->left = k->expires == INT64_MAX ? o->ttl : k->expires - m->now;
        return ERR_BUSY;
    }
    if (o->op == COORD_LEASE_TAKE) {
        if (held && k->owner != o->owner) {
            o->left = k->until - m->now;
            return ERR_BUSY;
        }
        k->epoch++;
        if (k->epoch < o->floor)
            k->epoch = o->floor;
        if (k->epoch < (uint64_t)m->wall_ms)
            k->epoch = (uint64_t)m->wall_ms;
        k->kind = MODEL_LEASE;
        k->owner = o->owner;
        k->until = m->now + o->ttl;
        o->epoch_out = k->epoch;
        o->left = o->ttl;
        return ERR_OK;
    }
    if (!held || k->owner != o->owner || k->epoch != o->epoch)
        return ERR_CONFLICT;
    k->until = m->now;
    if (o->op == COORD_LEASE_RENEW) {
        k->until += o->ttl;
        o->left = o->ttl;
    }
    return ERR_OK;
}

static enum err
put(struct model *m, struct model_key *k, struct model_op *o)
{
    if (k->kind == MODEL_NONE)
        k->expires = INT64_MAX;
    k->kind = kind_of(o->op);
    k->in[o->member] = true;
    k->score[o->member] = o->score;
    if (o->ttl)
        k->expires = m->now + o->ttl;
    return ERR_OK;
}

/* 0: there is none. */
static int64_t
top(const struct model_key *k)
{
    int64_t t = INT64_MIN;

    for (int i = 0; i < MODEL_MEMBERS; i++)
        if (k->in[i] && k->score[i] > t)
            t = k->score[i];
    return t == INT64_MIN ? 0 : t;
}

static enum err
raise_member(struct model *m, struct model_key *k, struct model_op *o)
{
    if (k->kind != MODEL_NONE && top(k) + 1 > o->score)
        o->score = top(k) + 1;
    return put(m, k, o);
}

/* Selection sort: by name for hashes, by score and name for sets. */
static void
tell(const struct model_key *k, struct model_op *o, unsigned max)
{
    bool told[MODEL_MEMBERS] = {false};

    for (o->n = 0; o->n < max; o->n++) {
        int best = -1;

        for (int i = 0; i < MODEL_MEMBERS; i++)
            if (k->in[i] && !told[i] &&
                (best < 0 ||
                 (k->kind == MODEL_ZSET && k->score[i] < k->score[best])))
                best = i;
        if (best < 0)
            return;
        told[best] = true;
        o->members[o->n] = best;
        o->scores[o->n] = k->score[best];
    }
}

/* The key after a member has its number. */
static unsigned
tell_changed(const struct model *m, int member, int64_t score, char *text,
             size_t room)
{
    const struct model_key *k = &m->key[member];
    size_t at =
        (size_t)snprintf(text, room, "m%d=%lld{", member, (long long)score);
    unsigned n = 1;

    for (int i = 0; i < MODEL_MEMBERS; i++)
        if (k->kind == MODEL_HASH && k->in[i]) {
            at += (size_t)snprintf(text + at, room - at, "m%d:%lld,", i,
                                   (long long)k->score[i]);
            n++;
        }
    if (k->kind == MODEL_TEXT) {
        at += (size_t)snprintf(text + at, room - at, ":%lld,",
                               (long long)k->score[0]);
        n++;
    }
    (void)snprintf(text + at, room - at, "}");
    return n;
}

static enum err
changed(const struct model *m, const struct model_key *k, struct model_op *o)
{
    struct model_op all = {0};
    unsigned n = 0;
    uint64_t told = 0;

    o->text[0] = '\0';
    tell(k, &all, MODEL_MEMBERS);
    for (unsigned i = 0; i < all.n; i++)
        if (all.scores[i] > o->score && told++ < o->amount) {
            size_t at = strlen(o->text);

            n += tell_changed(m, all.members[i], all.scores[i], o->text + at,
                              sizeof(o->text) - at);
        }
    if (n > o->cap)
        return ERR_TOOBIG;
    o->number = top(k) > 0 ? (uint64_t)top(k) : 0;
    return ERR_OK;
}

static enum err
bucket(struct model *m, struct model_key *k, struct model_op *o)
{
    int64_t whole = (int64_t)o->burst * o->per;
    int64_t lack = k->kind == MODEL_BUCKET ? k->full_at - m->now : 0;
    int64_t after;

    if (lack > whole)
        lack = whole;
    after = lack + (int64_t)o->amount * o->per;

    if (o->amount > o->burst)
        return ERR_TOOBIG;
    if (after > whole) {
        o->left = after - whole;
        o->number = (uint64_t)((whole - lack) / o->per);
        return ERR_AGAIN;
    }
    o->number = (uint64_t)((whole - after) / o->per);
    if (o->amount) {
        k->kind = MODEL_BUCKET;
        k->full_at = m->now + after;
    }
    return ERR_OK;
}

static enum err
pool(struct model *m, struct model_key *k, struct model_op *o)
{
    uint64_t others = 0, own = 0;

    for (int i = 0; i < MODEL_MEMBERS; i++)
        if (k->kind == MODEL_POOL && k->amount_until[i]) {
            others += i == o->member ? 0 : k->amount[i];
            own += i == o->member ? k->amount[i] : 0;
        }
    if (o->op == COORD_RELEASE) {
        if (k->kind == MODEL_NONE || !k->amount_until[o->member])
            return ERR_NOENT;
        k->amount_until[o->member] = 0;
        return ERR_OK;
    }
    o->number = others + own;
    if (others + o->amount > o->limit)
        return ERR_NOSPC;
    k->kind = MODEL_POOL;
    k->amount[o->member] = o->amount;
    k->amount_until[o->member] = m->now + o->ttl;
    o->number = others + o->amount;
    return ERR_OK;
}

static enum err
text(struct model *m, struct model_key *k, struct model_op *o)
{
    if (o->op == COORD_TEXT_GET) {
        if (k->kind == MODEL_NONE)
            return ERR_NOENT;
        o->scores[0] = k->score[0];
        return ERR_OK;
    }
    k->kind = MODEL_TEXT;
    k->score[0] = o->score;
    k->expires = o->ttl ? m->now + o->ttl : INT64_MAX;
    return ERR_OK;
}

static enum err
run(struct model *m, struct model_key *k, struct model_op *o)
{
    switch (o->op) {
    case COORD_HASH_PUT:
    case COORD_ZSET_PUT:
        return put(m, k, o);
    case COORD_ZSET_RAISE:
        return raise_member(m, k, o);
    case COORD_CHANGED:
        return changed(m, k, o);
    case COORD_TEXT_PUT:
    case COORD_TEXT_GET:
        return text(m, k, o);
    case COORD_HASH_GET:
        if (k->kind == MODEL_NONE)
            return ERR_NOENT;
        if (count(k) > o->cap)
            return ERR_TOOBIG;
        tell(k, o, MODEL_MEMBERS);
        return ERR_OK;
    case COORD_ZSET_RANGE:
        tell(k, o, o->cap);
        return ERR_OK;
    case COORD_ZSET_DEL:
        if (!k->in[o->member])
            return ERR_NOENT;
        k->in[o->member] = false;
        if (count(k) == 0)
            memset(k, 0, sizeof(*k));
        return ERR_OK;
    case COORD_DEL:
        if (k->kind == MODEL_NONE)
            return ERR_NOENT;
        memset(k, 0, sizeof(*k));
        return ERR_OK;
    case COORD_BUCKET_TAKE:
        return bucket(m, k, o);
    case COORD_RESERVE:
    case COORD_RELEASE:
        return pool(m, k, o);
    default:
        return lease(m, k, o);
    }
}

static bool
is_other(const struct model_key *k, enum coord_op op)
{
    if (op == COORD_DEL)
        return k->kind == MODEL_LEASE;
    /* A text is somebody's lock. */
    if (op == COORD_LEASE_TAKE && k->kind == MODEL_TEXT)
        return false;
    return k->kind != MODEL_NONE && k->kind != kind_of(op);
}

static enum err
all(struct model *m, struct model_op *o)
{
    struct model was = *m;

    for (unsigned i = 0; i < o->n_all; i++) {
        struct model_op *a = &o->all[i];
        struct model_key *k = &m->key[a->key];

        if (is_other(k, a->op)) {
            *m = was;
            return ERR_INVAL;
        }
        o->number += run(m, k, a) == ERR_OK;
    }
    return ERR_OK;
}

void
model_do(struct model *m, struct model_op *o)
{
    struct model_key *k = &m->key[o->key];

    expire(m);
    o->left = 0;
    o->number = 0;
    o->n = 0;
    if ((o->op == COORD_ZSET_RAISE && o->score < 1) ||
        (o->op == COORD_CHANGED && o->score < 0))
        o->err = ERR_INVAL;
    else if (o->guarded && !mine(m, o->guard_key, o->owner, o->epoch))
        o->err = ERR_CONFLICT;
    else if (o->op == COORD_ALL)
        o->err = all(m, o);
    else if (is_other(k, o->op))
        o->err = ERR_INVAL;
    else
        o->err = run(m, k, o);
    if (o->err && o->op == COORD_ALL)
        o->number = 0;
    expire(m);
}
