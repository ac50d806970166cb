/* meta_pg_test.c - the contract of port/meta.h on a real PostgreSQL.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_pg.h"
#include "base/base.h"
#include "io/pg_world.h"
#include "port/meta_contract.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

int
main(void)
{
    static const struct meta_contract contract = {"postgresql", open_fresh,
                                                  reopen, NULL};
    const char *why = pg_world_open(&world);
    int failed;

    if (why) {
        (void)fprintf(stderr, "skipped: %s\n", why);
        return 77; /* as meson counts a skipped test */
    }
    pg_world_database(&world, "contract", url);
    failed = meta_contract_run(&contract);
    pg_world_close(&world);
    return failed;
}
