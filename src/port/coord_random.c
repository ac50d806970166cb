/* coord_random.c - operations at random on a driver and on coord_model.h: every
 * answer must be the same. Part of coord_contract.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_contract_impl.h"
#include "base/base.h"
#include "base/prng.h"
#include "port/coord_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char *const keys[] = {"km0", "km1", "km2", "km3", "km4", "k5"};
static const char *const owners[] = {"o0", "o1", "o2"};
/* With "k" before it each is a key. */
static const char *const members[] = {"m0", "m1", "m2", "m3", "m4"};

static bool
writes(enum coord_op op)
{
    return op == COORD_HASH_PUT || op == COORD_TEXT_PUT ||
           op == COORD_ZSET_PUT || op == COORD_ZSET_RAISE ||
           op == COORD_ZSET_DEL || op == COORD_DEL;
}

#define ROOM (MODEL_MEMBERS * (1 + MODEL_MEMBERS) + 1)

/* Some changes of different keys. */
static void
choose_all(struct prng *r, struct model_op *o, struct model_op *all)
{
    o->all = all;
    o->n_all = 1 + (unsigned)prng_below(r, MODEL_WRITES);
    for (unsigned i = 0; i < o->n_all; i++) {
        struct model_op *a = &all[i];

        memset(a, 0, sizeof(*a));
        do
            a->op = (enum coord_op)prng_below(r, COORD_OPS);
        while (!writes(a->op));
        a->key = (o->key + (int)i) % MODEL_KEYS;
        a->member = (int)prng_below(r, MODEL_MEMBERS);
        a->score = (int64_t)prng_below(r, 4) - 2;
        if (a->op == COORD_ZSET_RAISE)
            a->score += 3;
        a->ttl = prng_below(r, 3) ? o->ttl : 0;
    }
}

static void
choose(struct prng *r, const struct model *m, struct model_op *o,
       struct model_op *all)
{
    memset(o, 0, sizeof(*o));
    do
        o->op = (enum coord_op)prng_below(r, COORD_OPS);
    while (o->op == COORD_PUBLISH);
    o->key = (int)prng_below(r, MODEL_KEYS);
    o->owner = (int)prng_below(r, MODEL_OWNERS);
    o->member = (int)prng_below(r, MODEL_MEMBERS);
    o->score = (int64_t)prng_below(r, 4) - 2;
    o->ttl = (int64_t)(1 + prng_below(r, 20)) * 50000000;
    if (o->op == COORD_ALL)
        choose_all(r, o, all);
    if ((o->op == COORD_HASH_PUT || o->op == COORD_TEXT_PUT ||
         o->op == COORD_ZSET_PUT || o->op == COORD_ZSET_RAISE) &&
        prng_below(r, 3) == 0)
        o->ttl = 0;
    o->per = 10000000 * (int64_t)(1 + prng_below(r, 3));
    o->burst = 1 + prng_below(r, 8);
    o->amount = prng_below(r, 10);
    o->limit = prng_below(r, 30);
    o->floor = prng_below(r, 10) ? 0 : (uint64_t)m->wall_ms + 5;
    o->cap = (unsigned)prng_below(r, MODEL_MEMBERS + 1);
    if (o->op == COORD_CHANGED)
        o->cap = (unsigned)prng_below(r, ROOM);
    o->epoch = m->key[o->key].epoch - (prng_below(r, 5) == 0);
    if ((writes(o->op) || o->op == COORD_ALL) && prng_below(r, 4) == 0) {
        o->guarded = true;
        o->guard_key = (int)prng_below(r, MODEL_KEYS);
        o->epoch = m->key[o->guard_key].epoch - (prng_below(r, 5) == 0);
        if (prng_below(r, 2))
            o->owner = m->key[o->guard_key].owner;
    }
}

/* What was told as the model writes it. */
static void
changed_text(const struct coord_request *r, char *out, size_t room)
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < r->n; i++) {
        const struct coord_pair *p = &r->pairs[i];

        if (p->score)
            at += (size_t)snprintf(out + at, room - at, "%s%.*s=%lld{",
                                   i ? "}" : "", SLICE_ARG(p->name),
                                   (long long)p->score);
        else
            at += (size_t)snprintf(out + at, room - at, "%.*s:%.*s,",
                                   SLICE_ARG(p->name), SLICE_ARG(p->value));
    }
    (void)snprintf(out + at, room - at, "%s", r->n ? "}" : "");
}

static void
same(const struct model_op *o, const struct coord_request *r, uint64_t seed,
     unsigned step)
{
    bool ok = o->err == r->err;
    bool numbers = o->op == COORD_BUCKET_TAKE || o->op == COORD_RESERVE ||
                   o->op == COORD_ALL || o->op == COORD_CHANGED;

    if (ok && numbers && r->err != ERR_TOOBIG && r->err != ERR_INVAL)
        ok = o->number == r->number;
    if (ok && (r->err == ERR_OK || r->err == ERR_BUSY || r->err == ERR_AGAIN))
        ok = o->left == r->left.ns;
    if (ok && o->op == COORD_LEASE_TAKE && r->err == ERR_OK)
        ok = o->epoch_out == r->epoch;
    if (ok && r->err == ERR_OK &&
        (o->op == COORD_HASH_GET || o->op == COORD_ZSET_RANGE)) {
        ok = o->n == r->n;
        for (unsigned i = 0; ok && i < r->n; i++) {
            char value[24];

            (void)snprintf(value, sizeof(value), "%d", (int)o->scores[i]);
            ok = slice_eq(r->pairs[i].name, slice_str(members[o->members[i]]));
            if (ok && o->op == COORD_HASH_GET)
                ok = slice_eq(r->pairs[i].value, slice_str(value));
            else if (ok)
                ok = r->pairs[i].score == o->scores[i];
        }
    }
    if (ok && r->err == ERR_OK && o->op == COORD_CHANGED) {
        char text[1024];

        changed_text(r, text, sizeof(text));
        ok = strcmp(text, o->text) == 0;
    }
    if (ok && r->err == ERR_OK && o->op == COORD_TEXT_GET) {
        char value[24];

        (void)snprintf(value, sizeof(value), "%d", (int)o->scores[0]);
        ok = slice_eq(buf_slice(r->out), slice_str(value));
    }
    if (!ok)
        fail_msg("seed %llu step %u: %s %s: %s, not %s",
                 (unsigned long long)seed, step, coord_op_name(o->op),
                 keys[o->key], err_name(r->err), err_name(o->err));
}

/* The writes of O as the driver takes them. */
static void
write_all(const struct model_op *o, struct coord_write *to,
          struct coord_pair *pair, char value[][24])
{
    for (unsigned i = 0; i < o->n_all; i++) {
        const struct model_op *a = &o->all[i];

        (void)snprintf(value[i], sizeof(value[i]), "%d", (int)a->score);
        pair[i] = (struct coord_pair){.name = slice_str(members[a->member]),
                                      .value = slice_str(value[i])};
        to[i] = (struct coord_write){.op = a->op,
                                     .key = keys[a->key],
                                     .member = members[a->member],
                                     .value = slice_str(value[i]),
                                     .pairs = &pair[i],
                                     .n = 1,
                                     .ttl = {a->ttl},
                                     .score = a->score};
    }
}

static void
random_walk(uint64_t seed, unsigned steps)
{
    struct model m = {0};
    struct prng r;
    struct buf b;

    buf_init(&b, 4096);
    prng_init(&r, seed);
    for (unsigned i = 0; i < steps; i++) {
        struct coord_pair pairs[ROOM], field;
        struct coord_guard guard;
        struct coord_request q;
        struct model_op o, all[MODEL_WRITES];
        struct coord_write w[MODEL_WRITES];
        struct coord_pair w_pair[MODEL_WRITES];
        char value[24], w_value[MODEL_WRITES][24];

        if (prng_below(&r, 3) == 0)
            contract_pass((int64_t)prng_below(&r, 6) * 50);
        m.now = contract_world->now(contract->arg).ns;
        m.wall_ms = contract_world->wall(contract->arg).ms;
        choose(&r, &m, &o, all);
        write_all(&o, w, w_pair, w_value);
        (void)snprintf(value, sizeof(value), "%d", (int)o.score);
        field = (struct coord_pair){.name = slice_str(members[o.member]),
                                    .value = slice_str(value)};
        guard =
            (struct coord_guard){keys[o.guard_key], owners[o.owner], o.epoch};
        buf_clear(&b);
        q = (struct coord_request){
            .op = o.op,
            .key = keys[o.key],
            .owner = owners[o.owner],
            .member = o.op == COORD_CHANGED ? "k" : members[o.member],
            .value = slice_str(value),
            .guard = o.guarded ? &guard : NULL,
            .pairs = &field,
            .writes = w,
            .n = o.op == COORD_ALL ? o.n_all : 1,
            .cap = o.cap,
            .out = &b,
            .ttl = {o.ttl},
            .per = {o.per},
            .epoch = o.epoch,
            .floor = o.floor,
            .score = o.score,
            .burst = o.burst,
            .amount = o.amount,
            .limit = o.limit};
        if (o.op == COORD_HASH_GET || o.op == COORD_ZSET_RANGE ||
            o.op == COORD_CHANGED)
            q.pairs = pairs;
        (void)contract_op(&q);
        model_do(&m, &o);
        same(&o, &q, seed, i);
    }
    buf_release(&b);
}

void
contract_random(void **state)
{
    const unsigned steps = 2000;

    for (uint64_t seed = 1; seed <= contract->operations / steps; seed++) {
        random_walk(seed, steps);
        (void)contract_tear_down(state);
        (void)contract_set_up(state);
    }
}
