/* db_pg.h - db.h over PostgreSQL: one bounded pool of connections for all parts
 * of a schema, whose tables are in one database.
 *
 * A call takes a connection, or waits for one for POOL_TIMEOUT at most
 * (ERR_TIMEOUT). A transaction that collided with another (40001, 40P01) runs
 * anew, a few times, and then is ERR_BUSY. One whose connection broke runs anew
 * on another. When it broke in the commit, the server is asked what became of
 * it (pg_xact_status), so a write happens once.
 *
 * When no connection can be made, the next attempt is a tenth of a second
 * later, then two, four ... up to five seconds; one caller makes it, and until
 * it succeeds all others get the same fault at once: threads that also serve
 * disks do not queue up before a database that is down.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_DB_PG_H
#define IO_DB_PG_H

#include "io/db.h"
#include "io/pg.h"

struct db_pg_conf {
    const char *url;
    unsigned pool_min; /* idle connections beyond are closed after a while */
    unsigned pool_max;
    struct dur pool_timeout;
    struct dur statement_timeout;
    const struct db_schema *const *schema;
    unsigned n_schema; /* at most DB_PG_PARTS */
};

#define DB_PG_PARTS         4
#define DB_PG_POOL_MAX      1000
#define DB_PG_CONNECT_LIMIT dur_s(5)

/* Connects once, so that what is wrong is told at the start; the schema is not
 * looked at (pg_schema.h). OUT[i] is the database of schema[i]; the pool ends
 * when all are closed. */
enum err
db_pg_open(struct db **out, const struct db_pg_conf *c, struct fault *f);

#endif
