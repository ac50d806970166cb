/* Rounds that read what has changed: how much is asked for, and what a log of
 * changes cannot tell. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct world w;

static int
set_up_many(void **state)
{
    (void)state;
    world_open(&w, 2, 120);
    return 0;
}

static int
set_up_few(void **state)
{
    (void)state;
    world_open(&w, 2, 4);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static void
start_all(void)
{
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
}

static unsigned
follower(void)
{
    int leader = world_leader(&w);

    assert_true(leader == 0 || leader == 1);
    return leader == 0;
}

/* A minute of 120 elements: 12 readings of two sets and the log, and the lock
 * is asked for; not 12 times 120 hashes. What was polled is there all the same,
 * by batches that are less than all of them. */
static void
test_few_requests(void **state)
{
    uint64_t before;
    unsigned f;
    (void)state;

    world_list(&w, 120);
    start_all();
    world_run(&w, dur_s(40));
    f = follower();
    before = w.node[f].store.fail.calls;
    world_run(&w, dur_s(60));
    assert_in_range(w.node[f].store.fail.calls - before, 30, 80);
    for (unsigned i = 0; i < 20; i++)
        w.e[i].status = "full";
    world_run(&w, dur_s(53));
    assert_string_equal(world_choice(&w, f, VIEW_POLLED, SELECT_EDIT),
                        "se-020");
}

/* More than one batch, all at once: a gateway that comes later. */
static void
test_newcomer(void **state)
{
    unsigned f;
    (void)state;

    world_list(&w, 120);
    world_start(&w, 0);
    world_run(&w, dur_s(40));
    for (unsigned i = 0; i < 100; i++)
        w.e[i].status = "full";
    world_run(&w, dur_s(53));
    world_start(&w, 1);
    world_run(&w, dur_s(2));
    f = follower();
    assert_int_equal(f, 1);
    assert_true(w.node[1].store.fail.calls < 16);
    assert_string_equal(world_choice(&w, 1, VIEW_POLLED, SELECT_EDIT),
                        "se-100");
}

static void
put_field(const char *key, const char *name, const char *value)
{
    struct coord_pair p = {.name = slice_str(name), .value = slice_str(value)};
    struct coord_request put = {
        .op = COORD_HASH_PUT, .key = key, .pairs = &p, .n = 1};

    assert_int_equal(world_do(&w, &put), ERR_OK);
}

/* What somebody has written without a word in the log is read with the next
 * full round. */
static void
test_unlogged(void **state)
{
    (void)state;

    for (unsigned i = 0; i < w.n; i++)
        w.node[i].conf.poll.threshold = 1000; /* what fails changes nothing */
    world_list(&w, 4);
    start_all();
    world_run(&w, dur_s(40));
    for (unsigned i = 0; i < 4; i++)
        w.e[i].way = FAKE_REFUSES;
    world_run(&w, dur_s(1));
    put_field("capacity:se-000", "status", "full");
    world_run(&w, dur_s(20));
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT),
                        "se-000");
    world_run(&w, dur_s(285));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
}

/* The log is lost, and begins anew: nothing that is told later is missed. */
static void
test_log_lost(void **state)
{
    struct coord_request del = {.op = COORD_DEL, .key = "capacity:all:changed"};
    (void)state;

    world_list(&w, 4);
    start_all();
    world_run(&w, dur_s(40));
    assert_int_equal(world_do(&w, &del), ERR_OK);
    w.e[0].status = "full";
    world_run(&w, dur_s(53));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    /* Numbers from a clock that was ahead: lower ones are seen all the same. */
    del = (struct coord_request){.op = COORD_ZSET_PUT,
                                 .key = "capacity:all:changed",
                                 .member = "se-001",
                                 .score = (int64_t)1 << 50};
    assert_int_equal(world_do(&w, &del), ERR_OK);
    world_run(&w, dur_s(10));
    del.op = COORD_DEL;
    assert_int_equal(world_do(&w, &del), ERR_OK);
    w.e[0].status = "ok";
    world_run(&w, dur_s(53));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
}

/* The leader has a newer list: of an element that we do not know the log has
 * told already when our list names it. It is full, so it is in no set. */
static void
test_told_before(void **state)
{
    struct coord_pair got[64];
    struct buf b;
    struct coord_request get = {.op = COORD_CHANGED,
                                .key = "capacity:all:changed",
                                .member = "capacity:",
                                .amount = 1,
                                .pairs = got,
                                .cap = 64,
                                .out = &b};
    unsigned f;
    uint64_t hits;
    struct series s;
    (void)state;

    world_list_range(&w, 1, 4);
    start_all();
    world_run(&w, dur_s(30));
    f = follower();
    w.e[0].status = "full";
    world_list(&w, 4);
    monitor_reload(w.node[1 - f].m, NULL);
    world_run(&w, dur_s(12));
    buf_init(&b, 4096);
    assert_int_equal(world_do(&w, &get), ERR_OK);
    assert_true(get.n > 1); /* it is there */
    buf_release(&b);
    s = metric_series(w.node[f].metrics, M_CAPACITY_CACHE, "hit");
    monitor_reload(w.node[f].m, NULL);
    hits = (uint64_t)world_count(&w, f, s);
    world_run(&w, dur_ms(200));
    assert_true((uint64_t)world_count(&w, f, s) > hits);
}

/* Wall clocks jump by an hour; nothing can be polled meanwhile. What is known
 * is as old as it is, also when it is read anew; 600 s after it was polled it
 * is not used any more (CAP-061). */
static void
test_clock_jumps(void **state)
{
    (void)state;

    for (unsigned i = 0; i < w.n; i++)
        w.node[i].conf.poll.threshold = 1000;
    world_list(&w, 4);
    start_all();
    world_run(&w, dur_s(40));
    for (unsigned i = 0; i < 4; i++)
        w.e[i].way = FAKE_REFUSES;
    for (int hours = -1; hours <= 1; hours++) {
        w.wall_base += 3600000 * (hours ? hours : 1);
        world_run(&w, dur_s(150));
        for (unsigned i = 0; i < w.n; i++)
            assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                                "se-000");
    }
    world_run(&w, dur_s(200));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT), "");
}

#define TEST(f, size) \
    cmocka_unit_test_setup_teardown(f, set_up_##size, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_few_requests, many), TEST(test_newcomer, many),
        TEST(test_unlogged, few),      TEST(test_log_lost, few),
        TEST(test_told_before, few),   TEST(test_clock_jumps, few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
