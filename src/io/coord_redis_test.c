/* coord_redis_test.c - the contract of port/coord.h on a real Redis whose clock
 * stands still, and 100,000 random operations against the same model as the
 * in-process driver. The argument is the loop: uring or epoll.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/redis_world.h"
#include "port/coord_contract.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct world {
    struct redis_world w;
    struct redis_proc redis;
    struct coord *coord;
    volatile int64_t *us; /* the clock of Redis */
};

static struct loop *
w_loop(void *arg)
{
    return &((struct world *)arg)->w.loop->loop;
}

static struct mono
w_now(void *arg)
{
    return (struct mono){*((struct world *)arg)->us * 1000};
}

static struct wall
w_wall(void *arg)
{
    return (struct wall){*((struct world *)arg)->us / 1000};
}

static void
w_pass(void *arg, int64_t ms)
{
    *((struct world *)arg)->us += ms * 1000;
}

static bool
is_done(void *arg)
{
    return **(const unsigned **)arg != 0;
}

static bool
is_quiet(void *arg)
{
    struct coord_redis_stats s;

    coord_redis_stats(((struct world *)arg)->coord, &s);
    return s.requests == 0 && s.subscribed;
}

static void
w_settle(void *arg, const unsigned *done)
{
    struct world *w = arg;

    if (done) {
        assert_true(redis_world_until(&w->w, is_done, &done, 30000));
        return;
    }
    assert_true(redis_world_until(&w->w, is_quiet, w, 30000));
    redis_world_hear(&w->w, &w->redis); /* messages: another connection */
}

static struct coord *
w_open(void *arg)
{
    struct world *w = arg;
    struct coord_redis_conf c = {.connect_timeout = dur_s(10),
                                 .timeout = dur_s(20)};

    redis_do(&w->redis, "FLUSHALL");
    w->coord = redis_world_coord(&w->w, &w->redis, c);
    return w->coord;
}

static void
w_close(void *arg, struct coord *c)
{
    redis_world_drop(&((struct world *)arg)->w, c);
}

static void
clock_map(struct world *w)
{
    int fd = open(w->redis.clock, O_RDWR | O_CLOEXEC);
    void *p =
        mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    (void)close(fd);
    w->us = p;
}

int
main(int argc, char **argv)
{
    static const struct coord_world ops = {.loop = w_loop,
                                           .now = w_now,
                                           .wall = w_wall,
                                           .pass = w_pass,
                                           .settle = w_settle,
                                           .close = w_close};
    static struct world w;
    const char *ops_n = getenv("COORD_OPERATIONS");
    const struct coord_contract on = {
        .name = "coord_redis",
        .open = w_open,
        .arg = &w,
        .operations = ops_n ? (unsigned)atoi(ops_n) : 100000,
        .world = &ops,
        .by_process = true};
    int failed;

    redis_required();
    redis_world_open(&w.w, argc > 1 ? argv[1] : "epoll");
    redis_start_clock(&w.redis, NULL);
    clock_map(&w);
    failed = coord_contract_run(&on);
    redis_remove(&w.redis);
    redis_world_close(&w.w);
    return failed;
}
