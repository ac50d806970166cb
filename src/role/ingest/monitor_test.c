/* monitor_test.c - the capacity monitor in virtual time: one to four gateways,
 * their elements, the store and Admin (CAP-102...CAP-108, REL-149...REL-157).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct world w;

static int
set_up(void **state)
{
    (void)state;
    world_open(&w, 4, 8);
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
    world_list(&w, w.n_elements);
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
}

/* ---- from the element to the choice ---- */

/* CAP-044...CAP-051: what is in the store after the first polls. */
static void
test_store(void **state)
{
    (void)state;
    w.e[2].mode = "ro";
    w.e[4].status = "full";
    start_all();
    world_run(&w, dur_s(1));
    assert_string_equal(world_hash(&w, "capacity:se-000", "storage_id"),
                        "se-000");
    assert_string_equal(world_hash(&w, "capacity:se-000", "mode"), "edit");
    assert_string_equal(world_hash(&w, "capacity:se-000", "total"),
                        "1073741824000");
    assert_string_equal(world_hash(&w, "capacity:se-000", "percent_used"),
                        "10.00");
    assert_string_equal(world_hash(&w, "capacity:se-000", "health"), "healthy");
    assert_string_equal(world_hash(&w, "capacity:se-000", "backend"), "local");
    assert_string_equal(world_hash(&w, "capacity:se-000", "endpoint"),
                        "http://dc1:8443/se-000");
    assert_int_equal(strncmp(world_hash(&w, "capacity:se-000", "last_poll"),
                             "2025-10-09T", 11),
                     0);
    assert_string_equal(world_text(&w, "health:se-000"), "healthy");
    /* by priority; neither the one of another mode nor the full one */
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-000:10 se-006:16");
    assert_string_equal(world_set(&w, "capacity:rw:available"),
                        "se-001:11 se-003:13 se-005:15 se-007:17");
    assert_string_equal(w.e[0].auth, "Authorization: Bearer t0ken\r\n");
}

/* CAP-059: all gateways choose alike, whoever leads. */
static void
test_choice(void **state)
{
    (void)state;
    start_all();
    world_run(&w, dur_s(6));
    assert_true(world_leader(&w) >= 0);
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_RW),
                            "se-001");
        assert_int_equal(
            world_count(
                &w, i,
                metric_series(w.node[i].metrics, M_ELEMENTS_AVAILABLE, "edit")),
            4);
    }
    assert_int_equal(w.admin_asked, 0);
    w.e[0].status = "full";
    world_run(&w, dur_s(38)); /* the poll, and the interval of the others */
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    w.e[0].status = "ok";
    world_run(&w, dur_s(38));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_store),
        T(test_choice),
    };

    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
