/* pg_schema.h - which scripts of a schema a PostgreSQL database has had.
 *
 * The table schema_migrations has a row for each: part, number, name, when, and
 * the SHA-256 of its text, so that a script that was changed after it had run
 * somewhere is noticed. Scripts run in order, each in one transaction, under an
 * advisory lock: two that start at once do not meet.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_SCHEMA_H
#define IO_PG_SCHEMA_H

#include "io/pg.h"

struct pg_script {
    const char *part;
    unsigned version;
    const char *name;
    bool applied;
    bool differs;       /* it was applied with another text */
    bool unknown;       /* a later version of this program applied it */
    int64_t applied_at; /* ms since 1970 */
    int64_t took_ms;    /* when it was applied just now */
};
typedef void pg_script_fn(void *arg, const struct pg_script *s);

/* Tells all scripts: those of SCHEMA, then unknown ones. A database without the
 * table has had none. */
enum err
pg_schema_list(struct pg *p, const struct db_schema *const *schema, unsigned n,
               pg_script_fn *fn, void *arg, struct fault *f);

/* Runs those that are missing, and tells FN (may be NULL) of each. ERR_BUSY:
 * another is at it, and has been for WAIT. ERR_UNSUPPORTED: an unknown one is
 * there. ERR_CONFLICT: one differs. */
enum err
pg_schema_apply(struct pg *p, const struct db_schema *const *schema, unsigned n,
                struct dur wait, pg_script_fn *fn, void *arg, struct fault *f);

/* ERR_OK: just as this program wants it. ERR_UNSUPPORTED: earlier or later,
 * with a hint. ERR_CONFLICT: one differs. */
enum err pg_schema_check(struct pg *p, const struct db_schema *const *schema,
                         unsigned n, struct fault *f);

/* The lock of all who change the schema or copy data into it; it ends with the
 * connection. ERR_BUSY as above. */
enum err pg_schema_lock(struct pg *p, struct dur wait, struct fault *f);

#endif
