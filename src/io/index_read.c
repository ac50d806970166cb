/* index_read.c - the reading half of index_sqlite.h: all of it on the reader's
 * connection and under its lock. SPDX-License-Identifier: Apache-2.0 */
#include "io/index_impl.h"

static enum err
row_read(struct sql *db, sqlite3_stmt *st, struct index_row *row,
         struct fault *f)
{
    struct file_attr *a = &row->attr;

    if (attr_read_file(st, 0, a) && attr_read_copy(st, AT_COPY, a) &&
        sql_column_uuid(st, AT_UUID, &a->element_uuid) &&
        sql_column_text(st, AT_ID, a->element_id, sizeof(a->element_id)) &&
        sql_column_text(st, AT_BUCKET, row->bucket, sizeof(row->bucket)))
        return ERR_OK;
    return sql_corrupt(db, "row of file", f);
}

/* Steps ST to its end or until FN has enough. */
static enum err
walk(struct sql *db, sqlite3_stmt *st, index_row_fn *fn, void *arg,
     struct fault *f)
{
    struct index_row row;
    enum err e;

    while ((e = sql_step(db, st, f)) == ERR_OK) {
        e = row_read(db, st, &row, f);
        if (e || !fn(arg, &row)) {
            sql_reset(st);
            return e;
        }
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err
index_get(struct index *x, const struct uuid *file_id, struct index_row *row,
          struct fault *f)
{
    struct index_sqlite *s = index_self(x);
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->r);
    e = sql_stmt(s->r, Q_GET, &st, f);
    if (!e) {
        sql_bind_uuid(st, 1, file_id);
        e = sql_step(s->r, st, f);
    }
    if (e == ERR_END) {
        e = ERR_NOENT;
    } else if (!e) {
        e = row_read(s->r, st, row, f);
        if (!e && !attr_own(&row->attr))
            e = fault_set(f, ERR_NOMEM, "index get", "metadata");
        sql_reset(st);
    }
    sql_unlock(s->r);
    return e;
}

static int64_t
limit(size_t max)
{
    return (int64_t)u64_min(max, INT64_MAX);
}

enum err
index_list(struct index *x, const struct uuid *after, size_t max,
           index_row_fn *fn, void *arg, struct fault *f)
{
    struct index_sqlite *s = index_self(x);
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->r);
    e = sql_stmt(s->r, Q_LIST, &st, f);
    if (!e) {
        sql_bind_uuid(st, 1, after);
        sql_bind_i64(st, 2, limit(max));
        e = walk(s->r, st, fn, arg, f);
    }
    sql_unlock(s->r);
    return e;
}

enum err
index_bucket(struct index *x, const char *bucket, index_row_fn *fn, void *arg,
             struct fault *f)
{
    struct index_sqlite *s = index_self(x);
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->r);
    e = sql_stmt(s->r, Q_BUCKET, &st, f);
    if (!e) {
        sql_bind_text(st, 1, bucket);
        e = walk(s->r, st, fn, arg, f);
    }
    sql_unlock(s->r);
    return e;
}

enum err
index_expired(struct index *x, struct wall now, size_t max, index_row_fn *fn,
              void *arg, struct fault *f)
{
    struct index_sqlite *s = index_self(x);
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->r);
    e = sql_stmt(s->r, Q_EXPIRED, &st, f);
    if (!e) {
        sql_bind_i64(st, 1, now.ms);
        sql_bind_i64(st, 2, limit(max));
        e = walk(s->r, st, fn, arg, f);
    }
    sql_unlock(s->r);
    return e;
}

static enum err
change_read(struct sql *db, sqlite3_stmt *st, struct index_change *c,
            struct fault *f)
{
    int64_t op = sqlite3_column_int64(st, AT_END + 1);
    bool gone = sqlite3_column_type(st, 0) == SQLITE_NULL;

    memset(c, 0, sizeof(*c));
    c->seq = (uint64_t)sqlite3_column_int64(st, AT_END);
    c->at.ms = sqlite3_column_int64(st, AT_END + 2);
    if (op == INDEX_PUBLISH && !gone) {
        c->op = INDEX_PUBLISH;
        return row_read(db, st, &c->row, f);
    }
    c->op = op == INDEX_EXPIRE ? INDEX_EXPIRE : INDEX_DELETE;
    c->row.attr.epoch = (uint64_t)sqlite3_column_int64(st, AT_END + 4);
    if (!sql_column_uuid(st, AT_END + 3, &c->row.attr.file_id))
        return sql_corrupt(db, "row of change", f);
    return ERR_OK;
}

enum err
index_changes(struct index *x, uint64_t since, size_t max, index_change_fn *fn,
              void *arg, struct fault *f)
{
    struct index_sqlite *s = index_self(x);
    struct index_change c;
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->r);
    e = sql_stmt(s->r, Q_CHANGES, &st, f);
    if (e)
        goto out;
    sql_bind_i64(st, 1, (int64_t)u64_min(since, INT64_MAX));
    sql_bind_i64(st, 2, limit(max));
    while ((e = sql_step(s->r, st, f)) == ERR_OK) {
        e = change_read(s->r, st, &c, f);
        if (e || !fn(arg, &c)) {
            sql_reset(st);
            goto out;
        }
    }
    if (e == ERR_END)
        e = ERR_OK;
out:
    sql_unlock(s->r);
    return e;
}

enum err
index_totals_read(struct sql *db, struct index_totals *t, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, Q_TOTAL_GET, &st, f);

    if (e || (e = sql_step(db, st, f)))
        return e == ERR_END ? sql_corrupt(db, "total", f) : e;
    t->files = (uint64_t)sqlite3_column_int64(st, 0);
    t->bytes = (uint64_t)sqlite3_column_int64(st, 1);
    t->stored = (uint64_t)sqlite3_column_int64(st, 2);
    t->last_seq = (uint64_t)sqlite3_column_int64(st, 3);
    sql_reset(st);
    if ((e = sql_stmt(db, Q_FIRST_SEQ, &st, f)) || (e = sql_step(db, st, f)))
        return e == ERR_END ? sql_corrupt(db, "change", f) : e;
    t->first_seq = (uint64_t)sqlite3_column_int64(st, 0); /* NULL reads as 0 */
    sql_reset(st);
    return ERR_OK;
}

enum err
index_totals(struct index *x, struct index_totals *out, struct fault *f)
{
    struct index_sqlite *s = index_self(x);
    enum err e;

    sql_lock(s->r);
    e = index_totals_read(s->r, out, f);
    sql_unlock(s->r);
    return e;
}
