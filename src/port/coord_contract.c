/* coord_contract.c - see coord_contract.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_contract.h"
#include "base/base.h"
#include "base/prng.h"
#include "port/coord_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct coord_contract *contract;
static struct loop_mem loop;
static struct coord *coord;

/* --- helpers -------------------------------------------------------------- */

static void
completed(struct coord_request *r)
{
    *(unsigned *)r->priv += 1;
}

enum err
coord_do(struct coord *c, struct loop_mem *l, struct coord_request *r)
{
    unsigned calls = 0;

    r->loop = &l->loop;
    r->done = completed;
    r->priv = &calls;
    r->err = ERR_COUNT;
    coord_submit(c, r);
    assert_int_equal(calls, 0); /* never inside the call */
    loop_mem_settle(l);
    assert_int_equal(calls, 1);
    return r->err;
}

static enum err
op(struct coord_request *r)
{
    return coord_do(coord, &loop, r);
}

static void
pass(int64_t ms)
{
    loop_mem_advance(&loop, dur_ms(ms));
}

static int
set_up(void **state)
{
    (void)state;
    loop_mem_init(&loop);
    coord = contract->open(contract->arg);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    coord->ops->close(coord);
    loop_mem_release(&loop);
    return 0;
}

/* --- leases --------------------------------------------------------------- */

static struct coord_request
lease(enum coord_op o, const char *owner, int64_t ttl_ms, uint64_t epoch)
{
    return (struct coord_request){.op = o,
                                  .key = "capacity_monitor:leader_lock",
                                  .owner = owner,
                                  .ttl = dur_ms(ttl_ms),
                                  .epoch = epoch};
}

/* CAP-018 ... CAP-025: one leader, a crash, a stop, an old leader's writes. */
static void
test_lease(void **state)
{
    struct coord_request r = lease(COORD_LEASE_TAKE, "ingester-a", 30000, 0);
    uint64_t first, second;
    (void)state;

    assert_int_equal(op(&r), ERR_OK);
    first = r.epoch;
    assert_true(first >= (uint64_t)loop.loop.wall.ms); /* D32 */
    r = lease(COORD_LEASE_TAKE, "ingester-b", 30000, 0);
    pass(10000);
    assert_int_equal(op(&r), ERR_BUSY);
    assert_int_equal(r.left.ns, dur_ms(20000).ns); /* D42: when to try again */
    r = lease(COORD_LEASE_RENEW, "ingester-a", 30000, first);
    assert_int_equal(op(&r), ERR_OK);
    pass(29999);
    r = lease(COORD_LEASE_TAKE, "ingester-b", 30000, 0);
    assert_int_equal(op(&r), ERR_BUSY);
    pass(1); /* a died */
    assert_int_equal(op(&r), ERR_OK);
    second = r.epoch;
    assert_true(second > first);

    /* A wakes up: it has lost, and frees nothing of b's. */
    r = lease(COORD_LEASE_RENEW, "ingester-a", 30000, first);
    assert_int_equal(op(&r), ERR_CONFLICT);
    r = lease(COORD_LEASE_FREE, "ingester-a", 0, first);
    assert_int_equal(op(&r), ERR_CONFLICT);
    /* The right owner with an old epoch has lost too. */
    r = lease(COORD_LEASE_RENEW, "ingester-b", 30000, first);
    assert_int_equal(op(&r), ERR_CONFLICT);

    r = lease(COORD_LEASE_FREE, "ingester-b", 0, second);
    assert_int_equal(op(&r), ERR_OK);
    r = lease(COORD_LEASE_TAKE, "ingester-a", 30000, 0);
    r.floor = second + 1000000000; /* Admin's floor */
    assert_int_equal(op(&r), ERR_OK);
    assert_int_equal(r.epoch, second + 1000000000);
    r = lease(COORD_LEASE_TAKE, "ingester-a", 30000, 0); /* its own again */
    assert_int_equal(op(&r), ERR_OK);
    assert_int_equal(r.epoch, second + 1000000001);
    r = lease(COORD_LEASE_TAKE, "ingester-a", 0, 0);
    assert_int_equal(op(&r), ERR_INVAL);
}

static void
test_guard(void **state)
{
    struct coord_request l = lease(COORD_LEASE_TAKE, "a", 1000, 0);
    struct coord_guard g;
    struct coord_pair p = {.name = SLICE("f"), .value = SLICE("v")};
    struct coord_request put = {.op = COORD_HASH_PUT,
                                .key = "capacity:se-01",
                                .pairs = &p,
                                .n = 1,
                                .guard = &g};
    struct coord_request z = {.op = COORD_ZSET_PUT,
                              .key = "capacity:rw:available",
                              .member = "se-01",
                              .guard = &g};
    struct coord_request del = {
        .op = COORD_DEL, .key = "capacity:se-01", .guard = &g};
    (void)state;

    assert_int_equal(op(&l), ERR_OK);
    g = (struct coord_guard){l.key, "a", l.epoch};
    assert_int_equal(op(&put), ERR_OK);
    assert_int_equal(op(&z), ERR_OK);
    g.epoch++;
    assert_int_equal(op(&put), ERR_CONFLICT);
    g.epoch--;
    g.owner = "b";
    assert_int_equal(op(&z), ERR_CONFLICT);
    assert_int_equal(op(&del), ERR_CONFLICT);
    g.owner = "a";
    g.key = "another";
    assert_int_equal(op(&put), ERR_CONFLICT);
    g.key = l.key;
    pass(1000); /* the lease is over */
    assert_int_equal(op(&del), ERR_CONFLICT);
    assert_int_equal(op(&l), ERR_OK);
    g.epoch = l.epoch;
    assert_int_equal(op(&del), ERR_OK);
    assert_int_equal(op(&del), ERR_NOENT);
}

/* --- hashes and sorted sets ----------------------------------------------- */

static void
test_hash(void **state)
{
    struct coord_pair in[] = {{.name = SLICE("used"), .value = SLICE("10")},
                              {.name = SLICE("mode"), .value = SLICE("rw")},
                              {.name = SLICE("empty"), .value = SLICE("")}};
    struct coord_pair got[4];
    struct buf b;
    struct coord_request put = {.op = COORD_HASH_PUT,
                                .key = "capacity:se-01",
                                .pairs = in,
                                .n = 3,
                                .ttl = dur_ms(600)};
    struct coord_request get = {.op = COORD_HASH_GET,
                                .key = "capacity:se-01",
                                .pairs = got,
                                .cap = 4,
                                .out = &b};
    (void)state;

    buf_init(&b, 64);
    assert_int_equal(op(&get), ERR_NOENT);
    assert_int_equal(op(&put), ERR_OK);
    assert_int_equal(op(&get), ERR_OK);
    assert_int_equal(get.n, 3); /* by name */
    assert_true(slice_eq(got[0].name, SLICE("empty")));
    assert_int_equal(got[0].value.n, 0);
    assert_true(slice_eq(got[1].name, SLICE("mode")));
    assert_true(slice_eq(got[1].value, SLICE("rw")));
    assert_true(slice_eq(got[2].value, SLICE("10")));

    pass(500);
    in[0].value = SLICE("11");
    put.n = 1;
    put.ttl = dur_ms(0); /* stays as it is */
    assert_int_equal(op(&put), ERR_OK);
    buf_clear(&b);
    assert_int_equal(op(&get), ERR_OK);
    assert_int_equal(get.n, 3);
    assert_true(slice_eq(got[2].value, SLICE("11")));
    get.cap = 2;
    assert_int_equal(op(&get), ERR_TOOBIG);
    get.cap = 4;
    buf_clear(&b);
    b.max = 5;
    assert_int_equal(op(&get), ERR_TOOBIG);
    b.max = 64;
    buf_clear(&b);
    pass(100);
    assert_int_equal(op(&get), ERR_NOENT); /* CAP-044: it has a TTL */
    assert_int_equal(op(&put), ERR_OK);
    pass(86400000);
    assert_int_equal(op(&get), ERR_OK); /* this one has none */
    assert_int_equal(get.n, 1);
    buf_release(&b);
}

static void
test_zset(void **state)
{
    static const struct {
        const char *member;
        int64_t score;
    } in[] = {{"se-03", 50}, {"se-01", 100}, {"se-02", 50}, {"se-04", -1}};
    struct coord_pair got[8];
    struct buf b;
    struct coord_request put = {.op = COORD_ZSET_PUT,
                                .key = "capacity:rw:available",
                                .ttl = dur_ms(600)};
    struct coord_request range = {.op = COORD_ZSET_RANGE,
                                  .key = "capacity:rw:available",
                                  .pairs = got,
                                  .cap = 8,
                                  .out = &b};
    (void)state;

    buf_init(&b, 256);
    assert_int_equal(op(&range), ERR_OK);
    assert_int_equal(range.n, 0);
    for (size_t i = 0; i < countof(in); i++) {
        put.member = in[i].member;
        put.score = in[i].score;
        assert_int_equal(op(&put), ERR_OK);
    }
    assert_int_equal(op(&range), ERR_OK);
    assert_int_equal(range.n, 4); /* CAP-048, ING-110 */
    assert_true(slice_eq(got[0].name, SLICE("se-04")));
    assert_true(slice_eq(got[1].name, SLICE("se-02")));
    assert_true(slice_eq(got[2].name, SLICE("se-03")));
    assert_true(slice_eq(got[3].name, SLICE("se-01")));
    assert_int_equal(got[0].score, -1);

    put.member = "se-01";
    put.score = 1; /* CAP-052: a new priority */
    assert_int_equal(op(&put), ERR_OK);
    put.op = COORD_ZSET_DEL;
    put.member = "se-04";
    assert_int_equal(op(&put), ERR_OK);
    assert_int_equal(op(&put), ERR_NOENT);
    buf_clear(&b);
    range.cap = 2;
    assert_int_equal(op(&range), ERR_OK);
    assert_int_equal(range.n, 2); /* no more than asked for */
    assert_true(slice_eq(got[0].name, SLICE("se-01")));
    assert_true(slice_eq(got[1].name, SLICE("se-02")));
    pass(600);
    assert_int_equal(op(&range), ERR_OK);
    assert_int_equal(range.n, 0);
    buf_release(&b);
}

/* --- buckets and reservations --------------------------------------------- */

static void
test_bucket(void **state)
{
    static const struct {
        int64_t pass_ms;
        uint64_t amount;
        enum err err;
        uint64_t number;
        int64_t left_ms;
        const char *why;
    } row[] = {
        {0, 1, ERR_OK, 4, 0, "full at first"},
        {0, 4, ERR_OK, 0, 0, "all of it"},
        {0, 1, ERR_AGAIN, 0, 100, "empty"},
        {99, 1, ERR_AGAIN, 0, 1, "not quite"},
        {1, 1, ERR_OK, 0, 0, "one has come"},
        {0, 3, ERR_AGAIN, 0, 300, "waits for three"},
        {250, 0, ERR_OK, 2, 0, "looking takes nothing"},
        {0, 3, ERR_AGAIN, 2, 50, "a refusal takes nothing"},
        {0, 6, ERR_TOOBIG, 0, 0, "more than it ever holds"},
        {10000, 5, ERR_OK, 0, 0, "it does not overflow"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct coord_request r = {.op = COORD_BUCKET_TAKE,
                                  .key = "rate_limit:x:upload",
                                  .per = dur_ms(100),
                                  .burst = 5,
                                  .amount = row[i].amount};

        pass(row[i].pass_ms);
        if (op(&r) != row[i].err ||
            (r.err != ERR_TOOBIG && r.number != row[i].number) ||
            r.left.ns != dur_ms(row[i].left_ms).ns)
            fail_msg("%s: %s, %llu left, wait %lld ms", row[i].why,
                     err_name(r.err), (unsigned long long)r.number,
                     (long long)r.left.ns / 1000000);
    }
}

static void
test_reserve(void **state)
{
    static const struct {
        int64_t pass_ms;
        enum coord_op op;
        const char *member;
        uint64_t amount;
        enum err err;
        uint64_t sum;
        const char *why;
    } row[] = {
        {0, COORD_RESERVE, "a", 60, ERR_OK, 60, "the first"},
        {0, COORD_RESERVE, "b", 41, ERR_NOSPC, 60, "over by one (D06)"},
        {0, COORD_RESERVE, "b", 40, ERR_OK, 100, "exactly full"},
        {0, COORD_RESERVE, "a", 61, ERR_NOSPC, 100, "no more for a"},
        {500, COORD_RESERVE, "a", 50, ERR_OK, 90, "less: replaced, renewed"},
        {0, COORD_RELEASE, "c", 0, ERR_NOENT, 0, "never had any"},
        {500, COORD_RESERVE, "c", 50, ERR_OK, 100, "b's time was over"},
        {0, COORD_RELEASE, "b", 0, ERR_NOENT, 0, "so it is"},
        {0, COORD_RELEASE, "a", 0, ERR_OK, 0, "given back"},
        {0, COORD_RESERVE, "d", 50, ERR_OK, 100, "to another"},
        {0, COORD_RESERVE, "e", 0, ERR_OK, 100, "nothing always fits"},
        {0, COORD_RESERVE, "e", UINT64_MAX, ERR_NOSPC, 100, "no wrap-around"},
        {1000, COORD_RESERVE, "f", 100, ERR_OK, 100, "all are over"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct coord_request r = {.op = row[i].op,
                                  .key = "pool:p1",
                                  .member = row[i].member,
                                  .amount = row[i].amount,
                                  .limit = 100,
                                  .ttl = dur_ms(1000)};

        pass(row[i].pass_ms);
        if (op(&r) != row[i].err ||
            (row[i].op == COORD_RESERVE && r.number != row[i].sum))
            fail_msg("%s: %s, sum %llu", row[i].why, err_name(r.err),
                     (unsigned long long)r.number);
    }
}

/* --- what is refused ------------------------------------------------------ */

static void
test_refused(void **state)
{
    static char huge[COORD_KEY_MAX + 2], value[COORD_VALUE_MAX + 1];
    struct coord_pair p = {.name = SLICE("n"), .value = SLICE("v")};
    struct coord_request hash = {
        .op = COORD_HASH_PUT, .key = "h", .pairs = &p, .n = 1};
    struct coord_request r;
    (void)state;

    memset(huge, 'k', sizeof(huge) - 1);
    assert_int_equal(op(&hash), ERR_OK);
    r = (struct coord_request){.op = COORD_ZSET_PUT, .key = "h", .member = "m"};
    assert_int_equal(op(&r), ERR_INVAL); /* of another kind */
    assert_string_equal(r.fault.op, "zset_put");
    r = lease(COORD_LEASE_TAKE, "a", 1000, 0);
    assert_int_equal(op(&r), ERR_OK);
    r = (struct coord_request){.op = COORD_DEL, .key = r.key};
    assert_int_equal(op(&r), ERR_INVAL); /* epochs never expire */

    hash.key = huge;
    assert_int_equal(op(&hash), ERR_TOOBIG);
    hash.key = "";
    assert_int_equal(op(&hash), ERR_INVAL);
    hash.key = NULL;
    assert_int_equal(op(&hash), ERR_INVAL);
    hash.key = "h";
    p.name = slice_of(huge, sizeof(huge) - 1);
    assert_int_equal(op(&hash), ERR_TOOBIG);
    p.name = SLICE("n");
    p.value = slice_of(value, sizeof(value));
    assert_int_equal(op(&hash), ERR_TOOBIG);
    p.value = slice_of(value, sizeof(value) - 1);
    assert_int_equal(op(&hash), ERR_OK);
    hash.n = 0;
    assert_int_equal(op(&hash), ERR_INVAL);
    hash.n = COORD_PAIRS_MAX + 1;
    assert_int_equal(op(&hash), ERR_TOOBIG);
    r = (struct coord_request){
        .op = COORD_BUCKET_TAKE, .key = "b", .per = dur_ms(1)};
    assert_int_equal(op(&r), ERR_INVAL); /* no burst */
    r = (struct coord_request){.op = COORD_BUCKET_TAKE,
                               .key = "b",
                               .per = dur_s(1),
                               .burst = UINT64_MAX};
    assert_int_equal(op(&r), ERR_INVAL); /* beyond any clock */
    r = (struct coord_request){.op = COORD_RESERVE, .key = "p", .member = "m"};
    assert_int_equal(op(&r), ERR_INVAL); /* for ever is too long */
    r = (struct coord_request){
        .op = COORD_PUBLISH, .key = "c", .value = {value, sizeof(value)}};
    assert_int_equal(op(&r), ERR_TOOBIG);
}

/* --- publish and subscribe ------------------------------------------------ */

struct listener {
    struct coord_sub sub;
    char got[64];
    bool leave; /* unsubscribe at the next message */
};

static void
hear(struct coord_sub *s, struct slice msg)
{
    struct listener *l = container_of(s, struct listener, sub);
    size_t n = strlen(l->got);

    (void)snprintf(l->got + n, sizeof(l->got) - n, "%.*s;", SLICE_ARG(msg));
    if (l->leave)
        coord_unsubscribe(coord, s);
}

static uint64_t
say(const char *channel, const char *text)
{
    struct coord_request r = {
        .op = COORD_PUBLISH, .key = channel, .value = slice_str(text)};

    assert_int_equal(op(&r), ERR_OK);
    return r.number;
}

static void
test_publish(void **state)
{
    struct listener a = {
        .sub = {.loop = &loop.loop, .channel = "updates", .message = hear}};
    struct listener b = a, c = a;
    (void)state;

    c.sub.channel = "others";
    assert_int_equal(say("updates", "nobody"), 0);
    assert_int_equal(coord_subscribe(coord, &a.sub), ERR_OK);
    assert_int_equal(coord_subscribe(coord, &b.sub), ERR_OK);
    assert_int_equal(coord_subscribe(coord, &c.sub), ERR_OK);
    assert_int_equal(say("updates", "1"), 2);
    assert_int_equal(say("updates", ""), 2);
    b.leave = true;
    assert_int_equal(say("updates", "2"), 2);
    assert_int_equal(say("updates", "3"), 1);
    assert_string_equal(a.got, "1;;2;3;"); /* in order */
    assert_string_equal(b.got, "1;;2;");
    assert_string_equal(c.got, "");
    coord_unsubscribe(coord, &a.sub);
    coord_unsubscribe(coord, &a.sub); /* harmless */
    coord_unsubscribe(coord, &b.sub);
    coord_unsubscribe(coord, &c.sub);
    assert_int_equal(a.sub.lost, 0);
}

static void
nothing(struct coord_request *r)
{
    (void)r;
}

/* Messages under way when the subscriber leaves are dropped. */
static void
test_leave_early(void **state)
{
    struct listener a = {
        .sub = {.loop = &loop.loop, .channel = "updates", .message = hear}};
    struct coord_request r[2];
    (void)state;

    assert_int_equal(coord_subscribe(coord, &a.sub), ERR_OK);
    for (int i = 0; i < 2; i++) {
        r[i] = (struct coord_request){.op = COORD_PUBLISH,
                                      .key = "updates",
                                      .value = SLICE("x"),
                                      .loop = &loop.loop,
                                      .done = nothing};
        coord_submit(coord, &r[i]);
    }
    coord_unsubscribe(coord, &a.sub);
    loop_mem_settle(&loop);
    assert_string_equal(a.got, "");
}

/* --- random --------------------------------------------------------------- */

static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4", "k5"};
static const char *const owners[] = {"o0", "o1", "o2"};
static const char *const members[] = {"m0", "m1", "m2", "m3", "m4"};

static void
choose(struct prng *r, const struct model *m, struct model_op *o)
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
    if ((o->op == COORD_HASH_PUT || o->op == COORD_ZSET_PUT) &&
        prng_below(r, 3) == 0)
        o->ttl = 0;
    o->per = 10000000 * (int64_t)(1 + prng_below(r, 3));
    o->burst = 1 + prng_below(r, 8);
    o->amount = prng_below(r, 10);
    o->limit = prng_below(r, 30);
    o->floor = prng_below(r, 10) ? 0 : (uint64_t)m->wall_ms + 5;
    o->cap = (unsigned)prng_below(r, MODEL_MEMBERS + 1);
    o->epoch = m->key[o->key].epoch - (prng_below(r, 5) == 0);
    if ((o->op == COORD_HASH_PUT || o->op == COORD_ZSET_PUT ||
         o->op == COORD_ZSET_DEL || o->op == COORD_DEL) &&
        prng_below(r, 4) == 0) {
        o->guarded = true;
        o->guard_key = (int)prng_below(r, MODEL_KEYS);
        o->epoch = m->key[o->guard_key].epoch - (prng_below(r, 5) == 0);
        if (prng_below(r, 2))
            o->owner = m->key[o->guard_key].owner;
    }
}

static void
same(const struct model_op *o, const struct coord_request *r, uint64_t seed,
     unsigned step)
{
    bool ok = o->err == r->err;
    bool numbers = o->op == COORD_BUCKET_TAKE || o->op == COORD_RESERVE;

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
    if (!ok)
        fail_msg("seed %llu step %u: %s %s: %s, not %s",
                 (unsigned long long)seed, step, coord_op_name(o->op),
                 keys[o->key], err_name(r->err), err_name(o->err));
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
        struct coord_pair pairs[MODEL_MEMBERS], field;
        struct coord_guard guard;
        struct coord_request q;
        struct model_op o;
        char value[24];

        if (prng_below(&r, 3) == 0)
            pass((int64_t)prng_below(&r, 6) * 50);
        m.now = loop.loop.now.ns;
        m.wall_ms = loop.loop.wall.ms;
        choose(&r, &m, &o);
        (void)snprintf(value, sizeof(value), "%d", (int)o.score);
        field = (struct coord_pair){.name = slice_str(members[o.member]),
                                    .value = slice_str(value)};
        guard =
            (struct coord_guard){keys[o.guard_key], owners[o.owner], o.epoch};
        buf_clear(&b);
        q = (struct coord_request){.op = o.op,
                                   .key = keys[o.key],
                                   .owner = owners[o.owner],
                                   .member = members[o.member],
                                   .guard = o.guarded ? &guard : NULL,
                                   .pairs = &field,
                                   .n = 1,
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
        if (o.op == COORD_HASH_GET || o.op == COORD_ZSET_RANGE)
            q.pairs = pairs;
        (void)op(&q);
        model_do(&m, &o);
        same(&o, &q, seed, i);
    }
    buf_release(&b);
}

static void
test_random(void **state)
{
    const unsigned steps = 2000;

    for (uint64_t seed = 1; seed <= contract->operations / steps; seed++) {
        random_walk(seed, steps);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

int
coord_contract_run(const struct coord_contract *c)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lease),   TEST(test_guard),   TEST(test_hash),
        TEST(test_zset),    TEST(test_bucket),  TEST(test_reserve),
        TEST(test_refused), TEST(test_publish), TEST(test_leave_early),
        TEST(test_random),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
