/* db_sqlite.c - see db_sqlite.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/db_sqlite.h"
#include <stdlib.h>

struct lite_tx {
    struct db_tx tx;
    struct sql *sql;
    sqlite3_stmt *st; /* the statement at hand, or NULL */
};

struct db_lite {
    struct db db;
    struct db_texts texts;
    struct lite_tx w;
    struct lite_tx r; /* the same connection as W when in memory */
};

static struct lite_tx *
self_tx(struct db_tx *t)
{
    return container_of(t, struct lite_tx, tx);
}

/* --- statements ----------------------------------------------------------- */

static enum err
t_use(struct db_tx *tx, unsigned i, struct fault *f)
{
    struct lite_tx *t = self_tx(tx);

    if (t->st)
        sql_reset(t->st);
    t->st = NULL;
    return sql_stmt(t->sql, i, &t->st, f);
}

static void
t_bind(struct db_tx *tx, int i, const struct db_value *v)
{
    sqlite3_stmt *st = self_tx(tx)->st;

    switch (v->kind) {
    case DB_NULL:
        sql_bind_null(st, i);
        break;
    case DB_INT:
        sql_bind_i64(st, i, v->i);
        break;
    case DB_TEXT:
        sql_bind_slice(st, i, slice_of(v->p, v->n));
        break;
    case DB_BLOB:
        sql_bind_blob(st, i, v->p, v->n);
        break;
    }
}

static enum err
t_step(struct db_tx *tx, struct fault *f)
{
    struct lite_tx *t = self_tx(tx);

    return sql_step(t->sql, t->st, f);
}

static enum err
t_post(struct db_tx *tx, struct db_posted *out, struct fault *f)
{
    struct lite_tx *t = self_tx(tx);
    struct db_posted p = {0};
    enum err e = sql_step(t->sql, t->st, f);

    if (e == ERR_OK && sqlite3_column_count(t->st) > 0)
        p.value = sqlite3_column_int64(t->st, 0);
    while (e == ERR_OK)
        e = sql_step(t->sql, t->st, f);
    if (e != ERR_END)
        return e;
    p.changed = sql_changes(t->sql);
    if (out)
        *out = p;
    return ERR_OK;
}

static enum err
t_flush(struct db_tx *tx, struct fault *f)
{
    (void)tx;
    (void)f;
    return ERR_OK;
}

static struct db_value
t_column(struct db_tx *tx, int i)
{
    sqlite3_stmt *st = self_tx(tx)->st;
    struct db_value v = {DB_NULL, 0, NULL, 0};

    switch (sqlite3_column_type(st, i)) {
    case SQLITE_NULL:
        break;
    case SQLITE_INTEGER:
        v.kind = DB_INT;
        v.i = sqlite3_column_int64(st, i);
        break;
    case SQLITE_BLOB:
        v.kind = DB_BLOB;
        v.p = sqlite3_column_blob(st, i);
        v.n = (size_t)sqlite3_column_bytes(st, i);
        break;
    default:
        v.kind = DB_TEXT;
        v.p = sqlite3_column_text(st, i);
        v.n = (size_t)sqlite3_column_bytes(st, i);
        break;
    }
    return v;
}

static const char *
t_name(struct db_tx *tx)
{
    return sql_name(self_tx(tx)->sql);
}

static const struct db_tx_ops tx_ops = {
    .use = t_use,
    .bind = t_bind,
    .step = t_step,
    .post = t_post,
    .flush = t_flush,
    .column = t_column,
    .name = t_name,
};

/* --- the database --------------------------------------------------------- */

static struct db_lite *
self(struct db *d)
{
    return container_of(d, struct db_lite, db);
}

static enum err
d_run(struct db *db, enum db_mode mode, db_fn *fn, void *arg, struct fault *f)
{
    struct db_lite *d = self(db);
    struct lite_tx *t = mode == DB_READ ? &d->r : &d->w;
    enum err e = ERR_OK;

    sql_lock(t->sql);
    if (mode != DB_READ)
        e = sql_begin(t->sql, f);
    if (!e) {
        e = fn(&t->tx, arg, f);
        if (t->st) /* it must hold no snapshot, and not hinder the commit */
            sql_reset(t->st);
        t->st = NULL;
        if (mode != DB_READ)
            e = sql_end(t->sql, e, f);
    }
    sql_unlock(t->sql);
    return e;
}

static bool
d_observe(struct db *db, struct metrics *m)
{
    struct db_lite *d = self(db);

    return sql_observe(d->w.sql, m) && sql_observe(d->r.sql, m);
}

static void
d_close(struct db *db)
{
    struct db_lite *d = self(db);

    if (d->r.sql != d->w.sql)
        sql_close(&d->r.sql);
    sql_close(&d->w.sql);
    db_texts_release(&d->texts);
    free(d);
}

static const struct db_ops ops = {
    .run = d_run,
    .observe = d_observe,
    .close = d_close,
};

static enum err
open_both(struct db_lite *d, const struct db_sqlite_conf *c, struct fault *f)
{
    struct sql_conf sc = {
        .path = c->path,
        .application_id = c->application_id,
        .migrations = d->texts.script,
        .n_migrations = c->schema->n_scripts,
        .stmts = (const char *const *)d->texts.stmt,
        .n_stmts = c->schema->n_stmts,
        .full = c->full,
        .cache_kib = c->cache_kib,
    };
    enum err e = sql_open(&d->w.sql, &sc, f);

    d->r.sql = d->w.sql;
    if (e || strcmp(c->path, SQL_MEMORY) == 0)
        return e;
    sc.reader = true;
    d->r.sql = NULL;
    return sql_open(&d->r.sql, &sc, f);
}

enum err
db_sqlite_open(struct db **out, const struct db_sqlite_conf *c, struct fault *f)
{
    struct db_lite *d = calloc(1, sizeof(*d));
    enum err e;

    *out = NULL;
    if (!d || !db_texts_init(&d->texts, DB_SQLITE, c->schema)) {
        free(d);
        return fault_set(f, ERR_NOMEM, "sqlite open", c->path);
    }
    d->db.ops = &ops;
    d->w.tx.ops = d->r.tx.ops = &tx_ops;
    e = open_both(d, c, f);
    if (e)
        d_close(&d->db);
    else
        *out = &d->db;
    return e;
}
