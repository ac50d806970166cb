/* migrate_table.c - which tables there are, in an order in which each comes
 * after those that it refers to; and rows as bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "io/migrate_impl.h"
#include <stdio.h>
#include <stdlib.h>

const struct migrate_table migrate_table[MIGRATE_TABLES] = {
    {"feed", 6, 1, META_CATALOGUE, true},
    {"file", ATTR_FILE_N + 1, 1, META_CATALOGUE, false},
    {"copy", ATTR_COPY_N + 2, 2, META_CATALOGUE, false},
    {"element", 11, 1, META_ADMIN, false},
    {"account", 9, 1, META_ADMIN, false},
    {"audit", 11, 1, META_ADMIN, true},
    {"setting", 2, 1, META_ADMIN, false},
    {"audit_aside", 12, 1, META_ADMIN, false},
};

#define FEED  "n, uuid, element_id, position, files, bytes"
#define FILE_ ATTR_FILE_COLUMNS ", epoch"
#define COPY  "file_id, element, " ATTR_COPY_COLUMNS
#define ACCOUNT                                                   \
    "client_id, secret_hash, scopes, name, created_at, disabled," \
    " old_hash, old_until, updated_at"
#define AUDIT                                               \
    "n, at, actor, action, object, result, request_id, id," \
    " element_id, source, hash"
#define ELEMENT                                                   \
    "uuid, element_id, name, endpoint, mode, priority, location," \
    " created_at, updated_at, remote, seen_at"
#define SETTING "key, value"

/* KEPT: a condition that holds for all rows that are copied. */
#define TABLE(i, name, columns, key, after, marks, kept)                       \
    [MIG(i, MIG_COUNT)] = "SELECT count(*) FROM " name " WHERE " kept,         \
            [MIG(i, MIG_FIRST)] = "SELECT " columns " FROM " name              \
                                  " WHERE " kept " ORDER BY " key " LIMIT $1", \
            [MIG(i, MIG_NEXT)] =                                               \
                "SELECT " columns " FROM " name " WHERE (" key ") > (" after   \
                ") AND " kept " ORDER BY " key " LIMIT $1",                    \
            [MIG(i, MIG_PUT)] =                                                \
                "INSERT INTO " name " (" columns ") VALUES (" marks ")",       \
            [MIG(i, MIG_EMPTY)] = "DELETE FROM " name

#define MARKS2  "$1,$2"
#define MARKS6  "$1,$2,$3,$4,$5,$6"
#define MARKS7  MARKS6 ",$7"
#define MARKS8  MARKS7 ",$8"
#define MARKS9  MARKS8 ",$9"
#define MARKS11 MARKS9 ",$10,$11"
#define MARKS12 MARKS11 ",$12"
#define MARKS14 MARKS12 ",$13,$14"
#define ALL     "1 = 1"

static const char *const text[MIG_N] = {
    TABLE(0, "feed", FEED, "n", "$2", MARKS6, ALL),
    TABLE(1, "file", FILE_, "file_id", "$2", MARKS14, ALL),
    TABLE(2, "copy", COPY, "file_id, element", "$2, $3", MARKS8, ALL),
    TABLE(3, "element", ELEMENT, "uuid", "$2", MARKS11, ALL),
    TABLE(4, "account", ACCOUNT, "client_id", "$2", MARKS9, ALL),
    TABLE(5, "audit", AUDIT, "n", "$2", MARKS11, ALL),
    /* Where the source has moved is its own affair. */
    TABLE(6, "setting", SETTING, "key", "$2", MARKS2, "key <> 'moved_to'"),
    TABLE(7, "audit_aside", "k, " AUDIT, "k", "$2", MARKS12, ALL),
    [MIG_NOTE_GET] = "SELECT source, last_key, rows_done, finished"
                     " FROM data_migrations WHERE table_name = $1",
    [MIG_NOTE_PUT] =
        "INSERT INTO data_migrations (table_name, source, last_key, rows_done,"
        " rows_total, started_at, updated_at, finished)"
        " VALUES ($1,$2,$3,$4,$5,$6,$6,$7)"
        " ON CONFLICT (table_name) DO UPDATE SET"
        " last_key = excluded.last_key, rows_done = excluded.rows_done,"
        " rows_total = excluded.rows_total,"
        " updated_at = excluded.updated_at, finished = excluded.finished",
    [MIG_NOTES_EMPTY] = "DELETE FROM data_migrations",
    [MIG_SEQUENCE_FEED] =
        "{postgres}SELECT setval(pg_get_serial_sequence('feed', 'n'),"
        " (SELECT coalesce(max(n), 0) + 1 FROM feed), false)",
    [MIG_SEQUENCE_AUDIT] =
        "{postgres}SELECT setval(pg_get_serial_sequence('audit', 'n'),"
        " (SELECT coalesce(max(n), 0) + 1 FROM audit), false)",
    [MIG_SETTING_GET] = "SELECT value FROM setting WHERE key = $1",
    [MIG_SETTING_PUT] = "INSERT INTO setting (key, value) VALUES ($1,$2)"
                        " ON CONFLICT (key) DO UPDATE SET"
                        " value = excluded.value",
    [MIG_UNDO] = "DELETE FROM setting WHERE key = 'moved_to'",
};

void
migrate_schema_of(enum meta_part part, struct db_schema *out)
{
    *out = *meta_schema[part];
    out->stmt = text;
    out->n_stmts = MIG_N;
}

/* --- rows as bytes -------------------------------------------------------- */

static bool
add_number(struct buf *b, uint64_t v, unsigned bytes)
{
    bool ok = true;

    while (bytes > 0)
        ok = buf_add_char(b, (char)(v >> (8 * --bytes)));
    return ok;
}

static bool
add_value(struct buf *b, const struct db_value *v)
{
    struct slice s = slice_of(v->p, v->n);
    char *fixed = NULL;

    (void)buf_add_char(b, (char)v->kind);
    if (v->kind == DB_INT)
        return add_number(b, (uint64_t)v->i, 8);
    if (v->kind == DB_NULL)
        return !b->failed;
    if (v->kind == DB_TEXT && !db_utf8(s, &fixed, &s))
        return false;
    (void)add_number(b, s.n, 4);
    (void)buf_add_slice(b, s);
    free(fixed);
    return !b->failed;
}

bool
migrate_row(struct buf *b, struct db_tx *t, unsigned columns)
{
    for (unsigned i = 0; i < columns; i++) {
        struct db_value v = db_column(t, (int)i);

        if (!add_value(b, &v))
            return false;
    }
    return true;
}

static uint64_t
take_number(struct slice *s, unsigned bytes)
{
    uint64_t v = 0;

    assert(s->n >= bytes);
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)s->p[i];
    *s = slice_skip(*s, bytes);
    return v;
}

static struct db_value
take_value(struct slice *row)
{
    struct db_value v = {.kind = (enum db_kind)take_number(row, 1)};

    if (v.kind == DB_INT)
        v.i = (int64_t)take_number(row, 8);
    if (v.kind == DB_TEXT || v.kind == DB_BLOB) {
        v.n = take_number(row, 4);
        v.p = row->p;
        assert(row->n >= v.n);
        *row = slice_skip(*row, v.n);
    }
    return v;
}

void
migrate_bind(struct db_tx *t, int first, struct slice row, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct db_value v = take_value(&row);

        db_bind(t, first + (int)i, &v);
    }
}

size_t
migrate_head(struct slice row, unsigned n)
{
    struct slice rest = row;

    for (unsigned i = 0; i < n; i++)
        (void)take_value(&rest);
    return row.n - rest.n;
}

int
migrate_cmp(struct slice a, struct slice b, unsigned n)
{
    int c = 0;

    for (unsigned i = 0; i < n && c == 0; i++) {
        struct db_value x = take_value(&a), y = take_value(&b);

        if (x.kind == DB_INT && y.kind == DB_INT)
            c = x.i < y.i ? -1 : x.i > y.i;
        else
            c = slice_cmp(slice_of(x.p, x.n), slice_of(y.p, y.n));
    }
    return c;
}

void
migrate_show(struct slice row, unsigned n, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < n && at + 48 < cap; i++) {
        struct db_value v = take_value(&row);
        char hex[2 * 16 + 1];

        if (i)
            out[at++] = ',';
        if (v.kind == DB_BLOB)
            at += (size_t)snprintf(out + at, cap - at, "%s",
                                   hex_encode(v.p, v.n < 16 ? v.n : 16, hex));
        else if (v.kind == DB_INT)
            at += (size_t)snprintf(out + at, cap - at, "%lld", (long long)v.i);
        else
            at += (size_t)snprintf(out + at, cap - at, "%.*s",
                                   (int)size_min(v.n, 40),
                                   v.p ? (const char *)v.p : "");
    }
}
