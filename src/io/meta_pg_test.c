/* meta_pg_test.c - the contract of port/meta.h on a real PostgreSQL.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_pg.h"
#include "base/base.h"
#include "io/pg_world.h"
#include "port/index_contract.h"
#include "port/meta_contract.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pg_world world;
static char url[PG_WORLD_URL];

static struct meta *
open_url(void)
{
    const struct meta_pg_conf c = {.url = url,
                                   .pool_min = 1,
                                   .pool_max = 4,
                                   .pool_timeout = dur_s(5),
                                   .statement_timeout = dur_s(20),
                                   .auto_migrate = true};
    struct meta *m = NULL;
    struct fault f = {0};

    if (meta_pg_open(&m, &c, &f))
        fail_msg("%s: %s", f.op, f.what);
    return m;
}

static struct meta *
open_fresh(void *arg)
{
    (void)arg;
    (void)pg_world_sql(&world, "contract",
                       "DROP SCHEMA public CASCADE;"
                       "CREATE SCHEMA public AUTHORIZATION artstore");
    return open_url();
}

static struct meta *
reopen(void *arg, struct meta *m)
{
    (void)arg;
    m->ops->close(m);
    return open_url();
}

static void
sql(void *arg, const char *text)
{
    (void)arg;
    (void)pg_world_sql(&world, "contract", text);
}

/* --- how statements are run ----------------------------------------------- */

static bool
any_file(void *arg, const struct meta_file *file)
{
    (void)file;
    ++*(unsigned *)arg;
    return true;
}

/* Pages of a hundred, of 20,000 files that the planner has no statistics of:
 * they come by an index that is walked in its order, and no further than the
 * page. */
static void
test_pages_cost_pages(void **state)
{
    enum { N = 20000, BATCH = 500, PAGES = 8 };
    static const struct meta_query query[] = {
        {.limit = 100, .retention = -1},
        {.limit = 100, .retention = -1, .descending = true},
        {.limit = 100, .retention = -1, .user = "user-1"},
        {.limit = 100, .retention = -1, .user = "user-1", .descending = true},
        {.limit = 100, .retention = -1, .element_id = "se-01"},
        {.limit = 100,
         .retention = -1,
         .element_id = "se-01",
         .descending = true},
    };
    static const struct uuid se1 = {{0xe1}};
    struct meta *m = open_fresh(NULL);
    struct index_change *c = calloc(BATCH, sizeof(*c));
    struct fault f = {0};
    const char *read;
    (void)state;

    assert_non_null(c);
    (void)pg_world_sql(&world, "contract",
                       "ALTER TABLE file SET (autovacuum_enabled = off);"
                       "ALTER TABLE copy SET (autovacuum_enabled = off)");
    for (uint64_t i = 0; i < N; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++)
            index_sample_change(&c[k], i + k, i + k + 1);
        assert_int_equal(
            m->ops->feed(m, &se1, "se-01", c, BATCH, i + BATCH, &f), ERR_OK);
    }
    free(c);
    m->ops->close(m); /* its counters are kept at the end of a connection */
    (void)pg_world_sql(&world, "contract", "SELECT pg_stat_reset()");
    m = open_url();
    for (size_t i = 0; i < countof(query); i++) {
        struct meta_query q = query[i];
        unsigned n = 0;

        for (int page = 0; page < PAGES; page++)
            assert_int_equal(
                m->ops->file_list(m, &q, any_file, &n, &q.after, &f), ERR_OK);
        assert_int_equal(n, PAGES * 100);
    }
    m->ops->close(m);
    /* Each row of a page: the file, its copy, the best of its copies. */
    read = pg_world_sql(&world, "contract",
                        "SELECT sum(seq_scan) = 0 AND sum(idx_tup_fetch) <"
                        " 25000 FROM pg_stat_user_tables"
                        " WHERE relname IN ('file', 'copy')");
    assert_string_equal(read, "t");
}

int
main(void)
{
    static const struct meta_contract contract = {"postgresql", open_fresh,
                                                  reopen, NULL, sql};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_cost_pages),
    };
    const char *why = pg_world_open(&world);
    int failed;

    if (why) {
        (void)fprintf(stderr, "skipped: %s\n", why);
        return 77; /* as meson counts a skipped test */
    }
    pg_world_database(&world, "contract", url);
    failed = meta_contract_run(&contract);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    pg_world_close(&world);
    return failed;
}
