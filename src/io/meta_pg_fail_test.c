/* meta_pg_fail_test.c - what a catalogue in PostgreSQL does when the server is
 * not as it should be: not there, another one, killed, frozen, cut off.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "io/meta_pg.h"
#include "io/pg_proxy.h"
#include "io/pg_world.h"
#include "port/index_contract.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static struct pg_world world;
static char url[PG_WORLD_URL]; /* of the database "fail" */
static const struct uuid se1 = {{0xe1}};
static const struct uuid se2 = {{0xe2}};

static struct meta_pg_conf
conf_of(const char *u)
{
    return (struct meta_pg_conf){.url = u,
                                 .pool_min = 1,
                                 .pool_max = 4,
                                 .pool_timeout = dur_s(10),
                                 .statement_timeout = dur_s(10),
                                 .auto_migrate = true};
}

static struct meta *
open_conf(const struct meta_pg_conf *c)
{
    struct meta *m = NULL;
    struct fault f = {0};
    char text[FAULT_TEXT];

    if (meta_pg_open(&m, c, &f))
        fail_msg("%s", fault_text(&f, text, sizeof(text)));
    return m;
}

/* An empty catalogue. */
static struct meta *
fresh(const struct meta_pg_conf *c)
{
    (void)pg_world_sql(&world, "fail",
                       "DROP SCHEMA public CASCADE;"
                       "CREATE SCHEMA public AUTHORIZATION artstore");
    return open_conf(c);
}

static void
ok(enum err e, const struct fault *f)
{
    char text[FAULT_TEXT];

    if (e)
        fail_msg("%s", fault_text(f, text, sizeof(text)));
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
nap_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

static uint64_t
files(struct meta *m)
{
    uint64_t n = 0, bytes;
    struct fault f = {0};

    ok(m->ops->file_count(m, &n, &bytes, &f), &f);
    return n;
}

/* --- what is wrong is told at the start ----------------------------------- */

/* Speaks just enough of the protocol to say that it is version 12. */
static void *
old_server(void *arg)
{
    static const char hello[] = "R\0\0\0\x08\0\0\0\0" /* let in */
                                "S\0\0\0\x18"
                                "server_version\0"
                                "12.3\0"
                                "S\0\0\0\x26"
                                "default_transaction_read_only\0"
                                "off\0"
                                "S\0\0\0\x17"
                                "in_hot_standby\0"
                                "off\0"
                                "Z\0\0\0\x05I"; /* ready */
    int listener = *(int *)arg;
    char buf[2048];

    int fd = accept(listener, NULL, NULL);

    /* SSLRequest, GSSENCRequest: no */
    while (recv(fd, buf, sizeof(buf), 0) == 8)
        (void)!send(fd, "N", 1, MSG_NOSIGNAL);
    (void)!send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL);
    while (recv(fd, buf, sizeof(buf), 0) > 0)
        ;
    (void)close(fd);
    return NULL;
}

static int
listen_free(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

#define SECRET "hunter2hunter"

static void
expect_fault(const char *u, enum err want, const char *text, const char *hint,
             const char *why)
{
    struct meta_pg_conf c = conf_of(u);
    struct fault f = {0};
    struct meta *m = NULL;
    char said[FAULT_TEXT];
    enum err e;

    c.auto_migrate = false;
    e = meta_pg_open(&m, &c, &f);
    (void)fault_text(&f, said, sizeof(said));
    if (e != want || m || !strstr(said, text) || !f.hint ||
        !strstr(f.hint, hint) || strstr(said, SECRET))
        fail_msg("%s: %d: %s", why, (int)e, said);
}

static void
test_start(void **state)
{
    char u[PG_WORLD_URL];
    pthread_t thread;
    int port, listener = listen_free(&port);
    (void)state;

    expect_fault("postgresql://u:" SECRET "%zz@h/d", ERR_INVAL, "DATABASE_URL",
                 "%40", "a bad escape");
    expect_fault("mysql://u:" SECRET "@h/d", ERR_INVAL, "DATABASE_URL",
                 "postgresql://", "another scheme");
    expect_fault("postgresql://u:p@" SECRET "/w@127.0.0.1:1/d", ERR_INVAL,
                 "DATABASE_URL", "%40", "a password in pieces");
    (void)snprintf(u, sizeof(u), "postgresql://u:" SECRET "@127.0.0.1:%d/d", 1);
    expect_fault(u, ERR_AGAIN, "d at 127.0.0.1:1", "does PostgreSQL run",
                 "nobody there");
    (void)snprintf(u, sizeof(u),
                   "postgresql://artstore:" SECRET "@127.0.0.1:%d/nowhere",
                   world.port);
    expect_fault(u, ERR_IO, "nowhere at 127.0.0.1", "createdb", "no database");
    (void)snprintf(u, sizeof(u),
                   "postgresql://mallory:" SECRET "@127.0.0.1:%d/fail",
                   world.port);
    expect_fault(u, ERR_DENIED, "fail at 127.0.0.1", "user and password",
                 "no such user");
    (void)snprintf(u, sizeof(u),
                   "postgresql://artstore:" SECRET
                   "@127.0.0.1:%d/fail?sslmode=require",
                   world.port);
    expect_fault(u, ERR_UNSUPPORTED, "SSL", "ssl = on", "no TLS there");
    expect_fault("postgresql://u:" SECRET "@127.0.0.1:1/d?sslmode=bogus",
                 ERR_INVAL, "sslmode", "verify-full", "no such word");
    expect_fault(url, ERR_UNSUPPORTED, "earlier schema",
                 "artstore migrate schema", "nothing applied");

    assert_int_equal(pthread_create(&thread, NULL, old_server, &listener), 0);
    (void)snprintf(u, sizeof(u), "postgresql://u:" SECRET "@127.0.0.1:%d/d",
                   port);
    expect_fault(u, ERR_UNSUPPORTED, "version 12.3", "13 or later", "too old");
    (void)pthread_join(thread, NULL);
    (void)close(listener);
}

static void
test_schema_of_others(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m = fresh(&c);
    (void)state;

    m->ops->close(m);
    (void)pg_world_sql(&world, "fail",
                       "INSERT INTO schema_migrations VALUES ('admin', 40,"
                       " 'of the future', '', 0, '')");
    expect_fault(url, ERR_UNSUPPORTED, "later schema", "later version",
                 "a later one");
    (void)pg_world_sql(&world, "fail",
                       "DELETE FROM schema_migrations WHERE version = 40;"
                       "UPDATE schema_migrations SET checksum = 'x'"
                       " WHERE part = 'catalogue' AND version = 1");
    expect_fault(url, ERR_CONFLICT, "script 1 of catalogue", "another text",
                 "a changed one");
}

static void
test_settings_of_the_server(void **state)
{
    (void)state;
    pg_world_kill(&world, SIGQUIT);
    pg_world_start(&world, "fsync=off");
    expect_fault(url, ERR_UNSUPPORTED, "fsync", "fsync = on", "fsync off");
    pg_world_kill(&world, SIGQUIT);
    pg_world_start(&world, "default_transaction_read_only=on");
    expect_fault(url, ERR_READONLY, "read-only", "primary", "as a replica is");
    pg_world_kill(&world, SIGQUIT);
    pg_world_start(&world, "synchronous_commit=off"); /* which we set on */
    {
        struct meta_pg_conf c = conf_of(url);
        struct meta *m = fresh(&c);

        m->ops->close(m);
    }
    pg_world_kill(&world, SIGQUIT);
    pg_world_start(&world, NULL);
}

/* Two that start at once on an empty database. */
static void *
opener(void *arg)
{
    struct meta_pg_conf c = conf_of(url);

    *(struct meta **)arg = open_conf(&c);
    return NULL;
}

static void
test_two_start_at_once(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m[3], *first = fresh(&c);
    pthread_t thread[3];
    (void)state;

    first->ops->close(first);
    (void)pg_world_sql(&world, "fail",
                       "DROP SCHEMA public CASCADE;"
                       "CREATE SCHEMA public AUTHORIZATION artstore");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, opener, &m[i]), 0);
    for (int i = 0; i < 3; i++) {
        (void)pthread_join(thread[i], NULL);
        assert_int_equal(files(m[i]), 0);
        m[i]->ops->close(m[i]);
    }
}

/* --- connections that break ----------------------------------------------- */

/* All of our connections are ended between two calls: nobody notices. */
static void
test_terminated(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m = fresh(&c);
    struct index_change one;
    struct fault f = {0};
    (void)state;

    for (uint64_t i = 1; i <= 3; i++) {
        index_sample_change(&one, i, i);
        ok(m->ops->feed(m, &se1, "se-01", &one, 1, i, &f), &f);
        (void)pg_world_sql(&world, "fail",
                           "SELECT count(pg_terminate_backend(pid)) FROM"
                           " pg_stat_activity WHERE usename = 'artstore'");
        assert_int_equal(files(m), i);
    }
    m->ops->close(m);
}

/* The connection breaks when COMMIT is on its way: the row is there once,
 * whether the server had seen it or not. */
static void
test_cut_in_commit(void **state)
{
    static const enum pg_cut cut[] = {CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT,
                                      CUT_NOTHING};
    char u[PG_WORLD_URL];
    struct meta_pg_conf c = conf_of(url);
    struct meta_audit a = {.at = {5}, .action = "test"};
    struct pg_proxy *x;
    struct meta *m = fresh(&c);
    struct fault f = {0};
    int port;
    (void)state;

    m->ops->close(m);
    x = pg_proxy_open(world.port, &port);
    (void)snprintf(u, sizeof(u),
                   "postgresql://artstore@127.0.0.1:%d/fail"
                   "?sslmode=disable",
                   port);
    c.url = u;
    m = open_conf(&c);
    for (unsigned i = 0; i < countof(cut); i++) {
        char sql[128];

        (void)snprintf(a.object, sizeof(a.object), "row-%u", i);
        pg_proxy_cut(x, cut[i]);
        ok(m->ops->audit_add(m, &a, 1, &f), &f);
        assert_int_equal(pg_proxy_cuts(x), i + (cut[i] != CUT_NOTHING));
        (void)snprintf(sql, sizeof(sql),
                       "SELECT count(*) FROM audit WHERE object = '%s'",
                       a.object);
        assert_string_equal(pg_world_sql(&world, "fail", sql), "1");
    }
    m->ops->close(m);
    pg_proxy_close(x);
}

/* --- kill -9 -------------------------------------------------------------- */

#define GROUP 8 /* files of one transaction */

struct feeder {
    struct meta *m;
    bool stop;
    uint64_t next; /* transaction to try */
    uint64_t good;
    uint64_t failed;
    bool acknowledged[20000];
};

static void *
feeding(void *arg)
{
    struct feeder *x = arg;
    struct index_change c[GROUP];

    while (!__atomic_load_n(&x->stop, __ATOMIC_ACQUIRE)) {
        uint64_t t = x->next++;
        struct fault f = {0};

        assert_true(t < countof(x->acknowledged));
        for (uint64_t i = 0; i < GROUP; i++)
            index_sample_change(&c[i], t * GROUP + i, t * GROUP + i + 1);
        x->acknowledged[t] = x->m->ops->feed(x->m, &se1, "se-01", c, GROUP,
                                             (t + 1) * GROUP, &f) == ERR_OK;
        if (x->acknowledged[t]) {
            (void)__atomic_add_fetch(&x->good, 1, __ATOMIC_RELEASE);
        } else {
            x->failed++;
            nap_ms(10); /* as a caller that tries again later */
        }
    }
    return NULL;
}

/* Killed in the middle of transactions and started again, several times: each
 * transaction is whole or absent, those that were acknowledged are there, and
 * the driver finds its way back. */
static void
test_kill(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct feeder *x = calloc(1, sizeof(*x));
    struct meta *m = fresh(&c);
    uint64_t there = 0, acknowledged = 0, lost = 0, half = 0, was;
    pthread_t thread;
    (void)state;

    assert_non_null(x);
    x->m = m;
    assert_int_equal(pthread_create(&thread, NULL, feeding, x), 0);
    for (int round = 0; round < 3; round++) {
        nap_ms(300 + 137 * round);
        pg_world_kill(&world, SIGKILL);
        nap_ms(100);
        pg_world_start(&world, NULL);
        was = __atomic_load_n(&x->good, __ATOMIC_ACQUIRE);
        while (__atomic_load_n(&x->good, __ATOMIC_ACQUIRE) < was + 10)
            nap_ms(10); /* it goes on */
    }
    __atomic_store_n(&x->stop, true, __ATOMIC_RELEASE);
    (void)pthread_join(thread, NULL);
    for (uint64_t t = 0; t < x->next; t++) {
        unsigned n = 0;

        for (uint64_t i = 0; i < GROUP; i++) {
            struct index_row row;
            struct meta_file file;
            struct fault f = {0};

            enum err e;

            index_sample(&row, t * GROUP + i);
            e = m->ops->file_get(m, &row.attr.file_id, &file, &f);

            if (e == ERR_OK) {
                meta_file_release(&file);
                n++;
            } else if (e != ERR_NOENT) {
                ok(e, &f);
            }
        }
        there += n == GROUP;
        half += n != 0 && n != GROUP;
        acknowledged += x->acknowledged[t];
        lost += x->acknowledged[t] && n != GROUP;
    }
    assert_int_equal(half, 0);
    assert_int_equal(lost, 0);
    assert_true(acknowledged > 20);
    assert_int_equal(files(m), there * GROUP); /* and so are the totals */
    print_message("%d transactions, %d acknowledged, %d failed\n", (int)x->next,
                  (int)acknowledged, (int)x->failed);
    m->ops->close(m);
    free(x);
}

/* While the server is away a call costs next to nothing: its thread also serves
 * disks. */
static void
test_down(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m = fresh(&c);
    struct fault f = {0};
    uint64_t n, bytes;
    int64_t began;
    (void)state;

    pg_world_kill(&world, SIGQUIT);
    began = now_ms();
    for (int i = 0; i < 200; i++) {
        assert_int_not_equal(m->ops->file_count(m, &n, &bytes, &f), ERR_OK);
        assert_non_null(strstr(f.what, "fail at 127.0.0.1"));
    }
    assert_in_range(now_ms() - began, 0, 9000); /* one wait is 10 s */
    pg_world_start(&world, NULL);
    for (began = now_ms(); m->ops->file_count(m, &n, &bytes, &f) != ERR_OK;) {
        assert_in_range(now_ms() - began, 0, 60000); /* 5 s, and some load */
        nap_ms(50);
    }
    m->ops->close(m);
}

/* A server that is stopped, not ended: its socket takes everything and says
 * nothing. */
static void
test_frozen(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m = fresh(&c); /* the schema may take its time */
    struct fault f = {0};
    uint64_t n, bytes;
    int64_t began;
    enum err e;
    (void)state;

    m->ops->close(m);
    c.statement_timeout = dur_ms(1500);
    m = open_conf(&c);
    assert_int_equal(files(m), 0);
    pg_world_kill(&world, SIGSTOP);
    began = now_ms();
    e = m->ops->file_count(m, &n, &bytes, &f);
    began = now_ms() - began;
    pg_world_kill(&world, SIGCONT);
    assert_int_equal(e, ERR_TIMEOUT);
    assert_in_range(began, 1400, 9000);
    for (began = now_ms(); m->ops->file_count(m, &n, &bytes, &f) != ERR_OK;) {
        assert_in_range(now_ms() - began, 0, 60000);
        nap_ms(50);
    }
    m->ops->close(m);
}

/* --- many at once --------------------------------------------------------- */

struct writer {
    struct meta *m;
    const struct uuid *element;
    unsigned seed;
    unsigned bad;
};

/* Both elements publish and delete copies of the same forty files. */
static void *
writing(void *arg)
{
    struct writer *w = arg;
    const char *id = w->element == &se1 ? "se-01" : "se-02";

    for (uint64_t seq = 1; seq <= 60; seq++) {
        struct index_change c[4];
        struct fault f = {0};

        for (unsigned i = 0; i < 4; i++) {
            index_sample_change(&c[i], (uint64_t)rand_r(&w->seed) % 40,
                                4 * seq + i);
            if (rand_r(&w->seed) % 2)
                c[i].op = INDEX_DELETE;
        }
        if (w->m->ops->feed(w->m, w->element, id, c, 4, 4 * seq, &f)) {
            (void)fprintf(stderr, "%s: %s\n", f.op, f.what);
            w->bad++;
        }
    }
    return NULL;
}

static void
test_collisions(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m = fresh(&c);
    struct writer w[4] = {
        {m, &se1, 1, 0}, {m, &se2, 2, 0}, {m, &se1, 3, 0}, {m, &se2, 4, 0}};
    pthread_t thread[4];
    unsigned bad = 0;
    (void)state;

    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, writing, &w[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        (void)pthread_join(thread[i], NULL);
        bad += w[i].bad;
    }
    assert_int_equal(bad, 0);
    /* Whatever came first: no file without a copy, no copy without a file, and
     * the totals are those of the rows. */
    assert_string_equal(
        pg_world_sql(&world, "fail",
                     "SELECT (SELECT count(*) FROM file WHERE NOT EXISTS"
                     " (SELECT 1 FROM copy WHERE copy.file_id = file.file_id))"
                     " + (SELECT count(*) FROM copy WHERE NOT EXISTS (SELECT 1"
                     " FROM file WHERE copy.file_id = file.file_id))"),
        "0");
    assert_string_equal(
        pg_world_sql(&world, "fail",
                     "SELECT (SELECT sum(files) FROM feed) = count(*) AND"
                     " (SELECT sum(bytes) FROM feed) ="
                     " coalesce(sum(size), 0) FROM file"),
        "t");
    m->ops->close(m);
}

/* A text that was cut in the middle of a letter, as a fixed field may be. */
static void
test_not_utf8(void **state)
{
    struct meta_pg_conf c = conf_of(url);
    struct meta *m = fresh(&c);
    struct meta_audit a = {
        .at = {5}, .actor = "caf\xc3", .action = "x\xff\xfe"};
    struct meta_account got;
    struct fault f = {0};
    (void)state;

    ok(m->ops->audit_add(m, &a, 1, &f), &f);
    assert_string_equal(
        pg_world_sql(&world, "fail", "SELECT actor || action FROM audit"),
        "caf?x??");
    assert_int_equal(m->ops->account_get(m, "\xff", &got, &f), ERR_NOENT);
    m->ops->close(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_schema_of_others),
        cmocka_unit_test(test_settings_of_the_server),
        cmocka_unit_test(test_two_start_at_once),
        cmocka_unit_test(test_terminated),
        cmocka_unit_test(test_cut_in_commit),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_not_utf8),
    };
    const char *why = pg_world_open(&world);
    int failed;

    if (why) {
        (void)fprintf(stderr, "skipped: %s\n", why);
        return 77; /* as meson counts a skipped test */
    }
    pg_world_database(&world, "fail", url);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_world_close(&world);
    return failed;
}
