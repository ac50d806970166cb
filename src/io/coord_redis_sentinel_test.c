/* coord_redis_sentinel_test.c - a master, a replica and a real Sentinel: found,
 * lost and followed. The argument is the loop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/free_port.h"
#include "io/redis_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASTER "artstore"

#define PATIENCE 60000 /* ms, for what takes a second */

static const char *kind = "epoll";
static struct redis_world w;
static struct redis_proc node[2], sentinel;
static struct coord *coord;
static char sentinels[80];

static bool
replica_is_up(void *arg)
{
    struct redisReply *r = redis_ask(arg, "INFO replication");
    bool up = r && r->str && strstr(r->str, "master_link_status:up");

    freeReplyObject(r);
    return up;
}

/* What the Sentinel thinks; it looks at each of them once a second. */
static bool
sentinel_knows(void *arg)
{
    struct redisReply *r = redis_ask(&sentinel, "SENTINEL MASTER " MASTER);
    bool knows = false;

    (void)arg;
    for (size_t i = 0; r && i + 1 < r->elements; i += 2)
        knows |= strcmp(r->element[i]->str, "num-slaves") == 0 &&
                 strcmp(r->element[i + 1]->str, "1") == 0;
    freeReplyObject(r);
    return knows;
}

static int
set_up(void **state)
{
    char conf[300];
    (void)state;

    redis_world_open(&w, kind);
    redis_start(&node[0], "repl-diskless-sync-delay 0\n");
    (void)snprintf(conf, sizeof(conf),
                   "replicaof 127.0.0.1 %u\nrepl-diskless-sync-delay 0\n",
                   node[0].port);
    redis_start(&node[1], conf);
    assert_true(redis_world_until(&w, replica_is_up, &node[1], PATIENCE));
    (void)snprintf(conf, sizeof(conf),
                   /* A master is lost when a test says so: see there. */
                   "sentinel monitor " MASTER " 127.0.0.1 %u 1\n"
                   "sentinel down-after-milliseconds " MASTER " 60000\n"
                   "sentinel failover-timeout " MASTER " 3000\n",
                   node[0].port);
    sentinel.sentinel = true;
    redis_start(&sentinel, conf);
    assert_true(redis_world_until(&w, sentinel_knows, NULL, PATIENCE));
    /* The first of them is not there. */
    (void)snprintf(sentinels, sizeof(sentinels), "127.0.0.1:%u,127.0.0.1:%u",
                   free_port(), sentinel.port);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (coord)
        redis_world_drop(&w, coord);
    coord = NULL;
    redis_remove(&sentinel);
    redis_remove(&node[1]);
    redis_remove(&node[0]);
    redis_world_close(&w);
    return 0;
}

static struct coord_redis_stats
stats(void)
{
    struct coord_redis_stats s;

    coord_redis_stats(coord, &s);
    return s;
}

/* Connected to node ARG. */
static bool
connected_to(void *arg)
{
    struct coord_redis_stats s = stats();
    char want[40];

    (void)snprintf(want, sizeof(want), "127.0.0.1:%u",
                   ((struct redis_proc *)arg)->port);
    return s.connected && strcmp(s.address, want) == 0;
}

static bool
subscribed(void *arg)
{
    (void)arg;
    return stats().subscribed;
}

static void
open_coord(void)
{
    struct coord_redis_conf c = {.sentinels = sentinels,
                                 .master = MASTER,
                                 .connect_timeout = dur_s(10),
                                 .timeout = dur_s(20),
                                 .retry_min = dur_ms(50),
                                 .retry_max = dur_ms(400)};

    coord = redis_world_coord(&w, NULL, c);
}

static struct coord_request
take(const char *owner)
{
    return (struct coord_request){.op = COORD_LEASE_TAKE,
                                  .key = "capacity_monitor:leader_lock",
                                  .owner = owner,
                                  .ttl = dur_s(30)};
}

static bool
replica_has(void *epoch)
{
    struct redisReply *r =
        redis_ask(&node[1], "GET capacity_monitor:leader_lock:epoch");
    bool has = r && r->str && strtoull(r->str, NULL, 10) == *(uint64_t *)epoch;

    freeReplyObject(r);
    return has;
}

/* D32: the new master does not know the last epoch, and gives a larger one; who
 * held it can neither renew nor write. */
static void
test_lost_epoch(void **state)
{
    struct coord_request r = take("a"), old, guarded;
    struct coord_pair p = {.name = SLICE("used"), .value = SLICE("1")};
    struct coord_guard g;
    uint64_t kept, lost;
    (void)state;

    open_coord();
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    assert_true(connected_to(&node[0]));
    kept = r.epoch;
    assert_true(redis_world_until(&w, replica_has, &kept, PATIENCE));

    /* The replica is cut off, then a takes its lease again. */
    redis_do(&node[0], "CONFIG SET requirepass nobody-knows");
    node[0].password = "nobody-knows";
    redis_do(&node[0], "CLIENT KILL TYPE replica");
    r = take("a");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    lost = r.epoch;
    assert_true(lost > kept);
    old = r;

    redis_kill(&node[0], SIGKILL);
    redis_do(&sentinel, "SENTINEL SET " MASTER " down-after-milliseconds 1000");
    assert_true(replica_has(&kept)); /* the last one is lost */
    assert_true(redis_world_until(&w, connected_to, &node[1], PATIENCE));
    assert_int_equal(stats().changes, 1);
    assert_int_equal(w.events[COORD_REDIS_OTHER], 1);

    g = (struct coord_guard){old.key, "a", lost};
    guarded = (struct coord_request){.op = COORD_HASH_PUT,
                                     .key = "capacity:se-01",
                                     .pairs = &p,
                                     .n = 1,
                                     .guard = &g};
    assert_int_equal(redis_world_do(&w, coord, &guarded), ERR_CONFLICT);
    assert_int_not_equal(guarded.life, old.life);
    r = old;
    r.op = COORD_LEASE_RENEW;
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_CONFLICT);
    /* The new master still has the lease under the epoch before. */
    r = take("b");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_BUSY);
    r = take("a");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    assert_true(r.epoch > lost);
    g.epoch = r.epoch;
    assert_int_equal(redis_world_do(&w, coord, &guarded), ERR_OK);
}

static void
hear(struct coord_sub *s, struct slice msg)
{
    (void)msg;
    ++*(unsigned *)s->priv;
}

/* It may need a second to know the replica well enough. */
static bool
failover_begins(void *arg)
{
    struct redisReply *r = redis_ask(&sentinel, "SENTINEL FAILOVER " MASTER);
    bool begins = r && r->type == REDIS_REPLY_STATUS;

    (void)arg;
    freeReplyObject(r);
    return begins;
}

/* Both masters live: we go where the Sentinel says, channels too. */
static void
test_switch(void **state)
{
    unsigned heard = 0;
    struct coord_sub s = {.loop = &w.loop->loop,
                          .channel = "updates",
                          .message = hear,
                          .priv = &heard};
    struct coord_request r = take("a");
    (void)state;

    open_coord();
    assert_int_equal(coord_subscribe(coord, &s), ERR_OK);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    assert_true(redis_world_until(&w, subscribed, NULL, PATIENCE));
    assert_true(redis_world_until(&w, failover_begins, NULL, PATIENCE));
    assert_true(redis_world_until(&w, connected_to, &node[1], PATIENCE));
    assert_true(redis_world_until(&w, subscribed, NULL, PATIENCE));
    redis_do(&node[1], "PUBLISH updates x");
    redis_world_hear(&w, &node[1]);
    assert_int_equal(heard, 1);
    r = take("a");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
    coord_unsubscribe(coord, &s);
}

/* A Sentinel that knows no such master, and one that comes late. */
static void
test_unknown(void **state)
{
    struct coord_redis_conf c = {.sentinels = sentinels,
                                 .master = "another",
                                 .connect_timeout = dur_s(10),
                                 .timeout = dur_s(20),
                                 .retry_min = dur_ms(50)};
    struct coord_request r = take("a");
    char text[FAULT_TEXT];
    (void)state;

    coord = redis_world_coord(&w, NULL, c);
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_IO);
    redis_world_drop(&w, coord);
    /* Which of the two failed last is chance; the event told the first. */
    assert_int_equal(w.events[COORD_REDIS_FAILED], 1);
    assert_non_null(fault_text(&w.last, text, sizeof(text)));

    redis_kill(&sentinel, SIGKILL);
    open_coord();
    r = take("a");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_IO);
    redis_start(&sentinel, NULL);
    redis_do(&sentinel, "SENTINEL MONITOR " MASTER " 127.0.0.1 %d 1",
             (int)node[0].port);
    assert_true(redis_world_until(&w, connected_to, &node[0], PATIENCE));
    r = take("a");
    assert_int_equal(redis_world_do(&w, coord, &r), ERR_OK);
}

int
main(int argc, char **argv)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lost_epoch),
        TEST(test_switch),
        TEST(test_unknown),
    };

    redis_required();
    if (argc > 1)
        kind = argv[1];
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
