/* db_sqlite.h - db.h over one SQLite file: a connection that writes, and one
 * that reads beside it without waiting. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_DB_SQLITE_H
#define IO_DB_SQLITE_H

#include "io/db.h"
#include "io/sqlite.h"

struct db_sqlite_conf {
    const char *path;               /* or SQL_MEMORY */
    const struct db_schema *schema; /* lives as long as the database */
    uint32_t application_id;
    bool full; /* these four as in struct sql_conf */
    unsigned cache_kib;
};

/* Answers as sql_open(): the schema is brought up to date. */
enum err db_sqlite_open(struct db **out, const struct db_sqlite_conf *c,
                        struct fault *f);

#endif
