/* lease_failover_test.c - the situations of CAP-107 among instances of lease.h
 * around a store: what happens to a leader, and how soon another one leads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/lease_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct world *
began(unsigned n, uint64_t seed)
{
    static struct world w;

    world_init(&w, n, seed);
    for (unsigned i = 0; i < n; i++)
        world_start(&w, i);
    if (world_until_leader(&w, dur_s(2)) < 0)
        fail_msg("nobody leads after 2 s");
    world_run(&w, dur_s(10 + (int64_t)(seed % 20)));
    return &w;
}

static void
good(const struct world *w, const char *what)
{
    if (w->bad[0])
        fail_msg("%s: %s", what, w->bad);
}

/* What happens to the leader, and within how many ms another one leads. */
enum fate { KILLED, STOPPED, PAUSED, FROZEN, CUT, DEAF, STOLEN, FATES };

static void
strike(struct world *w, enum fate fate, unsigned i)
{
    switch (fate) {
    case KILLED:
        world_kill(w, i);
        break;
    case STOPPED:
        world_stop(w, i);
        break;
    case PAUSED:
        world_pause(w, i, dur_s(50));
        break;
    case FROZEN:
        world_freeze(w, i, dur_s(50));
        break;
    case CUT:
        world_lose(w, i, 100, 100);
        break;
    case DEAF:
        world_lose(w, i, 0, 100);
        break;
    default:
        world_steal(w);
        break;
    }
}

static void
test_failover(void **state)
{
    static const struct {
        enum fate fate;
        int64_t ms;
        enum lease_why lost; /* by the old leader, if it lives */
        const char *why;
    } row[] = {
        {KILLED, 33000, LEASE_NO_REASON, "leader killed (D42)"},
        {STOPPED, 1000, LEASE_NO_REASON, "stopped orderly: at once"},
        {PAUSED, 33000, LEASE_EXPIRED, "SIGSTOP beyond the TTL, resumed"},
        {FROZEN, 33000, LEASE_FENCED, "the machine stood still, clock too"},
        {CUT, 33000, LEASE_EXPIRED, "the store unreachable from it only"},
        {DEAF, 66000, LEASE_EXPIRED, "what it asks is done, and not answered"},
        {STOLEN, 3000, LEASE_FENCED, "lock deleted: seen at the next write"},
    };
    (void)state;

    assert_int_equal(countof(row), FATES);
    for (uint64_t seed = 0; seed < 100 * countof(row); seed++) {
        size_t r = seed % countof(row);
        struct world *w = began(4, seed);
        unsigned old = (unsigned)world_leader(w);
        uint64_t epoch = w->write_epoch;
        int64_t start = w->now, ms;
        unsigned owner = w->inst[old].owner;

        strike(w, row[r].fate, old);
        while (w->write_epoch == epoch && w->now < start + dur_s(90).ns)
            world_run(w, dur_ms(10));
        ms = (w->now - start) / 1000000;
        if (ms > row[r].ms)
            fail_msg("seed %d, %s: %d ms", (int)seed, row[r].why, (int)ms);
        world_run(w, dur_s(60)); /* the old one wakes up meanwhile */
        good(w, row[r].why);
        if (w->inst[old].owner == owner && row[r].lost &&
            (w->inst[old].changes[LEASE_LOST] == 0 ||
             (w->inst[old].why != row[r].lost &&
              w->inst[old].why != LEASE_TAKEN)))
            fail_msg("seed %d, %s: lost %u times, because %s", (int)seed,
                     row[r].why, w->inst[old].changes[LEASE_LOST],
                     lease_why_text(w->inst[old].why));
        if (world_leader(w) < 0)
            fail_msg("seed %d, %s: nobody leads", (int)seed, row[r].why);
    }
}

/* A release that nobody heard of: at the next look (CAP-023: 10 s). */
static void
test_release_unheard(void **state)
{
    (void)state;

    for (uint64_t seed = 0; seed < 50; seed++) {
        struct world *w = began(3, seed);
        unsigned old = (unsigned)world_leader(w);
        int64_t ms;

        world_stop(w, old);
        while (w->inst[old].owner)
            world_run(w, dur_ms(1));
        for (unsigned i = 0; i < w->msgs; i++) /* the hints are lost */
            if (w->msg[i].kind == WORLD_HINT)
                w->msg[i].owner = 0;
        ms = world_until_leader(w, dur_s(40));
        if (ms < 0 || ms > 11100)
            fail_msg("seed %d: %d ms", (int)seed, (int)ms);
        good(w, "release unheard");
    }
}

/* The store restarts with and without its memory, or a replica takes over that
 * lacks the last write: one TTL of silence, then a higher epoch. */
static void
test_store_replaced(void **state)
{
    static const struct {
        enum world_memory memory;
        int64_t down_ms, skew_ms;
        const char *why;
    } row[] = {
        {WORLD_ALL, 500, 0, "restarted"},
        {WORLD_ALL, 15000, 0, "restarted after the deadline was near"},
        {WORLD_ALL, 60000, 0, "restarted after a minute"},
        {WORLD_NOTHING, 500, 0, "restarted empty"},
        {WORLD_NOT_LAST, 3000, 0, "failover that lost the last write"},
        {WORLD_NOT_LAST, 3000, -10000, "to a clock that is behind"},
        {WORLD_NOTHING, 3000, -10000, "the same, empty"},
        {WORLD_NOT_LAST, 3000, 10000, "to a clock that is ahead"},
    };
    (void)state;

    for (uint64_t seed = 0; seed < 50 * countof(row); seed++) {
        size_t r = seed % countof(row);
        struct world *w = began(4, seed);
        uint64_t epoch = w->write_epoch;
        int64_t ms;

        world_down(w);
        world_run(w, dur_ms(row[r].down_ms));
        w->skew_ms = row[r].skew_ms;
        world_up(w, row[r].memory);
        world_run(w, dur_s(12)); /* the leader has noticed by now */
        if (world_leader(w) >= 0)
            fail_msg("%s: it did not sit out", row[r].why);
        /* Noticed within 10 s, a TTL, the jitter; a lock under way. */
        ms = world_until_leader(w, dur_s(60));
        if (ms < 0 || ms > 42000)
            fail_msg("seed %d, %s: %d ms", (int)seed, row[r].why, (int)ms);
        world_run(w, dur_s(20));
        good(w, row[r].why);
        if (w->write_epoch <= epoch)
            fail_msg("%s: the epoch did not grow", row[r].why);
    }
}

/* N at once: one leads, the others ask at most once in 10 s (CAP-107). */
static void
test_together(void **state)
{
    (void)state;

    for (unsigned n = 1; n <= WORLD_MAX; n++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct world *w = began(n, seed + n);
            unsigned takes = 0, got = 0;

            w->exclusive = true;
            for (unsigned i = 0; i < n; i++)
                w->inst[i].takes = 0;
            world_run(w, dur_s(600));
            good(w, "together");
            for (unsigned i = 0; i < n; i++) {
                takes += w->inst[i].takes;
                got += w->inst[i].changes[LEASE_ACQUIRED];
            }
            assert_int_equal(got, 1); /* it stays with whom it is */
            assert_true(takes <= (n - 1) * 60);
            assert_int_equal(w->refused, 0);
            assert_true(w->accepted > 590);
        }
}

/* What all this is for: without the fence the same faults do harm. */
static void
test_without_fence(void **state)
{
    struct world *w = began(2, 3);
    unsigned old = (unsigned)world_leader(w);
    (void)state;

    w->fence = false;
    world_freeze(w, old, dur_s(50));
    world_run(w, dur_s(60));
    assert_non_null(strstr(w->bad, "a stale write was accepted"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_release_unheard),
        cmocka_unit_test(test_store_replaced),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_without_fence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
