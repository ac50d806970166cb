/* sqlite.c - see sqlite.h.
 *
 * Each connection is opened without SQLite's own mutex, since ours is held
 * around each use. Memory statistics of the library are off: they are one
 * process-wide lock on every allocation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/sqlite.h"
#include "io/sqlite_count.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* 16 MiB of WAL between checkpoints: each costs two syncs, which 32 small
 * uploads (about 20 pages) should not often pay. */
#define WAL_PAGES 4096
#define CACHE_KIB 2048
#define BUSY_MS   5000
#define STMTS_MAX 64
#define VALUE_MAX (1024 * 1024) /* of one text or blob */
#define LIKE_MAX  1024

enum sql_control {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_CONTROLS,
};

struct sql {
    sqlite3 *db;
    pthread_mutex_t lock;
    const char *const *text;
    unsigned n;
    bool memory;
    bool reader;
    bool in_tx;
    char name[48];
    struct sql_counts *counts; /* NULL: nobody counts */
    unsigned at; /* the statement used last: of ST, then of CONTROL */
    sqlite3_stmt *control[SQL_CONTROLS];
    sqlite3_stmt *st[STMTS_MAX];
};

static const char *const control_text[SQL_CONTROLS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
init_once(void)
{
    /* Refused when someone has used the library before: no harm. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_initialize();
}

static enum err
err_from_sqlite(sqlite3 *db, int rc)
{
    int sys = db ? sqlite3_system_errno(db) : 0;
    enum err e = sys ? err_from_errno(sys) : ERR_IO;

    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_FULL:
        return ERR_NOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_READONLY:
        return ERR_READONLY;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_DENIED;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_TOOBIG:
        return ERR_TOOBIG;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_INTERRUPT:
        return ERR_CANCELED;
    case SQLITE_IOERR:
        /* Only what a caller can act upon; the rest is a sick device. */
        return e == ERR_NOSPC || rc == SQLITE_IOERR_NOMEM
                   ? (e == ERR_NOSPC ? ERR_NOSPC : ERR_NOMEM)
                   : ERR_IO;
    case SQLITE_CANTOPEN:
        return e;
    default:
        return ERR_IO;
    }
}

static enum err
sql_fault(struct sql *db, int rc, const char *op, struct fault *f)
{
    enum err e = err_from_sqlite(db->db, rc);
    char what[160];

    (void)snprintf(what, sizeof(what), "%s: %s (%d)", db->name,
                   db->db ? sqlite3_errmsg(db->db) : sqlite3_errstr(rc), rc);
    (void)fault_set(f, e, op, what);
    if (f && db->db)
        f->sys = sqlite3_system_errno(db->db);
    return e;
}

const char *
sql_name(const struct sql *db)
{
    return db->name;
}

enum err
sql_corrupt(struct sql *db, const char *what, struct fault *f)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%s: %s", db->name, what);
    return fault_set(f, ERR_CORRUPT, "sqlite read", text);
}

/* --- opening ------------------------------------------------------------- */

static enum err
exec(struct sql *db, const char *text, struct fault *f)
{
    int rc = sqlite3_exec(db->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ERR_OK : sql_fault(db, rc, "sqlite", f);
}

static enum err
pragma_int(struct sql *db, const char *text, int64_t *out, struct fault *f)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->db, text, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return rc == SQLITE_ROW ? ERR_OK : sql_fault(db, rc, "sqlite", f);
}

static enum err
set_up(struct sql *db, const struct sql_conf *c, struct fault *f)
{
    char text[256];
    enum err e;

    (void)sqlite3_extended_result_codes(db->db, 1);
    (void)sqlite3_busy_timeout(db->db, BUSY_MS);
    (void)sqlite3_limit(db->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    (void)sqlite3_limit(db->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_MAX);
    (void)sqlite3_limit(db->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);

    (void)snprintf(text, sizeof(text),
                   "PRAGMA mmap_size=0; PRAGMA cache_size=-%u;"
                   "PRAGMA synchronous=%s; PRAGMA temp_store=MEMORY",
                   c->cache_kib ? c->cache_kib : CACHE_KIB,
                   c->full ? "FULL" : "NORMAL");
    if ((e = exec(db, text, f)))
        return e;
    if (db->memory || db->reader)
        return db->reader ? exec(db, "PRAGMA query_only=1", f) : ERR_OK;
    (void)snprintf(text, sizeof(text),
                   "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=%d;"
                   "PRAGMA journal_size_limit=%d",
                   WAL_PAGES, WAL_PAGES * 4096);
    return exec(db, text, f);
}

static enum err
migrate_one(struct sql *db, const char *const *stmts, unsigned to,
            uint32_t application_id, struct fault *f)
{
    char text[96];
    enum err e = sql_begin(db, f);

    if (e)
        return e;
    for (; *stmts && !e; stmts++)
        e = exec(db, *stmts, f);
    (void)snprintf(text, sizeof(text),
                   "PRAGMA application_id=%u; PRAGMA user_version=%u",
                   application_id, to);
    if (!e)
        e = exec(db, text, f);
    return sql_end(db, e, f);
}

static enum err
migrate(struct sql *db, const struct sql_conf *c, struct fault *f)
{
    int64_t have = 0, app = 0, tables = 0;
    enum err e;

    if ((e = pragma_int(db, "PRAGMA user_version", &have, f)) ||
        (e = pragma_int(db, "PRAGMA application_id", &app, f)) ||
        (e = pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables, f)))
        return e;
    if (tables && (uint32_t)app != c->application_id)
        return fault_set(f, ERR_CONFLICT, "not our database", db->name);
    if (have > c->n_migrations)
        return fault_set(f, ERR_UNSUPPORTED, "later schema", db->name);
    if (c->reader && have < c->n_migrations)
        return fault_set(f, ERR_UNSUPPORTED, "earlier schema", db->name);
    for (unsigned i = (unsigned)have; i < c->n_migrations && !e; i++)
        e = migrate_one(db, c->migrations[i], i + 1, c->application_id, f);
    return e;
}

/* Made before SQLite makes it, so that nobody else can read it; its WAL and
 * the rest take over the mode. */
static enum err
make_private(struct sql *db, const char *path, struct fault *f)
{
    int fd;

    if (db->memory || db->reader)
        return ERR_OK;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_sys(f, errno, "open", path);
    (void)close(fd);
    return ERR_OK;
}

enum err
sql_open(struct sql **out, const struct sql_conf *c, struct fault *f)
{
    const char *slash = strrchr(c->path, '/');
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    struct sql *db = calloc(1, sizeof(*db));
    enum err e;
    int rc;

    *out = NULL;
    assert(c->n_stmts <= STMTS_MAX);
    if (!db)
        return fault_set(f, ERR_NOMEM, "sqlite open", c->path);
    (void)pthread_once(&once, init_once);
    (void)pthread_mutex_init(&db->lock, NULL);
    db->text = c->stmts;
    db->n = c->n_stmts;
    db->reader = c->reader;
    db->memory = strcmp(c->path, SQL_MEMORY) == 0;
    (void)snprintf(db->name, sizeof(db->name), "%s",
                   c->name ? c->name
                   : slash ? slash + 1
                           : c->path);

    e = make_private(db, c->path, f);
    if (!e) {
        rc = sqlite3_open_v2(c->path, &db->db, flags, NULL);
        e = rc == SQLITE_OK ? ERR_OK : sql_fault(db, rc, "sqlite open", f);
    }
    if (!e)
        e = set_up(db, c, f);
    if (!e)
        e = migrate(db, c, f);
    if (e)
        sql_close(&db);
    *out = db;
    return e;
}

void
sql_close(struct sql **pdb)
{
    struct sql *db = *pdb;
    int rc;

    if (!db)
        return;
    *pdb = NULL;
    for (unsigned i = 0; i < db->n; i++)
        (void)sqlite3_finalize(db->st[i]);
    for (unsigned i = 0; i < SQL_CONTROLS; i++)
        (void)sqlite3_finalize(db->control[i]);
    rc = sqlite3_close(db->db);
    assert(rc == SQLITE_OK); /* else a statement of someone is still open */
    sql_counts_close(&db->counts);
    (void)pthread_mutex_destroy(&db->lock);
    free(db);
}

/* --- use ----------------------------------------------------------------- */

bool
sql_observe(struct sql *db, struct metrics *m)
{
    const char *text[STMTS_MAX + SQL_CONTROLS];

    for (unsigned i = 0; i < db->n; i++)
        text[i] = db->text[i];
    for (unsigned i = 0; i < SQL_CONTROLS; i++)
        text[db->n + i] = control_text[i];
    if (m && !db->counts)
        db->counts = sql_counts_open(m, text, db->n + SQL_CONTROLS);
    return !m || db->counts;
}

void
sql_lock(struct sql *db)
{
    (void)pthread_mutex_lock(&db->lock);
    if (db->counts)
        sql_count_use(db->counts, true);
}

void
sql_unlock(struct sql *db)
{
    if (db->counts)
        sql_count_use(db->counts, false);
    (void)pthread_mutex_unlock(&db->lock);
}

static enum err
prepare(struct sql *db, const char *text, sqlite3_stmt **st, struct fault *f)
{
    int rc = sqlite3_prepare_v3(db->db, text, -1, SQLITE_PREPARE_PERSISTENT, st,
                                NULL);

    return rc == SQLITE_OK ? ERR_OK : sql_fault(db, rc, "sqlite prepare", f);
}

enum err
sql_stmt(struct sql *db, unsigned i, sqlite3_stmt **out, struct fault *f)
{
    enum err e = ERR_OK;

    assert(i < db->n && db->text[i]);
    if (!db->st[i])
        e = prepare(db, db->text[i], &db->st[i], f);
    *out = db->st[i];
    db->at = i;
    if (db->counts)
        sql_count_reset(db->counts, i);
    if (!e) {
        (void)sqlite3_reset(*out);
        (void)sqlite3_clear_bindings(*out);
    }
    return e;
}

void
sql_reset(sqlite3_stmt *st)
{
    (void)sqlite3_reset(st);
}

static enum err
step(struct sql *db, sqlite3_stmt *st, struct fault *f)
{
    int rc = sqlite3_step(st);
    enum err e;

    if (rc == SQLITE_ROW)
        return ERR_OK;
    e = rc == SQLITE_DONE ? ERR_END : sql_fault(db, rc, "sqlite step", f);
    (void)sqlite3_reset(st);
    return e;
}

static sqlite3_stmt *
stmt_at(const struct sql *db, unsigned i)
{
    return i < db->n ? db->st[i] : db->control[i - db->n];
}

/* Mostly the one that was fetched last. */
static unsigned
number_of(struct sql *db, const sqlite3_stmt *st)
{
    unsigned i = db->at;

    if (stmt_at(db, i) == st)
        return i;
    for (i = 0; i < db->n && db->st[i] != st; i++)
        ;
    assert(i < db->n);
    return i;
}

enum err
sql_step(struct sql *db, sqlite3_stmt *st, struct fault *f)
{
    int64_t began;
    enum err e;

    if (!db->counts)
        return step(db, st, f);
    began = sql_count_begin();
    e = step(db, st, f);
    sql_count_step(db->counts, number_of(db, st), began, e);
    return e;
}

enum err
sql_run(struct sql *db, sqlite3_stmt *st, struct fault *f)
{
    enum err e = sql_step(db, st, f);

    assert(e != ERR_OK); /* the statement gives no rows */
    return e == ERR_END ? ERR_OK : e;
}

int64_t
sql_changes(struct sql *db)
{
    return sqlite3_changes64(db->db);
}

/* The statements of transactions are kept too: compiling them would cost as
 * much as a row. */
static enum err
control(struct sql *db, enum sql_control c, struct fault *f)
{
    enum err e = ERR_OK;

    if (!db->control[c])
        e = prepare(db, control_text[c], &db->control[c], f);
    db->at = db->n + c;
    return e ? e : sql_run(db, db->control[c], f);
}

enum err
sql_begin(struct sql *db, struct fault *f)
{
    enum err e;

    assert(!db->in_tx);
    e = control(db, SQL_BEGIN, f);
    db->in_tx = e == ERR_OK;
    return e;
}

enum err
sql_commit(struct sql *db, struct fault *f)
{
    enum err e;

    assert(db->in_tx);
    e = control(db, SQL_COMMIT, f);
    if (e)
        sql_rollback(db);
    db->in_tx = false;
    return e;
}

void
sql_rollback(struct sql *db)
{
    /* After some errors SQLite has rolled back already. */
    if (db->in_tx && !sqlite3_get_autocommit(db->db))
        (void)control(db, SQL_ROLLBACK, NULL);
    db->in_tx = false;
}

enum err
sql_end(struct sql *db, enum err e, struct fault *f)
{
    if (e == ERR_OK)
        return sql_commit(db, f);
    sql_rollback(db);
    return e;
}

enum err
sql_checkpoint(struct sql *db, bool *all, struct fault *f)
{
    int in_log = 0, done = 0, rc;

    assert(!db->in_tx);
    *all = true;
    if (db->memory)
        return ERR_OK;
    rc = sqlite3_wal_checkpoint_v2(db->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                   &in_log, &done);
    *all = rc == SQLITE_OK && done >= in_log;
    /* Another connection is at it just now. */
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
        return ERR_OK;
    return sql_fault(db, rc, "sqlite checkpoint", f);
}

/* --- values -------------------------------------------------------------- */

/* The index is a constant of ours and static values need no memory. */
static void
bound(int rc)
{
    assert(rc == SQLITE_OK);
    (void)rc;
}

void
sql_bind_text(sqlite3_stmt *st, int i, const char *s)
{
    bound(sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC));
}

void
sql_bind_slice(sqlite3_stmt *st, int i, struct slice s)
{
    bound(sqlite3_bind_text64(st, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8));
}

void
sql_bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n)
{
    bound(sqlite3_bind_blob64(st, i, p, n, SQLITE_STATIC));
}

void
sql_bind_i64(sqlite3_stmt *st, int i, int64_t v)
{
    bound(sqlite3_bind_int64(st, i, v));
}

void
sql_bind_null(sqlite3_stmt *st, int i)
{
    bound(sqlite3_bind_null(st, i));
}

bool
sql_column_text(sqlite3_stmt *st, int i, char *dst, size_t cap)
{
    const unsigned char *p = sqlite3_column_text(st, i);

    return slice_copy(slice_of(p, p ? (size_t)sqlite3_column_bytes(st, i) : 0),
                      dst, cap);
}

bool
sql_column_blob(sqlite3_stmt *st, int i, void *dst, size_t n)
{
    const void *p = sqlite3_column_blob(st, i);

    if (!p || (size_t)sqlite3_column_bytes(st, i) != n)
        return false;
    memcpy(dst, p, n);
    return true;
}
