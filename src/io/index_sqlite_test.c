/* index_sqlite_test.c - the contract of port/index.h on SQLite in a file and in
 * memory, and what only a file can do: survive a kill, refuse what is not ours.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/index_sqlite.h"
#include "base/base.h"
#include "port/index_contract.h"
#include "port/index_fail.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

static char dir[] = "/tmp/index_sqlite_test.XXXXXX";
static unsigned files;

static const char *
path_of(unsigned n)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%u.db", dir, n);
    return path;
}

static struct index *
open_path(const char *path)
{
    struct index *x = NULL;
    struct fault f = {0};

    if (index_sqlite_open(&x, path, &f))
        fail_msg("%s: %s", f.op, f.what);
    return x;
}

static struct index *
open_file(void *arg)
{
    (void)arg;
    return open_path(path_of(++files));
}

static struct index *
reopen_file(void *arg, struct index *x)
{
    (void)arg;
    x->ops->close(x);
    return open_path(path_of(files));
}

static struct index *
open_memory(void *arg)
{
    (void)arg;
    return open_path(":memory:");
}

/* The failing driver, told to fail nothing. */
static struct index *
open_fail(void *arg)
{
    static struct index_fail w;

    index_fail_init(&w, open_memory(arg));
    return &w.index;
}

/* The child commits some and is killed within a transaction; what it had
 * committed is there, and the totals agree with the rows. */
static void
test_kill(void **state)
{
    const char *path = path_of(++files);
    struct index_change c[64];
    struct index_totals t;
    struct index *x;
    struct fault f = {0};
    int pipe_fd[2], status;
    char byte;
    pid_t child;
    (void)state;

    assert_int_equal(pipe(pipe_fd), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        x = open_path(path);
        for (uint64_t seq = 1;; seq += countof(c)) {
            for (size_t i = 0; i < countof(c); i++)
                index_sample_change(&c[i], seq + i, seq + i);
            if (x->ops->apply(x, c, countof(c), NULL) ||
                write(pipe_fd[1], "x", 1) != 1)
                _exit(1);
        }
    }
    for (int i = 0; i < 20; i++) /* 20 batches are acknowledged */
        assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));

    x = open_path(path);
    assert_int_equal(x->ops->totals(x, &t, &f), ERR_OK);
    assert_true(t.files >= 20 * countof(c));
    assert_int_equal(t.files % countof(c), 0); /* whole batches */
    assert_int_equal(t.last_seq, t.files);
    for (uint64_t i = 1; i <= t.files; i++) {
        struct index_row want, row;

        index_sample(&want, i);
        want.attr.seq = i;
        assert_int_equal(x->ops->get(x, &want.attr.file_id, &row, &f), ERR_OK);
        index_rows_equal(&want, &row);
        index_row_release(&row);
    }
    x->ops->close(x);
    (void)close(pipe_fd[0]);
    (void)close(pipe_fd[1]);
}

/* Two write, one reads, one syncs, all at once; nothing is lost, no reader sees
 * half a batch. */
struct crew {
    struct index *x;
    uint64_t first;
    bool *stop;
};

#define CREW_BATCHES 60

static void *
crew_write(void *arg)
{
    struct crew *w = arg;
    struct index_change c[8];

    for (uint64_t b = 0; b < CREW_BATCHES; b++) {
        for (uint64_t i = 0; i < 8; i++)
            index_sample_change(&c[i], w->first + b * 8 + i,
                                w->first + b * 8 + i);
        if (w->x->ops->apply(w->x, c, 8, NULL))
            return w;
    }
    return NULL;
}

static void *
crew_read(void *arg)
{
    struct crew *w = arg;
    struct index_totals t;

    while (!__atomic_load_n(w->stop, __ATOMIC_ACQUIRE))
        if (w->x->ops->totals(w->x, &t, NULL) || t.files % 8)
            return w;
    return NULL;
}

static void *
crew_sync(void *arg)
{
    struct crew *w = arg;

    while (!__atomic_load_n(w->stop, __ATOMIC_ACQUIRE))
        if (w->x->ops->sync(w->x, NULL))
            return w;
    return NULL;
}

static void
test_threads(void **state)
{
    void *(*const job[])(void *) = {crew_write, crew_write, crew_read,
                                    crew_sync};
    struct index *x = open_path(path_of(++files));
    bool stop = false;
    struct crew crew[4];
    pthread_t thread[4];
    struct index_totals t;
    struct fault f = {0};
    void *failed;
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        crew[i] = (struct crew){x, i * 10000 + 1, &stop};
        assert_int_equal(pthread_create(&thread[i], NULL, job[i], &crew[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        if (i == 2)
            __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
        assert_int_equal(pthread_join(thread[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(x->ops->totals(x, &t, &f), ERR_OK);
    assert_int_equal(t.files, 2 * CREW_BATCHES * 8);
    x->ops->close(x);
}

static void
test_refuse(void **state)
{
    const char *path;
    struct index *x = NULL;
    struct fault f = {0};
    sqlite3 *db;
    FILE *file;
    (void)state;

    path = path_of(++files); /* bytes that are no database */
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        (void)fputs("not a database\n", file);
    (void)fclose(file);
    assert_int_equal(index_sqlite_open(&x, path, &f), ERR_CORRUPT);
    assert_null(x);

    path = path_of(++files); /* someone else's database */
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", 0, 0, 0), 0);
    (void)sqlite3_close(db);
    assert_int_equal(index_sqlite_open(&x, path, &f), ERR_CONFLICT);

    path = path_of(++files); /* ours, of a later version */
    x = open_path(path);
    x->ops->close(x);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", 0, 0, 0), 0);
    (void)sqlite3_close(db);
    assert_int_equal(index_sqlite_open(&x, path, &f), ERR_UNSUPPORTED);

    assert_int_equal(index_sqlite_open(&x, "/nonexistent/dir/x.db", &f),
                     ERR_NOENT);
}

static int
set_up(void **state)
{
    (void)state;
    return 0;
}

static int
tear_down(void **state)
{
    char command[96];
    (void)state;

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

int
main(void)
{
    static const struct index_contract on[] = {
        {"sqlite file", open_file, reopen_file, NULL, 300},
        {"sqlite memory", open_memory, NULL, NULL, 600},
        {"index_fail", open_fail, NULL, NULL, 60},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_refuse),
    };
    int failed = 0;

    if (!mkdtemp(dir))
        return 1;
    for (size_t i = 0; i < countof(on); i++)
        failed += index_contract_run(&on[i]);
    failed += cmocka_run_group_tests(tests, set_up, tear_down);
    return failed;
}
