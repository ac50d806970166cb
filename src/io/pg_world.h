/* pg_world.h - a PostgreSQL server of a test's own: made in a temporary folder,
 * on a free port of the loopback, as nobody when the test runs as root (it
 * refuses root), gone with the test.
 *
 *     struct pg_world w;
 *     const char *why = pg_world_open(&w);
 *
 *     if (why) ... skip, there is no PostgreSQL here
 *     pg_world_database(&w, "test", url);
 *     ...
 *     pg_world_close(&w);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_WORLD_H
#define IO_PG_WORLD_H

#include <stdbool.h>
#include <sys/types.h>

#define PG_WORLD_URL 256

struct pg_world {
    char bin[128];
    char dir[64];
    int port;
    pid_t pid; /* 0: not running */
};

/* NULL, or why there is none. The server runs then. A failure of one that is
 * there fails the test. */
const char *pg_world_open(struct pg_world *w);
void pg_world_close(struct pg_world *w);

/* Starts it over what there is, with one more "NAME=VALUE" (or NULL), and waits
 * until it answers. */
void pg_world_start(struct pg_world *w, const char *setting);
/* SIG to all its processes; SIGKILL and SIGQUIT wait for its end. */
void pg_world_kill(struct pg_world *w, int sig);

/* A new and empty database; its address as user artstore. */
void
pg_world_database(struct pg_world *w, const char *name, char url[PG_WORLD_URL]);
/* Runs SQL in database NAME; the first value of its first row, "" for none. */
const char *pg_world_sql(struct pg_world *w, const char *name, const char *sql);

#endif
