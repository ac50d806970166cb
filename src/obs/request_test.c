/* request_test.c - tests of request.h and access.h: one call per request feeds
 * metrics and log. SPDX-License-Identifier: Apache-2.0 */
#include "obs/request.h"
#include "obs/sink.h"
#include "obs/trace.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    FILE *file;
    struct metrics *m;
    struct log *l;
    struct requests q;
    struct trace trace;
    struct request_rec rec;
    char text[64 * 1024];
};

static void
open_on(struct fixture *f, enum log_format format)
{
    struct log_conf conf = {.fd = fileno(f->file),
                            .format = format,
                            .level = LOG_LEVEL_INFO,
                            .service = "ingester",
                            .metrics = f->m};

    f->l = log_open(&conf);
    assert_non_null(f->l);
    requests_init(&f->q, f->m, f->l);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uint8_t random[24] = {1};

    assert_non_null(f);
    f->file = tmpfile();
    assert_non_null(f->file);
    f->m = metrics_open(1, METRIC_GROUP_ALL, 1);
    trace_begin(&f->trace, random, (struct mono){0});
    trace_request_id(&f->trace, SLICE("req-1"), random);
    f->rec = (struct request_rec){
        .at = {1795254360123},
        .took = dur_ms(7),
        .method = request_method(SLICE("GET")),
        .endpoint = "/api/files/{file_id}",
        .path = SLICE("/api/files/1?token=hunter2&x=1"),
        .status = 200,
        .bytes_out = 4096,
        .client = SLICE("9f86d081"),
        .subject = SLICE("ivanov"),
        .agent = SLICE("curl/8"),
        .trace = &f->trace,
    };
    open_on(f, LOG_JSON);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    log_close(&f->l);
    metrics_close(&f->m);
    fclose(f->file);
    free(f);
    return 0;
}

static const char *
got(struct fixture *f)
{
    ssize_t n;

    n = pread(fileno(f->file), f->text, sizeof(f->text) - 1, 0);
    assert_true(n >= 0);
    f->text[n] = 0;
    return f->text;
}

/* PRD-042 to PRD-046, PRD-192, PRD-193 */
static void
test_feeds_all(void **state)
{
    struct fixture *f = *state;
    const char *e = f->rec.endpoint;

    request_began(&f->q, f->rec.method, e);
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_HTTP_IN_PROGRESS, "GET", e)),
        1);
    request_ended(&f->q, &f->rec);
    assert_string_equal(got(f), ""); /* gathered, not yet written */
    requests_flush(&f->q);
    assert_string_equal(
        got(f),
        "{\"timestamp\": \"2026-11-21T09:46:00.123Z\", \"level\": \"INFO\", "
        "\"logger\": \"access\", \"message\": \"request\", \"service\": "
        "\"ingester\", \"method\": \"GET\", \"path\": "
        "\"/api/files/1?token=***&x=1\", \"endpoint\": "
        "\"/api/files/{file_id}\", \"status\": 200, \"duration_ms\": 7, "
        "\"bytes_in\": 0, \"bytes_out\": 4096, \"client_hash\": \"9f86d081\", "
        "\"subject\": \"ivanov\", \"user_agent\": \"curl/8\", \"request_id\": "
        "\"req-1\", \"trace_id\": \"01000000000000000000000000000000\", "
        "\"span_id\": \"0000000000000001\"}\n");
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_HTTP_IN_PROGRESS, "GET", e)),
        0);
    assert_int_equal(metric_value(f->m, metric_series(f->m, M_HTTP_REQUESTS,
                                                      "GET", e, "200")),
                     1);
    assert_int_equal(metric_value(f->m, metric_series(f->m, M_HTTP_DURATION,
                                                      "GET", e, "200")),
                     1);
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_HTTP_RESPONSE_SIZE, "GET", e)),
        1);
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_HTTP_BYTES, "out")), 4096);
}

static void
test_text(void **state)
{
    struct fixture *f = *state;

    log_close(&f->l);
    open_on(f, LOG_TEXT);
    f->rec.subject = SLICE_NULL;
    f->rec.error = "file_not_found";
    f->rec.status = 404;
    request_ended(&f->q, &f->rec);
    requests_flush(&f->q);
    assert_string_equal(got(f),
                        "2026-11-21T09:46:00.123Z 9f86d081 - GET "
                        "\"/api/files/1?token=***&x=1\" 404 0 4096 7ms req-1 "
                        "file_not_found\n");
}

/* PRD-193: probes are written at DEBUG only, but counted. */
static void
test_quiet(void **state)
{
    struct fixture *f = *state;

    f->rec.quiet = true;
    request_ended(&f->q, &f->rec);
    requests_flush(&f->q);
    assert_string_equal(got(f), "");
    log_set_level(f->l, LOG_LEVEL_DEBUG);
    request_ended(&f->q, &f->rec);
    requests_flush(&f->q);
    assert_non_null(strstr(got(f), "\"level\": \"DEBUG\""));
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_HTTP_REQUESTS, "GET",
                                         f->rec.endpoint, "200")),
        2);
}

/* Hostile paths stay inside their line, and the line inside its bound. */
static void
test_hostile(void **state)
{
    struct fixture *f = *state;
    static char big[9000];
    const char *text;

    for (int c = 1; c < 256; c += 7) {
        size_t n = 0;
        const char *end;
        json_t *j;

        memset(big, c, sizeof(big));
        f->rec.path = slice_of(big, sizeof(big));
        f->rec.agent = slice_of(big, sizeof(big));
        f->rec.subject = slice_of(big, sizeof(big));
        assert_int_equal(ftruncate(fileno(f->file), 0), 0);
        assert_int_equal(lseek(fileno(f->file), 0, SEEK_SET), 0);
        for (int i = 0; i < 20; i++)
            request_ended(&f->q, &f->rec);
        requests_flush(&f->q);
        for (text = got(f); *text; text = end + 1, n++) {
            end = strchr(text, '\n');
            assert_true(end && end - text < (ptrdiff_t)ACCESS_LINE_MAX);
            j = json_loadb(text, (size_t)(end - text), 0, NULL);
            assert_non_null(j);
            json_decref(j);
        }
        assert_int_equal(n, 20);
    }
}

static void
test_method(void **state)
{
    (void)state;
    assert_string_equal(request_method(SLICE("PATCH")), "PATCH");
    assert_string_equal(request_method(SLICE("get")), "OTHER");
    assert_string_equal(request_method(SLICE("BREW")), "OTHER");
    assert_string_equal(request_method(SLICE("")), "OTHER");
}

/* Rows of the table of known series are shared by many routes: every request
 * is still counted where it belongs. */
static void
test_many_routes(void **state)
{
    struct fixture *f = *state;
    static char endpoint[600][16];

    f->q.access.log = NULL;
    for (int turn = 0; turn < 3; turn++)
        for (size_t i = 0; i < countof(endpoint); i++) {
            if (!turn)
                snprintf(endpoint[i], sizeof(endpoint[i]), "/r%zu", i);
            f->rec.endpoint = endpoint[i];
            request_began(&f->q, f->rec.method, endpoint[i]);
            request_ended(&f->q, &f->rec);
        }
    for (size_t i = 0; i < countof(endpoint); i++)
        assert_int_equal(
            metric_value(f->m, metric_series(f->m, M_HTTP_REQUESTS, "GET",
                                             endpoint[i], "200")),
            3);
    f->q.access.log = f->l;
}

static double
now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Printed, not judged. */
static void
test_speed(void **state)
{
    struct fixture *f = *state;
    enum { N = 100000 };
    double t0, t1, t2;

    f->rec.path = SLICE("/api/files/0198f0c6-7d0a-7cc3-98c4-dc0c0c07398f");
    t0 = now_s();
    for (int i = 0; i < N; i++)
        request_ended(&f->q, &f->rec);
    t1 = now_s();
    f->q.access.log = NULL;
    for (int i = 0; i < N; i++)
        request_ended(&f->q, &f->rec);
    t2 = now_s();
    f->q.access.log = f->l;
    print_message("ns per request: %.0f, without the access log %.0f\n",
                  (t1 - t0) * 1e9 / N, (t2 - t1) * 1e9 / N);
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_HTTP_REQUESTS, "GET",
                                         f->rec.endpoint, "200")),
        2 * N);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_feeds_all), T(test_text),        T(test_quiet), T(test_hostile),
        T(test_method),    T(test_many_routes), T(test_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
