/* place_view_test.c - choosing from the monitor's view, and leaving alone who
 * fails: one gateway, its monitor, elements that are made up, virtual time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/capacity.h"
#include "role/ingest/impl.h"
#include "role/ingest/monitor_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <jansson.h>

static struct world w;
static struct ingest g;
static struct ingest_loop il;
static struct place p;
static struct refusal why;
static struct buf details;

static int
set_up(void **state)
{
    (void)state;
    world_open(&w, 1, 6); /* every second one is of mode rw */
    world_list(&w, 6);
    world_start(&w, 0);
    world_run(&w, dur_s(1));
    memset(&g, 0, sizeof(g));
    memset(&il, 0, sizeof(il));
    p = (struct place){.retention = RETENTION_TEMPORARY, .size = MIB};
    il.loop = &w.node[0].lm.loop;
    g.loop = &il;
    g.n_loops = 1;
    g.conf.monitor = w.node[0].m;
    g.conf.datacenter = "";
    g.conf.fill_width = 1;
    g.conf.metrics = w.node[0].metrics;
    g.conf.breakers = (struct breaker_conf){.failure_threshold = 2,
                                            .success_threshold = 1,
                                            .open_for = dur_s(10),
                                            .probe_for = dur_s(60)};
    counts_ingest_init(&g.counts, g.conf.metrics, NULL);
    buf_init(&details, VERDICTS_MAX);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    place_forget(&il);
    buf_release(&details);
    world_close(&w);
    return 0;
}

/* The id of the choice, "" for none. */
static const char *
choose(void)
{
    static char id[65];
    struct blob *b;

    why = (struct refusal){0};
    b = place_choose(&g, &il, &p, &why, &details);
    (void)snprintf(id, sizeof(id), "%s", b ? b->element_id : "");
    blob_drop(&b);
    return id;
}

static int64_t
counted(const char *source, const char *status)
{
    return metric_value(
        g.conf.metrics,
        metric_series(g.conf.metrics, M_SELECTION_SOURCE, source, status));
}

/* ---- choosing ---- */

static void
test_choice(void **state)
{
    (void)state;
    assert_string_equal(choose(), "se-000");
    assert_int_equal(p.from, VIEW_POLLED);
    p.retention = RETENTION_PERMANENT;
    assert_string_equal(choose(), "se-001");
    assert_int_equal(counted("adaptive_monitor", "success"), 2);
    /* D28: by their numbers none has room; some are asked themselves. */
    p.size = (uint64_t)1 << 50;
    assert_string_equal(choose(), "se-001");
    assert_int_equal(p.doubts, 1);
    p.doubts = DOUBTS_MAX;
    assert_string_equal(choose(), "");
    assert_int_equal(why.status, 507);
    assert_int_equal(counted("none", "failed"), 1);
}

/* ING-118: what failed or refused earlier is passed over. */
static void
test_excluded(void **state)
{
    json_t *o, *e;
    (void)state;

    assert_true(place_exclude(&p, "se-000", false));
    assert_string_equal(choose(), "se-002");
    assert_true(place_exclude(&p, "se-002", true));
    assert_string_equal(choose(), "se-004");
    assert_true(place_exclude(&p, "se-004", true));
    assert_string_equal(choose(), "");
    assert_int_equal(why.status, 503); /* one of them has only failed */
    o = json_loads(buf_str(&details), 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "source")),
                        "adaptive_monitor");
    e = json_object_get(o, "elements");
    assert_int_equal(json_array_size(e), 6);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(e, 0), "verdict")),
        "excluded");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(e, 2), "verdict")),
        "excluded_full");
    json_decref(o);
}

/* ---- breakers ---- */

static void
fails(unsigned times)
{
    while (times--) {
        assert_string_equal(choose(), "se-000");
        place_report(&g, &il, &p, "se-000", BREAKER_FAILURE);
    }
}

/* What is told of ID's health. */
static const char *
health(const char *id)
{
    long at = snapshot_find(il.part->snap, id);
    static struct blob_capacity c;
    struct blob *b = il.part->blob[at];

    b->ops->capacity(b, &c);
    return capacity_health(&c, il.loop->now);
}

static void
test_breaker(void **state)
{
    (void)state;
    fails(1);
    assert_string_equal(choose(), "se-000"); /* a good one in between */
    place_report(&g, &il, &p, "se-000", BREAKER_SUCCESS);
    fails(2);
    assert_string_equal(health("se-000"), "degraded: failed too often of late");
    assert_string_equal(health("se-002"), "healthy");
    assert_string_equal(choose(), "se-002"); /* it is left alone */
    assert_int_equal(
        metric_value(g.conf.metrics,
                     metric_series(g.conf.metrics, M_BREAKER_STATE, "se-000")),
        BREAKER_OPEN);
    world_run(&w, dur_s(11));
    assert_string_equal(health("se-000"), "healthy");
    assert_string_equal(choose(), "se-000"); /* one trial */
    {
        struct place other = p;

        p = (struct place){.size = MIB};
        assert_string_equal(choose(), "se-002"); /* and no second */
        p = other;
    }
    place_report(&g, &il, &p, "se-000", BREAKER_SUCCESS);
    place_report(&g, &il, &p, "se-000", BREAKER_FAILURE); /* told once only */
    assert_string_equal(choose(), "se-000");
}

/* Views come and go with each poll; what this loop knows stays. */
static void
test_breaker_outlives_views(void **state)
{
    const struct view_part *before;
    (void)state;

    g.conf.breakers.open_for = dur_s(3600);
    fails(2);
    before = il.part;
    world_run(&w, dur_s(120));
    assert_string_equal(choose(), "se-002");
    assert_ptr_not_equal(il.part, before);
    world_list_range(&w, 1, 6); /* it goes, and comes back: another life */
    world_run(&w, dur_s(120));
    assert_string_equal(choose(), "se-002");
    world_list(&w, 6);
    world_run(&w, dur_s(120));
    assert_string_equal(choose(), "se-000");
}

/* ---- when nobody says anything ---- */

static void
test_sources(void **state)
{
    struct fail *store = &w.node[0].store.fail;
    (void)state;

    *store = (struct fail){.at = 1, .on = true};
    world_run(&w, dur_s(20));
    assert_false(place_admin_asks(&g, &il)); /* it has been asked ahead */
    assert_string_equal(choose(), "se-000");
    assert_int_equal(p.from, VIEW_ADMIN);
    assert_int_equal(counted("adaptive_monitor", "failed"), 1);
    assert_int_equal(counted("admin_module", "success"), 1);
    w.admin_down = true;
    world_run(&w, dur_s(20));
    assert_true(place_admin_asks(&g, &il));
    assert_string_equal(choose(), "");
    assert_int_equal(why.status, 503);
    assert_string_equal(why.code, "no_available_storage");
    assert_non_null(strstr(why.text, "Nobody says how full"));
    *store = (struct fail){0};
    w.admin_down = false;
    world_run(&w, dur_s(60));
    assert_string_equal(choose(), "se-000");
    assert_int_equal(p.from, VIEW_POLLED);
}

/* The element that comes first has an address that this gateway cannot go to:
 * the others are chosen from, whoever has told of it. */
static void
test_bad_address(void **state)
{
    (void)state;

    (void)snprintf(w.e[0].url, sizeof(w.e[0].url), "https://dc1:8443/se-000");
    world_list(&w, 6);
    world_run(&w, dur_s(120));
    assert_string_equal(choose(), "se-002");
    assert_int_equal(p.from, VIEW_POLLED);
    w.node[0].store.fail = (struct fail){.at = 1, .on = true};
    world_run(&w, dur_s(20));
    assert_string_equal(choose(), "se-002");
    assert_int_equal(p.from, VIEW_ADMIN);
}

static void
test_explain(void **state)
{
    struct buf b;
    json_t *o;
    (void)state;

    buf_init(&b, VERDICTS_MAX);
    buf_add_str(&b, "{\"choice\":");
    place_far_explain(&g, &il, &p, &b);
    buf_add_char(&b, '}');
    o = json_loads(buf_str(&b), 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "choice")),
                        "se-000");
    assert_int_equal(json_array_size(json_object_get(o, "elements")), 6);
    json_decref(o);
    buf_release(&b);
}

/* Who polls knows why an element takes nothing, and so does who is refused. */
static void
test_reason(void **state)
{
    (void)state;
    w.e[0].way = w.e[2].way = w.e[4].way = FAKE_REFUSES;
    world_run(&w, dur_s(200));
    assert_string_equal(choose(), "");
    assert_int_equal(why.status, 503);
    assert_non_null(strstr(buf_str(&details), "cannot be written to at "
                                              "present: connection_error"));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_choice),  T(test_excluded),
        T(test_breaker), T(test_breaker_outlives_views),
        T(test_sources), T(test_bad_address),
        T(test_explain), T(test_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
