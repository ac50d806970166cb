/* health_test.c - tests of health.h (D11, ING-091, ING-096, ING-097, PRD-167 to
 * PRD-185). SPDX-License-Identifier: Apache-2.0 */
#include "obs/health.h"
#include "obs/metric.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct mono T0 = {1000000000};

static struct health *
open_health(struct metrics *m)
{
    struct health_conf conf = {
        .version = "1.2.3",
        .instance_id = "i-1",
        .started = T0,
        .metrics = m,
    };
    struct health *h = health_open(&conf);

    assert_non_null(h);
    return h;
}

static json_t *
ask(struct health *h, enum health_kind kind, int64_t after_s, bool summary,
    unsigned want)
{
    struct health_now now = {mono_add(T0, dur_s(after_s)), {0}, summary};
    struct buf b;
    json_t *j;
    unsigned http;

    buf_init(&b, 1 * MIB);
    http = health_answer(h, kind, &now, &b);
    if (http != want)
        fail_msg("%u instead of %u: %s", http, want, buf_str(&b));
    j = json_loadb(buf_str(&b), b.n, JSON_REJECT_DUPLICATES, NULL);
    if (!j)
        fail_msg("not JSON: %s", buf_str(&b));
    buf_release(&b);
    return j;
}

static const char *
text_of(json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "(none)";
}

/* Overall from two components: PRD-180, ING-096. */
static void
test_overall(void **state)
{
    enum { OK = HEALTH_HEALTHY, DEG = HEALTH_DEGRADED, BAD = HEALTH_UNHEALTHY };
    static const struct {
        int critical, other;
        const char *status, *aggregate;
        unsigned http;
        const char *why;
    } row[] = {
        {OK, OK, "healthy", "ok", 200, "all well"},
        {OK, DEG, "degraded", "degraded", 200, "a part is weak"},
        {OK, BAD, "degraded", "degraded", 200, "one that we can do without"},
        {DEG, OK, "degraded", "degraded", 200, "critical but only weak"},
        {BAD, OK, "unhealthy", "fail", 503, "critical"},
        {BAD, BAD, "unhealthy", "fail", 503, "both"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct health *h = open_health(NULL);
        int a = health_add(h, "database", true, dur_s(0));
        int b = health_add(h, "redis", false, dur_s(0));
        json_t *j;

        health_started(h);
        health_set(h, a, (enum health_status)row[i].critical, "m", dur_ms(2),
                   T0);
        health_set(h, b, (enum health_status)row[i].other, "m", dur_ms(2), T0);
        j = ask(h, HEALTH_READY, 5, false, row[i].http);
        if (strcmp(text_of(j, "status"), row[i].status) != 0 ||
            strcmp(text_of(j, "aggregate"), row[i].aggregate) != 0)
            fail_msg("%s", row[i].why);
        json_decref(j);
        /* D11: liveness looks at none of them. */
        json_decref(ask(h, HEALTH_LIVE, 5, false, 200));
        health_close(&h);
    }
}

/* PRD-181, PRD-182, ING-097 */
static void
test_shape(void **state)
{
    struct health *h = open_health(NULL);
    int disk = health_add(h, "disk", true, dur_s(0));
    json_t *j, *c;
    (void)state;

    health_started(h);
    health_set(h, disk, HEALTH_HEALTHY, NULL, (struct dur){1700000}, T0);
    assert_true(health_detail(h, disk, SLICE("{\"total\": 2}")));
    assert_true(health_extra(h, "data_sources", SLICE("{\"primary\": 1}")));
    assert_true(health_extra(h, "data_sources", SLICE("{\"primary\": 2}")));
    j = ask(h, HEALTH_READY, 123, false, 200);
    assert_string_equal(text_of(j, "version"), "1.2.3");
    assert_string_equal(text_of(j, "instance_id"), "i-1");
    assert_string_equal(text_of(j, "timestamp"), "1970-01-01T00:00:00.000Z");
    assert_true(json_number_value(json_object_get(j, "uptime_seconds")) ==
                123.0);
    c = json_array_get(json_object_get(j, "components"), 0);
    assert_string_equal(text_of(c, "name"), "disk");
    assert_string_equal(text_of(c, "status"), "healthy");
    assert_string_equal(text_of(c, "message"), "ok");
    assert_true(json_is_true(json_object_get(c, "critical")));
    assert_true(json_number_value(json_object_get(c, "check_duration_ms")) ==
                1.7);
    c = json_object_get(json_object_get(j, "checks"), "disk");
    assert_string_equal(text_of(c, "status"), "ok");
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(c, "detail"), "total")),
                     2);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(j, "data_sources"), "primary")),
                     2);
    json_decref(j);
    /* PRD-174: without names and versions of what is behind. */
    j = ask(h, HEALTH_READY, 1, true, 200);
    assert_null(json_object_get(j, "version"));
    assert_null(json_object_get(j, "data_sources"));
    c = json_array_get(json_object_get(j, "components"), 0);
    assert_string_equal(text_of(c, "message"), "");
    json_decref(j);
    health_close(&h);
    assert_null(h);
}

/* PRD-170, PRD-172 */
static void
test_life(void **state)
{
    struct health *h = open_health(NULL);
    int db = health_add(h, "database", true, dur_s(0));
    json_t *j;
    (void)state;

    health_step(h, "opening the index");
    j = ask(h, HEALTH_STARTUP, 0, false, 503);
    assert_string_equal(text_of(j, "message"),
                        "initializing: opening the index");
    json_decref(j);
    json_decref(ask(h, HEALTH_READY, 0, false, 503));
    json_decref(ask(h, HEALTH_LIVE, 0, false, 200));
    health_started(h);
    json_decref(ask(h, HEALTH_READY, 0, false, 503)); /* not checked yet */
    health_set(h, db, HEALTH_HEALTHY, NULL, dur_ms(1), T0);
    json_decref(ask(h, HEALTH_READY, 0, false, 200));
    health_set(h, db, HEALTH_UNHEALTHY, "gone", dur_ms(1), T0);
    json_decref(ask(h, HEALTH_READY, 0, false, 503));
    json_decref(ask(h, HEALTH_STARTUP, 0, false, 200)); /* for good */
    health_set(h, db, HEALTH_HEALTHY, NULL, dur_ms(1), T0);
    health_draining(h);
    j = ask(h, HEALTH_READY, 0, false, 503);
    assert_string_equal(text_of(j, "message"), "shutting_down");
    json_decref(j);
    json_decref(ask(h, HEALTH_LIVE, 0, false, 200));
    health_stuck(h, true); /* PRD-168 */
    json_decref(ask(h, HEALTH_LIVE, 0, false, 503));
    health_close(&h);
}

/* A check that stopped looking does not stay healthy for ever. */
static void
test_stale(void **state)
{
    struct health *h = open_health(NULL);
    int db = health_add(h, "database", true, dur_s(30));
    (void)state;

    health_started(h);
    health_set(h, db, HEALTH_HEALTHY, NULL, dur_ms(1), T0);
    json_decref(ask(h, HEALTH_READY, 29, false, 200));
    json_decref(ask(h, HEALTH_READY, 30, false, 503));
    assert_int_equal(health_overall(h, mono_add(T0, dur_s(30))),
                     HEALTH_UNHEALTHY);
    health_set(h, db, HEALTH_HEALTHY, NULL, dur_ms(1), mono_add(T0, dur_s(31)));
    json_decref(ask(h, HEALTH_READY, 32, false, 200));
    health_close(&h);
}

/* Nor do its metrics: else no alert would tell of it. */
static void
test_stale_gauge(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    struct health *h = open_health(m);
    int db = health_add(h, "database", true, dur_s(30));
    struct series gauge = metric_series(m, M_HEALTH_STATUS, "database");
    (void)state;

    health_set(h, db, HEALTH_DEGRADED, "slow", dur_ms(1), T0);
    health_gauges(h, mono_add(T0, dur_s(29)));
    assert_int_equal(metric_value(m, gauge), 500);
    health_gauges(h, mono_add(T0, dur_s(30)));
    assert_int_equal(metric_value(m, gauge), 0);
    health_close(&h);
    metrics_close(&m);
}

static void
test_ceilings(void **state)
{
    struct health *h = open_health(NULL);
    static const char big[HEALTH_DETAIL_MAX + 1];
    char message[400];
    json_t *j;
    int c;
    (void)state;

    c = health_add(h, "first", false, dur_s(0));
    for (int i = 1; i < HEALTH_CHECKS_MAX; i++)
        assert_int_equal(health_add(h, "x", false, dur_s(0)), i);
    assert_int_equal(health_add(h, "x", false, dur_s(0)), -1);
    assert_false(health_detail(h, c, slice_of(big, sizeof(big))));
    memset(message, '\"', sizeof(message) - 1);
    message[sizeof(message) - 1] = 0;
    health_close(&h);

    h = open_health(NULL);
    c = health_add(h, "first", false, dur_s(0));
    health_set(h, c, HEALTH_DEGRADED, message, dur_ms(1), T0);
    j = ask(h, HEALTH_READY, 0, false, 503); /* is still JSON */
    json_decref(j);
    health_close(&h);
}

/* PRD-149, PRD-150 */
static void
test_metrics(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    struct health *h = open_health(m);
    int c = health_add(h, "disk", true, dur_s(0));
    struct buf b;
    (void)state;

    health_set(h, c, HEALTH_DEGRADED, "9 % free", dur_ms(7), T0);
    buf_init(&b, MIB);
    assert_true(metrics_expose(m, &b));
    assert_non_null(
        strstr(buf_str(&b), "health_check_status{component=\"disk\"} 0.5\n"));
    assert_non_null(strstr(buf_str(&b), "health_check_duration_seconds_bucket{"
                                        "component=\"disk\",le=\"0.01\"} 1\n"));
    buf_release(&b);
    health_close(&h);
    metrics_close(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overall),     cmocka_unit_test(test_shape),
        cmocka_unit_test(test_life),        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_ceilings),    cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_stale_gauge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
