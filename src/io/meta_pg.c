/* meta_pg.c - see meta_pg.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_pg.h"
#include "io/db_pg.h"
#include "io/meta_impl.h"
#include "io/pg_schema.h"

#define AUTO_WAIT dur_s(30) /* for another that applies the same scripts */

static enum err
schema_ready(const struct meta_pg_conf *c, struct fault *f)
{
    const struct pg_conf pc = {.url = c->url,
                               .connect_timeout = DB_PG_CONNECT_LIMIT,
                               .statement_timeout = c->statement_timeout};
    struct pg *p;
    enum err e = pg_open(&p, &pc, f);

    if (e)
        return e;
    if (c->auto_migrate)
        e = pg_schema_apply(p, meta_schema, META_PARTS, AUTO_WAIT, NULL, NULL,
                            f);
    if (!e)
        e = pg_schema_check(p, meta_schema, META_PARTS, f);
    pg_close(&p);
    return e;
}

enum err
meta_pg_open(struct meta **out, const struct meta_pg_conf *c, struct fault *f)
{
    const struct db_pg_conf dc = {
        .url = c->url,
        .pool_min = c->pool_min,
        .pool_max = c->pool_max,
        .pool_timeout = c->pool_timeout,
        .statement_timeout = c->statement_timeout,
        .schema = meta_schema,
        .n_schema = META_PARTS,
    };
    struct db *db[META_PARTS] = {NULL};
    enum err e = schema_ready(c, f);

    *out = NULL;
    if (!e)
        e = db_pg_open(db, &dc, f);
    return e ? e : meta_db_new(out, db[META_CATALOGUE], db[META_ADMIN], f);
}

void
meta_pg_observe(struct meta *m, struct metrics *n)
{
    (void)db_observe(meta_self(m)->catalogue, n);
}
