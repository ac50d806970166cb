/* meta_pg.h - port/meta.h over PostgreSQL 13 or later (doc/postgres.md).
 *
 * All tables lie in one database, in the schema that the user's search_path
 * names first. Every commit is durable when it is answered: the session keeps
 * synchronous_commit on, and a server with fsync=off is refused. Several
 * processes may share the database: transactions are serializable.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_META_PG_H
#define IO_META_PG_H

#include "base/mono.h"
#include "port/meta.h"

struct meta_pg_conf {
    const char *url; /* postgresql://... */
    unsigned pool_min;
    unsigned pool_max;
    struct dur pool_timeout;
    struct dur statement_timeout;
    bool auto_migrate; /* apply what is missing of the schema, else refuse */
};

/* Answers as pg_open() and pg_schema_check(); nothing that the server says is
 * without a hint. OUT ends with ops->close(). */
enum err
meta_pg_open(struct meta **out, const struct meta_pg_conf *c, struct fault *f);

/* Its statements and connections are counted in N. Before other threads use
 * M. */
struct metrics;
void meta_pg_observe(struct meta *m, struct metrics *n);

#endif
