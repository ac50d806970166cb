/* sim_test.c - what the simulator says of the gateways as they are, and that it
 * would say something else of gateways that lack a safeguard. Longer runs:
 * tools/suite sim. SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "sim/sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct sim_conf small = {
    .length = {INT64_C(3600) * 1000000000},
    .quiet = {INT64_C(720) * 1000000000},
    .ingesters = 4,
    .elements = 8,
    .faults = SIM_ALL,
    .uploads = 900,
};

static struct sim_report
run(struct sim_conf c, uint64_t seed)
{
    struct sim_report r;

    c.seed = seed;
    assert_int_equal(sim_run(&c, &r), ERR_OK);
    return r;
}

/* Whether the gateways behave, the plain build shows; a sanitizer looks at the
 * code, which is the same with every seed. */
#define SEEDS TIMES(15, 2)

/* All safeguards, all faults. The numbers keep the runs from being empty. */
static void
test_seeds(void **state)
{
    uint64_t faults = 0, epochs = 0, stored = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_report r = run(small, seed);

        if (r.bad[0])
            fail_msg("%s\nartstore sim --seed %llu --hours 1 --ingesters 4 "
                     "--elements 8",
                     r.bad, (unsigned long long)seed);
        faults += r.faults;
        epochs += r.epochs;
        stored += r.stored;
    }
    assert_true(faults > SEEDS * 20);
    assert_true(epochs > SEEDS * 3);
    assert_true(stored > SEEDS * 500);
}

/* Each safeguard is missed when it is not there, and each check finds something
 * that only it looks for. Which seed does it changes with the program: most
 * rows need fewer than ten. */
static void
test_without(void **state)
{
    static const struct {
        enum sim_break without;
        unsigned faults;
        int64_t seconds;
        const char *says;
    } row[] = {
        /* D09: stale writes are refused */
        {SIM_NO_FENCE, SIM_ALL, 3600, "writer:"},
        /* D32: epochs after a failover */
        {SIM_NO_SIT_OUT, SIM_FAILOVER, 3600, "writer:"},
        /* D28: the ledger is the account */
        {SIM_NO_ACCOUNT, SIM_FULL, 3600, "promised"},
        /* CAP-056: what is full is seen */
        {SIM_NO_READ, SIM_FULL, 3600, "full"},
        /* REL: what is removed is unused */
        {SIM_NO_LIST, SIM_CHURN, 3600, "removed"},
        /* a priority or an address may be old until the end */
        {SIM_NO_LIST, SIM_CHURN, 120, "end:"},
    };

    (void)state;
    if (SANITIZED)
        skip();
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct sim_conf c = small;
        struct sim_report r = {0};

        c.breaks = row[i].without;
        c.faults = row[i].faults;
        c.length.ns = row[i].seconds * 1000000000;
        for (uint64_t seed = 1; seed <= 200; seed++) {
            r = run(c, seed);
            if (strstr(r.bad, row[i].says))
                break;
        }
        if (strstr(r.bad, row[i].says) == NULL)
            fail_msg("row %zu: nothing like \"%s\", but \"%s\"", i, row[i].says,
                     r.bad);
    }
}

/* One seed, one run; another seed, another run. */
static void
test_same(void **state)
{
    struct sim_report a = run(small, 7), b = run(small, 7), c = run(small, 8);

    (void)state;
    assert_true(a.hash == b.hash);
    assert_true(a.events == b.events && a.polls == b.polls);
    assert_true(a.judged == b.judged && a.writes == b.writes);
    assert_true(a.hash != c.hash);
}

/* CAP-006: four gateways poll as often as one; 100 elements for 2 h, every
 * 30 s: 24,000. (A day: 288,000, in tools/suite sim.) */
static void
test_polls(void **state)
{
    struct sim_conf c = small;
    struct sim_report r;

    (void)state;
    c.elements = 100;
    c.uploads = 0; /* who finds no room has it polled out of turn */
    c.length.ns *= 2;
    c.quiet.ns = 0;
    c.faults = 0;
    c.refresh.ns = INT64_C(60) * 1000000000;
    r = run(c, 1);
    assert_string_equal(r.bad, "");
    assert_in_range(r.polls, 24000 - 240, 24000 + 240);
    assert_int_equal(r.epochs, 1);
    assert_int_equal(r.refused, 0);
}

/* D28: more than the elements can hold, and nobody is promised what is not
 * there. That it is so is sim_run()'s to say; here it has been near. */
static void
test_room(void **state)
{
    struct sim_conf c = small;
    struct sim_report r;

    (void)state;
    c.uploads = 15000;
    c.faults = SIM_FULL;
    r = run(c, 1);
    assert_string_equal(r.bad, "");
    assert_true(r.stored > 1000);
    assert_true(r.no_room > 100);
    assert_true(r.promised > GIB);
}

/* D42: a leader that dies is followed within 33 s, one that leaves within 1 s;
 * sim_run() says so when it is otherwise, and here both have happened. */
static void
test_follow(void **state)
{
    struct sim_conf c = small;
    int64_t crash = 0, release = 0;

    (void)state;
    c.faults = SIM_KILL;
    c.length.ns *= 4;
    for (uint64_t seed = 1; seed <= TIMES(4, 1); seed++) {
        struct sim_report r = run(c, seed);

        assert_string_equal(r.bad, "");
        crash = r.crash.ns > crash ? r.crash.ns : crash;
        release = r.release.ns > release ? r.release.ns : release;
    }
    assert_in_range(crash, INT64_C(1000000000), INT64_C(33000000000));
    assert_in_range(release, 1, INT64_C(1000000000));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),  cmocka_unit_test(test_without),
        cmocka_unit_test(test_same),   cmocka_unit_test(test_polls),
        cmocka_unit_test(test_follow), cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
