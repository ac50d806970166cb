/* meta_admin.c - elements and settings: see port/meta.h; and the
 * statements of all that is in their database.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"

static const char *const script1[] = {
    "CREATE TABLE element (uuid {blob} PRIMARY KEY, element_id {text} NOT NULL"
    " UNIQUE, name {text} NOT NULL, endpoint {text} NOT NULL,"
    " mode {int} NOT NULL, priority {int} NOT NULL, location {text} NOT NULL,"
    " created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE TABLE account (client_id {text} PRIMARY KEY, secret_hash {text}"
    " NOT NULL, scopes {text} NOT NULL, name {text} NOT NULL,"
    " created_at {int} NOT NULL, disabled {int} NOT NULL)",
    "CREATE TABLE audit (n {serial}, at {int} NOT NULL,"
    " actor {text} NOT NULL, action {text} NOT NULL, object {text} NOT NULL,"
    " result {text} NOT NULL, request_id {text} NOT NULL)",
    "CREATE TABLE setting (key {text} PRIMARY KEY, value {blob} NOT NULL)",
    NULL,
};

/* What is there already is in this process, and has said who it is. */
static const char *const script2[] = {
    "ALTER TABLE element ADD COLUMN remote {int} NOT NULL DEFAULT 0",
    "ALTER TABLE element ADD COLUMN seen_at {int} NOT NULL DEFAULT 0",
    "UPDATE element SET seen_at = created_at",
    NULL,
};

/* How far `artstore migrate data` has come: there is nothing to move into
 * SQLite. */
static const char create_data_migrations[] =
    "{postgres}CREATE TABLE data_migrations (table_name {text} PRIMARY KEY,"
    " source {text} NOT NULL, last_key {blob}, rows_done {int} NOT NULL,"
    " rows_total {int} NOT NULL, started_at {int} NOT NULL,"
    " updated_at {int} NOT NULL, finished {int} NOT NULL)";

static const char *const script3[] = {create_data_migrations, NULL};

/* What is there already was written before there was a chain. */
static const char *const script4[] = {
    "ALTER TABLE audit ADD COLUMN id {blob}",
    "ALTER TABLE audit ADD COLUMN element_id {text} NOT NULL DEFAULT ''",
    "ALTER TABLE audit ADD COLUMN source {text} NOT NULL DEFAULT ''",
    "ALTER TABLE audit ADD COLUMN hash {blob}",
    "CREATE UNIQUE INDEX audit_id ON audit (id)",
    NULL,
};

static const char *const script5[] = {
    "ALTER TABLE account ADD COLUMN old_hash {text} NOT NULL DEFAULT ''",
    "ALTER TABLE account ADD COLUMN old_until {int} NOT NULL DEFAULT 0",
    "ALTER TABLE account ADD COLUMN updated_at {int} NOT NULL DEFAULT 0",
    "UPDATE account SET updated_at = created_at",
    NULL,
};

/* Rows that were not the chain's but stood where it goes on: kept as they were
 * found, and never looked at again. */
static const char *const script6[] = {
    "CREATE TABLE audit_aside (k {int} PRIMARY KEY, n {int}, at {int}, actor "
    "{text}, action {text},"
    " object {text}, result {text}, request_id {text}, id {blob},"
    " element_id {text}, source {text}, hash {blob})",
    NULL,
};

static const struct db_script scripts[] = {
    {"elements, accounts, audit, settings", script1},
    {"elements of other processes", script2},
    {"progress of a copy", script3},
    {"chain of the audit log", script4},
    {"secrets that take over from another", script5},
    {"foreign rows of the audit log", script6},
};

#define AUDIT                                                           \
    "n, at, actor, action, object, result, request_id, id, element_id," \
    " source, hash"
#define AUDIT_ANY                                          \
    "($3 = '' OR actor = $3) AND ($4 = '' OR action = $4)" \
    " AND ($5 = '' OR object = $5) AND at >= $6 AND at < $7"

#define ACCOUNT                                                             \
    "client_id, secret_hash, scopes, name, created_at, disabled, old_hash," \
    " old_until, updated_at"
#define ACCOUNT_ADD \
    "INSERT INTO account (" ACCOUNT ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)"

#define ELEMENT                                                   \
    "uuid, element_id, name, endpoint, mode, priority, location," \
    " created_at, updated_at, remote, seen_at"
#define ELEMENT_ADD                     \
    "INSERT INTO element (" ELEMENT ")" \
    " VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)"

static const char *const text[A_N] = {
    [A_ELEMENT_ADD] = ELEMENT_ADD,
    [A_ELEMENT_FIND] = "SELECT " ELEMENT " FROM element WHERE uuid = $1"
                       " OR element_id = $2 OR (remote <> 0 AND endpoint = $3)"
                       " ORDER BY uuid = $1 DESC, element_id = $2 DESC LIMIT 1",
    [A_ELEMENT_PUT] = ELEMENT_ADD
    " ON CONFLICT (uuid) DO UPDATE SET"
    " element_id = excluded.element_id, name = excluded.name,"
    " endpoint = excluded.endpoint, mode = CASE WHEN excluded.mode <"
    " element.mode THEN element.mode ELSE excluded.mode END,"
    " priority = excluded.priority, location = excluded.location,"
    " updated_at = excluded.updated_at, remote = excluded.remote,"
    " seen_at = excluded.seen_at",
    [A_ELEMENT_DEL] = "DELETE FROM element WHERE uuid = $1",
    [A_ELEMENT_LIST] =
        "SELECT " ELEMENT " FROM element ORDER BY element_id LIMIT $1",
    [A_ACCOUNT_GET] = "SELECT " ACCOUNT " FROM account WHERE client_id = $1",
    [A_ACCOUNT_LOCK] =
        "SELECT " ACCOUNT " FROM account WHERE client_id = $1{lock}",
    [A_ACCOUNT_PUT] = ACCOUNT_ADD
    " ON CONFLICT (client_id) DO UPDATE SET"
    " secret_hash = excluded.secret_hash, scopes = excluded.scopes,"
    " name = excluded.name, disabled = excluded.disabled,"
    " old_hash = excluded.old_hash, old_until = excluded.old_until,"
    " updated_at = excluded.updated_at",
    [A_ACCOUNT_ADD] = ACCOUNT_ADD,
    [A_ACCOUNT_COUNT] = "SELECT count(*) FROM account",
    [A_ACCOUNT_DEL] = "DELETE FROM account WHERE client_id = $1",
    [A_ACCOUNT_LIST] = "SELECT " ACCOUNT " FROM account WHERE client_id > $1"
                       " ORDER BY client_id LIMIT $2",
    [A_AUDIT_ADD] = "INSERT INTO audit (" AUDIT
                    ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
    [A_AUDIT_FIND] = "SELECT n FROM audit WHERE id = $1",
    /* A number that none of ours ever has cannot bring the numbers to their
     * end. */
    [A_AUDIT_LAST] = "SELECT coalesce(max(n), 0) FROM audit"
                     " WHERE n > 0 AND n < 4611686018427387904",
    [A_AUDIT_FIRST] = "SELECT coalesce(min(n), 0) FROM audit"
                      " WHERE n > 0 AND hash IS NOT NULL",
    [A_AUDIT_HASH] = "SELECT hash FROM audit WHERE n = $1",
    [A_AUDIT_ASIDE] =
        "INSERT INTO audit_aside (k, " AUDIT ") SELECT"
        " (SELECT coalesce(max(k), 0) FROM audit_aside)"
        " + row_number() OVER (ORDER BY n), " AUDIT " FROM audit WHERE n > $1",
    [A_AUDIT_DROP] = "DELETE FROM audit WHERE n > $1",
    [A_AUDIT_UP] = "SELECT " AUDIT " FROM audit WHERE n > $1 AND n <= $2"
                   " AND " AUDIT_ANY " ORDER BY n LIMIT $8",
    [A_AUDIT_DOWN] = "SELECT " AUDIT " FROM audit WHERE n > $1 AND n <= $2"
                     " AND " AUDIT_ANY " ORDER BY n DESC LIMIT $8",
    [A_SETTING_GET] = "SELECT value FROM setting WHERE key = $1",
    [A_SETTING_LOCK] = "SELECT value FROM setting WHERE key = $1{lock}",
    [A_SETTING_PUT] = "INSERT INTO setting (key, value) VALUES ($1,$2)"
                      " ON CONFLICT (key) DO UPDATE SET"
                      " value = excluded.value",
    [A_SETTING_LIST] = ("SELECT key, value FROM setting WHERE key >= $1"
                        " AND key < $2 ORDER BY key LIMIT $3"),
    [A_SETTING_DEL] = "DELETE FROM setting WHERE key = $1",
};

const struct db_schema admin_schema = {
    .part = "admin",
    .script = scripts,
    .n_scripts = countof(scripts),
    .stmt = text,
    .n_stmts = A_N,
};

#define TEXT(t, i, dst) db_text(t, i, dst, sizeof(dst))

/* --- elements ------------------------------------------------------------- */

/* STMT: A_ELEMENT_PUT or A_ELEMENT_ADD. */
static enum err
element_put(struct db_tx *t, unsigned stmt, const struct meta_element *el,
            struct fault *f)
{
    enum err e = db_use(t, stmt, f);

    if (e)
        return e;
    db_bind_uuid(t, 1, &el->uuid);
    db_bind_text(t, 2, el->element_id);
    db_bind_text(t, 3, el->name);
    db_bind_text(t, 4, el->endpoint);
    db_bind_i64(t, 5, el->mode);
    db_bind_i64(t, 6, el->priority);
    db_bind_text(t, 7, el->location);
    db_bind_i64(t, 8, el->created_at.ms);
    db_bind_i64(t, 9, el->updated_at.ms);
    db_bind_i64(t, 10, el->remote);
    db_bind_i64(t, 11, el->seen_at.ms);
    return db_exec(t, NULL, f);
}

struct element_swap {
    const struct uuid *gone; /* NULL: none */
    const struct meta_element *el;
};

static enum err
element_swap_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct element_swap *s = arg;
    enum err e = ERR_OK;

    if (s->gone && !(e = db_use(t, A_ELEMENT_DEL, f))) {
        db_bind_uuid(t, 1, s->gone);
        e = db_exec(t, NULL, f);
    }
    return e || !s->el ? e : element_put(t, A_ELEMENT_PUT, s->el, f);
}

enum err
meta_admin_element_swap(struct meta *m, const struct uuid *gone,
                        const struct meta_element *el, struct fault *f)
{
    struct element_swap s = {uuid_is_nil(gone) ? NULL : gone, el};

    if (el && (uuid_is_nil(&el->uuid) || !el->element_id[0]))
        return fault_set(f, ERR_INVAL, "element put", "no uuid or id");
    return db_write(meta_self(m)->admin, element_swap_fn, &s, f);
}

enum err
meta_admin_element_put(struct meta *m, const struct meta_element *el,
                       struct fault *f)
{
    const struct uuid none = {{0}};

    return meta_admin_element_swap(m, &none, el, f);
}

static bool
element_read(struct db_tx *t, struct meta_element *el)
{
    memset(el, 0, sizeof(*el));
    el->mode = (int)db_i64(t, 4);
    el->priority = (int)db_i64(t, 5);
    el->created_at.ms = db_i64(t, 7);
    el->updated_at.ms = db_i64(t, 8);
    el->remote = db_i64(t, 9) != 0;
    el->seen_at.ms = db_i64(t, 10);
    return db_uuid(t, 0, &el->uuid) && TEXT(t, 1, el->element_id) &&
           TEXT(t, 2, el->name) && TEXT(t, 3, el->endpoint) &&
           TEXT(t, 6, el->location);
}

struct element_add {
    const struct meta_element *el;
    struct meta_element *holder;
};

static enum err
element_add_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct element_add *a = arg;
    enum err e = db_use(t, A_ELEMENT_FIND, f);

    if (e)
        return e;
    db_bind_uuid(t, 1, &a->el->uuid);
    db_bind_text(t, 2, a->el->element_id);
    db_bind_text(t, 3, a->el->remote ? a->el->endpoint : NULL);
    if ((e = db_step(t, f)) == ERR_OK)
        return element_read(t, a->holder) ? ERR_EXISTS
                                          : db_corrupt(t, "row of element", f);
    return e == ERR_END ? element_put(t, A_ELEMENT_ADD, a->el, f) : e;
}

enum err
meta_admin_element_add(struct meta *m, const struct meta_element *el,
                       struct meta_element *holder, struct fault *f)
{
    struct element_add a = {el, holder};
    enum err e;

    if (uuid_is_nil(&el->uuid) || !el->element_id[0])
        return fault_set(f, ERR_INVAL, "element add", "no uuid or id");
    e = db_write(meta_self(m)->admin, element_add_fn, &a, f);
    /* Another came between looking and adding: now it is there to be seen. */
    if (e == ERR_CONFLICT)
        e = db_write(meta_self(m)->admin, element_add_fn, &a, f);
    return e == ERR_EXISTS
               ? fault_set(f, ERR_EXISTS, "element add", holder->element_id)
               : e;
}

struct element_list {
    meta_element_fn *fn;
    void *arg;
};

static enum err
element_list_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct element_list *l = arg;
    struct meta_element el;
    enum err e = db_use(t, A_ELEMENT_LIST, f);

    if (e)
        return e;
    db_bind_i64(t, 1, META_ELEMENTS_MAX);
    while ((e = db_step(t, f)) == ERR_OK) {
        if (!element_read(t, &el))
            e = db_corrupt(t, "row of element", f);
        if (e || !l->fn(l->arg, &el))
            break;
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err
meta_admin_element_list(struct meta *m, meta_element_fn *fn, void *arg,
                        struct fault *f)
{
    struct element_list l = {fn, arg};

    return db_read(meta_self(m)->admin, element_list_fn, &l, f);
}

/* --- settings ------------------------------------------------------------- */

struct setting {
    const char *key;
    struct slice value;
    struct buf *out;
};

static enum err
setting_get_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct setting *s = arg;
    struct db_value v;
    enum err e = db_use(t, A_SETTING_GET, f);

    if (e)
        return e;
    db_bind_text(t, 1, s->key);
    if ((e = db_step(t, f)))
        return e == ERR_END ? ERR_NOENT : e;
    v = db_column(t, 0);
    return buf_add(s->out, v.p, v.n)
               ? ERR_OK
               : fault_set(f, ERR_TOOBIG, "setting get", s->key);
}

enum err
meta_admin_setting_get(struct meta *m, const char *key, struct buf *out,
                       struct fault *f)
{
    struct setting s = {.key = key, .out = out};

    return db_read(meta_self(m)->admin, setting_get_fn, &s, f);
}

static enum err
setting_put_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct setting *s = arg;
    enum err e = db_use(t, A_SETTING_PUT, f);

    if (e)
        return e;
    db_bind_text(t, 1, s->key);
    db_bind_blob(t, 2, s->value.p, s->value.n);
    return db_exec(t, NULL, f);
}

enum err
meta_admin_setting_put(struct meta *m, const char *key, struct slice value,
                       struct fault *f)
{
    struct setting s = {.key = key, .value = value};

    return db_write(meta_self(m)->admin, setting_put_fn, &s, f);
}

struct setting_list {
    const char *prefix;
    unsigned max;
    meta_setting_fn *fn;
    void *arg;
};

static enum err
setting_list_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct setting_list *l = arg;
    char end[256];
    size_t n = strlen(l->prefix);
    struct db_value v;
    enum err e = db_use(t, A_SETTING_LIST, f);

    if (e)
        return e;
    /* The first text behind all that begin so. */
    memcpy(end, l->prefix, n + 1);
    end[n - 1]++;
    db_bind_text(t, 1, l->prefix);
    db_bind_text(t, 2, end);
    db_bind_i64(t, 3, l->max);
    while ((e = db_step(t, f)) == ERR_OK) {
        v = db_column(t, 1);
        if (!l->fn(l->arg, db_str(t, 0), slice_of(v.p, v.n)))
            break;
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err
meta_admin_setting_list(struct meta *m, const char *prefix, unsigned max,
                        meta_setting_fn *fn, void *arg, struct fault *f)
{
    struct setting_list l = {prefix, max, fn, arg};

    if (!prefix[0] || strlen(prefix) >= 256)
        return fault_set(f, ERR_INVAL, "setting list", "prefix");
    return db_read(meta_self(m)->admin, setting_list_fn, &l, f);
}

static enum err
setting_del_fn(struct db_tx *t, void *arg, struct fault *f)
{
    enum err e = db_use(t, A_SETTING_DEL, f);

    if (e)
        return e;
    db_bind_text(t, 1, arg);
    return db_exec(t, NULL, f);
}

enum err
meta_admin_setting_del(struct meta *m, const char *key, struct fault *f)
{
    return db_write(meta_self(m)->admin, setting_del_fn, (void *)(uintptr_t)key,
                    f);
}
