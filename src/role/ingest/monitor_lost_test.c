/* monitor_lost_test.c - the store is gone, or empty, or was never there: Admin
 * stands in; Admin is gone or hangs: nobody waits for it for ever (CAP-017,
 * CAP-060, CAP-061, CAP-063).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_four.h"
#include <stdio.h>
#include <string.h>

/* CAP-060, CAP-063: the store is lost, Admin stands in; both: nothing, and the
 * reason; and all comes back by itself. */
static void
test_lost(void **state)
{
    const struct view *v;
    struct series errors;
    (void)state;

    start_all();
    world_run(&w, dur_s(20));
    lose_store_all(true);
    world_run(&w, dur_s(7));
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT), "");
        assert_string_equal(world_choice(&w, i, VIEW_ADMIN, SELECT_EDIT),
                            "se-000");
        errors = metric_series(w.node[i].metrics, M_CAPACITY_CACHE, "error");
        assert_true(world_count(&w, i, errors) >= 1);
    }
    for (int s = 0; s < 60; s++) { /* always young enough */
        world_run(&w, dur_s(1));
        assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT),
                            "se-000");
    }
    w.admin_down = true;
    world_run(&w, dur_s(7));
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_ADMIN, SELECT_EDIT), "");
        v = monitor_view(w.node[i].m, &w.node[i].lm.loop);
        assert_non_null(strstr(v->why[VIEW_POLLED], "made to fail"));
        assert_non_null(strstr(v->why[VIEW_ADMIN], "admin:8000"));
    }
    w.admin_down = false;
    world_run(&w, dur_s(2));
    assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT), "se-000");
    lose_store_all(false);
    world_run(&w, dur_s(2));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
    world_run(&w, dur_s(63));
    assert_true(world_leader(&w) >= 0);
}

static void
refuse(unsigned node, enum coord_op op)
{
    struct coord_fail *store = &w.node[node].store;

    store->only = 1ull << op;
    store->fail = (struct fail){.at = 1, .on = true};
}

/* The store can be read and takes no write, since it is full or a replica: each
 * write that fails asks whether it is lost, and all of them together are
 * answered once a second. */
static void
test_full_store(void **state)
{
    struct monitor_status s;
    unsigned before, n;
    (void)state;

    world_close(&w);
    world_open(&w, 2, 120);
    for (unsigned i = 0; i < w.n; i++) {
        w.node[i].conf.poll.base = dur_s(1); /* 120 writes a second */
        w.node[i].conf.poll.shift = dur_ms(100);
    }
    start_all();
    world_run(&w, dur_s(20));
    before = snapshots(leader(), dur_s(60));
    refuse(leader(), COORD_ALL);
    n = snapshots(leader(), dur_s(60));
    print_message("%u snapshots, before %u\n", n, before);
    assert_true(w.node[leader()].store.fail.calls > 1000);
    assert_in_range(n, 10, 70);
    monitor_status(w.node[leader()].m, &s);
    assert_true(s.store_ok);
    /* Nor does it grant anybody a look at an element. */
    refuse(follower(), COORD_LEASE_TAKE);
    n = 0;
    for (unsigned i = 0; i < 250; i++) {
        monitor_trouble(w.node[follower()].m, w.e[i % 120].id, RELOAD_NO_ROOM);
        n += snapshots(follower(), dur_ms(40));
    }
    assert_true(w.node[follower()].store.fail.calls > 100);
    assert_in_range(n, 1, 12);
}

static void
empty_store(void)
{
    static const char *const set[] = {"capacity:edit:available",
                                      "capacity:rw:available",
                                      "capacity:all:changed"};
    struct coord_request r = {.op = COORD_DEL};
    char key[64];

    for (unsigned i = 0; i < w.n_elements + countof(set); i++) {
        (void)snprintf(key, sizeof(key), "%s%s",
                       i < w.n_elements ? "capacity:" : set[i - w.n_elements],
                       i < w.n_elements ? w.e[i].id : "");
        r.key = key;
        assert_int_equal(world_do(&w, &r), ERR_OK);
    }
}

/* The store has come back without anything, and nobody has polled yet: what is
 * said of uploads is what they would find, in Admin's list. */
static void
test_empty_store(void **state)
{
    struct monitor_status s;
    unsigned f, seconds = 0;
    (void)state;

    start_all();
    world_run(&w, dur_s(35));
    f = follower();
    monitor_status(w.node[f].m, &s);
    assert_false(s.stands_in);
    assert_false(s.store_empty);
    for (unsigned i = 0; i < w.n_elements; i++)
        w.e[i].way = FAKE_SILENT; /* nobody polls while this goes on */
    empty_store();
    for (unsigned i = 0; i < 600; i++) { /* a round, and Admin's answer */
        world_run(&w, dur_ms(10));
        monitor_status(w.node[f].m, &s);
        assert_int_equal(s.edit, 4);
        assert_int_equal(s.rw, 4);
    }
    for (; seconds < 20; seconds++) {
        monitor_status(w.node[f].m, &s);
        assert_true(s.store_ok);
        assert_true(s.store_empty);
        assert_int_equal(s.edit, 4);
        assert_int_equal(s.rw, 4);
        assert_true(s.stands_in);
        world_run(&w, dur_s(1));
    }
    w.admin_down = true;
    world_run(&w, dur_s(7));
    monitor_status(w.node[f].m, &s);
    assert_int_equal(s.edit + s.rw, 0);
    w.admin_down = false;
    for (unsigned i = 0; i < w.n_elements; i++)
        w.e[i].way = FAKE_GOOD;
    world_run(&w, dur_s(120));
    monitor_status(w.node[f].m, &s);
    assert_int_equal(s.edit, 4);
    assert_false(s.store_empty);
    assert_false(s.stands_in);
}

/* CAP-017: no store at all. */
static void
test_admin_only(void **state)
{
    (void)state;

    w.node[0].conf.coord = NULL;
    w.admin_used_percent = 99; /* it says that they are full */
    world_start(&w, 0);
    world_run(&w, dur_s(1));
    assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT), "");
    w.admin_used_percent = 5;
    world_run(&w, dur_s(5));
    assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT), "se-000");
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT), "");
    assert_int_equal(requests(), 0);
}

/* Nobody polls any more: what was polled grows stale (CAP-061). */
static void
test_stale(void **state)
{
    (void)state;

    start_all();
    world_run(&w, dur_s(20));
    for (unsigned i = 1; i < w.n; i++)
        world_stop(&w, i);
    for (unsigned i = 0; i < w.n_elements; i++)
        w.e[i].way = FAKE_REFUSES;
    w.node[0].conf.poll.threshold = 100;
    world_stop(&w, 0);
    world_start(&w, 0);
    world_run(&w, dur_s(560));
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT),
                        "se-000");
    world_run(&w, dur_s(60));
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT), "");
    world_run(&w, dur_s(30));
    assert_string_equal(world_set(&w, "capacity:edit:available"), "");
}

struct waiter {
    struct monitor_wait wait;
    bool ready;
    struct mono at;
};

static void
ready(struct monitor_wait *wait)
{
    struct waiter *x = container_of(wait, struct waiter, wait);

    x->ready = true;
    x->at = wait->loop->now;
}

/* Nothing polled can be chosen: Admin is asked, and nobody waits for ever. */
static void
test_wait(void **state)
{
    struct waiter x = {.wait = {.loop = &w.node[1].lm.loop, .ready = ready}};
    struct mono began;
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    w.admin_asked = 0;
    monitor_ask_admin(w.node[1].m, &x.wait);
    assert_false(x.ready);
    world_run(&w, dur_ms(10));
    assert_true(x.ready);
    assert_string_equal(world_choice(&w, 1, VIEW_ADMIN, SELECT_EDIT), "se-000");
    assert_int_equal(w.admin_asked, 1);
    world_run(&w, dur_s(20)); /* as long as it was needed a moment ago */
    assert_string_equal(world_choice(&w, 1, VIEW_ADMIN, SELECT_EDIT), "se-000");
    world_run(&w, dur_s(60));
    assert_string_equal(world_choice(&w, 1, VIEW_ADMIN, SELECT_EDIT), "");
    w.admin_takes = dur_s(3);
    x.ready = false;
    began = w.now;
    monitor_ask_admin(w.node[1].m, &x.wait);
    world_run(&w, dur_s(1));
    assert_true(x.ready);
    assert_true(mono_sub(x.at, began).ns <= dur_ms(450).ns);
    world_run(&w, dur_s(5));
}

/* Refused for want of room again and again, and each time Admin's answer is
 * forgotten: one question a second, whoever waits is let go meanwhile. */
static void
test_wait_paced(void **state)
{
    struct waiter x = {.wait = {.loop = &w.node[1].lm.loop, .ready = ready}};
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    for (int down = 0; down < 2; down++) {
        w.admin_down = down;
        w.admin_asked = 0;
        for (int i = 0; i < 500; i++) {
            monitor_trouble(w.node[1].m, "se-000", RELOAD_NO_ROOM);
            x.ready = false;
            monitor_ask_admin(w.node[1].m, &x.wait);
            world_run(&w, dur_ms(20));
            assert_true(x.ready);
        }
        assert_in_range(w.admin_asked, 9, 12); /* in ten seconds */
    }
}

/* Admin takes the question and says nothing: that does not hold up the end. */
static void
test_stop_admin_hangs(void **state)
{
    (void)state;

    w.node[0].conf.coord = NULL;
    w.admin_takes = dur_s(3600);
    world_start(&w, 0);
    world_run(&w, dur_s(1));
    assert_int_equal(w.admin_asked, 1);
    world_stop(&w, 0); /* within three seconds */
    assert_int_equal(w.admin_canceled, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_lost),        T(test_full_store),
        T(test_empty_store), T(test_admin_only),
        T(test_stale),       T(test_wait),
        T(test_wait_paced),  T(test_stop_admin_hangs),
    };

    return cmocka_run_group_tests_name("monitor_lost", tests, NULL, NULL);
}
