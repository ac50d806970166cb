/* monitor_test.c - the capacity monitor in virtual time: how elements are
 * polled, how often, and that all gateways choose by it alike (CAP-102 to
 * CAP-108, REL-149 to REL-157).
 *
 * Its other tests: monitor_lease_test.c, who polls; monitor_list_test.c, which
 * elements; monitor_lost_test.c, when the store or Admin is gone;
 * monitor_changed_test.c, how rounds read what was polled; monitor_keys_test.c,
 * keys that are brought.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "role/ingest/monitor_four.h"
#include <string.h>

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
    w.admin_asked = 0; /* before the first polls it stands in */
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
    assert_int_equal(w.admin_asked, 0);
}

/* ---- how often ---- */

/* CAP-005, CAP-006: 4 gateways poll as often as one; 100 elements, every 30 s,
 * are 288,000 a day. (A whole day, and who leads changes: tools/suite sim.) */
static void
test_hours(void **state)
{
    const int hours = TIMES(6, 1), want = hours * 12000;
    unsigned n;
    (void)state;

    world_close(&w);
    world_open(&w, 4, 100);
    for (unsigned i = 0; i < w.n; i++)
        w.node[i].conf.refresh = dur_s(300); /* not what is measured here */
    start_all();
    world_run(&w, dur_s(hours * 3600));
    n = requests();
    print_message("%d h of 4 gateways and 100 elements: %u polls\n", hours, n);
    assert_in_range(n, want - want / 100, want + want / 100);
}

/* On all gateways, not only where it is polled. */
static void
expect_gauge(const char *id, int want)
{
    for (unsigned i = 0; i < w.n; i++)
        assert_int_equal(
            world_count(
                &w, i, metric_series(w.node[i].metrics, M_ELEMENT_HEALTHY, id)),
            want);
}

/* CAP-036, CAP-108: 1 + 3 requests, with 2, 4, 8 s between them; the third
 * failed poll makes it unhealthy, the interval grows; two good ones heal it.
 * The others do not notice. */
static void
test_backoff(void **state)
{
    unsigned n;
    (void)state;

    start_all();
    world_run(&w, dur_s(35));
    w.e[0].way = FAKE_ERROR;
    w.e[0].http = 503;
    n = w.e[0].requests;
    world_run(&w, dur_s(48)); /* a poll comes within 33 s and takes 14 s */
    assert_true(w.e[0].requests - n >= 4);
    assert_string_equal(world_text(&w, "health:se-000"), "healthy");
    expect_gauge("se-000", 1);
    world_run(&w, dur_s(90));
    assert_string_equal(world_text(&w, "health:se-000"),
                        "unhealthy: http_error");
    assert_string_equal(world_hash(&w, "capacity:se-000", "health"),
                        "unhealthy: http_error");
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-002:12 se-004:14 se-006:16");
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    expect_gauge("se-000", 0);
    expect_gauge("se-002", 1);
    world_run(&w, dur_s(1200));
    n = w.e[0].requests;
    world_run(&w, dur_s(1200));
    assert_in_range(w.e[0].requests - n, 4 * 3, 4 * 5); /* every 300 s */
    w.e[0].way = FAKE_GOOD;
    for (int i = 0; i < 310 && strcmp(world_text(&w, "health:se-000"),
                                      "unhealthy: recovering") != 0;
         i++)
        world_run(&w, dur_s(1));
    assert_string_equal(world_text(&w, "health:se-000"),
                        "unhealthy: recovering");
    world_run(&w, dur_s(15)); /* the second good poll, and a round */
    assert_string_equal(world_text(&w, "health:se-000"), "healthy");
    expect_gauge("se-000", 1);
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
}

/* What counts as which failure (CAP-040). */
static void
test_errors(void **state)
{
    static const struct {
        enum fake_way way;
        int http;
        const char *label;
    } row[] = {
        {FAKE_SILENT, 0, "timeout"},
        {FAKE_REFUSES, 0, "connection_error"},
        {FAKE_ERROR, 500, "http_error"},
        {FAKE_ERROR, 404, "http_error"},
        {FAKE_NONSENSE, 0, "invalid_response"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        w.e[i].way = row[i].way;
        w.e[i].http = row[i].http;
    }
    start_all();
    world_run(&w, dur_s(200));
    for (size_t i = 0; i < countof(row); i++) {
        unsigned n = leader();
        struct metrics *x = w.node[n].metrics;
        int64_t got = world_count(
            &w, n, metric_series(x, M_POLL_FAILURES, w.e[i].id, row[i].label));

        if (got < 2)
            fail_msg("%s: %lld", row[i].label, (long long)got);
    }
    /* One that is not repeated costs one request. */
    assert_true(w.e[3].requests < w.e[2].requests);
    /* A slow one delays nobody (CAP-037). */
    assert_in_range(w.e[7].answered, 6, 8);
}

/* ---- lazy ---- */

/* REL-153, REL-154: 507 at one gateway; all of them see it in a second. */
static void
test_lazy(void **state)
{
    unsigned was, other, n;
    (void)state;

    start_all();
    world_run(&w, dur_s(25));
    was = leader();
    other = (was + 1) % w.n;
    w.e[0].status = "full";
    n = w.e[0].requests;
    for (int i = 0; i < 20; i++)
        monitor_trouble(w.node[other].m, "se-000", RELOAD_NO_ROOM);
    for (unsigned i = 0; i < w.n; i++)
        monitor_trouble(w.node[i].m, "se-000", RELOAD_NO_ROOM);
    world_run(&w, dur_ms(1000));
    assert_string_equal(world_hash(&w, "capacity:se-000", "status"), "full");
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-002:12 se-004:14 se-006:16");
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    assert_int_equal(w.e[0].requests, n + 1); /* one for all of them */
    assert_int_equal(
        world_count(&w, other,
                    metric_series(w.node[other].metrics, M_LAZY_UPDATES,
                                  "se-000", "insufficient_storage")),
        21);
    world_run(&w, dur_s(5));
    monitor_trouble(w.node[other].m, "se-002", RELOAD_CONNECTION);
    monitor_trouble(w.node[other].m, "unknown", RELOAD_NOT_FOUND);
    world_run(&w, dur_s(1));
    assert_true(
        world_count(&w, other,
                    metric_series(w.node[other].metrics, M_SE_LAZY_RELOADS,
                                  "insufficient_storage", "success")) >= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_store),   T(test_choice), T(test_hours),
        T(test_backoff), T(test_errors), T(test_lazy),
    };

    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
