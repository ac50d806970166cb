/* coord_redis_fail_test.c - a Redis that stops, dies, comes back, forgets,
 * refuses, is full, or is none at all: requests end, nothing leaks, no secret
 * is told. The argument is the loop. SPDX-License-Identifier: Apache-2.0 */
#include "io/free_port.h"
#include "io/redis_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <signal.h>
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
set_up(void **state)
{
    (void)state;
    redis_world_open(&w, kind);
    redis_start(&redis, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (coord)
        redis_world_drop(&w, coord);
    coord = NULL;
    redis_remove(&redis);
    redis_world_close(&w);
    return 0;
}

static struct coord_request
put(const char *key)
{
    static struct coord_pair p = {.name = {"f", 1}, .value = {"v", 1}};

    return (struct coord_request){
        .op = COORD_HASH_PUT, .key = key, .pairs = &p, .n = 1};
}

static enum err
try_put(const char *key)
{
    struct coord_request r = put(key);

    return redis_world_do(&w, coord, &r);
}

static struct coord_redis_stats
stats(void)
{
    struct coord_redis_stats s;

    coord_redis_stats(coord, &s);
    return s;
}

static bool
connected(void *arg)
{
    (void)arg;
    return stats().connected;
}

static bool
apart(void *arg)
{
    (void)arg;
    return !stats().connected;
}

static bool
deaf(void *arg)
{
    (void)arg;
    return w.events[COORD_REDIS_DEAF] > 0;
}

static bool
lost_once(void *arg)
{
    (void)arg;
    return stats().losses == 1;
}

static bool
failed(void *arg)
{
    (void)arg;
    return w.events[COORD_REDIS_FAILED] > 0;
}

static bool
subscribed(void *arg)
{
    (void)arg;
    return stats().subscribed;
}

static bool
idle(void *arg)
{
    (void)arg;
    return stats().requests == 0;
}

static void
wait_for(bool (*true_p)(void *arg), int64_t ms)
{
    assert_true(redis_world_until(&w, true_p, NULL, ms));
}

/* --- a Redis that stops --------------------------------------------------- */

struct many {
    struct coord_request r[40];
    unsigned done;
    unsigned by[ERR_COUNT];
};

static void
one_done(struct coord_request *r)
{
    struct many *m = r->priv;

    m->done++;
    m->by[r->err]++;
}

static bool
all_done(void *arg)
{
    return ((struct many *)arg)->done == countof(((struct many *)arg)->r);
}

static void
submit_many(struct many *m)
{
    memset(m, 0, sizeof(*m));
    for (size_t i = 0; i < countof(m->r); i++) {
        m->r[i] = put("k");
        m->r[i].loop = &w.loop->loop;
        m->r[i].done = one_done;
        m->r[i].priv = m;
        coord_submit(coord, &m->r[i]);
    }
}

/* Nothing waits longer than it was told to, though the kernel goes on taking
 * connections for the stopped process. */
static void
test_stopped(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(2),
                                 .connect_timeout = dur_ms(400)};
    struct coord_request r = put("k");
    static struct many m;
    struct mono began;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    redis_kill(&redis, SIGSTOP);
    r.wait = dur_ms(50); /* its own */
    began = w.loop->loop.now;
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_TIMEOUT);
    assert_true(mono_sub(w.loop->loop.now, began).ns < dur_s(2).ns);
    assert_int_equal(r.life, 0);
    submit_many(&m);
    assert_true(redis_world_until(&w, all_done, &m, 9000));
    assert_int_equal(m.by[ERR_OK], 0);
    assert_int_equal(m.by[ERR_TIMEOUT] + m.by[ERR_IO], countof(m.r));

    /* The attempt to connect has failed too: from now on at once. */
    wait_for(idle, 9000);
    wait_for(failed, 9000);
    redis_world_turn(&w, 500); /* and once more */
    assert_int_equal(w.events[COORD_REDIS_FAILED], 1);
    began = w.loop->loop.now;
    assert_int_equal(try_put("k"), ERR_TIMEOUT);
    assert_true(mono_sub(w.loop->loop.now, began).ns < dur_s(1).ns);

    redis_kill(&redis, SIGCONT);
    wait_for(connected, 9000);
    assert_int_equal(try_put("k"), ERR_OK);
    assert_int_equal(stats().requests, 0);
    assert_int_equal(stats().changes, 0);              /* the same life */
    assert_int_equal(w.events[COORD_REDIS_FAILED], 1); /* said once */
}

/* Answers of requests that were given up do not become those of others. */
static void
test_late_answers(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    struct coord_request r = put("k"), get;
    struct coord_pair pairs[2];
    struct buf b;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    redis_kill(&redis, SIGSTOP);
    r.wait = dur_ms(50);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_TIMEOUT);
    assert_int_equal(stats().requests, 1);
    assert_int_equal(stats().timeouts, 1);
    redis_kill(&redis, SIGCONT);
    buf_init(&b, 64);
    get = (struct coord_request){
        .op = COORD_HASH_GET, .key = "k", .pairs = pairs, .cap = 2, .out = &b};
    assert_int_equal(redis_world_do(&w, coord, &get), ERR_OK);
    assert_int_equal(get.n, 1);
    assert_true(slice_eq(pairs[0].value, SLICE("v")));
    assert_int_equal(stats().requests, 0);
    assert_int_equal(stats().losses, 0);
    buf_release(&b);
}

/* --- a Redis that dies ---------------------------------------------------- */

struct heard {
    struct coord_sub sub;
    unsigned n;
};

static void
hear(struct coord_sub *s, struct slice msg)
{
    (void)msg;
    container_of(s, struct heard, sub)->n++;
}

static void
test_killed(void **state)
{
    struct coord_redis_conf c = {.retry_min = dur_ms(20)};
    struct heard h = {
        .sub = {.loop = NULL, .channel = "updates", .message = hear}};
    struct coord_request r = put("k");
    uint64_t life;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    h.sub.loop = &w.loop->loop;
    assert_int_equal(coord_subscribe(coord, &h.sub), ERR_OK);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    life = r.life;
    assert_int_equal(stats().life, life);
    wait_for(subscribed, 9000);
    redis_do(&redis, "PUBLISH updates x");
    redis_world_hear(&w, &redis);
    assert_int_equal(h.n, 1);

    redis_kill(&redis, SIGKILL);
    wait_for(deaf, 9000);
    wait_for(apart, 9000);
    assert_int_equal(try_put("k"), ERR_IO); /* at once, with the reason */
    assert_int_equal(w.events[COORD_REDIS_LOST], 1);
    assert_int_equal(w.events[COORD_REDIS_DEAF], 1);

    redis_start(&redis, NULL); /* has forgotten keys, scripts, channels */
    wait_for(connected, 9000);
    r = put("k");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    assert_int_not_equal(r.life, life); /* D32 */
    assert_int_equal(stats().changes, 1);
    assert_int_equal(w.events[COORD_REDIS_OTHER], 1);
    wait_for(subscribed, 9000);
    redis_do(&redis, "PUBLISH updates y");
    redis_world_hear(&w, &redis);
    assert_int_equal(h.n, 2);
    assert_int_equal(h.sub.lost, 1);
    coord_unsubscribe(coord, &h.sub);
}

/* Sent, and the connection ended: it is not sent again, since it may have been
 * carried out. What was not sent yet waits for the next connection. */
static void
test_cut(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    static struct many m;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    submit_many(&m); /* before there is any connection */
    assert_true(redis_world_until(&w, all_done, &m, 9000));
    assert_int_equal(m.by[ERR_OK], countof(m.r));
    redis_world_turn(&w, 1100); /* a steady one is opened again at once */
    redis_do(&redis, "CLIENT KILL TYPE normal");
    wait_for(lost_once, 9000);
    wait_for(connected, 9000);
    assert_int_equal(try_put("k"), ERR_OK);
    assert_int_equal(stats().losses, 1);
    redis_kill(&redis, SIGSTOP);
    submit_many(&m);
    redis_world_turn(&w, 30);
    redis_kill(&redis, SIGKILL);
    assert_true(redis_world_until(&w, all_done, &m, 9000));
    assert_int_equal(m.by[ERR_IO], countof(m.r));
    assert_int_equal(stats().requests, 0);
}

static void
test_scripts_flushed(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    static struct many m;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    redis_do(&redis, "SCRIPT FLUSH SYNC");
    submit_many(&m);
    assert_true(redis_world_until(&w, all_done, &m, 9000));
    assert_int_equal(m.by[ERR_OK], countof(m.r));
    assert_true(stats().reloads >= 1);
    assert_int_equal(try_put("k"), ERR_OK);
}

/* A master that became a replica must not be written to, nor asked. */
static void
test_readonly(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    redis_do(&redis, "REPLICAOF 127.0.0.1 1");
    assert_int_equal(try_put("k"), ERR_IO);
    redis_do(&redis, "REPLICAOF NO ONE");
    redis_world_turn(&w, 300);
    wait_for(connected, 9000);
    assert_int_equal(try_put("k"), ERR_OK);
}

/* --- ceilings ------------------------------------------------------------- */

static void
test_requests_max(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5), .requests_max = 10};
    static struct many m;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    redis_kill(&redis, SIGSTOP);
    submit_many(&m);
    redis_world_turn(&w, 50); /* no waiting for the rest */
    assert_int_equal(m.done, 30);
    assert_int_equal(m.by[ERR_NOMEM], 30);
    redis_kill(&redis, SIGCONT);
    assert_true(redis_world_until(&w, all_done, &m, 9000));
    assert_int_equal(m.by[ERR_OK], 10);
    assert_int_equal(stats().refused, 30);
}

/* A Redis that does not take what is sent: bytes have a ceiling too. */
static void
test_bytes_max(void **state)
{
    static char value[COORD_VALUE_MAX];
    static struct coord_pair pairs[COORD_PAIRS_MAX];
    static char names[COORD_PAIRS_MAX][8];
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    static struct many m;
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    for (unsigned i = 0; i < COORD_PAIRS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%u", i);
        pairs[i] = (struct coord_pair){.name = slice_str(names[i]),
                                       .value = {value, sizeof(value)}};
    }
    redis_kill(&redis, SIGSTOP);
    memset(&m, 0, sizeof(m));
    for (size_t i = 0; i < countof(m.r); i++) { /* half a MiB each */
        m.r[i] = put("large");
        m.r[i].pairs = pairs;
        m.r[i].n = COORD_PAIRS_MAX;
        m.r[i].loop = &w.loop->loop;
        m.r[i].done = one_done;
        m.r[i].priv = &m;
        coord_submit(coord, &m.r[i]);
        redis_world_turn(&w, 4);
    }
    assert_true(m.by[ERR_NOMEM] > 0);
    assert_int_equal(m.by[ERR_NOMEM], m.done);
    redis_kill(&redis, SIGCONT);
    assert_true(redis_world_until(&w, all_done, &m, 9000));
    assert_int_equal(m.by[ERR_OK] + m.by[ERR_NOMEM], countof(m.r));
}

/* Redis is full: the port's word for that, and what is there can be read. */
static void
test_out_of_memory(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    struct coord_request r = {.op = COORD_DEL, .key = "k"};
    (void)state;

    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
    redis_do(&redis, "CONFIG SET maxmemory 1");
    assert_int_equal(try_put("k2"), ERR_NOMEM);
    redis_do(&redis, "CONFIG SET maxmemory 0");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
}

/* --- who we are ----------------------------------------------------------- */

#define SECRET "hunter2hunter2"

static void
no_secret(void)
{
    char text[FAULT_TEXT];

    if (strstr(fault_text(&w.last, text, sizeof(text)), "hunter2"))
        fail_msg("%s", text);
}

static void
test_password(void **state)
{
    struct coord_redis_conf c = {.password = SECRET "x",
                                 .retry_min = dur_ms(20)};
    struct coord_request r = put("k");
    char text[FAULT_TEXT];
    (void)state;

    redis_do(&redis, "CONFIG SET requirepass " SECRET);
    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_DENIED);
    assert_non_null(
        strstr(fault_text(&r.fault, text, sizeof(text)), "WRONGPASS"));
    assert_non_null(strstr(text, "REDIS_PASSWORD"));
    assert_null(strstr(text, "hunter2"));
    no_secret();
    redis_world_drop(&w, coord);

    c.password = NULL; /* none where one is wanted */
    coord = redis_world_coord(&w, &redis, c);
    r = put("k");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_DENIED);
    redis_world_drop(&w, coord);

    c.password = SECRET;
    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(try_put("k"), ERR_OK);
}

/* PRD-240: what doc/redis.md says that a user needs is enough; INFO may be
 * missing, and then every connection is another life. */
static void
test_user(void **state)
{
    struct coord_redis_conf c = {.username = "artstore",
                                 .password = SECRET,
                                 .db = 3,
                                 .retry_min = dur_ms(20)};
    struct heard h = {
        .sub = {.loop = NULL, .channel = "updates", .message = hear}};
    struct coord_request r = put("k");
    uint64_t life;
    (void)state;

    redis_do(&redis, "ACL SETUSER artstore on >" SECRET " ~* &* +@read +@write "
                     "+evalsha +eval +script|load +time +ping +select "
                     "+publish +subscribe +unsubscribe");
    coord = redis_world_coord(&w, &redis, c);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    life = r.life;
    h.sub.loop = &w.loop->loop;
    assert_int_equal(coord_subscribe(coord, &h.sub), ERR_OK);
    wait_for(subscribed, 9000);
    coord_unsubscribe(coord, &h.sub);
    redis_world_turn(&w, 1100);
    redis_do(&redis, "CLIENT KILL TYPE normal");
    r = put("k");
    wait_for(lost_once, 9000);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    assert_int_not_equal(r.life, life);

    redis_do(&redis, "ACL SETUSER artstore -@write");
    r = put("k");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_DENIED);
}

static void
test_cluster(void **state)
{
    struct coord_redis_conf c = {.timeout = dur_s(5)};
    struct redis_proc cluster = {0};
    struct coord_request r = put("k");
    char text[FAULT_TEXT], conf[80];
    (void)state;

    /* Its usual second port is 10000 higher, which may be none. */
    (void)snprintf(conf, sizeof(conf), "cluster-enabled yes\ncluster-port %u\n",
                   free_port());
    redis_start(&cluster, conf);
    coord = redis_world_coord(&w, &cluster, c);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_IO);
    assert_non_null(
        strstr(fault_text(&r.fault, text, sizeof(text)), "Cluster"));
    redis_remove(&cluster);
}

int
main(int argc, char **argv)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_stopped),
        TEST(test_late_answers),
        TEST(test_killed),
        TEST(test_cut),
        TEST(test_scripts_flushed),
        TEST(test_readonly),
        TEST(test_requests_max),
        TEST(test_bytes_max),
        TEST(test_out_of_memory),
        TEST(test_password),
        TEST(test_user),
        TEST(test_cluster),
    };

    redis_required();
    if (argc > 1)
        kind = argv[1];
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
