/* meta_sqlite_test.c - the contract of port/meta.h on SQLite, in files and in
 * memory, and who may read the files. SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_sqlite.h"
#include "base/base.h"
#include "port/index_contract.h"
#include "port/meta_contract.h"
#include "port/meta_fail.h"
#include <setjmp.h>
#include <sqlite3.h>
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

static void
sql_files(void *arg, const char *text)
{
    char path[80];
    sqlite3 *db;
    (void)arg;

    (void)snprintf(path, sizeof(path), "%s/admin.db", folder());
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 30000);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
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

/* A catalogue of version 1, as the first servers made it: its totals, files
 * and positions are there in the present version. */
static void
test_version_1(void **state)
{
    static const char v1[] =
        "CREATE TABLE element (n INTEGER PRIMARY KEY, uuid BLOB NOT NULL"
        " UNIQUE, element_id TEXT NOT NULL, position INTEGER NOT NULL);"
        "CREATE TABLE file (file_id BLOB NOT NULL, original_filename TEXT"
        " NOT NULL, storage_filename TEXT NOT NULL, content_type TEXT"
        " NOT NULL, content_encoding TEXT NOT NULL, uploaded_by TEXT NOT NULL,"
        " size INTEGER NOT NULL, md5 BLOB NOT NULL, sha256 BLOB NOT NULL,"
        " uploaded_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
        " retention INTEGER NOT NULL, metadata TEXT, epoch INTEGER NOT NULL);"
        "CREATE UNIQUE INDEX file_by_id ON file (file_id);"
        "CREATE INDEX file_by_user ON file (uploaded_by, file_id);"
        "CREATE TABLE copy (file_id BLOB NOT NULL, element INTEGER NOT NULL"
        " REFERENCES element (n), epoch INTEGER NOT NULL, seq INTEGER NOT"
        " NULL, state INTEGER NOT NULL, format INTEGER NOT NULL, stored_size"
        " INTEGER NOT NULL, stored_crc INTEGER NOT NULL,"
        " PRIMARY KEY (file_id, element)) WITHOUT ROWID;"
        "CREATE INDEX copy_by_element ON copy (element, file_id);"
        "CREATE TABLE total (one INTEGER PRIMARY KEY, files INTEGER NOT NULL,"
        " bytes INTEGER NOT NULL);"
        "INSERT INTO total VALUES (1, 1, 77);"
        "INSERT INTO element VALUES (1, x'e1000000000000000000000000000000',"
        " 'se-01', 9), (2, x'e2000000000000000000000000000000', 'se-02', 4);"
        "INSERT INTO file VALUES (x'01941f2a7c1e7d4b8e113f1c2b3a4d5e', 'a',"
        " 'a', 't/t', '', 'u', 77, zeroblob(16), zeroblob(32), 5, 0, 1, NULL,"
        " 1);"
        "INSERT INTO copy VALUES (x'01941f2a7c1e7d4b8e113f1c2b3a4d5e', 1, 1,"
        " 9, 0, 1, 77, 0);"
        "PRAGMA application_id = 0x61724331; PRAGMA user_version = 1";
    static const struct uuid se2 = {{0xe2}};
    struct index_change c;
    struct meta_file file;
    struct uuid id;
    uint64_t files, bytes, seq;
    struct fault f = {0};
    char path[80];
    sqlite3 *db;
    struct meta *m;
    (void)state;

    folders++;
    assert_int_equal(mkdir(folder(), 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/catalogue.db", folder());
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, v1, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    m = open_path(folder());
    for (int i = 0; i < 2; i++) {
        assert_int_equal(m->ops->file_count(m, &files, &bytes, &f), ERR_OK);
        assert_int_equal(files, 1 + i);
        assert_int_equal(bytes, 77 + 1001 * i);
        index_sample_change(&c, 1, 5); /* and it goes on */
        assert_int_equal(m->ops->feed(m, &se2, "se-02", &c, 1, 5, &f), ERR_OK);
    }
    assert_int_equal(m->ops->feed_position(m, &se2, &seq, &f), ERR_OK);
    assert_int_equal(seq, 5);
    assert_true(uuid_parse(SLICE("01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"), &id));
    assert_int_equal(m->ops->file_get(m, &id, &file, &f), ERR_OK);
    assert_string_equal(file.attr.element_id, "se-01");
    meta_file_release(&file);
    m->ops->close(m);
}

int
main(void)
{
    static const struct meta_contract on[] = {
        {"sqlite files", open_files, reopen_files, NULL, sql_files},
        {"sqlite memory", open_memory, NULL, NULL, NULL},
        {"meta_fail", open_fail, NULL, NULL, NULL},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_version_1),
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
