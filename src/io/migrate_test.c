/* migrate_test.c - the list of what is copied is complete: every table, every
 * column. Who adds one to a schema is reminded here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_sqlite.h"
#include "io/migrate_impl.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/migrate_test.XXXXXX";
static const char *const file[META_PARTS] = {
    [META_CATALOGUE] = "catalogue.db", [META_ADMIN] = "admin.db"};

static int64_t
ask(enum meta_part part, const char *sql, const char *name)
{
    char path[64];
    sqlite3 *db;
    sqlite3_stmt *st;
    int64_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, file[part]);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    if (name)
        (void)sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    return n;
}

static void
test_complete(void **state)
{
    int64_t tables = 0;
    struct fault f = {0};
    struct meta *m;
    (void)state;

    assert_int_equal(meta_sqlite_open(&m, dir, &f), ERR_OK);
    for (unsigned i = 0; i < MIGRATE_TABLES; i++) {
        const struct migrate_table *t = &migrate_table[i];
        int64_t n =
            ask(t->part, "SELECT count(*) FROM pragma_table_info(?)", t->name);

        if (n != t->columns)
            fail_msg("%s has %d columns, %u are copied: see migrate_table.c",
                     t->name, (int)n, t->columns);
    }
    for (unsigned p = 0; p < META_PARTS; p++)
        tables += ask((enum meta_part)p,
                      "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                      " AND name NOT LIKE 'sqlite_%'",
                      NULL);
    assert_int_equal(tables, MIGRATE_TABLES);
    m->ops->close(m);
}

/* What a column holds comes back from its bytes, and orders as databases do. */
static void
test_rows(void **state)
{
    static const char a[] = {DB_INT,  -1,      -1, -1, -1, -1, -1,     -1,
                             -2,      DB_TEXT, 0,  0,  0,  2,  'a',    'b',
                             DB_BLOB, 0,       0,  0,  1,  -1, DB_NULL};
    static const char b[] = {DB_INT, 0,       0, 0, 0, 0, 0,  0,
                             0,      DB_TEXT, 0, 0, 0, 1, 'b'};
    char shown[64];
    (void)state;

    assert_int_equal(migrate_head(slice_of(a, sizeof(a)), 1), 9);
    assert_int_equal(migrate_head(slice_of(a, sizeof(a)), 2), 16);
    assert_int_equal(migrate_head(slice_of(a, sizeof(a)), 4), sizeof(a));
    assert_true(migrate_cmp(slice_of(a, sizeof(a)), slice_of(b, sizeof(b)), 1) <
                0); /* -2 < 0 */
    assert_true(migrate_cmp(slice_of(a + 9, 7), slice_of(b + 9, 6), 1) < 0);
    assert_true(migrate_cmp(slice_of(b + 9, 6), slice_of(a + 9, 7), 1) > 0);
    assert_int_equal(
        migrate_cmp(slice_of(a, sizeof(a)), slice_of(a, sizeof(a)), 3), 0);
    migrate_show(slice_of(a, sizeof(a)), 3, shown, sizeof(shown));
    assert_string_equal(shown, "-2,ab,ff");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_rows),
    };
    char command[64];
    int failed;

    if (!mkdtemp(dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) || failed;
}
