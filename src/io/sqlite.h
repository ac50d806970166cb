/* sqlite.h - one connection to an SQLite file, opened the way we want it.
 *
 * WAL, no mmap, a bounded cache, a bounded WAL, foreign keys on, schemas not
 * trusted, our application_id and a numbered schema (user_version). Statements
 * are a table of the owner; each is prepared at its first use and kept.
 *
 * A connection is one thread's at a time: sql_lock() before, sql_unlock()
 * after. Who wants readers that do not wait for a writer opens a second
 * connection of the same file (reader = true).
 *
 * Answers: SQLITE_FULL and ENOSPC are ERR_NOSPC, CORRUPT and NOTADB are
 * ERR_CORRUPT, BUSY is ERR_BUSY ...; faults name the call and SQLite's own
 * words, which hold names of tables but never values.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_SQLITE_H
#define IO_SQLITE_H

#include "base/err.h"
#include "base/slice.h"
#include "base/uuid.h"
#include <sqlite3.h>

#define SQL_MEMORY ":memory:"

struct sql;

struct sql_conf {
    const char *path; /* or SQL_MEMORY: gone when it is closed */
    uint32_t application_id;
    /* Migration i leads from user_version i to i + 1: a list of single
     * statements that ends with NULL, run in one transaction. */
    const char *const *const *migrations;
    unsigned n_migrations;
    const char *const *stmts; /* for sql_stmt() */
    unsigned n_stmts;
    bool full;   /* synchronous=FULL: a commit is on disk; else NORMAL: it is
                    there after a crash of the process, and after a power
                    cut some of the last may be missing, in order */
    bool reader; /* does not migrate and does not write */
    unsigned cache_kib; /* page cache; 0: 2 MiB */
    const char *name;   /* in faults; NULL: the last part of path */
};

/* ERR_CONFLICT: a database of another application. ERR_UNSUPPORTED: of a later
 * version of ours. ERR_CORRUPT: not a database. */
enum err sql_open(struct sql **out, const struct sql_conf *c, struct fault *f);
/* Sets *DB to NULL; does nothing if it already is. */
void sql_close(struct sql **db);

/* Statements are counted and timed in M from now on (sqlite_count.h); M may be
 * NULL. False: no memory. Before other threads use DB. */
struct metrics;
bool sql_observe(struct sql *db, struct metrics *m);

void sql_lock(struct sql *db);
void sql_unlock(struct sql *db);

/* *OUT is statement I, reset and without bindings. */
enum err
sql_stmt(struct sql *db, unsigned i, sqlite3_stmt **out, struct fault *f);
/* ERR_OK: a row stands there. ERR_END: done; then, and on faults, the statement
 * is reset. */
enum err sql_step(struct sql *db, sqlite3_stmt *st, struct fault *f);
/* Ends a statement before its last row, so that it holds no snapshot. */
void sql_reset(sqlite3_stmt *st);
/* For statements without rows: steps once and resets. */
enum err sql_run(struct sql *db, sqlite3_stmt *st, struct fault *f);
/* Rows changed by the last statement. */
int64_t sql_changes(struct sql *db);

/* BEGIN IMMEDIATE: the writer waits here and nowhere else. */
enum err sql_begin(struct sql *db, struct fault *f);
/* On error nothing is committed and the transaction is over. */
enum err sql_commit(struct sql *db, struct fault *f);
/* Harmless when there is no transaction. */
void sql_rollback(struct sql *db);
/* commit when E is ERR_OK, else rollback; returns E or commit's answer. */
enum err sql_end(struct sql *db, enum err e, struct fault *f);

/* Writes the WAL's commits into the database and syncs both, without holding
 * up anybody. ALL: everything that was committed before the call; else someone
 * was reading an older state, or writing. */
enum err sql_checkpoint(struct sql *db, bool *all, struct fault *f);

/* Values are only read until the next reset of the statement. NULL and nil
 * become SQL's NULL. Columns count from 1 in bind and from 0 in column, as
 * SQLite has it. */
void sql_bind_text(sqlite3_stmt *st, int i, const char *s);
void sql_bind_slice(sqlite3_stmt *st, int i, struct slice s); /* as text */
void sql_bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n);
void sql_bind_i64(sqlite3_stmt *st, int i, int64_t v);
void sql_bind_null(sqlite3_stmt *st, int i);
static inline void
sql_bind_uuid(sqlite3_stmt *st, int i, const struct uuid *u)
{
    sql_bind_blob(st, i, u->b, sizeof(u->b));
}

/* False when the value does not fit, or is of another length. */
bool sql_column_text(sqlite3_stmt *st, int i, char *dst, size_t cap);
bool sql_column_blob(sqlite3_stmt *st, int i, void *dst, size_t n);
static inline bool
sql_column_uuid(sqlite3_stmt *st, int i, struct uuid *u)
{
    return sql_column_blob(st, i, u->b, sizeof(u->b));
}

/* What faults call it. */
const char *sql_name(const struct sql *db);
/* The database file says something impossible: ERR_CORRUPT. */
enum err sql_corrupt(struct sql *db, const char *what, struct fault *f);

#endif
