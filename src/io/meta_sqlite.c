/* meta_sqlite.c - elements, accounts, audit and settings in admin.db, and the
 * table of operations; files are in meta_catalogue.c and meta_query.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_sqlite.h"
#include "io/meta_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define APPLICATION_ID 0x61724131 /* "arA1" */
#define ELEMENTS_MAX   1024

static const char *const schema1[] = {
    "CREATE TABLE element (uuid BLOB PRIMARY KEY, element_id TEXT NOT NULL"
    " UNIQUE, name TEXT NOT NULL, endpoint TEXT NOT NULL,"
    " mode INTEGER NOT NULL, priority INTEGER NOT NULL, location TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)",
    "CREATE TABLE account (client_id TEXT PRIMARY KEY, secret_hash TEXT"
    " NOT NULL, scopes TEXT NOT NULL, name TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, disabled INTEGER NOT NULL)",
    "CREATE TABLE audit (n INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,"
    " result TEXT NOT NULL, request_id TEXT NOT NULL)",
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    NULL,
};
static const char *const *const migrations[] = {schema1};

enum {
    A_ELEMENT_PUT,
    A_ELEMENT_LIST,
    A_ACCOUNT_GET,
    A_ACCOUNT_PUT,
    A_AUDIT_ADD,
    A_AUDIT_LIST,
    A_SETTING_GET,
    A_SETTING_PUT,
    A_N
};

static const char *const text[A_N] = {
    [A_ELEMENT_PUT] =
        "INSERT INTO element (uuid, element_id, name, endpoint, mode,"
        " priority, location, created_at, updated_at)"
        " VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (uuid) DO UPDATE SET"
        " element_id = excluded.element_id, name = excluded.name,"
        " endpoint = excluded.endpoint, mode = excluded.mode,"
        " priority = excluded.priority, location = excluded.location,"
        " updated_at = excluded.updated_at",
    [A_ELEMENT_LIST] =
        "SELECT uuid, element_id, name, endpoint, mode, priority, location,"
        " created_at, updated_at FROM element ORDER BY element_id LIMIT ?",
    [A_ACCOUNT_GET] = "SELECT client_id, secret_hash, scopes, name, created_at,"
                      " disabled FROM account WHERE client_id = ?",
    [A_ACCOUNT_PUT] =
        "INSERT INTO account (client_id, secret_hash, scopes, name,"
        " created_at, disabled) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT (client_id) DO UPDATE SET"
        " secret_hash = excluded.secret_hash, scopes = excluded.scopes,"
        " name = excluded.name, disabled = excluded.disabled",
    [A_AUDIT_ADD] = "INSERT INTO audit (at, actor, action, object, result,"
                    " request_id) VALUES (?,?,?,?,?,?)",
    [A_AUDIT_LIST] = "SELECT at, actor, action, object, result, request_id"
                     " FROM audit ORDER BY n DESC LIMIT ?",
    [A_SETTING_GET] = "SELECT value FROM setting WHERE key = ?",
    [A_SETTING_PUT] = "INSERT INTO setting (key, value) VALUES (?,?)"
                      " ON CONFLICT (key) DO UPDATE SET"
                      " value = excluded.value",
};

#define TEXT(st, i, dst) sql_column_text(st, i, dst, sizeof(dst))

/* --- elements ------------------------------------------------------------- */

static enum err
m_element_put(struct meta *m, const struct meta_element *el, struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    sqlite3_stmt *st;
    enum err e;

    if (uuid_is_nil(&el->uuid) || !el->element_id[0])
        return fault_set(f, ERR_INVAL, "element put", "no uuid or id");
    sql_lock(db);
    e = sql_stmt(db, A_ELEMENT_PUT, &st, f);
    if (!e) {
        sql_bind_uuid(st, 1, &el->uuid);
        sql_bind_text(st, 2, el->element_id);
        sql_bind_text(st, 3, el->name);
        sql_bind_text(st, 4, el->endpoint);
        sql_bind_i64(st, 5, el->mode);
        sql_bind_i64(st, 6, el->priority);
        sql_bind_text(st, 7, el->location);
        sql_bind_i64(st, 8, el->created_at.ms);
        sql_bind_i64(st, 9, el->updated_at.ms);
        e = sql_run(db, st, f);
    }
    sql_unlock(db);
    return e;
}

static bool
element_read(sqlite3_stmt *st, struct meta_element *el)
{
    memset(el, 0, sizeof(*el));
    el->mode = sqlite3_column_int(st, 4);
    el->priority = sqlite3_column_int(st, 5);
    el->created_at.ms = sqlite3_column_int64(st, 7);
    el->updated_at.ms = sqlite3_column_int64(st, 8);
    return sql_column_uuid(st, 0, &el->uuid) && TEXT(st, 1, el->element_id) &&
           TEXT(st, 2, el->name) && TEXT(st, 3, el->endpoint) &&
           TEXT(st, 6, el->location);
}

static enum err
m_element_list(struct meta *m, meta_element_fn *fn, void *arg, struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    struct meta_element el;
    sqlite3_stmt *st;
    enum err e;

    sql_lock(db);
    e = sql_stmt(db, A_ELEMENT_LIST, &st, f);
    if (e)
        goto out;
    sql_bind_i64(st, 1, ELEMENTS_MAX);
    while ((e = sql_step(db, st, f)) == ERR_OK) {
        if (!element_read(st, &el))
            e = sql_corrupt(db, "row of element", f);
        if (e || !fn(arg, &el))
            break;
    }
    sql_reset(st);
out:
    sql_unlock(db);
    return e == ERR_END ? ERR_OK : e;
}

/* --- accounts ------------------------------------------------------------- */

static enum err
m_account_get(struct meta *m, const char *client_id, struct meta_account *out,
              struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    sqlite3_stmt *st;
    enum err e;

    memset(out, 0, sizeof(*out));
    sql_lock(db);
    e = sql_stmt(db, A_ACCOUNT_GET, &st, f);
    if (e)
        goto out;
    sql_bind_text(st, 1, client_id);
    e = sql_step(db, st, f);
    if (e)
        goto out;
    out->created_at.ms = sqlite3_column_int64(st, 4);
    out->disabled = sqlite3_column_int(st, 5) != 0;
    if (!TEXT(st, 0, out->client_id) || !TEXT(st, 1, out->secret_hash) ||
        !TEXT(st, 2, out->scopes) || !TEXT(st, 3, out->name))
        e = sql_corrupt(db, "row of account", f);
    sql_reset(st);
out:
    sql_unlock(db);
    return e == ERR_END ? ERR_NOENT : e;
}

static enum err
m_account_put(struct meta *m, const struct meta_account *a, struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    sqlite3_stmt *st;
    enum err e;

    if (!a->client_id[0])
        return fault_set(f, ERR_INVAL, "account put", "no client_id");
    sql_lock(db);
    e = sql_stmt(db, A_ACCOUNT_PUT, &st, f);
    if (!e) {
        sql_bind_text(st, 1, a->client_id);
        sql_bind_text(st, 2, a->secret_hash);
        sql_bind_text(st, 3, a->scopes);
        sql_bind_text(st, 4, a->name);
        sql_bind_i64(st, 5, a->created_at.ms);
        sql_bind_i64(st, 6, a->disabled);
        e = sql_run(db, st, f);
    }
    sql_unlock(db);
    return e;
}

/* --- audit ---------------------------------------------------------------- */

static enum err
audit_one(struct sql *db, const struct meta_audit *a, struct fault *f)
{
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, A_AUDIT_ADD, &st, f);

    if (e)
        return e;
    sql_bind_i64(st, 1, a->at.ms);
    sql_bind_text(st, 2, a->actor);
    sql_bind_text(st, 3, a->action);
    sql_bind_text(st, 4, a->object);
    sql_bind_text(st, 5, a->result);
    sql_bind_text(st, 6, a->request_id);
    return sql_run(db, st, f);
}

static enum err
m_audit_add(struct meta *m, const struct meta_audit *a, size_t n,
            struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    enum err e;

    sql_lock(db);
    e = sql_begin(db, f);
    if (!e) {
        for (size_t i = 0; i < n && !e; i++)
            e = audit_one(db, &a[i], f);
        e = sql_end(db, e, f);
    }
    sql_unlock(db);
    return e;
}

static enum err
m_audit_list(struct meta *m, size_t max, meta_audit_fn *fn, void *arg,
             struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    struct meta_audit a;
    sqlite3_stmt *st;
    enum err e;

    sql_lock(db);
    e = sql_stmt(db, A_AUDIT_LIST, &st, f);
    if (e)
        goto out;
    sql_bind_i64(st, 1, (int64_t)u64_min(max, INT64_MAX));
    while ((e = sql_step(db, st, f)) == ERR_OK) {
        a.at.ms = sqlite3_column_int64(st, 0);
        if (!TEXT(st, 1, a.actor) || !TEXT(st, 2, a.action) ||
            !TEXT(st, 3, a.object) || !TEXT(st, 4, a.result) ||
            !TEXT(st, 5, a.request_id))
            e = sql_corrupt(db, "row of audit", f);
        if (e || !fn(arg, &a))
            break;
    }
    sql_reset(st);
out:
    sql_unlock(db);
    return e == ERR_END ? ERR_OK : e;
}

/* --- settings ------------------------------------------------------------- */

static enum err
m_setting_get(struct meta *m, const char *key, struct buf *out, struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    sqlite3_stmt *st;
    enum err e;

    sql_lock(db);
    e = sql_stmt(db, A_SETTING_GET, &st, f);
    if (e)
        goto out;
    sql_bind_text(st, 1, key);
    e = sql_step(db, st, f);
    if (e)
        goto out;
    if (!buf_add(out, sqlite3_column_blob(st, 0),
                 (size_t)sqlite3_column_bytes(st, 0)))
        e = fault_set(f, ERR_TOOBIG, "setting get", key);
    sql_reset(st);
out:
    sql_unlock(db);
    return e == ERR_END ? ERR_NOENT : e;
}

static enum err
m_setting_put(struct meta *m, const char *key, struct slice value,
              struct fault *f)
{
    struct sql *db = meta_self(m)->admin;
    sqlite3_stmt *st;
    enum err e;

    sql_lock(db);
    e = sql_stmt(db, A_SETTING_PUT, &st, f);
    if (!e) {
        sql_bind_text(st, 1, key);
        sql_bind_blob(st, 2, value.n ? value.p : "", value.n);
        e = sql_run(db, st, f);
    }
    sql_unlock(db);
    return e;
}

/* --- life ----------------------------------------------------------------- */

static void
m_close(struct meta *m)
{
    struct meta_sqlite *s = meta_self(m);

    if (s->r != s->w)
        sql_close(&s->r);
    sql_close(&s->w);
    sql_close(&s->admin);
    free(s);
}

static const struct meta_ops ops = {
    .feed = catalogue_feed,
    .feed_position = catalogue_feed_position,
    .feed_reset = catalogue_feed_reset,
    .file_get = catalogue_get,
    .file_list = catalogue_list,
    .file_count = catalogue_count,
    .element_put = m_element_put,
    .element_list = m_element_list,
    .account_get = m_account_get,
    .account_put = m_account_put,
    .audit_add = m_audit_add,
    .audit_list = m_audit_list,
    .setting_get = m_setting_get,
    .setting_put = m_setting_put,
    .reset_files = catalogue_reset,
    .close = m_close,
};

static enum err
admin_open(struct meta_sqlite *s, const char *path, struct fault *f)
{
    const struct sql_conf c = {
        .path = path,
        .application_id = APPLICATION_ID,
        .migrations = migrations,
        .n_migrations = countof(migrations),
        .stmts = text,
        .n_stmts = A_N,
        .full = true,
    };

    return sql_open(&s->admin, &c, f);
}

enum err
meta_sqlite_open(struct meta **out, const char *folder, struct fault *f)
{
    struct meta_sqlite *s = calloc(1, sizeof(*s));
    char catalogue[4096], admin[4096];
    int n;
    enum err e;

    *out = NULL;
    if (!s)
        return fault_set(f, ERR_NOMEM, "catalogue open", "memory");
    s->meta.ops = &ops;
    if (folder) {
        n = snprintf(catalogue, sizeof(catalogue), "%s/catalogue.db", folder);
        (void)snprintf(admin, sizeof(admin), "%s/admin.db", folder);
    } else {
        n = snprintf(catalogue, sizeof(catalogue), SQL_MEMORY);
        (void)snprintf(admin, sizeof(admin), SQL_MEMORY);
    }
    e = (size_t)n < sizeof(catalogue)
            ? catalogue_open(s, catalogue, f)
            : fault_set(f, ERR_TOOBIG, "catalogue open", folder);
    if (!e)
        e = admin_open(s, admin, f);
    if (e)
        m_close(&s->meta);
    else
        *out = &s->meta;
    return e;
}

/* Without memory for it they are not counted. */
void
meta_sqlite_observe(struct meta *m, struct metrics *n)
{
    struct meta_sqlite *s = meta_self(m);

    (void)sql_observe(s->w, n);
    (void)sql_observe(s->r, n);
    (void)sql_observe(s->admin, n);
}
