/* coord_redis_peer_test.c - figures at their ends, many loops, names of hosts,
 * keys that others wrote, and peers that only say that they are a Redis. The
 * argument is the loop. SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"
#include "io/free_port.h"
#include "io/redis_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *kind = "epoll";
static struct redis_world w;
static struct redis_proc redis;
static struct coord *coord;

static int
start(void **state)
{
    (void)state;
    redis_start(&redis, NULL);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    redis_remove(&redis);
    return 0;
}

static int
set_up(void **state)
{
    struct coord_redis_conf c = {.connect_timeout = dur_s(10),
                                 .timeout = dur_s(20)};
    (void)state;

    redis_do(&redis, "FLUSHALL");
    redis_world_open(&w, kind);
    coord = redis_world_coord(&w, &redis, c);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    redis_world_drop(&w, coord);
    redis_world_close(&w);
    return 0;
}

static enum err
op(struct coord_request *r)
{
    return redis_world_do(&w, coord, r);
}

/* --- figures -------------------------------------------------------------- */

/* Lua has doubles; epochs and bytes are exact all the same. */
static void
test_large_numbers(void **state)
{
    const uint64_t top = UINT64_MAX - 10, exa = (uint64_t)1 << 60;
    struct coord_request l = {.op = COORD_LEASE_TAKE,
                              .key = "lock",
                              .owner = "a",
                              .ttl = dur_s(30),
                              .floor = top};
    struct coord_request p = {.op = COORD_RESERVE,
                              .key = "pool",
                              .member = "a",
                              .amount = exa + 1,
                              .limit = 3 * exa + 3,
                              .ttl = dur_s(30)};
    (void)state;

    assert_int_equal(op(&l), ERR_OK);
    assert_true(l.epoch == top);
    l.floor = 0;
    assert_int_equal(op(&l), ERR_OK);
    assert_true(l.epoch == top + 1);
    l.op = COORD_LEASE_RENEW;
    l.epoch = top;
    assert_int_equal(op(&l), ERR_CONFLICT);
    l.epoch = top + 1;
    assert_int_equal(op(&l), ERR_OK);

    assert_int_equal(op(&p), ERR_OK);
    p.member = "b";
    assert_int_equal(op(&p), ERR_OK);
    assert_true(p.number == 2 * exa + 2);
    p.member = "c";
    p.amount = exa + 2; /* one byte too many */
    assert_int_equal(op(&p), ERR_NOSPC);
    p.amount = exa + 1;
    assert_int_equal(op(&p), ERR_OK);
    assert_true(p.number == p.limit);
    p.amount = 999999999; /* a carry between the halves */
    assert_int_equal(op(&p), ERR_OK);
    assert_true(p.number == 2 * exa + 2 + 999999999);
}

/* As many elements as there may be, in one answer. */
static void
test_large_set(void **state)
{
    enum { N = 10000 };
    static struct coord_pair pairs[N + 1];
    struct buf b;
    struct coord_request r = {.op = COORD_ZSET_RANGE,
                              .key = "capacity:rw:available",
                              .pairs = pairs,
                              .cap = N + 1,
                              .out = &b};
    struct coord_request put = {
        .op = COORD_ZSET_PUT, .key = "z", .member = "m"};
    (void)state;

    buf_init(&b, MIB);
    redis_do(&redis, "EVAL %s 1 capacity:rw:available",
             "for i = 1, 10000 do redis.call('ZADD', KEYS[1], i, 'se-' .. i) "
             "end");
    assert_int_equal(op(&r), ERR_OK);
    assert_int_equal(r.n, N);
    assert_true(slice_eq(pairs[N - 1].name, SLICE("se-10000")));
    assert_int_equal(pairs[N - 1].score, N);
    buf_release(&b);

    put.score = ((int64_t)1 << 53) + 1;
    assert_int_equal(op(&put), ERR_TOOBIG); /* no double */
    put.score--;
    assert_int_equal(op(&put), ERR_OK);
    buf_init(&b, MIB);
    r.key = "z";
    assert_int_equal(op(&r), ERR_OK);
    assert_int_equal(pairs[0].score, put.score);
    buf_release(&b);
}

static void
test_many_fields(void **state)
{
    struct coord_pair pairs[60];
    char name[60][8];
    struct coord_request r = {
        .op = COORD_HASH_PUT, .key = "h", .pairs = pairs, .n = 60};
    (void)state;

    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 60; i++) {
            (void)snprintf(name[i], sizeof(name[i]), "%u", round * 60 + i);
            pairs[i] = (struct coord_pair){.name = slice_str(name[i]),
                                           .value = SLICE("")};
        }
        assert_int_equal(op(&r), round < 4 ? ERR_OK : ERR_TOOBIG);
    }
    r.n = 16; /* 256 as in the in-process driver */
    assert_int_equal(op(&r), ERR_OK);
    r.pairs = pairs + 16;
    r.n = 1;
    assert_int_equal(op(&r), ERR_TOOBIG);
}

/* A lock of the software that was before us has no epoch; keys of other types
 * and our own second keys are not taken for ours. */
static void
test_foreign_keys(void **state)
{
    struct coord_request l = {.op = COORD_LEASE_TAKE,
                              .key = "capacity_monitor:leader_lock",
                              .owner = "a",
                              .ttl = dur_s(30)};
    struct coord_request del = {.op = COORD_DEL, .key = "text"};
    struct coord_request z = {
        .op = COORD_ZSET_PUT, .key = "list", .member = "m"};
    (void)state;

    redis_do(&redis, "SET %s old-ingester PX 50000", l.key);
    assert_int_equal(op(&l), ERR_BUSY);
    assert_true(l.left.ns > dur_s(20).ns && l.left.ns <= dur_ms(50001).ns);
    redis_do(&redis, "DEL %s", l.key);
    assert_int_equal(op(&l), ERR_OK);
    assert_true(redis_number(&redis, "TTL %s", l.key) >= 15);
    assert_int_equal(redis_number(&redis, "TTL %s:epoch", l.key), -1);

    redis_do(&redis, "SET text x");
    assert_int_equal(op(&del), ERR_OK); /* an old health:{se_id}, say */
    redis_do(&redis, "RPUSH list x");
    assert_int_equal(op(&z), ERR_INVAL);
    del.key = "capacity_monitor:leader_lock:epoch";
    assert_int_equal(op(&del), ERR_INVAL);
    z.key = "pool:until";
    assert_int_equal(op(&z), ERR_INVAL);
}

/* --- many loops ----------------------------------------------------------- */

enum { ROUNDS = 300 };

struct other {
    struct ioloop *loop;
    pthread_t thread;
    struct coord_request r;
    struct coord_sub sub;
    struct task begin, end;
    unsigned id, did, failed;
    unsigned heard;
    bool wrong_thread;
    _Atomic(bool) over;
};

static void
other_check(struct other *o)
{
    if (o->did != ROUNDS || !o->heard || atomic_load(&o->over))
        return;
    coord_unsubscribe(coord, &o->sub);
    loop_post(&o->loop->loop, &o->end); /* behind what is on its way here */
    atomic_store(&o->over, true);
}

static void
other_end(struct loop *l, struct task *t)
{
    struct other *o = container_of(t, struct other, end);

    (void)l;
    ioloop_stop(o->loop);
}

static void
next_round(struct coord_request *r)
{
    struct other *o = container_of(r, struct other, r);

    if (!pthread_equal(pthread_self(), o->thread))
        o->wrong_thread = true;
    if (r->err != ERR_OK)
        o->failed++;
    if (++o->did < ROUNDS)
        coord_submit(coord, r);
    else
        other_check(o);
}

static void
other_hear(struct coord_sub *s, struct slice msg)
{
    struct other *o = container_of(s, struct other, sub);

    (void)msg;
    if (!pthread_equal(pthread_self(), o->thread))
        o->wrong_thread = true;
    o->heard++;
    other_check(o);
}

static void
other_begin(struct loop *l, struct task *t)
{
    struct other *o = container_of(t, struct other, begin);

    o->sub =
        (struct coord_sub){.loop = l, .channel = "all", .message = other_hear};
    if (coord_subscribe(coord, &o->sub))
        o->failed++;
    o->r = (struct coord_request){.loop = l,
                                  .done = next_round,
                                  .op = COORD_RESERVE,
                                  .key = "pool",
                                  .member = o->id ? "b" : "a",
                                  .amount = 1,
                                  .limit = 2,
                                  .ttl = dur_s(10)};
    coord_submit(coord, &o->r);
}

static void *
other_run(void *arg)
{
    struct other *o = arg;

    ioloop_run(o->loop);
    return NULL;
}

static bool
all_over(void *arg)
{
    struct other *o = arg;
    struct coord_request r = {
        .op = COORD_PUBLISH, .key = "all", .value = SLICE("x")};

    (void)op(&r);
    return atomic_load(&o[0].over) && atomic_load(&o[1].over);
}

static void
test_many_loops(void **state)
{
    static struct other o[2];
    struct fault f;
    (void)state;

    memset(o, 0, sizeof(o));
    for (unsigned i = 0; i < countof(o); i++) {
        o[i].id = i;
        o[i].begin.run = other_begin;
        o[i].end.run = other_end;
        assert_int_equal(ioloop_open(&o[i].loop, kind, i + 1, NULL, NULL, &f),
                         ERR_OK);
        assert_int_equal(pthread_create(&o[i].thread, NULL, other_run, &o[i]),
                         0);
        loop_post(&o[i].loop->loop, &o[i].begin);
    }
    assert_true(redis_world_until(&w, all_over, o, 60000));
    for (unsigned i = 0; i < countof(o); i++) {
        (void)pthread_join(o[i].thread, NULL);
        assert_int_equal(o[i].did, ROUNDS);
        assert_int_equal(o[i].failed, 0);
        assert_false(o[i].wrong_thread);
        ioloop_close(&o[i].loop);
    }
    assert_int_equal(w.events[COORD_REDIS_LOST], 0);
}

static void
count(struct coord_sub *s, struct slice msg)
{
    (void)msg;
    ++*(unsigned *)s->priv;
}

static bool
subscribed(void *arg)
{
    struct coord_redis_stats s;

    (void)arg;
    coord_redis_stats(coord, &s);
    return s.subscribed && s.connected;
}

/* A loop that does not turn costs its own messages, and no memory. */
static void
test_slow_subscriber(void **state)
{
    struct ioloop *slow;
    unsigned heard = 0;
    struct coord_sub s = {.channel = "c", .message = count, .priv = &heard};
    struct fault f;
    (void)state;

    assert_int_equal(ioloop_open(&slow, kind, 1, NULL, NULL, &f), ERR_OK);
    s.loop = &slow->loop;
    assert_int_equal(coord_subscribe(coord, &s), ERR_OK);
    assert_true(redis_world_until(&w, subscribed, NULL, 20000));
    redis_do(&redis, "EVAL %s 0",
             "for i = 1, 300 do redis.call('PUBLISH', 'c', i) end");
    redis_world_hear(&w, &redis);
    for (unsigned i = 0; i < 10; i++) {
        ioloop_wake(slow);
        (void)ioloop_turn(slow);
    }
    assert_int_equal(heard, COORD_SUBS_WAITING_MAX);
    assert_int_equal(s.lost, 300 - COORD_SUBS_WAITING_MAX);
    coord_unsubscribe(coord, &s);
    ioloop_close(&slow);
}

/* --- where it is ---------------------------------------------------------- */

static void
has_closed(void *arg)
{
    ((struct redis_world *)arg)->closed = true;
}

/* "localhost" may have two addresses, of which Redis has one. */
static void
test_name(void **state)
{
    struct coord_request r = {.op = COORD_DEL, .key = "x"};
    struct redis_world v = {0};
    struct coord_redis_conf c = {.host = "localhost",
                                 .port = redis.port,
                                 .connect_timeout = dur_s(10),
                                 .timeout = dur_s(20),
                                 .closed = has_closed,
                                 .arg = &v};
    struct workers *workers;
    struct coord *other;
    struct fault f = {0};
    (void)state;

    assert_int_equal(workers_open(&workers, 1, ioloop_work_finished, &f), 0);
    assert_int_equal(ioloop_open(&v.loop, kind, 0, NULL, workers, &f), ERR_OK);
    assert_int_equal(coord_redis_open(&other, &c, v.loop, &f), ERR_OK);
    assert_int_equal(redis_world_do(&v, other, &r), ERR_NOENT);
    redis_world_drop(&v, other);

    c.host = "no-such-host.invalid"; /* RFC 6761 */
    v.closed = false;
    assert_int_equal(coord_redis_open(&other, &c, v.loop, &f), ERR_OK);
    assert_int_equal(redis_world_do(&v, other, &r), ERR_IO);
    assert_string_equal(r.fault.op, "look up");
    assert_non_null(strstr(r.fault.hint, "no address: see REDIS_HOST"));
    redis_world_drop(&v, other);
    workers_close(&workers);
    ioloop_close(&v.loop);
}

/* --- no Redis at all ------------------------------------------------------ */

static pid_t
impostor(const char *says, size_t n, uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    *port = free_port();
    sa.sin_port = htons(*port);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 16), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid) {
        (void)close(fd);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        char b[64 * 1024];
        int c = accept(fd, NULL, NULL);

        if (c == -1 || recv(c, b, sizeof(b), 0) <= 0)
            continue;
        (void)!write(c, says, n);
        if (n == 0)
            (void)close(c);
    }
}

static void
test_impostors(void **state)
{
    static const struct {
        struct slice says;
        enum err err;
        const char *why;
    } row[] = {
        {{"", 0}, ERR_IO, "hangs up"},
        {{"HTTP/1.1 400 Bad Request\r\n\r\n", 28}, ERR_IO, "not the protocol"},
        {{"*2147483647\r\n", 13}, ERR_IO, "an array without end"},
        {{"*-7\r\n", 5}, ERR_IO, "less than nothing"},
        {{"$9000000000000\r\nab", 18}, ERR_TIMEOUT, "a text without end"},
        {{"$5\r\nab", 6}, ERR_TIMEOUT, "half an answer"},
        {{"+OK\r\n+OK\r\n+OK\r\n", 15}, ERR_IO, "the wrong kind of answer"},
        {{"-ERR max number of clients reached\r\n", 36}, ERR_IO, "full"},
        {{"-LOADING Redis is loading\r\n", 27}, ERR_IO, "not ready"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        /* Only those that wait for a deadline have a short one. */
        struct coord_redis_conf c = {.connect_timeout =
                                         row[i].err == ERR_TIMEOUT ? dur_ms(200)
                                                                   : dur_s(10),
                                     .timeout = dur_s(20)};
        struct coord_request r = {.op = COORD_DEL, .key = "x"};
        struct redis_proc p = {0};
        struct redis_world v;
        struct coord *fake;
        int status;

        p.pid = impostor(row[i].says.p, row[i].says.n, &p.port);
        redis_world_open(&v, kind);
        fake = redis_world_coord(&v, &p, c);
        if (redis_world_do(&v, fake, &r) != row[i].err)
            fail_msg("%s: %s", row[i].why, err_name(r.err));
        redis_world_turn(&v, 150); /* some more attempts */
        redis_world_drop(&v, fake);
        redis_world_close(&v);
        (void)kill(p.pid, SIGKILL);
        (void)waitpid(p.pid, &status, 0);
    }
}

/* Half of it fixed, half of it chance, twice as long each time, 5 s at most. */
static void
test_pause(void **state)
{
    static struct coord_redis d;
    int64_t most[8] = {0}, least[8];
    (void)state;

    d.conf.retry_min = dur_ms(100);
    d.conf.retry_max = dur_s(5);
    prng_init(&d.prng, 1);
    for (unsigned n = 1; n < 8; n++) {
        least[n] = INT64_MAX;
        for (unsigned i = 0; i < 1000; i++) {
            int64_t ns = coord_redis_pause(&d, n).ns;

            least[n] = ns < least[n] ? ns : least[n];
            most[n] = ns > most[n] ? ns : most[n];
        }
    }
    assert_in_range(most[1], 95000000, 100000000);
    assert_in_range(least[1], 50000000, 55000000);
    assert_in_range(most[3], 380000000, 400000000);
    assert_in_range(most[7], 4800000000, 5000000000);
    assert_in_range(least[7], 2500000000, 2700000000);
    assert_true(coord_redis_pause(&d, 1000000).ns <= dur_s(5).ns);
}

int
main(int argc, char **argv)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_large_numbers),     TEST(test_large_set),
        TEST(test_many_fields),       TEST(test_foreign_keys),
        TEST(test_many_loops),        TEST(test_slow_subscriber),
        cmocka_unit_test(test_name),  cmocka_unit_test(test_impostors),
        cmocka_unit_test(test_pause),
    };

    redis_required();
    if (argc > 1)
        kind = argv[1];
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, start, stop);
}
