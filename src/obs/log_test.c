/* log_test.c - tests of log.h and sink.h. Each reads what was written back
 * through a pipe, with a clock of its own. SPDX-License-Identifier: Apache-2.0
 */
#include "obs/log.h"
#include "obs/metric.h"
#include "obs/sink.h"
#include "obs/trace.h"
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    int fd[2]; /* read, write */
    struct wall now;
    struct metrics *m;
    struct log *l;
    char text[256 * 1024];
};

static struct wall
clock_of(void *arg)
{
    return ((struct fixture *)arg)->now;
}

static void
open_on(struct fixture *f, enum log_format format)
{
    struct log_conf conf = {
        .fd = f->fd[1],
        .format = format,
        .level = LOG_LEVEL_INFO,
        .service = "ingester",
        .version = "1.0",
        .instance_id = "i-1",
        .metrics = f->m,
        .now = clock_of,
        .now_arg = f,
    };

    f->l = log_open(&conf);
    assert_non_null(f->l);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(pipe2(f->fd, O_CLOEXEC), 0);
    assert_int_not_equal(fcntl(f->fd[0], F_SETFL, O_NONBLOCK), -1);
    f->now.ms = 1795254360123;
    f->m = metrics_open(1, METRIC_GROUP_ALL, 1);
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
    close(f->fd[0]);
    close(f->fd[1]);
    free(f);
    return 0;
}

/* All that was written since the last time. */
static const char *
got(struct fixture *f)
{
    size_t n = 0;
    ssize_t k;

    while ((k = read(f->fd[0], f->text + n, sizeof(f->text) - 1 - n)) > 0)
        n += (size_t)k;
    f->text[n] = 0;
    return f->text;
}

static size_t
lines(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += *s == '\n';
    return n;
}

/* Every line is one JSON object. */
static void
judge(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        json_t *j;

        assert_non_null(end);
        j = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES,
                       NULL);
        if (!json_is_object(j))
            fail_msg("not JSON: %.*s", (int)(end - text), text);
        json_decref(j);
        text = end + 1;
    }
}

/* ING-312, ING-313, PRD-192 */
static void
test_json(void **state)
{
    struct fixture *f = *state;
    struct slice added[] = {SLICE("se-02"), SLICE("se-\"3")};

    log_info(f->l, "SE configuration updated", F_LIST("added", added, 1),
             F_I64("delta", -3), F_U64("version", 7), F_BOOL("full", true),
             F_MS("took_ms", dur_ms(2)), F_STR("none", NULL));
    assert_string_equal(
        got(f),
        "{\"timestamp\": \"2026-11-21T09:46:00.123Z\", \"level\": \"INFO\", "
        "\"logger\": \"log_test\", \"message\": \"SE configuration updated\", "
        "\"service\": \"ingester\", \"version\": \"1.0\", \"instance_id\": "
        "\"i-1\", \"added\": [\"se-02\"], \"delta\": -3, \"version\": 7, "
        "\"full\": true, \"took_ms\": 2, \"none\": \"\"}\n");
    log_info(f->l, "two", F_LIST("added", added, 2));
    assert_non_null(strstr(got(f), "\"added\": [\"se-02\", \"se-\\\"3\"]}"));
}

static void
test_text(void **state)
{
    struct fixture *f = *state;

    log_close(&f->l);
    open_on(f, LOG_TEXT);
    log_warning(f->l, "disk is slow", F_STR("element", "se-01"),
                F_STR("why", "it waits"));
    assert_string_equal(got(f),
                        "2026-11-21T09:46:00.123Z WARNING  log_test: disk is "
                        "slow element=se-01 why=\"it waits\"\n");
}

static void
test_context(void **state)
{
    struct fixture *f = *state;
    uint8_t random[24] = {0xab};
    struct fault ft;
    struct trace t;
    const char *text;

    trace_begin(&t, random, (struct mono){0});
    trace_request_id(&t, SLICE("req-1"), random);
    fault_set(&ft, ERR_NOENT, "open", "se-01/superblock");
    log_error(f->l, "start failed", F_CTX(&t), F_FAULT(&ft), F_TYPE("storage"));
    text = got(f);
    judge(text);
    assert_non_null(strstr(text, "\"request_id\": \"req-1\", \"trace_id\": "
                                 "\"ab000000000000000000000000000000\", "
                                 "\"span_id\": \"0000000000000001\""));
    assert_non_null(strstr(text, "\"error\": \"not_found\", \"detail\": "
                                 "\"open se-01/superblock"));
    /* PRD-195 */
    assert_int_equal(
        metric_value(f->m, metric_series(f->m, M_ERRORS, "storage", "error")),
        1);
    log_info(f->l, "no context", F_CTX(NULL));
    assert_null(strstr(got(f), "trace_id"));
}

static void
test_level(void **state)
{
    struct fixture *f = *state;
    enum log_level level;

    log_debug(f->l, "unheard");
    assert_string_equal(got(f), "");
    log_set_level(f->l, LOG_LEVEL_DEBUG);
    log_debug(f->l, "heard");
    assert_int_equal(lines(got(f)), 1);
    log_set_level(f->l, LOG_LEVEL_ERROR);
    log_warning(f->l, "unheard");
    assert_string_equal(got(f), "");
    assert_true(log_level_parse(SLICE("warning"), &level));
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_false(log_level_parse(SLICE("WARN"), &level));
    log_info((struct log *)NULL, "no log is silent");
}

/* ING-315, PRD-194: whatever a careless caller does. */
static void
test_secrets(void **state)
{
    struct fixture *f = *state;
    const char *text;

    log_info(f->l, "careless", F_STR("client_secret", "hunter2"),
             F_STR("header", "Bearer hunter2hunter2"),
             F_STR("url", "redis://:hunter2@host"),
             F_STR("line", "a\n{\"level\": \"fake\"}"));
    text = got(f);
    judge(text);
    assert_int_equal(lines(text), 1);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "\"client_secret\": \"***\""));
}

/* A line has at most 4 KiB, is JSON all the same, and says that it was cut. */
static void
test_ceiling(void **state)
{
    struct fixture *f = *state;
    static char big[20000];
    const char *text;

    for (int c = 1; c < 256; c += 13) { /* plain, escaped and broken bytes */
        memset(big, c, sizeof(big) - 1);
        log_info(f->l, "big", F_STR("a", big), F_STR("b", big), F_STR("c", big),
                 F_STR("d", big), F_U64("small", 5));
        text = got(f);
        assert_true(strlen(text) <= SINK_LINE_MAX);
        judge(text);
        assert_non_null(strstr(text, "\"small\": 5"));
    }
    assert_non_null(strstr(text, ", \"cut\": true}"));
}

static void
complain(struct fixture *f)
{
    log_warning(f->l, "always the same");
}

/* PRD-196: ten a minute, then one line that sums up. */
static void
test_repeats(void **state)
{
    struct fixture *f = *state;
    const char *text;

    for (int i = 0; i < 25; i++)
        complain(f);
    log_warning(f->l, "another place is not held back");
    assert_int_equal(lines(got(f)), 11);
    log_tick(f->l);
    assert_string_equal(got(f), ""); /* the minute is not over */
    f->now.ms += 60000;
    log_tick(f->l);
    text = got(f);
    judge(text);
    assert_int_equal(lines(text), 1);
    assert_non_null(strstr(text, "\"repeated\": \"always the same\", "
                                 "\"times\": 15, \"since_seconds\": 60"));
    complain(f);
    assert_int_equal(lines(got(f)), 1);
    assert_int_equal(metric_value(f->m, metric_plain(f->m, M_LOG_SUPPRESSED)),
                     15);
    /* All 25 were handled, though 15 were not written. */
    assert_int_equal(metric_value(f->m, metric_series(f->m, M_ERRORS,
                                                      "internal", "warning")),
                     27);

    f->now.ms -= 3600000; /* a clock set back does not silence for an hour */
    for (int i = 0; i < 12; i++)
        complain(f);
    assert_int_equal(lines(got(f)), 10);
    log_close(&f->l); /* what is pending is said */
    assert_non_null(strstr(got(f), "\"times\": 2"));
}

/* More places than the table has rows: still bounded, nothing is lost that
 * CRITICAL says. */
static void
test_places(void **state)
{
    struct fixture *f = *state;
    static struct log_site site[2000];
    size_t n = 0;

    for (size_t i = 0; i < countof(site); i++) {
        site[i] = (struct log_site){"x.c", LOG_LEVEL_ERROR, "m"};
        for (int k = 0; k < 12; k++)
            log_write(f->l, &site[i], &F_END);
        n += lines(got(f));
    }
    assert_in_range(n, 1000, 2570); /* 256 rows of ten, and one for the rest */
    site[0].level = LOG_LEVEL_CRITICAL;
    for (int k = 0; k < 12; k++)
        log_write(f->l, &site[0], &F_END);
    assert_int_equal(lines(got(f)), 12);
}

/* A reader that does not read costs lines, not time. */
static void
test_slow_reader(void **state)
{
    struct fixture *f = *state;
    const char *text;
    int64_t written;

    for (int i = 0; i < 599; i++)
        log_info(f->l, "much",
                 F_STR("filling", "0123456789012345678901234567890123456789"
                                  "0123456789012345678901234567890123456789"
                                  "0123456789012345678901234567890123"));
    text = got(f);
    judge(text); /* no line was torn */
    written = (int64_t)lines(text);
    assert_true(written < 599);
    log_tick(f->l);
    text = got(f);
    judge(text);
    assert_non_null(strstr(text, "log lines lost"));
    assert_int_equal(metric_value(f->m, metric_plain(f->m, M_LOG_DROPPED)),
                     599 - written);
    log_tick(f->l);
    assert_string_equal(got(f), ""); /* said once */
}

/* The same on a socket, as under a journal, and a closed one kills nobody. */
static void
test_socket(void **state)
{
    struct sink s;
    int fd[2];
    char text[8192];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    sink_init(&s, fd[0]);
    memset(text, 'x', sizeof(text));
    text[99] = '\n';
    sink_write(&s, slice_of(text, 100), 0);
    assert_int_equal(read(fd[1], text, sizeof(text)), 100);
    for (int i = 0; i < 10000; i++)
        sink_write(&s, slice_of(text, 100), 0);
    assert_true(atomic_load(&s.dropped) > 0);
    close(fd[1]);
    sink_write(&s, slice_of(text, 100), 0);
    close(fd[0]);
    sink_release(&s);
}

static void
test_file(void **state)
{
    struct sink s;
    FILE *file = tmpfile();
    char *text = malloc(100000);
    (void)state;

    assert_non_null(file);
    assert_non_null(text);
    memset(text, 'x', 100000);
    text[99999] = '\n';
    sink_init(&s, fileno(file));
    sink_write(&s, slice_of(text, 100000), 0);
    assert_int_equal(lseek(fileno(file), 0, SEEK_END), 100000);
    assert_int_equal(atomic_load(&s.dropped), 0);
    sink_release(&s);
    fclose(file);
    free(text);
}

static void *
talk(void *arg)
{
    struct fixture *f = arg;

    for (int i = 0; i < 100; i++)
        log_error(f->l, "from a thread", F_I64("i", i));
    return NULL;
}

static void
test_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t t[4];
    const char *text;

    for (size_t i = 0; i < countof(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, talk, f), 0);
    for (size_t i = 0; i < countof(t); i++)
        pthread_join(t[i], NULL);
    text = got(f);
    judge(text);
    assert_int_equal(lines(text), 10);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_text),    T(test_context), T(test_level),   T(test_secrets),
        T(test_ceiling), T(test_repeats), T(test_places),  T(test_slow_reader),
        T(test_socket),  T(test_file),    T(test_threads), T(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
