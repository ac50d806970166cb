/* index_sqlite.c - see index_sqlite.h and port/index.h.
 *
 * The change log keeps (seq, op, at, file_id, epoch): the row of a publish is
 * in `file` anyway, and writing it twice would double the bytes of each commit.
 * The totals are one row, written once a transaction, so that nothing counts.
 * A third connection checkpoints, so that neither readers nor commits wait for
 * it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/index_sqlite.h"
#include "io/index_impl.h"
#include <stdlib.h>

#define APPLICATION_ID 0x61724931 /* "arI1" */

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

/* --- writing; all under W's lock and in a transaction --------------------- */

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
    struct index_sqlite *s = index_self(x);
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
    struct index_sqlite *s = index_self(x);
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
    struct index_sqlite *s = index_self(x);
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

/* Mostly done while others read and write; the rest, which came meanwhile,
 * while they wait. */
static enum err
x_sync(struct index *x, struct fault *f)
{
    struct index_sqlite *s = index_self(x);
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

/* --- life ----------------------------------------------------------------- */

static void
x_close(struct index *x)
{
    struct index_sqlite *s = index_self(x);

    if (s->k != s->w)
        sql_close(&s->k);
    if (s->r != s->w)
        sql_close(&s->r);
    sql_close(&s->w);
    free(s);
}

static const struct index_ops ops = {
    .apply = x_apply,
    .get = index_get,
    .list = index_list,
    .bucket = index_bucket,
    .changes = index_changes,
    .expired = index_expired,
    .reset = x_reset,
    .totals = index_totals,
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
        e = index_totals_read(s->w, &s->t, f);
    if (e)
        x_close(&s->index);
    else
        *out = &s->index;
    return e;
}

/* Without memory for it they are not counted. The third connection has no
 * statements of its own. */
void
index_sqlite_observe(struct index *x, struct metrics *m)
{
    struct index_sqlite *s = index_self(x);

    (void)sql_observe(s->w, m);
    (void)sql_observe(s->r, m);
}
