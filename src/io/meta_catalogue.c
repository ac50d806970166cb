/* meta_catalogue.c - files and copies: see meta_sqlite.h and port/meta.h.
 *
 * A file is one row, a copy of it another: (file_id, element, epoch, seq). A
 * change is applied if it is not older than the copy that is known, by the
 * number in its element's log; the row of the file follows the copy with the
 * highest epoch. Totals are one row, written once a transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"

#define APPLICATION_ID 0x61724331 /* "arC1" */

static const char *const schema1[] = {
    "CREATE TABLE element (n INTEGER PRIMARY KEY, uuid BLOB NOT NULL UNIQUE,"
    " element_id TEXT NOT NULL, position INTEGER NOT NULL)",
    "CREATE TABLE file (" ATTR_FILE_TYPES ", epoch INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX file_by_id ON file (file_id)",
    "CREATE INDEX file_by_user ON file (uploaded_by, file_id)",
    "CREATE TABLE copy (file_id BLOB NOT NULL, element INTEGER NOT NULL"
    " REFERENCES element (n)," ATTR_COPY_TYPES
    ", PRIMARY KEY (file_id, element)) WITHOUT ROWID",
    "CREATE INDEX copy_by_element ON copy (element, file_id)",
    "CREATE TABLE total (one INTEGER PRIMARY KEY, files INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL)",
    "INSERT INTO total VALUES (1, 0, 0)",
    NULL,
};
static const char *const *const migrations[] = {schema1};

#define FILE_ADD                                                               \
    "INSERT INTO file (" ATTR_FILE_COLUMNS ", epoch) VALUES (" ATTR_FILE_MARKS \
    ",?) ON CONFLICT (file_id) "
#define JOINED                                            \
    " FROM file JOIN copy ON copy.file_id = file.file_id" \
    " JOIN element ON element.n = copy.element "

/* --- the statements of a list ---
 *
 * Each list walks one index in its order: all files, those of one user, or
 * those of one element; the other conditions are looked at row by row, between
 * the bounds ?1 and ?2 that Q_BOUND has found. A file with several copies is
 * told once, with the copy of the highest epoch. */

/* 'true' and 'false' as JSON spells them; json_each() says 1 and 0. */
#define FILTERS                                                        \
    " AND (?5 IS NULL OR original_filename LIKE ?5 ESCAPE '\\')"       \
    " AND (?6 IS NULL OR retention = ?6)"                              \
    " AND uploaded_at >= ?7 AND uploaded_at < ?8"                      \
    " AND size >= ?9 AND size <= ?10"                                  \
    " AND (?11 IS NULL OR EXISTS (SELECT 1 FROM json_each("            \
    "CASE WHEN json_valid(metadata) THEN metadata ELSE '{}' END) AS m" \
    " WHERE m.key = ?11 AND (?12 IS NULL OR ?12 ="                     \
    " CASE WHEN m.type IN ('true', 'false', 'null') THEN m.type"       \
    " ELSE CAST(m.value AS TEXT) END)))"
#define BEST_COPY                                                             \
    " AND copy.element = (SELECT c.element FROM copy AS c"                    \
    " WHERE c.file_id = file.file_id ORDER BY c.epoch DESC, c.element LIMIT " \
    "1)"
#define ELEMENT_N " (SELECT max(n) FROM element WHERE element_id = ?4)"

#define LIST_ALL(way)                                                         \
    "SELECT " CATALOGUE_COLUMNS JOINED                                        \
    "WHERE file.file_id >= ?1 AND file.file_id <= ?2"                         \
    " AND file.file_id <> ?3" FILTERS BEST_COPY " ORDER BY file.file_id " way \
    " LIMIT ?13"
#define LIST_USER(way)                                                      \
    "SELECT " CATALOGUE_COLUMNS JOINED                                      \
    "WHERE uploaded_by = ?14 AND file.file_id >= ?1 AND file.file_id <= ?2" \
    " AND file.file_id <> ?3 AND (?4 IS NULL OR copy.element =" ELEMENT_N   \
    ")" FILTERS " AND (?4 IS NOT NULL OR (1" BEST_COPY "))"                 \
    " ORDER BY file.file_id " way " LIMIT ?13"
#define LIST_ELEMENT(way)                                           \
    "SELECT " CATALOGUE_COLUMNS                                     \
    " FROM copy JOIN file ON file.file_id = copy.file_id"           \
    " JOIN element ON element.n = copy.element"                     \
    " WHERE copy.element =" ELEMENT_N                               \
    " AND copy.file_id >= ?1 AND copy.file_id <= ?2"                \
    " AND copy.file_id <> ?3" FILTERS " ORDER BY copy.file_id " way \
    " LIMIT ?13"
#define BOUND_ALL(way)                                               \
    "SELECT file_id FROM file WHERE file_id >= ?1 AND file_id <= ?2" \
    " AND file_id <> ?3 ORDER BY file_id " way " LIMIT 1 OFFSET ?5"
#define BOUND_USER(way)                                                  \
    "SELECT file_id FROM file WHERE uploaded_by = ?14 AND file_id >= ?1" \
    " AND file_id <= ?2 AND file_id <> ?3 ORDER BY file_id " way         \
    " LIMIT 1 OFFSET ?5"
#define BOUND_ELEMENT(way)                                   \
    "SELECT file_id FROM copy WHERE element =" ELEMENT_N     \
    " AND file_id >= ?1 AND file_id <= ?2 AND file_id <> ?3" \
    " ORDER BY file_id " way " LIMIT 1 OFFSET ?5"

static const char *const text[Q_N] = {
    [Q_ELEMENT_GET] = "SELECT n, position FROM element WHERE uuid = ?",
    [Q_ELEMENT_ADD] = "INSERT INTO element (uuid, element_id, position)"
                      " VALUES (?, ?, 0)",
    [Q_ELEMENT_MOVE] = "UPDATE element SET element_id = ?2,"
                       " position = max(position, ?3) WHERE n = ?1",
    [Q_ELEMENT_ZERO] = "UPDATE element SET position = 0 WHERE n = ?",
    [Q_FILE_ADD] = FILE_ADD "DO NOTHING",
    [Q_FILE_PUT] =
        FILE_ADD "DO UPDATE SET " ATTR_FILE_SET ", epoch = excluded.epoch",
    [Q_FILE_GET] = "SELECT size, epoch FROM file WHERE file_id = ?",
    [Q_FILE_DEL] = "DELETE FROM file WHERE file_id = ?",
    [Q_COPY_PUT] =
        "INSERT INTO copy (" ATTR_COPY_COLUMNS ", file_id, element)"
        " VALUES (" ATTR_COPY_MARKS ",?,?)"
        " ON CONFLICT (file_id, element) DO UPDATE SET " ATTR_COPY_SET
        " WHERE copy.seq <= excluded.seq",
    [Q_COPY_DEL] = "DELETE FROM copy WHERE file_id = ? AND element = ?"
                   " AND seq <= ?",
    [Q_COPY_ANY] = "SELECT 1 FROM copy WHERE file_id = ? LIMIT 1",
    [Q_COPIES_DEL] = "DELETE FROM copy WHERE element = ?",
    [Q_ORPHANS_DEL] = "DELETE FROM file WHERE NOT EXISTS"
                      " (SELECT 1 FROM copy WHERE copy.file_id = file.file_id)",
    [Q_TOTAL_PUT] = "UPDATE total SET files = ?, bytes = ? WHERE one = 1",
    [Q_TOTAL_GET] = "SELECT files, bytes FROM total",
    [Q_COUNT] = "SELECT count(*), coalesce(sum(size), 0) FROM file",
    [Q_GET] = "SELECT " CATALOGUE_COLUMNS JOINED
              "WHERE file.file_id = ? ORDER BY copy.epoch DESC, copy.element"
              " LIMIT 1",
    [Q_RESET_FILE] = "DELETE FROM file",
    [Q_RESET_COPY] = "DELETE FROM copy",
    [Q_RESET_ELEMENT] = "DELETE FROM element",
    [Q_LIST] = LIST_ALL("ASC"),
    [Q_LIST + 1] = LIST_ALL("DESC"),
    [Q_LIST + 2] = LIST_USER("ASC"),
    [Q_LIST + 3] = LIST_USER("DESC"),
    [Q_LIST + 4] = LIST_ELEMENT("ASC"),
    [Q_LIST + 5] = LIST_ELEMENT("DESC"),
    [Q_BOUND] = BOUND_ALL("ASC"),
    [Q_BOUND + 1] = BOUND_ALL("DESC"),
    [Q_BOUND + 2] = BOUND_USER("ASC"),
    [Q_BOUND + 3] = BOUND_USER("DESC"),
    [Q_BOUND + 4] = BOUND_ELEMENT("ASC"),
    [Q_BOUND + 5] = BOUND_ELEMENT("DESC"),
};

/* --- the feed; under W's lock and in a transaction ------------------------ */

static enum err
run_i64(struct sql *db, unsigned q, int64_t v, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, q, &st, f);

    if (e)
        return e;
    if (sqlite3_bind_parameter_count(st) > 0)
        sql_bind_i64(st, 1, v);
    return sql_run(db, st, f);
}

/* ERR_NOENT when UUID never fed. */
static enum err
element_find(struct sql *db, const struct uuid *uuid, int64_t *n,
             uint64_t *position, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, Q_ELEMENT_GET, &st, f);

    if (e)
        return e;
    sql_bind_uuid(st, 1, uuid);
    e = sql_step(db, st, f);
    if (e)
        return e == ERR_END ? ERR_NOENT : e;
    *n = sqlite3_column_int64(st, 0);
    *position = (uint64_t)sqlite3_column_int64(st, 1);
    sql_reset(st);
    return ERR_OK;
}

static enum err
element_number(struct meta_sqlite *s, const struct uuid *uuid, const char *id,
               struct fault *f)
{
    sqlite3_stmt *st;
    uint64_t position;
    enum err e;

    if (s->element_n && uuid_eq(&s->element, uuid))
        return ERR_OK;
    s->element_n = 0;
    s->element = *uuid;
    e = element_find(s->w, uuid, &s->element_n, &position, f);
    if (e != ERR_NOENT)
        return e;
    if ((e = sql_stmt(s->w, Q_ELEMENT_ADD, &st, f)))
        return e;
    sql_bind_uuid(st, 1, uuid);
    sql_bind_text(st, 2, id);
    if ((e = sql_run(s->w, st, f)))
        return e;
    e = element_find(s->w, uuid, &s->element_n, &position, f);
    return e == ERR_NOENT ? sql_corrupt(s->w, "element", f) : e;
}

static enum err
file_write(struct sql *db, unsigned q, const struct file_attr *a,
           struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, q, &st, f);

    if (e)
        return e;
    attr_bind_file(st, 1, a);
    sql_bind_i64(st, 1 + ATTR_FILE_N, (int64_t)a->epoch);
    return sql_run(db, st, f);
}

static enum err
file_facts(struct sql *db, const struct uuid *id, uint64_t *size,
           uint64_t *epoch, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, Q_FILE_GET, &st, f);

    if (e)
        return e;
    sql_bind_uuid(st, 1, id);
    e = sql_step(db, st, f);
    if (e)
        return e == ERR_END ? sql_corrupt(db, "copy without file", f) : e;
    *size = (uint64_t)sqlite3_column_int64(st, 0);
    *epoch = (uint64_t)sqlite3_column_int64(st, 1);
    sql_reset(st);
    return ERR_OK;
}

/* TAKEN: false when the copy that is known is later. */
static enum err
copy_write(struct meta_sqlite *s, const struct file_attr *a, bool *taken,
           struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, Q_COPY_PUT, &st, f);

    if (e)
        return e;
    attr_bind_copy(st, 1, a);
    sql_bind_uuid(st, 1 + ATTR_COPY_N, &a->file_id);
    sql_bind_i64(st, 2 + ATTR_COPY_N, s->element_n);
    e = sql_run(s->w, st, f);
    *taken = e == ERR_OK && sql_changes(s->w) == 1;
    return e;
}

static enum err
published(struct meta_sqlite *s, const struct index_change *c, struct fault *f)
{
    struct file_attr a = c->row.attr;
    uint64_t size, epoch;
    bool is_new, taken;
    enum err e;

    a.seq = u64_max(a.seq, c->seq);
    if (!attr_fits(&a))
        return fault_set(f, ERR_INVAL, "catalogue feed", "value out of range");
    if ((e = file_write(s->w, Q_FILE_ADD, &a, f)))
        return e;
    is_new = sql_changes(s->w) == 1;
    if ((e = copy_write(s, &a, &taken, f)))
        return e;
    if (is_new) {
        s->files++;
        s->bytes += a.size;
        return ERR_OK;
    }
    if (!taken)
        return ERR_OK;
    e = file_facts(s->w, &a.file_id, &size, &epoch, f);
    if (e || epoch > a.epoch)
        return e;
    s->bytes += a.size - size;
    return file_write(s->w, Q_FILE_PUT, &a, f);
}

static enum err
removed(struct meta_sqlite *s, const struct uuid *id, uint64_t seq,
        struct fault *f)
{
    sqlite3_stmt *st;
    uint64_t size, epoch;
    enum err e = sql_stmt(s->w, Q_COPY_DEL, &st, f);

    if (e)
        return e;
    sql_bind_uuid(st, 1, id);
    sql_bind_i64(st, 2, s->element_n);
    sql_bind_i64(st, 3, (int64_t)seq);
    if ((e = sql_run(s->w, st, f)) || sql_changes(s->w) == 0)
        return e;
    if ((e = sql_stmt(s->w, Q_COPY_ANY, &st, f)))
        return e;
    sql_bind_uuid(st, 1, id);
    e = sql_step(s->w, st, f);
    if (e == ERR_OK)
        sql_reset(st); /* another copy keeps the file */
    if (e != ERR_END)
        return e;
    if ((e = file_facts(s->w, id, &size, &epoch, f)) ||
        (e = sql_stmt(s->w, Q_FILE_DEL, &st, f)))
        return e;
    sql_bind_uuid(st, 1, id);
    s->files--;
    s->bytes -= size;
    return sql_run(s->w, st, f);
}

static enum err
feed_one(struct meta_sqlite *s, const struct index_change *c, struct fault *f)
{
    if (c->seq == 0 || c->seq > INT64_MAX)
        return fault_set(f, ERR_INVAL, "catalogue feed", "seq");
    if (c->op == INDEX_PUBLISH)
        return published(s, c, f);
    return removed(s, &c->row.attr.file_id, c->seq, f);
}

static enum err
element_move(struct meta_sqlite *s, const char *id, uint64_t position,
             struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, Q_ELEMENT_MOVE, &st, f);

    if (e)
        return e;
    sql_bind_i64(st, 1, s->element_n);
    sql_bind_text(st, 2, id);
    sql_bind_i64(st, 3, (int64_t)u64_min(position, INT64_MAX));
    return sql_run(s->w, st, f);
}

/* The end of every writing call: totals and commit, or as it was before. */
static enum err
finish(struct meta_sqlite *s, uint64_t files, uint64_t bytes, enum err e,
       struct fault *f)
{
    sqlite3_stmt *st;

    if (!e)
        e = sql_stmt(s->w, Q_TOTAL_PUT, &st, f);
    if (!e) {
        sql_bind_i64(st, 1, (int64_t)s->files);
        sql_bind_i64(st, 2, (int64_t)s->bytes);
        e = sql_run(s->w, st, f);
    }
    e = sql_end(s->w, e, f);
    if (e) {
        s->files = files;
        s->bytes = bytes;
        s->element_n = 0; /* its row may have been rolled back */
    }
    return e;
}

enum err
catalogue_feed(struct meta *m, const struct uuid *element_uuid,
               const char *element_id, const struct index_change *c, size_t n,
               uint64_t position, struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);
    uint64_t files, bytes;
    enum err e;

    sql_lock(s->w);
    files = s->files;
    bytes = s->bytes;
    e = sql_begin(s->w, f);
    if (!e) {
        e = element_number(s, element_uuid, element_id, f);
        for (size_t i = 0; i < n && !e; i++)
            e = feed_one(s, &c[i], f);
        if (!e)
            e = element_move(s, element_id, position, f);
        e = finish(s, files, bytes, e, f);
    }
    sql_unlock(s->w);
    return e;
}

enum err
catalogue_feed_position(struct meta *m, const struct uuid *element_uuid,
                        uint64_t *seq, struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);
    int64_t n;
    enum err e;

    *seq = 0;
    sql_lock(s->r);
    e = element_find(s->r, element_uuid, &n, seq, f);
    sql_unlock(s->r);
    return e == ERR_NOENT ? ERR_OK : e;
}

static enum err
totals_read(struct meta_sqlite *s, unsigned q, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(s->w, q, &st, f);

    if (e || (e = sql_step(s->w, st, f)))
        return e == ERR_END ? sql_corrupt(s->w, "total", f) : e;
    s->files = (uint64_t)sqlite3_column_int64(st, 0);
    s->bytes = (uint64_t)sqlite3_column_int64(st, 1);
    sql_reset(st);
    return ERR_OK;
}

enum err
catalogue_feed_reset(struct meta *m, const struct uuid *element_uuid,
                     struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);
    uint64_t files, bytes, position;
    int64_t n = 0;
    enum err e;

    sql_lock(s->w);
    files = s->files;
    bytes = s->bytes;
    e = element_find(s->w, element_uuid, &n, &position, f);
    if (e == ERR_NOENT)
        e = ERR_OK;
    else if (!e && !(e = sql_begin(s->w, f))) {
        if (!(e = run_i64(s->w, Q_COPIES_DEL, n, f)) &&
            !(e = run_i64(s->w, Q_ORPHANS_DEL, 0, f)) &&
            !(e = run_i64(s->w, Q_ELEMENT_ZERO, n, f)))
            e = totals_read(s, Q_COUNT, f);
        e = finish(s, files, bytes, e, f);
    }
    sql_unlock(s->w);
    return e;
}

enum err
catalogue_reset(struct meta *m, struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);
    uint64_t files, bytes;
    enum err e;

    sql_lock(s->w);
    files = s->files;
    bytes = s->bytes;
    e = sql_begin(s->w, f);
    if (!e) {
        s->files = s->bytes = 0;
        s->element_n = 0;
        if (!(e = run_i64(s->w, Q_RESET_FILE, 0, f)) &&
            !(e = run_i64(s->w, Q_RESET_COPY, 0, f)))
            e = run_i64(s->w, Q_RESET_ELEMENT, 0, f);
        e = finish(s, files, bytes, e, f);
    }
    sql_unlock(s->w);
    return e;
}

enum err
catalogue_count(struct meta *m, uint64_t *files, uint64_t *bytes,
                struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);

    (void)f;
    sql_lock(s->w);
    *files = s->files;
    *bytes = s->bytes;
    sql_unlock(s->w);
    return ERR_OK;
}

enum err
catalogue_open(struct meta_sqlite *s, const char *path, struct fault *f)
{
    struct sql_conf c = {
        .path = path,
        .application_id = APPLICATION_ID,
        .migrations = migrations,
        .n_migrations = countof(migrations),
        .stmts = text,
        .n_stmts = Q_N,
        .cache_kib = 4096,
    };
    enum err e = sql_open(&s->w, &c, f);

    s->r = s->w;
    if (!e && strcmp(path, SQL_MEMORY) != 0) {
        c.reader = true;
        s->r = NULL;
        e = sql_open(&s->r, &c, f);
    }
    return e ? e : totals_read(s, Q_TOTAL_GET, f);
}
