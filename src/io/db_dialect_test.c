/* db_dialect_test.c - one text, two spellings.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "io/db.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_words(void **state)
{
    static const struct {
        const char *text, *sqlite, *postgres, *why;
    } row[] = {
        {"SELECT 1", "SELECT 1", "SELECT 1", "most of it is common"},
        {"x = $2 AND y = $10", "x = ?2 AND y = ?10", "x = $2 AND y = $10",
         "values by number"},
        {"$$ costs $ 5", "$$ costs $ 5", "$$ costs $ 5", "a $ alone"},
        {"n {int} NOT NULL, b {blob}", "n INTEGER NOT NULL, b BLOB",
         "n bigint NOT NULL, b bytea", "types"},
        {"s {text}", "s TEXT", "s text COLLATE \"C\"", "compared by bytes"},
        {"'{}' {unknown} {", "'{}' {unknown} {", "'{}' {unknown} {",
         "braces that are no word"},
        {"SELECT n FROM t{lock}", "SELECT n FROM t",
         "SELECT n FROM t FOR UPDATE", "a lock where there are several"},
        {"{postgres}CREATE FUNCTION f({int})", "", "CREATE FUNCTION f(bigint)",
         "for one only"},
        {"{sqlite}PRAGMA x", "PRAGMA x", "", "for the other only"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char *lite = db_spell(DB_SQLITE, row[i].text);
        char *pg = db_spell(DB_POSTGRES, row[i].text);

        if (strcmp(lite, row[i].sqlite) != 0 ||
            strcmp(pg, row[i].postgres) != 0)
            fail_msg("%s: \"%s\", \"%s\"", row[i].why, lite, pg);
        free(lite);
        free(pg);
    }
}

static void
test_schema(void **state)
{
    static const char *const one[] = {"CREATE TABLE t (n {int})",
                                      "{postgres}ANALYZE t", NULL};
    static const struct db_script script[] = {{"first", one}};
    static const char *const stmt[] = {"SELECT $1", NULL};
    static const struct db_schema schema = {"part", script, 1, stmt, 2};
    struct db_texts x;
    (void)state;

    assert_true(db_texts_init(&x, DB_SQLITE, &schema));
    assert_string_equal(x.stmt[0], "SELECT ?1");
    assert_null(x.stmt[1]);
    assert_string_equal(x.script[0][0], "CREATE TABLE t (n INTEGER)");
    assert_null(x.script[0][1]); /* what is not for it is left out */
    db_texts_release(&x);
    assert_true(db_texts_init(&x, DB_POSTGRES, &schema));
    assert_string_equal(x.script[0][1], "ANALYZE t");
    assert_null(x.script[0][2]);
    db_texts_release(&x);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
