/* sqlite_count_test.c - which statement it was, how often, and with what end
 * (PRD-047, PRD-048, PRD-052). SPDX-License-Identifier: Apache-2.0 */
#include "io/sqlite_count.h"
#include "io/sqlite.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
words(void **state)
{
    static const struct {
        const char *text, *operation, *table;
    } rows[] = {
        {"SELECT a, b FROM file WHERE x = ?", "select", "file"},
        {"SELECT min(seq) FROM change", "select", "change"},
        {"INSERT INTO bucket (name) VALUES (?)", "insert", "bucket"},
        {"INSERT OR REPLACE INTO setting VALUES (?,?)", "insert", "setting"},
        {"UPDATE total SET files = ?", "update", "total"},
        {"DELETE FROM change WHERE seq <= ?", "delete", "change"},
        {"select x from lower_case", "select", "lower_case"},
        {"BEGIN IMMEDIATE", "other", "transaction"},
        {"COMMIT", "other", "transaction"},
        {"SELECT 1", "select", "none"},
        {"", "other", "transaction"},
        {"SELECT x FROM a_name_that_is_longer_than_the_label_may_be", "select",
         "a_name_that_is_longer_t"},
    };
    (void)state;

    for (size_t i = 0; i < countof(rows); i++) {
        char operation[SQL_WORD], table[SQL_WORD];

        sql_words(slice_str(rows[i].text), operation, table);
        assert_string_equal(operation, rows[i].operation);
        assert_string_equal(table, rows[i].table);
    }
}

static const char *const schema1[] = {
    "CREATE TABLE thing (id INTEGER PRIMARY KEY)", NULL};
static const char *const *const migrations[] = {schema1};
enum { ADD, ALL };
static const char *const text[] = {"INSERT INTO thing (id) VALUES (?)",
                                   "SELECT id FROM thing"};

static int64_t
count(struct metrics *m, const char *operation, const char *table)
{
    return metric_value(m, metric_series(m, M_DB_QUERIES, operation, table));
}

static enum err
add(struct sql *db, int64_t id)
{
    sqlite3_stmt *st;

    assert_int_equal(sql_stmt(db, ADD, &st, NULL), ERR_OK);
    sql_bind_i64(st, 1, id);
    return sql_run(db, st, NULL);
}

static void
counted(void **state)
{
    struct metrics *m = metrics_open(1, METRIC_GROUP_ALL, 1);
    const struct sql_conf conf = {.path = SQL_MEMORY,
                                  .application_id = 1,
                                  .migrations = migrations,
                                  .n_migrations = 1,
                                  .stmts = text,
                                  .n_stmts = countof(text)};
    sqlite3_stmt *st;
    struct sql *db;
    (void)state;

    assert_non_null(m);
    assert_int_equal(sql_open(&db, &conf, NULL), ERR_OK);
    assert_true(sql_observe(db, m));
    sql_lock(db);
    assert_int_equal(metric_value(m, metric_series(m, M_DB_ACTIVE, "sqlite")),
                     1);
    assert_int_equal(sql_begin(db, NULL), ERR_OK);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(add(db, i), ERR_OK);
    assert_int_equal(sql_commit(db, NULL), ERR_OK);
    assert_int_equal(count(m, "insert", "thing"), 3);
    assert_int_equal(count(m, "other", "transaction"), 2);

    /* The same key again. */
    assert_int_equal(add(db, 1), ERR_CONFLICT);
    assert_int_equal(count(m, "insert", "thing"), 4);
    assert_int_equal(metric_value(m, metric_series(m, M_DB_ERRORS, "insert",
                                                   "thing", "constraint")),
                     1);

    /* Rows are one statement, whether it is read to its end or left. */
    assert_int_equal(sql_stmt(db, ALL, &st, NULL), ERR_OK);
    while (sql_step(db, st, NULL) == ERR_OK) {
    }
    assert_int_equal(count(m, "select", "thing"), 1);
    assert_int_equal(sql_stmt(db, ALL, &st, NULL), ERR_OK);
    assert_int_equal(sql_step(db, st, NULL), ERR_OK);
    sql_reset(st);
    assert_int_equal(sql_stmt(db, ALL, &st, NULL), ERR_OK);
    assert_int_equal(count(m, "select", "thing"), 2);
    sql_unlock(db);
    assert_int_equal(metric_value(m, metric_series(m, M_DB_ACTIVE, "sqlite")),
                     0);
    sql_close(&db);
    metrics_close(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
