/* coord_contract.c - see coord_contract.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_contract_impl.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

const struct coord_contract *contract;
static struct loop_mem loop;
static struct coord *coord;

/* --- a world in virtual time ---------------------------------------------- */

static struct loop *
v_loop(void *arg)
{
    (void)arg;
    return &loop.loop;
}

static struct mono
v_now(void *arg)
{
    (void)arg;
    return loop.loop.now;
}

static struct wall
v_wall(void *arg)
{
    (void)arg;
    return loop.loop.wall;
}

static void
v_pass(void *arg, int64_t ms)
{
    (void)arg;
    loop_mem_advance(&loop, dur_ms(ms));
}

static void
v_settle(void *arg, const unsigned *done)
{
    (void)arg;
    (void)done;
    loop_mem_settle(&loop);
}

static void
v_close(void *arg, struct coord *c)
{
    (void)arg;
    c->ops->close(c);
}

static const struct coord_world virtual = {.loop = v_loop,
                                           .now = v_now,
                                           .wall = v_wall,
                                           .pass = v_pass,
                                           .settle = v_settle,
                                           .close = v_close};
const struct coord_world *contract_world = &virtual;

/* --- helpers -------------------------------------------------------------- */

static void
completed(struct coord_request *r)
{
    *(unsigned *)r->priv += 1;
}

static void
submit(struct coord *c, struct loop *l, struct coord_request *r,
       unsigned *calls)
{
    r->loop = l;
    r->done = completed;
    r->priv = calls;
    r->err = ERR_COUNT;
    coord_submit(c, r);
    assert_int_equal(*calls, 0); /* never inside the call */
}

enum err
coord_do(struct coord *c, struct loop_mem *l, struct coord_request *r)
{
    unsigned calls = 0;

    submit(c, &l->loop, r, &calls);
    loop_mem_settle(l);
    assert_int_equal(calls, 1);
    return r->err;
}

enum err
contract_op(struct coord_request *r)
{
    unsigned calls = 0;

    submit(coord, contract_world->loop(contract->arg), r, &calls);
    contract_world->settle(contract->arg, &calls);
    assert_int_equal(calls, 1);
    assert_true(r->life != 0 || r->err);
    return r->err;
}

void
contract_pass(int64_t ms)
{
    contract_world->pass(contract->arg, ms);
}

int
contract_set_up(void **state)
{
    (void)state;
    loop_mem_init(&loop);
    coord = contract->open(contract->arg);
    return 0;
}

int
contract_tear_down(void **state)
{
    (void)state;
    contract_world->close(contract->arg, coord);
    loop_mem_release(&loop);
    return 0;
}

/* --- leases --------------------------------------------------------------- */

/* CAP-018 ... CAP-025: one leader, a crash, a stop, an old leader's writes. */
static void
test_lease(void **state)
{
    struct coord_request r =
        contract_lease(COORD_LEASE_TAKE, "ingester-a", 30000, 0);
    uint64_t first, second;
    (void)state;

    assert_int_equal(contract_op(&r), ERR_OK);
    first = r.epoch;
    /* D32 */
    assert_true(first >= (uint64_t)contract_world->wall(contract->arg).ms);
    r = contract_lease(COORD_LEASE_TAKE, "ingester-b", 30000, 0);
    contract_pass(10000);
    assert_int_equal(contract_op(&r), ERR_BUSY);
    assert_int_equal(r.left.ns, dur_ms(20000).ns); /* D42: when to try again */
    r = contract_lease(COORD_LEASE_RENEW, "ingester-a", 30000, first);
    assert_int_equal(contract_op(&r), ERR_OK);
    contract_pass(29999);
    r = contract_lease(COORD_LEASE_TAKE, "ingester-b", 30000, 0);
    assert_int_equal(contract_op(&r), ERR_BUSY);
    contract_pass(1); /* a died */
    assert_int_equal(contract_op(&r), ERR_OK);
    second = r.epoch;
    assert_true(second > first);

    /* A wakes up: it has lost, and frees nothing of b's. */
    r = contract_lease(COORD_LEASE_RENEW, "ingester-a", 30000, first);
    assert_int_equal(contract_op(&r), ERR_CONFLICT);
    r = contract_lease(COORD_LEASE_FREE, "ingester-a", 0, first);
    assert_int_equal(contract_op(&r), ERR_CONFLICT);
    /* The right owner with an old epoch has lost too. */
    r = contract_lease(COORD_LEASE_RENEW, "ingester-b", 30000, first);
    assert_int_equal(contract_op(&r), ERR_CONFLICT);

    r = contract_lease(COORD_LEASE_FREE, "ingester-b", 0, second);
    assert_int_equal(contract_op(&r), ERR_OK);
    r = contract_lease(COORD_LEASE_TAKE, "ingester-a", 30000, 0);
    r.floor = second + 1000000000; /* Admin's floor */
    assert_int_equal(contract_op(&r), ERR_OK);
    assert_int_equal(r.epoch, second + 1000000000);
    r = contract_lease(COORD_LEASE_TAKE, "ingester-a", 30000,
                       0); /* its own again */
    assert_int_equal(contract_op(&r), ERR_OK);
    assert_int_equal(r.epoch, second + 1000000001);
    r = contract_lease(COORD_LEASE_TAKE, "ingester-a", 0, 0);
    assert_int_equal(contract_op(&r), ERR_INVAL);
}

static void
test_guard(void **state)
{
    struct coord_request l = contract_lease(COORD_LEASE_TAKE, "a", 1000, 0);
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

    assert_int_equal(contract_op(&l), ERR_OK);
    g = (struct coord_guard){l.key, "a", l.epoch};
    assert_int_equal(contract_op(&put), ERR_OK);
    assert_int_equal(contract_op(&z), ERR_OK);
    g.epoch++;
    assert_int_equal(contract_op(&put), ERR_CONFLICT);
    g.epoch--;
    g.owner = "b";
    assert_int_equal(contract_op(&z), ERR_CONFLICT);
    assert_int_equal(contract_op(&del), ERR_CONFLICT);
    g.owner = "a";
    g.key = "another";
    assert_int_equal(contract_op(&put), ERR_CONFLICT);
    g.key = l.key;
    contract_pass(1000); /* the lease is over */
    assert_int_equal(contract_op(&del), ERR_CONFLICT);
    assert_int_equal(contract_op(&l), ERR_OK);
    g.epoch = l.epoch;
    assert_int_equal(contract_op(&del), ERR_OK);
    assert_int_equal(contract_op(&del), ERR_NOENT);
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
    assert_int_equal(contract_op(&get), ERR_NOENT);
    assert_int_equal(contract_op(&put), ERR_OK);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 3); /* by name */
    assert_true(slice_eq(got[0].name, SLICE("empty")));
    assert_int_equal(got[0].value.n, 0);
    assert_true(slice_eq(got[1].name, SLICE("mode")));
    assert_true(slice_eq(got[1].value, SLICE("rw")));
    assert_true(slice_eq(got[2].value, SLICE("10")));

    contract_pass(500);
    in[0].value = SLICE("11");
    put.n = 1;
    put.ttl = dur_ms(0); /* stays as it is */
    assert_int_equal(contract_op(&put), ERR_OK);
    buf_clear(&b);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 3);
    assert_true(slice_eq(got[2].value, SLICE("11")));
    get.cap = 2;
    assert_int_equal(contract_op(&get), ERR_TOOBIG);
    get.cap = 4;
    buf_clear(&b);
    b.max = 5;
    assert_int_equal(contract_op(&get), ERR_TOOBIG);
    b.max = 64;
    buf_clear(&b);
    contract_pass(100);
    assert_int_equal(contract_op(&get), ERR_NOENT); /* CAP-044: it has a TTL */
    assert_int_equal(contract_op(&put), ERR_OK);
    contract_pass(86400000);
    assert_int_equal(contract_op(&get), ERR_OK); /* this one has none */
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
    assert_int_equal(contract_op(&range), ERR_OK);
    assert_int_equal(range.n, 0);
    for (size_t i = 0; i < countof(in); i++) {
        put.member = in[i].member;
        put.score = in[i].score;
        assert_int_equal(contract_op(&put), ERR_OK);
    }
    assert_int_equal(contract_op(&range), ERR_OK);
    assert_int_equal(range.n, 4); /* CAP-048, ING-110 */
    assert_true(slice_eq(got[0].name, SLICE("se-04")));
    assert_true(slice_eq(got[1].name, SLICE("se-02")));
    assert_true(slice_eq(got[2].name, SLICE("se-03")));
    assert_true(slice_eq(got[3].name, SLICE("se-01")));
    assert_int_equal(got[0].score, -1);

    put.member = "se-01";
    put.score = 1; /* CAP-052: a new priority */
    assert_int_equal(contract_op(&put), ERR_OK);
    put.op = COORD_ZSET_DEL;
    put.member = "se-04";
    assert_int_equal(contract_op(&put), ERR_OK);
    assert_int_equal(contract_op(&put), ERR_NOENT);
    buf_clear(&b);
    range.cap = 2;
    assert_int_equal(contract_op(&range), ERR_OK);
    assert_int_equal(range.n, 2); /* no more than asked for */
    assert_true(slice_eq(got[0].name, SLICE("se-01")));
    assert_true(slice_eq(got[1].name, SLICE("se-02")));
    contract_pass(600);
    assert_int_equal(contract_op(&range), ERR_OK);
    assert_int_equal(range.n, 0);
    buf_release(&b);
}

/* A follower reads what has changed since, and at last all of it. */
static void
test_changed(void **state)
{
    struct coord_pair got[8], field = {SLICE("used"), SLICE("1"), 0};
    struct buf b;
    struct coord_request raise = {.op = COORD_ZSET_RAISE,
                                  .key = "capacity:changed",
                                  .score = 1000,
                                  .ttl = dur_ms(600)};
    struct coord_request hash = {
        .op = COORD_HASH_PUT, .key = "capacity:se-02", .pairs = &field, .n = 1};
    struct coord_request get = {.op = COORD_CHANGED,
                                .key = "capacity:changed",
                                .member = "capacity:",
                                .amount = 8,
                                .pairs = got,
                                .cap = 8,
                                .out = &b};
    (void)state;

    buf_init(&b, 256);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 0);
    assert_int_equal(get.number, 0);
    assert_int_equal(contract_op(&hash), ERR_OK);
    raise.member = "se-01";
    assert_int_equal(contract_op(&raise), ERR_OK);
    raise.member = "se-02";
    raise.score = 7; /* a clock that is behind changes no order */
    assert_int_equal(contract_op(&raise), ERR_OK);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 3);
    assert_int_equal(get.number, 1001);
    assert_true(slice_eq(got[0].name, SLICE("se-01"))); /* without a hash */
    assert_int_equal(got[0].score, 1000);
    assert_true(slice_eq(got[1].name, SLICE("se-02")));
    assert_int_equal(got[1].score, 1001);
    assert_true(slice_eq(got[2].name, SLICE("used")));
    assert_true(slice_eq(got[2].value, SLICE("1")));
    assert_int_equal(got[2].score, 0);

    raise.member = "se-01"; /* again: behind the other */
    assert_int_equal(contract_op(&raise), ERR_OK);
    buf_clear(&b);
    get.score = 1001;
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 1);
    assert_int_equal(got[0].score, 1002);
    get.score = 0;
    get.cap = 2; /* room for one and a half */
    assert_int_equal(contract_op(&get), ERR_TOOBIG);
    get.amount = 1;
    buf_clear(&b);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 2);
    assert_true(slice_eq(got[0].name, SLICE("se-02")));
    get.score = 1002; /* nothing is newer */
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(get.n, 0);
    assert_int_equal(get.number, 1002);
    get.score = -1;
    assert_int_equal(contract_op(&get), ERR_INVAL);
    get.score = 0;
    get.key = "capacity:se-02";
    assert_int_equal(contract_op(&get), ERR_INVAL);
    raise.score = 0;
    assert_int_equal(contract_op(&raise), ERR_INVAL);
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

        contract_pass(row[i].pass_ms);
        if (contract_op(&r) != row[i].err ||
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

        contract_pass(row[i].pass_ms);
        if (contract_op(&r) != row[i].err ||
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
    static char text[COORD_TEXT_MAX + 1];
    struct coord_pair p = {.name = SLICE("n"), .value = SLICE("v")};
    struct coord_request hash = {
        .op = COORD_HASH_PUT, .key = "h", .pairs = &p, .n = 1};
    struct coord_request r;
    (void)state;

    memset(huge, 'k', sizeof(huge) - 1);
    assert_int_equal(contract_op(&hash), ERR_OK);
    r = (struct coord_request){.op = COORD_ZSET_PUT, .key = "h", .member = "m"};
    assert_int_equal(contract_op(&r), ERR_INVAL); /* of another kind */
    assert_string_equal(r.fault.op, "zset_put");
    r = contract_lease(COORD_LEASE_TAKE, "a", 1000, 0);
    assert_int_equal(contract_op(&r), ERR_OK);
    r = (struct coord_request){.op = COORD_DEL, .key = r.key};
    assert_int_equal(contract_op(&r), ERR_INVAL); /* epochs never expire */

    hash.key = huge;
    assert_int_equal(contract_op(&hash), ERR_TOOBIG);
    hash.key = "";
    assert_int_equal(contract_op(&hash), ERR_INVAL);
    hash.key = NULL;
    assert_int_equal(contract_op(&hash), ERR_INVAL);
    hash.key = "h";
    p.name = slice_of(huge, sizeof(huge) - 1);
    assert_int_equal(contract_op(&hash), ERR_TOOBIG);
    p.name = SLICE("n");
    p.value = slice_of(value, sizeof(value));
    assert_int_equal(contract_op(&hash), ERR_TOOBIG);
    p.value = slice_of(value, sizeof(value) - 1);
    assert_int_equal(contract_op(&hash), ERR_OK);
    hash.n = 0;
    assert_int_equal(contract_op(&hash), ERR_INVAL);
    hash.n = COORD_PAIRS_MAX + 1;
    assert_int_equal(contract_op(&hash), ERR_TOOBIG);
    r = (struct coord_request){
        .op = COORD_BUCKET_TAKE, .key = "b", .per = dur_ms(1)};
    assert_int_equal(contract_op(&r), ERR_INVAL); /* no burst */
    r = (struct coord_request){.op = COORD_BUCKET_TAKE,
                               .key = "b",
                               .per = dur_s(1),
                               .burst = UINT64_MAX};
    assert_int_equal(contract_op(&r), ERR_INVAL); /* beyond any clock */
    r = (struct coord_request){.op = COORD_RESERVE, .key = "p", .member = "m"};
    assert_int_equal(contract_op(&r), ERR_INVAL); /* for ever is too long */
    r = (struct coord_request){
        .op = COORD_PUBLISH, .key = "c", .value = {text, sizeof(text)}};
    assert_int_equal(contract_op(&r), ERR_TOOBIG);
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

    assert_int_equal(contract_op(&r), ERR_OK);
    contract_world->settle(contract->arg, NULL);
    return r.number;
}

static void
listen_to(struct listener *l)
{
    l->sub.loop = contract_world->loop(contract->arg);
    l->sub.message = hear;
    assert_int_equal(coord_subscribe(coord, &l->sub), ERR_OK);
    contract_world->settle(contract->arg, NULL);
}

static void
test_publish(void **state)
{
    struct listener a = {.sub = {.channel = "updates"}};
    struct listener b = a, c = a;
    const unsigned both = contract->by_process ? 1 : 2;
    (void)state;

    c.sub.channel = "others";
    assert_int_equal(say("updates", "nobody"), 0);
    listen_to(&a);
    listen_to(&b);
    listen_to(&c);
    assert_int_equal(say("updates", "1"), both);
    assert_int_equal(say("updates", ""), both);
    b.leave = true;
    assert_int_equal(say("updates", "2"), both);
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
    struct listener a = {.sub = {.channel = "updates"}};
    struct coord_request r[2];
    (void)state;

    listen_to(&a);
    for (int i = 0; i < 2; i++) {
        r[i] = (struct coord_request){.op = COORD_PUBLISH,
                                      .key = "updates",
                                      .value = SLICE("x"),
                                      .loop = a.sub.loop,
                                      .done = nothing};
        coord_submit(coord, &r[i]);
    }
    coord_unsubscribe(coord, &a.sub);
    contract_world->settle(contract->arg, NULL);
    assert_string_equal(a.got, "");
}

int
coord_contract_run(const struct coord_contract *c)
{
#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, contract_set_up, contract_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lease),      TEST(test_guard),   TEST(test_hash),
        TEST(contract_text),   TEST(contract_all), TEST(test_zset),
        TEST(test_changed),    TEST(test_bucket),  TEST(test_reserve),
        TEST(test_refused),    TEST(test_publish), TEST(test_leave_early),
        TEST(contract_random),
    };

    contract = c;
    contract_world = c->world ? c->world : &virtual;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
