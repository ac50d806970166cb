/* index_sqlite.c - see index_sqlite.h and port/index.h.
 *
 * The change log keeps (seq, op, at, file_id, epoch): the row of a publish is
 * in `file` anyway, and writing it twice would double the bytes of each commit.
 * The totals are one row, written once a transaction, so that nothing counts.
 * A third connection checkpoints, so that neither readers nor commits wait for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/index_sqlite.h"
#include "base/base.h"
#include "io/sqlite_attr.h"
#include <stdlib.h>

#define APPLICATION_ID 0x61724931 /* "arI1" */

#define ROW_COLUMNS \
    ATTR_FILE_COLUMNS "," ATTR_COPY_COLUMNS ", element_uuid, element_id, name"
#define AT_COPY   ATTR_FILE_N
#define AT_UUID   (ATTR_FILE_N + ATTR_COPY_N)
#define AT_ID     (AT_UUID + 1)
#define AT_BUCKET (AT_UUID + 2)
#define AT_END    (AT_UUID + 3)
#define ROW_FROM  " FROM file JOIN bucket ON bucket.n = file.bucket "

static const char *const schema1[] = {
    "CREATE TABLE bucket (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE file (" ATTR_FILE_TYPES "," ATTR_COPY_TYPES
    ", element_uuid BLOB NOT NULL, element_id TEXT NOT NULL,"
    " bucket INTEGER NOT NULL REFERENCES bucket (n))",
    "CREATE UNIQUE INDEX file_by_id ON file (file_id)",
    "CREATE INDEX file_by_bucket ON file (bucket)",
    "CREATE INDEX file_by_expiry ON file (expires_at) WHERE expires_at > 0",
    "CREATE TABLE change (seq INTEGER PRIMARY KEY, op INTEGER NOT NULL,"
    " at INTEGER NOT NULL, file_id BLOB NOT NULL, epoch INTEGER NOT NULL)",
    "CREATE TABLE total (one INTEGER PRIMARY KEY, files INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, stored INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL)",
    "INSERT INTO total VALUES (1, 0, 0, 0, 0)",
    NULL,
};
static const char *const *const migrations[] = {schema1};

enum {
    Q_BUCKET_GET,
    Q_BUCKET_ADD,
    Q_FILE_ADD,
    Q_FILE_PUT,
    Q_FILE_SIZES,
    Q_FILE_DEL,
    Q_CHANGE_PUT,
    Q_TOTAL_PUT,
    Q_TOTAL_GET,
    Q_FIRST_SEQ,
    Q_GET,
    Q_LIST,
    Q_BUCKET,
    Q_CHANGES,
    Q_EXPIRED,
    Q_TRIM,
    Q_RESET_FILE,
    Q_RESET_BUCKET,
    Q_RESET_CHANGE,
    Q_N
};

#define FILE_ADD                                                   \
    "INSERT INTO file (" ATTR_FILE_COLUMNS "," ATTR_COPY_COLUMNS   \
    ", element_uuid, element_id, bucket) VALUES (" ATTR_FILE_MARKS \
    "," ATTR_COPY_MARKS ",?,?,?) ON CONFLICT (file_id) "

static const char *const text[Q_N] = {
    [Q_BUCKET_GET] = "SELECT n FROM bucket WHERE name = ?",
    [Q_BUCKET_ADD] = "INSERT INTO bucket (name) VALUES (?)",
    [Q_FILE_ADD] = FILE_ADD "DO NOTHING",
    [Q_FILE_PUT] =
        FILE_ADD "DO UPDATE SET " ATTR_FILE_SET "," ATTR_COPY_SET
                 ", element_uuid = excluded.element_uuid,"
                 " element_id = excluded.element_id, bucket = excluded.bucket",
    [Q_FILE_SIZES] = "SELECT size, stored_size FROM file WHERE file_id = ?",
    [Q_FILE_DEL] = "DELETE FROM file WHERE file_id = ?",
    [Q_CHANGE_PUT] = "INSERT INTO change (seq, op, at, file_id, epoch)"
                     " VALUES (?,?,?,?,?) ON CONFLICT (seq) DO UPDATE SET"
                     " op = excluded.op, at = excluded.at,"
                     " file_id = excluded.file_id, epoch = excluded.epoch",
    [Q_TOTAL_PUT] = "UPDATE total SET files = ?, bytes = ?, stored = ?,"
                    " last_seq = ? WHERE one = 1",
    [Q_TOTAL_GET] = "SELECT files, bytes, stored, last_seq FROM total",
    [Q_FIRST_SEQ] = "SELECT min(seq) FROM change",
    [Q_GET] = "SELECT " ROW_COLUMNS ROW_FROM "WHERE file_id = ?",
    [Q_LIST] = "SELECT " ROW_COLUMNS ROW_FROM
               "WHERE file_id > ? ORDER BY file_id LIMIT ?",
    [Q_BUCKET] = "SELECT " ROW_COLUMNS ROW_FROM "WHERE name = ?",
    [Q_CHANGES] = "SELECT file.file_id, original_filename, storage_filename,"
                  " content_type, content_encoding, uploaded_by, size, md5,"
                  " sha256, uploaded_at, expires_at, retention, metadata,"
                  " file.epoch, file.seq, state, format, stored_size,"
                  " stored_crc, element_uuid, element_id, name,"
                  " change.seq, op, at, change.file_id, change.epoch"
                  " FROM change LEFT JOIN file"
                  " ON op = 1 AND file.file_id = change.file_id"
                  " LEFT JOIN bucket ON bucket.n = file.bucket"
                  " WHERE change.seq > ? ORDER BY change.seq LIMIT ?",
    [Q_EXPIRED] = "SELECT " ROW_COLUMNS ROW_FROM
                  "WHERE expires_at > 0 AND expires_at <= ?"
                  " AND retention = 0 AND state = 0"
                  " ORDER BY expires_at LIMIT ?",
    [Q_TRIM] = "DELETE FROM change WHERE seq <= ?",
    [Q_RESET_FILE] = "DELETE FROM file",
    [Q_RESET_BUCKET] = "DELETE FROM bucket",
    [Q_RESET_CHANGE] = "DELETE FROM change",
};
_Static_assert(RETENTION_TEMPORARY == 0 && ATTR_COMMITTED == 0 &&
                   INDEX_PUBLISH == 1,
               "the statements spell these out");

struct index_sqlite {
    struct index index;
    struct sql *w;
    struct sql *r;         /* to read, and */
    struct sql *k;         /* to checkpoint; both are W itself when in memory */
    struct index_totals t; /* under W's lock, as committed */
    char bucket[32];       /* the one used last, and its number */
    int64_t bucket_n;      /* 0: none */
};

static struct index_sqlite *
self(struct index *x)
{
    return container_of(x, struct index_sqlite, index);
}

/* --- writing; all under W's lock and in a transaction ----------------------- */

static enum err
bucket_number(struct index_sqlite *s, const char *name, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e;

    if (s->bucket_n && strcmp(s->bucket, name) == 0)
        return ERR_OK;
    s->bucket_n = 0;
    if ((e = sql_stmt(s->w, Q_BUCKET_GET, &st, f)))
        return e;
    sql_bind_text(st, 1, name);
    e = sql_step(s->w, st, f);
    if (e == ERR_END) {
        if ((e = sql_stmt(s->w, Q_BUCKET_ADD, &st, f)))
            return e;
        sql_bind_text(st, 1, name);
        if ((e = sql_run(s->w, st, f)))
            return e;
        if ((e = sql_stmt(s->w, Q_BUCKET_GET, &st, f)))
            return e;
        sql_bind_text(st, 1, name);
        e = sql_step(s->w, st, f);
    }
    if (e)
        return e == ERR_END ? sql_corrupt(s->w, "bucket", f) : e;
    s->bucket_n = sqlite3_column_int64(st, 0);
    sql_reset(st);
    (void)slice_copy(slice_str(name), s->bucket, sizeof(s->bucket));
    return ERR_OK;
}

/* Takes the row of ID out of the totals; ERR_NOENT when there is none. */
static enum err
discount(struct index_sqlite *s, const struct uuid *id, struct index_totals *t,
         struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, Q_FILE_SIZES, &st, f);

    if (e)
        return e;
    sql_bind_uuid(st, 1, id);
    e = sql_step(s->w, st, f);
    if (e)
        return e == ERR_END ? ERR_NOENT : e;
    t->files--;
    t->bytes -= (uint64_t)sqlite3_column_int64(st, 0);
    t->stored -= (uint64_t)sqlite3_column_int64(st, 1);
    sql_reset(st);
    return ERR_OK;
}

static enum err
file_write(struct index_sqlite *s, unsigned q, const struct index_row *row,
           struct fault *f)
{
    const struct file_attr *a = &row->attr;
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, q, &st, f);

    if (e)
        return e;
    attr_bind_file(st, 1, a);
    attr_bind_copy(st, 1 + AT_COPY, a);
    sql_bind_uuid(st, 1 + AT_UUID, &a->element_uuid);
    sql_bind_text(st, 1 + AT_ID, a->element_id);
    sql_bind_i64(st, 1 + AT_BUCKET, s->bucket_n);
    return sql_run(s->w, st, f);
}

static enum err
publish(struct index_sqlite *s, const struct index_row *row,
        struct index_totals *t, struct fault *f)
{
    enum err e;

    if (!attr_fits(&row->attr) || strlen(row->bucket) >= sizeof(s->bucket))
        return fault_set(f, ERR_INVAL, "index apply", "value out of range");
    if ((e = bucket_number(s, row->bucket, f)) ||
        (e = file_write(s, Q_FILE_ADD, row, f)))
        return e;
    /* Nearly every publish is of a new file; only the others look first. */
    if (sql_changes(s->w) == 0) {
        e = discount(s, &row->attr.file_id, t, f);
        if (e)
            return e == ERR_NOENT ? sql_corrupt(s->w, "file_by_id", f) : e;
        if ((e = file_write(s, Q_FILE_PUT, row, f)))
            return e;
    }
    t->files++;
    t->bytes += row->attr.size;
    t->stored += row->attr.stored_size;
    return ERR_OK;
}

static enum err
take_away(struct index_sqlite *s, const struct uuid *id, struct index_totals *t,
          struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = discount(s, id, t, f);

    if (e)
        return e == ERR_NOENT ? ERR_OK : e;
    if ((e = sql_stmt(s->w, Q_FILE_DEL, &st, f)))
        return e;
    sql_bind_uuid(st, 1, id);
    return sql_run(s->w, st, f);
}

static enum err
apply_one(struct index_sqlite *s, const struct index_change *c,
          struct index_totals *t, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e;

    if (c->seq == 0 || c->seq > INT64_MAX)
        return fault_set(f, ERR_INVAL, "index apply", "seq");
    e = c->op == INDEX_PUBLISH ? publish(s, &c->row, t, f)
                               : take_away(s, &c->row.attr.file_id, t, f);
    if (e || (e = sql_stmt(s->w, Q_CHANGE_PUT, &st, f)))
        return e;
    sql_bind_i64(st, 1, (int64_t)c->seq);
    sql_bind_i64(st, 2, c->op);
    sql_bind_i64(st, 3, c->at.ms);
    sql_bind_uuid(st, 4, &c->row.attr.file_id);
    sql_bind_i64(st, 5, (int64_t)c->row.attr.epoch);
    t->last_seq = u64_max(t->last_seq, c->seq);
    return sql_run(s->w, st, f);
}

static enum err
totals_write(struct index_sqlite *s, const struct index_totals *t,
             struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, Q_TOTAL_PUT, &st, f);

    if (e)
        return e;
    sql_bind_i64(st, 1, (int64_t)t->files);
    sql_bind_i64(st, 2, (int64_t)t->bytes);
    sql_bind_i64(st, 3, (int64_t)t->stored);
    sql_bind_i64(st, 4, (int64_t)t->last_seq);
    return sql_run(s->w, st, f);
}

/* The end of every writing call: the new totals T hold if the commit does. */
static enum err
finish(struct index_sqlite *s, const struct index_totals *t, enum err e,
       struct fault *f)
{
    if (!e)
        e = totals_write(s, t, f);
    e = sql_end(s->w, e, f);
    if (e)
        s->bucket_n = 0; /* it may have been made in what was rolled back */
    else
        s->t = *t;
    return e;
}

static enum err
x_apply(struct index *x, const struct index_change *c, size_t n,
        struct fault *f)
{
    struct index_sqlite *s = self(x);
    struct index_totals t;
    enum err e;

    sql_lock(s->w);
    t = s->t;
    e = sql_begin(s->w, f);
    if (!e) {
        for (size_t i = 0; i < n && !e; i++)
            e = apply_one(s, &c[i], &t, f);
        e = finish(s, &t, e, f);
    }
    sql_unlock(s->w);
    return e;
}

static enum err
run_plain(struct index_sqlite *s, unsigned q, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, q, &st, f);

    return e ? e : sql_run(s->w, st, f);
}

static enum err
x_reset(struct index *x, struct fault *f)
{
    struct index_sqlite *s = self(x);
    struct index_totals t = {0};
    enum err e;

    sql_lock(s->w);
    t.last_seq = s->t.last_seq;
    e = sql_begin(s->w, f);
    if (!e) {
        s->bucket_n = 0;
        if (!(e = run_plain(s, Q_RESET_FILE, f)) &&
            !(e = run_plain(s, Q_RESET_BUCKET, f)))
            e = run_plain(s, Q_RESET_CHANGE, f);
        e = finish(s, &t, e, f);
    }
    sql_unlock(s->w);
    return e;
}

static enum err
x_trim(struct index *x, uint64_t seq, struct fault *f)
{
    struct index_sqlite *s = self(x);
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->w);
    e = sql_stmt(s->w, Q_TRIM, &st, f);
    if (!e) {
        sql_bind_i64(st, 1, (int64_t)u64_min(seq, INT64_MAX));
        e = sql_run(s->w, st, f);
    }
    sql_unlock(s->w);
    return e;
}

/* Mostly done while others read and write; the rest, which came meanwhile, while
 * they wait. */
static enum err
x_sync(struct index *x, struct fault *f)
{
    struct index_sqlite *s = self(x);
    bool all = true;
    enum err e;

    if (s->k == s->w)
        return ERR_OK;
    sql_lock(s->k);
    e = sql_checkpoint(s->k, &all, f);
    if (!e && !all) {
        sql_lock(s->w);
        sql_lock(s->r);
        e = sql_checkpoint(s->k, &all, f);
        sql_unlock(s->r);
        sql_unlock(s->w);
    }
    sql_unlock(s->k);
    if (!e && !all) /* another process reads it, maybe the sqlite3 tool */
        e = fault_set(f, ERR_BUSY, "index sync", "someone else has it open");
    return e;
}

/* --- reading; under R's lock ------------------------------------------------ */

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

static enum err
x_get(struct index *x, const struct uuid *file_id, struct index_row *row,
      struct fault *f)
{
    struct index_sqlite *s = self(x);
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

static enum err
x_list(struct index *x, const struct uuid *after, size_t max, index_row_fn *fn,
       void *arg, struct fault *f)
{
    struct index_sqlite *s = self(x);
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

static enum err
x_bucket(struct index *x, const char *bucket, index_row_fn *fn, void *arg,
         struct fault *f)
{
    struct index_sqlite *s = self(x);
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

static enum err
x_expired(struct index *x, struct wall now, size_t max, index_row_fn *fn,
          void *arg, struct fault *f)
{
    struct index_sqlite *s = self(x);
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

static enum err
x_changes(struct index *x, uint64_t since, size_t max, index_change_fn *fn,
          void *arg, struct fault *f)
{
    struct index_sqlite *s = self(x);
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

static enum err
totals_read(struct sql *db, struct index_totals *t, struct fault *f)
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

static enum err
x_totals(struct index *x, struct index_totals *out, struct fault *f)
{
    struct index_sqlite *s = self(x);
    enum err e;

    sql_lock(s->r);
    e = totals_read(s->r, out, f);
    sql_unlock(s->r);
    return e;
}

/* --- life -------------------------------------------------------------------- */

static void
x_close(struct index *x)
{
    struct index_sqlite *s = self(x);

    if (s->k != s->w)
        sql_close(&s->k);
    if (s->r != s->w)
        sql_close(&s->r);
    sql_close(&s->w);
    free(s);
}

static const struct index_ops ops = {
    .apply = x_apply,
    .get = x_get,
    .list = x_list,
    .bucket = x_bucket,
    .changes = x_changes,
    .expired = x_expired,
    .reset = x_reset,
    .totals = x_totals,
    .trim = x_trim,
    .sync = x_sync,
    .close = x_close,
};

enum err
index_sqlite_open(struct index **out, const char *path, struct fault *f)
{
    struct sql_conf c = {
        .path = path,
        .application_id = APPLICATION_ID,
        .migrations = migrations,
        .n_migrations = countof(migrations),
        .stmts = text,
        .n_stmts = Q_N,
    };
    struct index_sqlite *s = calloc(1, sizeof(*s));
    enum err e;

    *out = NULL;
    if (!s)
        return fault_set(f, ERR_NOMEM, "index open", path);
    s->index.ops = &ops;
    e = sql_open(&s->w, &c, f);
    s->r = s->k = s->w;
    if (!e && strcmp(path, SQL_MEMORY) != 0) {
        c.reader = true;
        s->r = s->k = NULL;
        e = sql_open(&s->r, &c, f);
        if (!e)
            e = sql_open(&s->k, &c, f);
    }
    if (!e)
        e = totals_read(s->w, &s->t, f);
    if (e)
        x_close(&s->index);
    else
        *out = &s->index;
    return e;
}
