/* db.h - statements over a database of either kind, SQLite or PostgreSQL.
 *
 * Who keeps tables (io/meta_*.c) writes each statement once, and runs it in a
 * function that is given a transaction:
 *
 *     static enum err
 *     fn(struct db_tx *t, void *arg, struct fault *f)
 *     {
 *         struct job *j = arg;
 *         enum err e = db_use(t, Q_SIZE, f);
 *
 *         if (e)
 *             return e;
 *         db_bind_uuid(t, 1, &j->id);
 *         if ((e = db_step(t, f)) == ERR_OK)
 *             j->size = (uint64_t)db_i64(t, 0);
 *         return e;
 *     }
 *     e = db_read(d, fn, &job, f);
 *
 * A function may be run more than once: when a transaction collided with
 * another, or the connection broke before it was committed, it begins anew on
 * a state without its changes. So it sets its results at each start, and tells
 * rows to others only from its last statement. What db_write() answers is what
 * is: ERR_OK, it is committed and durable; else nothing of it is there - but
 * for the one fault that says "committed or not", when the database vanished
 * during the commit and could not be asked afterwards.
 *
 * Texts have $1, $2 ... where values go, and a few words in braces where the
 * two dialects differ (db_dialect.c has the list): {int}, {blob}, {text} ...
 *
 * Blocking: worker threads only, any number at once. A db_fn must not call the
 * same database again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_DB_H
#define IO_DB_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

#define DB_PARAMS_MAX 32

/* One step of the schema; its number is its place in the list, from 1 on. It
 * is never changed after a release: a later one follows. STMTS are single
 * statements and end with NULL; all of them are one transaction. */
struct db_script {
    const char *name; /* a word or two */
    const char *const *stmts;
};

struct db_schema {
    const char *part; /* "catalogue": has version numbers of its own */
    const struct db_script *script;
    unsigned n_scripts;
    const char *const *stmt; /* for db_use(); NULL entries are not used */
    unsigned n_stmts;
};

struct db;
struct db_tx;
struct metrics;
typedef enum err db_fn(struct db_tx *t, void *arg, struct fault *f);

enum db_mode {
    DB_READ,  /* each statement sees what is committed when it begins */
    DB_WRITE, /* one transaction, as if no other ran */
    DB_BULK   /* the same for what may take minutes: no statement timeout */
};

enum db_kind { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_kind kind;
    int64_t i;
    const void *p; /* TEXT, BLOB; in columns a zero follows */
    size_t n;
};

/* What became of a statement that db_post() has taken. */
struct db_posted {
    int64_t changed; /* rows */
    int64_t value;   /* of RETURNING: first column of the first row, else 0 */
};

struct db_ops {
    enum err (*run)(struct db *d, enum db_mode mode, db_fn *fn, void *arg,
                    struct fault *f);
    bool (*observe)(struct db *d, struct metrics *m);
    void (*close)(struct db *d);
};

struct db {
    const struct db_ops *ops;
};

struct db_tx_ops {
    enum err (*use)(struct db_tx *t, unsigned i, struct fault *f);
    void (*bind)(struct db_tx *t, int i, const struct db_value *v);
    enum err (*step)(struct db_tx *t, struct fault *f);
    enum err (*post)(struct db_tx *t, struct db_posted *out, struct fault *f);
    enum err (*flush)(struct db_tx *t, struct fault *f);
    struct db_value (*column)(struct db_tx *t, int i);
    const char *(*name)(struct db_tx *t);
};

struct db_tx {
    const struct db_tx_ops *ops;
};

static inline enum err
db_read(struct db *d, db_fn *fn, void *arg, struct fault *f)
{
    return d->ops->run(d, DB_READ, fn, arg, f);
}

static inline enum err
db_write(struct db *d, db_fn *fn, void *arg, struct fault *f)
{
    return d->ops->run(d, DB_WRITE, fn, arg, f);
}

static inline enum err
db_bulk(struct db *d, db_fn *fn, void *arg, struct fault *f)
{
    return d->ops->run(d, DB_BULK, fn, arg, f);
}

/* Statements are counted and timed in M (PRD-047 to PRD-052). Before other
 * threads use D. False: no memory for it; D works all the same. */
static inline bool
db_observe(struct db *d, struct metrics *m)
{
    return d->ops->observe(d, m);
}

/* Sets *D to NULL; does nothing if it already is. */
static inline void
db_close(struct db **d)
{
    if (*d)
        (*d)->ops->close(*d);
    *d = NULL;
}

/* --- in a transaction: one statement at a time ---------------------------- */

/* Statement I of the schema is the one at hand, without values (all NULL); the
 * one before has ended. */
static inline enum err
db_use(struct db_tx *t, unsigned i, struct fault *f)
{
    return t->ops->use(t, i, f);
}

/* Values count from 1 and are only read until the statement ends. */
static inline void
db_bind(struct db_tx *t, int i, const struct db_value *v)
{
    t->ops->bind(t, i, v);
}
void db_bind_i64(struct db_tx *t, int i, int64_t v);
/* PostgreSQL takes UTF-8 only: bytes that are none become U+FFFD there, by
 * db_utf8(). */
void db_bind_text(struct db_tx *t, int i, const char *s); /* NULL: NULL */
void db_bind_blob(struct db_tx *t, int i, const void *p, size_t n);
static inline void
db_bind_uuid(struct db_tx *t, int i, const struct uuid *u)
{
    db_bind_blob(t, i, u->b, sizeof(u->b));
}

/* ERR_OK: a row stands there. ERR_END: there is no more. */
static inline enum err
db_step(struct db_tx *t, struct fault *f)
{
    return t->ops->step(t, f);
}

/* Runs the statement at hand for its effect. It may be sent together with
 * others, so that *OUT (may be NULL) is filled and faults are told at the
 * latest by db_flush() or by the next db_step(). Its values may go at once. */
static inline enum err
db_post(struct db_tx *t, struct db_posted *out, struct fault *f)
{
    return t->ops->post(t, out, f);
}
static inline enum err
db_flush(struct db_tx *t, struct fault *f)
{
    return t->ops->flush(t, f);
}
/* Both at once. */
enum err db_exec(struct db_tx *t, struct db_posted *out, struct fault *f);

/* S where it is UTF-8; else *MADE, for free(), is S with U+FFFD for each byte
 * that is not, and *OUT is that. False: no memory. */
bool db_utf8(struct slice s, char **made, struct slice *out);

/* Columns count from 0; what they point to lives until the next step. */
static inline struct db_value
db_column(struct db_tx *t, int i)
{
    return t->ops->column(t, i);
}
int64_t db_i64(struct db_tx *t, int i);     /* 0 for NULL */
const char *db_str(struct db_tx *t, int i); /* NULL for NULL */
/* False when the value does not fit, or is of another length. */
bool db_text(struct db_tx *t, int i, char *dst, size_t cap);
bool db_blob(struct db_tx *t, int i, void *dst, size_t n);
static inline bool
db_uuid(struct db_tx *t, int i, struct uuid *u)
{
    return db_blob(t, i, u->b, sizeof(u->b));
}

/* A row says something impossible: ERR_CORRUPT. */
enum err db_corrupt(struct db_tx *t, const char *what, struct fault *f);

/* --- dialects ------------------------------------------------------------- */

enum db_dialect { DB_SQLITE, DB_POSTGRES };

/* TEXT as DIALECT spells it, for free(); NULL: no memory. Empty: a statement
 * of the other dialect only. */
char *db_spell(enum db_dialect dialect, const char *text);

/* All texts of a schema, spelled; db_texts_release() frees them. */
struct db_texts {
    char **stmt;                /* n_stmts, NULL where not used */
    const char *const **script; /* n_scripts, each ends with NULL */
    const struct db_schema *schema;
};
/* False: no memory. */
bool db_texts_init(struct db_texts *x, enum db_dialect dialect,
                   const struct db_schema *schema);
void db_texts_release(struct db_texts *x);

#endif
