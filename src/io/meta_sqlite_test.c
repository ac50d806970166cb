/* meta_sqlite_test.c - the contract of port/meta.h on SQLite, in files and in
 * memory, and who may read the files. SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_sqlite.h"
#include "base/base.h"
#include "port/meta_contract.h"
#include "port/meta_fail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/meta_sqlite_test.XXXXXX";
static unsigned folders;

static const char *
folder(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%u", dir, folders);
    return path;
}

static struct meta *
open_path(const char *path)
{
    struct meta *m = NULL;
    struct fault f = {0};

    if (meta_sqlite_open(&m, path, &f))
        fail_msg("%s: %s", f.op, f.what);
    return m;
}

static struct meta *
open_files(void *arg)
{
    (void)arg;
    folders++;
    assert_int_equal(mkdir(folder(), 0700), 0);
    return open_path(folder());
}

static struct meta *
reopen_files(void *arg, struct meta *m)
{
    (void)arg;
    m->ops->close(m);
    return open_path(folder());
}

static struct meta *
open_memory(void *arg)
{
    (void)arg;
    return open_path(NULL);
}

/* The failing driver, told to fail nothing. */
static struct meta *
open_fail(void *arg)
{
    static struct meta_fail w;

    meta_fail_init(&w, open_memory(arg));
    return &w.meta;
}

/* Secrets' hashes and names of files: nobody else's business. */
static void
test_private(void **state)
{
    static const char *const name[] = {"catalogue.db", "catalogue.db-wal",
                                       "admin.db", "admin.db-wal"};
    struct meta *m;
    mode_t old = umask(0);
    (void)state;

    m = open_files(NULL);
    for (size_t i = 0; i < countof(name); i++) {
        char path[128];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/%s", folder(), name[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    (void)umask(old);
    m->ops->close(m);
}

int
main(void)
{
    static const struct meta_contract on[] = {
        {"sqlite files", open_files, reopen_files, NULL},
        {"sqlite memory", open_memory, NULL, NULL},
        {"meta_fail", open_fail, NULL, NULL},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private),
    };
    char command[96];
    int failed = 0;

    if (!mkdtemp(dir))
        return 1;
    for (size_t i = 0; i < countof(on); i++)
        failed += meta_contract_run(&on[i]);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) || failed;
}
