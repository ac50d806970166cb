/* pg.h - one connection to PostgreSQL, as a transaction of db.h.
 *
 * libpq without blocking calls: every wait is a poll() with a deadline, so that
 * a server that was frozen, or cut off, costs a thread the statement timeout
 * and no more. Statements are prepared at their first use. Posted statements
 * go out in pipeline mode, PG_PIPE at a time.
 *
 * After a call has failed, pg_state() says what that means for the connection:
 * PG_COLLIDED, the transaction met another and may be tried again; PG_LOST, the
 * connection is good for nothing but pg_close().
 *
 * Faults name database and host, "artstore at db1:5432", and the server's first
 * line, which holds names of tables but no values; never the password.
 * One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_H
#define IO_PG_H

#include "base/mono.h"
#include "io/db.h"

#define PG_VERSION_MIN 130000 /* pg_current_xact_id() */
#define PG_PIPE        128
#define PG_NAME_MAX    96

struct pg;
struct pg_counts;

struct pg_conf {
    const char *url; /* postgresql://... */
    struct dur connect_timeout;
    struct dur statement_timeout; /* {0}: none */
    const char *const *text;      /* for db_use(); lives longer */
    unsigned n_text;
};

enum pg_state { PG_FINE, PG_COLLIDED, PG_LOST };

/* ERR_INVAL: URL is none. ERR_AGAIN: not reached, or it is starting or ending.
 * ERR_IO: no such database. ERR_DENIED: not let in. ERR_BUSY: it has no
 * connection left. ERR_READONLY: a replica. ERR_UNSUPPORTED: too old, or it
 * does not keep what it commits (fsync=off). The fault has a hint. */
enum err pg_open(struct pg **out, const struct pg_conf *c, struct fault *f);
/* Sets *P to NULL; does nothing if it already is. */
void pg_close(struct pg **p);

const char *pg_name(const struct pg *p);
enum pg_state pg_state(const struct pg *p);
/* Of an idle connection: is the other end still there, as far as is known
 * here? */
bool pg_alive(struct pg *p);
/* Statement I is the BASE+I-th of the texts from now on; statements are counted
 * in C (may be NULL). */
struct db_tx *pg_use(struct pg *p, unsigned base, struct pg_counts *c);

/* The statement at hand ends: no rows, no values. */
void pg_end(struct pg *p);

/* Runs SQL without values, one statement or several; the rows of the last come
 * with db_step(), as text and numbers. */
enum err pg_query(struct pg *p, const char *sql, struct fault *f);
/* The same for its effect. */
enum err pg_exec(struct pg *p, const char *sql, struct fault *f);

/* While ON nobody else begins a transaction of ours in this database, and those
 * that had begun have ended: for one that would collide for ever. (Bulk ones
 * are not waited for.) Between transactions. */
enum err pg_alone(struct pg *p, bool on, struct fault *f);
/* A serializable transaction. BULK: without the statement timeout. */
enum err pg_begin(struct pg *p, bool bulk, struct fault *f);
/* With PG_LOST afterwards nobody knows, unless db_flush() had failed before;
 * pg_outcome() on another connection can find out. */
enum err pg_commit(struct pg *p, struct fault *f);
/* Harmless without a transaction. */
void pg_rollback(struct pg *p);

#define PG_XID_MAX 24
/* The transaction that was begun last, as text. */
const char *pg_xid(const struct pg *p);

enum pg_outcome { PG_COMMITTED, PG_ABORTED, PG_IN_PROGRESS, PG_FORGOTTEN };
enum err pg_outcome(struct pg *p, const char *xid, enum pg_outcome *out,
                    struct fault *f);

#endif
