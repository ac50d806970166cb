/* metric_test.c - tests of metric.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/metric.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static bool
shows(struct metrics *m, const char *line)
{
    struct buf b;
    bool found;

    buf_init(&b, 64 * MIB);
    assert_true(metrics_expose(m, &b));
    found = strstr(buf_str(&b), line) != NULL;
    buf_release(&b);
    return found;
}

#define assert_shows(m, line)                  \
    do {                                       \
        if (!shows((m), (line)))               \
            fail_msg("not shown: %s", (line)); \
    } while (0)

/* ING-302: closed label sets are there with 0 before anything has happened. */
static void
test_birth(void **state)
{
    struct metrics *m = metrics_open(4, METRIC_GROUP_ALL, 1);
    (void)state;

    assert_non_null(m);
    assert_shows(m, "# HELP artstore_ingester_uploads_total Uploads.\n"
                    "# TYPE artstore_ingester_uploads_total counter\n"
                    "artstore_ingester_uploads_total{status=\"success\"} 0\n"
                    "artstore_ingester_uploads_total{status=\"failure\"} 0\n");
    assert_shows(m, "storage_selection_total{retention_policy=\"PERMANENT\","
                    "status=\"failure\",source=\"admin_module\"} 0\n");
    assert_shows(m, "storage_selection_source_total{source=\"none\","
                    "status=\"success\"} 0\n");
    metrics_close(&m);
    assert_null(m);
}

/* PRD-038: a component that is not there is not shown. */
static void
test_groups(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_HTTP, 1);
    (void)state;

    assert_shows(m, "artstore_http_bytes_total");
    assert_shows(m, "process_open_fds");
    assert_false(shows(m, "artstore_ingester_"));
    metric_inc(m, metric_series(m, M_UPLOADS, "success")); /* harmless */
    metrics_close(&m);
}

static void
test_counting(void **state)
{
    struct metrics *m = metrics_open(4, METRIC_GROUP_ALL, 1);
    struct series s;
    (void)state;

    s = metric_series(m, M_UPLOADS, "failure");
    assert_int_equal(s.cell, metric_nth(m, M_UPLOADS, 1).cell);
    metric_add(m, s, 41);
    metric_inc(m, s);
    assert_int_equal(metric_value(m, s), 42);
    assert_shows(m, "artstore_ingester_uploads_total{status=\"failure\"} 42\n");

    s = metric_plain(m, M_BLOCKS_IN_USE);
    metric_move(m, s, 5);
    metric_move(m, s, -7);
    assert_shows(m, "artstore_blocks_in_use -2\n");
    s = metric_plain(m, M_PROCESS_START);
    metric_set(m, s, 1795254360123);
    metric_set(m, s, 1795254360120);
    assert_shows(m, "process_start_time_seconds 1795254360.12\n");
    metrics_close(&m);
}

/* Buckets are cumulative and include their bound; the sum is in seconds. */
static void
test_histogram(void **state)
{
    struct metrics *m = metrics_open(2, METRIC_GROUP_ALL, 1);
    struct series s = metric_series(m, M_SELECTION_DURATION, "TEMPORARY");
    (void)state;

    metric_observe(m, s, 1000000);    /* 1 ms: in le="0.001" */
    metric_observe(m, s, 1000001);    /* a little more: in the next */
    metric_observe(m, s, 3000000000); /* over the last bound */
    metric_observe(m, s, -5);         /* a clock that went back is 0 */
    assert_shows(m, "storage_selection_duration_seconds_bucket{"
                    "retention_policy=\"TEMPORARY\",le=\"0.001\"} 2\n");
    assert_shows(m, "le=\"0.005\"} 3\n");
    assert_shows(m, "{retention_policy=\"TEMPORARY\",le=\"1\"} 3\n");
    assert_shows(m, "{retention_policy=\"TEMPORARY\",le=\"+Inf\"} 4\n");
    assert_shows(m, "storage_selection_duration_seconds_sum{"
                    "retention_policy=\"TEMPORARY\"} 3.002000001\n");
    assert_shows(m, "storage_selection_duration_seconds_count{"
                    "retention_policy=\"TEMPORARY\"} 4\n");
    assert_int_equal(metric_value(m, s), 4);
    s = metric_plain(m, M_COMMIT_BATCH);
    metric_observe(m, s, 3);
    assert_shows(m, "artstore_storage_commit_batch_files_bucket{le=\"2\"} 0\n"
                    "artstore_storage_commit_batch_files_bucket{le=\"4\"} 1\n");
    metrics_close(&m);
}

static void
test_labels(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    struct series a, b;
    char big[300];
    (void)state;

    /* Values come from outside. */
    metric_inc(m, metric_series(m, M_SYNC_ERRORS, "a\"b\\c\nd\x01\xff"));
    assert_shows(m, "{storage_id=\"a\\\"b\\\\c\\nd??\"} 1\n");
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    metric_inc(m, metric_series(m, M_SYNC_ERRORS, big));
    big[METRIC_VALUE_MAX] = 0;
    a = metric_series(m, M_SYNC_ERRORS, big); /* cut to the same */
    assert_int_equal(metric_value(m, a), 1);

    /* "ab","c" is not "a","bc". */
    a = metric_series(m, M_ELEMENT_BYTES, "ab", "c");
    b = metric_series(m, M_ELEMENT_BYTES, "a", "bc");
    assert_int_not_equal(a.cell, b.cell);
    /* A value that a closed label does not know is not made. */
    metric_inc(m, metric_series(m, M_UPLOADS, "surprise"));
    assert_shows(m, "artstore_ingester_uploads_total{status=\"other\"} 1\n");
    metrics_close(&m);
}

/* PRD-036: over the ceiling label sets are counted under "other". */
static void
test_ceiling(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    unsigned max = metric_desc(M_SYNC_ERRORS)->series_max;
    char id[32];
    (void)state;

    for (unsigned i = 0; i < max + 10; i++) {
        snprintf(id, sizeof(id), "se-%u", i);
        metric_inc(m, metric_series(m, M_SYNC_ERRORS, id));
    }
    assert_shows(m, "artstore_storage_sync_errors_total{storage_id=\"se-63\"}");
    assert_false(
        shows(m, "artstore_storage_sync_errors_total{storage_id=\"se-64\"}"));
    assert_shows(
        m, "artstore_storage_sync_errors_total{storage_id=\"other\"} 10\n");
    assert_shows(m, "artstore_metrics_overflow_total 10\n");

    /* The ceiling of the whole: families of 3,000 and 1,500 and so on cannot
     * pass 10,000 series together. */
    for (unsigned i = 0; i < METRIC_SERIES_MAX; i++) {
        snprintf(id, sizeof(id), "/r%u", i);
        metric_inc(m, metric_series(m, M_HTTP_REQUESTS, "GET", id, "200"));
        metric_inc(m, metric_series(m, M_HTTP_DURATION, "GET", id, "200"));
    }
    assert_shows(m, "http_requests_total{method=\"other\",endpoint=\"other\","
                    "status=\"other\"} 7000\n");
    metrics_close(&m);
}

/* ING-303: series of removed elements are dropped, and may come back. */
static void
test_drop(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    struct series s = metric_series(m, M_ELEMENT_FILES, "se-01");
    (void)state;

    metric_set(m, s, 7);
    assert_shows(m, "{storage_id=\"se-01\"} 7");
    metric_drop(m, s);
    assert_false(shows(m, "se-01"));
    metric_set(m, metric_series(m, M_ELEMENT_FILES, "se-01"), 8);
    assert_shows(m, "{storage_id=\"se-01\"} 8");
    metrics_close(&m);
}

static void
read_fds(struct metrics *m, void *arg)
{
    metric_set(m, metric_plain(m, M_PROCESS_FDS), ++*(int *)arg);
}

static void
test_scrape(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    int n = 0;
    (void)state;

    assert_true(metrics_on_scrape(m, read_fds, &n));
    assert_shows(m, "process_open_fds 1\n");
    assert_shows(m, "process_open_fds 2\n");
    for (int i = 1; i < 16; i++)
        assert_true(metrics_on_scrape(m, read_fds, &n));
    assert_false(metrics_on_scrape(m, read_fds, &n)); /* the ceiling */
    metrics_close(&m);
}

static void
test_small_buffer(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    struct buf b;
    (void)state;

    buf_init(&b, 1000);
    assert_false(metrics_expose(m, &b));
    assert_true(b.failed && b.n <= 1000);
    buf_release(&b);
    metrics_close(&m);
}

/* No registry: everything may be called and does nothing. */
static void
test_none(void **state)
{
    struct series s = metric_series(NULL, M_UPLOADS, "success");
    (void)state;

    metric_inc(NULL, s);
    metric_observe(NULL, metric_plain(NULL, M_COMMIT_BATCH), 1);
    metric_set(NULL, metric_nth(NULL, M_UPLOADS, 1), 1);
    assert_int_equal(metric_value(NULL, s), 0);
    assert_true(metrics_on_scrape(NULL, read_fds, NULL));
}

#define TURNS 20000

static void *
count_much(void *arg)
{
    struct metrics *m = arg;
    char id[16];

    for (int i = 0; i < TURNS; i++) {
        snprintf(id, sizeof(id), "se-%d", i % 40);
        metric_inc(m, metric_series(m, M_SYNC_ERRORS, id));
        metric_observe(m, metric_plain(m, M_COMMIT_BATCH), i % 9);
    }
    return NULL;
}

/* PRD-040: threads make and count the same series while one reads. */
static void
test_threads(void **state)
{
    struct metrics *m = metrics_open(2, METRIC_GROUP_ALL, 1);
    pthread_t t[4];
    int64_t sum = 0;
    (void)state;

    for (size_t i = 0; i < countof(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, count_much, m), 0);
    for (int i = 0; i < 20; i++)
        assert_true(shows(m, "artstore_storage_commit_batch_files_count"));
    for (size_t i = 0; i < countof(t); i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 40; i++) {
        char id[16];

        snprintf(id, sizeof(id), "se-%d", i);
        sum += metric_value(m, metric_series(m, M_SYNC_ERRORS, id));
    }
    assert_int_equal(sum, 4 * TURNS);
    assert_int_equal(metric_value(m, metric_plain(m, M_COMMIT_BATCH)),
                     4 * TURNS);
    metrics_close(&m);
}

/* Names and labels are what Prometheus allows, and no name is there twice. */
static void
test_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct metric_desc *d = metric_desc((enum metric)i);

        assert_true(strspn(d->name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
                    strlen(d->name));
        assert_true((d->type == METRIC_HISTOGRAM) == (d->nbounds > 0));
        assert_true(d->nbounds + 2 <= 32);
        for (unsigned k = 1; k < d->nbounds; k++)
            assert_true(d->bounds[k - 1] < d->bounds[k]);
        for (unsigned k = 0; k < METRIC_LABELS_MAX; k++)
            if (d->label[k].name && !d->label[k].values)
                assert_true(d->series_max > 0); /* open: it has a ceiling */
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(metric_desc((enum metric)k)->name, d->name);
    }
}

static double
now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Printed, not judged: a shared machine has its moods. PRD-040 allows 1 us. */
static void
test_speed(void **state)
{
    struct metrics *m = metrics_open(2, METRIC_GROUP_ALL, 1);
    struct series s = metric_series(m, M_UPLOADS, "success");
    struct series h = metric_plain(m, M_UPLOAD_DURATION);
    enum { N = 1000000 };
    double t0, t1, t2, t3;
    (void)state;

    t0 = now_s();
    for (int i = 0; i < N; i++)
        metric_inc(m, s);
    t1 = now_s();
    for (int i = 0; i < N; i++)
        metric_observe(m, h, i * 1000);
    t2 = now_s();
    for (int i = 0; i < N; i++)
        metric_inc(m, metric_series(m, M_HTTP_REQUESTS, "GET",
                                    "/api/files/{file_id}", "200"));
    t3 = now_s();
    print_message("ns: inc %.1f, observe %.1f, find by labels and inc %.1f\n",
                  (t1 - t0) * 1e9 / N, (t2 - t1) * 1e9 / N,
                  (t3 - t2) * 1e9 / N);
    assert_int_equal(metric_value(m, s), N);
    metrics_close(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_birth),        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_counting),     cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_labels),       cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_drop),         cmocka_unit_test(test_scrape),
        cmocka_unit_test(test_small_buffer), cmocka_unit_test(test_none),
        cmocka_unit_test(test_threads),      cmocka_unit_test(test_table),
        cmocka_unit_test(test_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
