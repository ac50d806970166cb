/* pg_impl.h - what the parts of pg.h share: pg.c has the connection and its
 * waits, pg_stmt.c the statements. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_IMPL_H
#define IO_PG_IMPL_H

#include "io/pg.h"
#include "io/pg_count.h"
#include <libpq-fe.h>

struct pg_param {
    char number[24];
    char *owned; /* a text that was not UTF-8, made so */
};

struct pg_queued {
    struct db_posted *out; /* or NULL */
    unsigned at;
    bool prepares;
};

struct pg {
    struct db_tx tx;
    PGconn *c;
    char name[PG_NAME_MAX];
    char xid[PG_XID_MAX];
    enum pg_state state;
    bool in_tx;
    bool bulk;
    int64_t timeout_ms; /* of one statement; 0: none */
    const char *const *text;
    unsigned n_text;
    unsigned char *prepared; /* 0, or 1 + the number of its values */
    struct pg_counts *counts;
    unsigned base; /* of the schema that is in use */

    /* The statement at hand. */
    unsigned at;
    bool ran;
    int n_params;
    const char *value[DB_PARAMS_MAX];
    int length[DB_PARAMS_MAX];
    int format[DB_PARAMS_MAX];
    struct pg_param param[DB_PARAMS_MAX];
    PGresult *res;
    int row; /* the next to come */

    /* What was sent without waiting. */
    bool pipe;
    unsigned n_queued;
    int64_t pipe_began;
    struct pg_queued queued[2 * PG_PIPE];
};

/* pg.c */
int64_t pg_clock(void); /* ns */
/* The next result; NULL ends those of a statement. Sends what is to be sent.
 * *E is set when the connection was lost or took too long. */
PGresult *pg_await(struct pg *p, int64_t began, enum err *e, struct fault *f);
/* Takes all results of what was sent and keeps the last with rows in p->res. */
enum err pg_collect(struct pg *p, const char *op, struct fault *f);
/* A result that is an error, or a send that failed (R is NULL). */
enum err
pg_failed(struct pg *p, const PGresult *r, const char *op, struct fault *f);

/* pg_stmt.c */
extern const struct db_tx_ops pg_tx_ops;
void pg_forget(struct pg *p); /* the statement at hand, its values and rows */
void pg_drop_queue(struct pg *p);

#endif
