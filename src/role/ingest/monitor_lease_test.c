/* monitor_lease_test.c - who of four gateways polls: never two of them, another
 * one soon, and what all say when nobody does (CAP-024, CAP-025, CAP-028, D42).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_four.h"

/* Within AT_MOST another one leads, never two, and polls all at once
 * (CAP-028); BEFORE is how often all were polled when it began. */
static void
leads_again(int but, int at_most_s, unsigned before)
{
    int s = 0;

    for (; s <= at_most_s; s++) {
        int now = world_leader(&w);

        assert_int_not_equal(now, -2);
        if (now >= 0 && now != but)
            break;
        before = requests();
        world_run(&w, dur_s(1));
    }
    assert_in_range(s, 0, at_most_s);
    world_run(&w, dur_ms(100));
    assert_true(requests() - before >= w.n_elements);
}

/* D42: 33 s; and what it does when it wakes up is refused or not tried. */
static void
test_paused(void **state)
{
    unsigned was;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    world_pause(&w, was);
    leads_again((int)was, 33, requests());
    world_resume(&w, was);
    world_run(&w, dur_s(2));
    assert_int_not_equal(leader(), was);
    assert_int_equal(
        world_count(&w, was,
                    metric_series(w.node[was].metrics, M_LEADER_TRANSITIONS,
                                  w.node[was].name, "lost")),
        1);
    assert_int_equal(
        world_count(&w, was,
                    metric_series(w.node[was].metrics, M_LEADER_STATE,
                                  w.node[was].name)),
        0);
}

/* In order: at once (CAP-024, issue: 1 s). */
static void
test_stopped(void **state)
{
    unsigned was, n;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    n = requests();
    world_stop(&w, was);
    leads_again((int)was, 1, n);
    world_start(&w, was);
    world_run(&w, dur_s(5));
    assert_int_not_equal(leader(), was);
}

/* Cut off from the store, it stops by itself (CAP-025). */
static void
test_cut_off(void **state)
{
    unsigned was;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    lose_store(was, true);
    leads_again((int)was, 33, requests());
    lose_store(was, false);
    world_run(&w, dur_s(70));
    assert_int_not_equal(leader(), was);
    assert_string_equal(world_choice(&w, was, VIEW_POLLED, SELECT_EDIT),
                        "se-000");
}

/* The lock is taken from node WAS, by nobody of ours. */
static void
steal(unsigned was, const char *owner, struct dur ttl)
{
    struct coord_request take = {.op = COORD_LEASE_TAKE,
                                 .key = MONITOR_LOCK,
                                 .owner = owner,
                                 .ttl = ttl};
    struct coord_request free_it = {
        .op = COORD_LEASE_FREE, .key = MONITOR_LOCK, .owner = w.node[was].name};
    struct monitor_status s;

    monitor_status(w.node[was].m, &s);
    free_it.epoch = s.epoch;
    assert_int_equal(world_do(&w, &free_it), ERR_OK);
    assert_int_equal(world_do(&w, &take), ERR_OK);
}

/* The lock is taken away: the next write is refused, and that ends it. */
static void
test_stolen(void **state)
{
    unsigned was;
    (void)state;

    start_all();
    world_run(&w, dur_s(25));
    was = leader();
    steal(was, "thief", dur_s(12));
    monitor_trouble(w.node[was].m, "se-000", RELOAD_CONNECTION);
    world_run(&w, dur_ms(100));
    assert_int_equal(world_leader(&w), -1);
    leads_again(-1, 14, requests());
}

static unsigned
quiet_of(unsigned i)
{
    struct monitor_status s;

    monitor_status(w.node[i].m, &s);
    return s.quiet_s;
}

/* Somebody has the lock and does nothing: after a while all say so, and until
 * then a change of leader is none of it. */
static void
test_nobody_polls(void **state)
{
    unsigned was, other;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    other = was ? 0 : 1;
    steal(was, "ghost", dur_s(300));
    for (int i = 0; i < 80; i++) {
        world_run(&w, dur_s(1));
        assert_int_equal(quiet_of(was), 0);
        assert_int_equal(quiet_of(other), 0);
    }
    world_run(&w, dur_s(70));
    assert_in_range(quiet_of(was), 120, 200);
    assert_in_range(quiet_of(other), 120, 200);
    world_run(&w, dur_s(200)); /* the lock has ended */
    assert_int_equal(quiet_of(was), 0);
    assert_int_equal(quiet_of(other), 0);
}

static void
run_not_quiet(struct dur d, struct dur step)
{
    for (int64_t ns = 0; ns < d.ns; ns += step.ns) {
        world_run(&w, step);
        for (unsigned i = 0; i < w.n; i++)
            assert_int_equal(quiet_of(i), 0);
    }
}

/* Nobody could poll without a store, or without elements: the time counts from
 * when somebody can, and he has to be elected first. */
static void
test_nobody_could_poll(void **state)
{
    const unsigned n = w.n_elements;
    (void)state;

    w.n_elements = 0; /* Admin has none either */
    world_list(&w, 0);
    start_all();
    run_not_quiet(dur_s(300), dur_s(1));
    w.n_elements = n;
    world_list(&w, n);
    for (unsigned i = 0; i < w.n; i++)
        monitor_reload(w.node[i].m, NULL);
    run_not_quiet(dur_s(1), dur_ms(1));
    run_not_quiet(dur_s(100), dur_s(1));
    lose_store_all(true);
    run_not_quiet(dur_s(300), dur_s(1));
    lose_store_all(false);
    run_not_quiet(dur_s(100), dur_ms(50));
    assert_true(requests() > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_paused), T(test_stopped),      T(test_cut_off),
        T(test_stolen), T(test_nobody_polls), T(test_nobody_could_poll),
    };

    return cmocka_run_group_tests_name("monitor_lease", tests, NULL, NULL);
}
