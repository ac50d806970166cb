/* migrate.h - from a catalogue in SQLite files to one in PostgreSQL: what
 * `artstore migrate` does (ALR-315 to ALR-324).
 *
 * Rows are copied table by table, a table after those that it refers to, in
 * the order of their keys. A batch and the note how far the copy has come are
 * one transaction: after a crash the next run goes on behind the last batch
 * that is there, no row twice and none missing. The source must not change
 * meanwhile; whoever calls sees to that.
 *
 * One thread. Blocking.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_MIGRATE_H
#define IO_MIGRATE_H

#include "base/err.h"
#include "base/mono.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIGRATE_TABLES 8

struct migrate;

struct migrate_conf {
    const char *url;              /* of the PostgreSQL */
    const char *folder;           /* of the SQLite files; NULL: no source */
    struct dur statement_timeout; /* of the target: counting takes long */
    unsigned batch;               /* rows of one transaction */
};

/* ERR_NOENT, with a hint: there are no SQLite files in FOLDER. Else as
 * meta_sqlite_open() and pg_open(). The schema of the target is not looked
 * at. */
enum err migrate_open(struct migrate **out, const struct migrate_conf *c,
                      struct fault *f);
void migrate_close(struct migrate **m);
/* "artstore at db1:5432" */
const char *migrate_target(const struct migrate *m);

/* --- schema --- */

struct migrate_script {
    const char *part;
    unsigned version;
    const char *name;
    bool applied;
    bool differs;
    bool unknown;
    int64_t applied_at; /* ms since 1970 */
    int64_t took_ms;
};
typedef void migrate_script_fn(void *arg, const struct migrate_script *s);

/* Tells all scripts. */
enum err migrate_scripts(struct migrate *m, migrate_script_fn *fn, void *arg,
                         struct fault *f);
/* Applies those that are missing and tells these. ERR_BUSY: another run is at
 * it. */
enum err migrate_schema(struct migrate *m, migrate_script_fn *fn, void *arg,
                        struct fault *f);

/* --- data --- */

struct migrate_progress {
    const char *table;
    uint64_t done;  /* rows, of this run and those before */
    uint64_t total; /* rows of the source */
    bool finished;
};
/* False: stop after this batch (ERR_CANCELED). */
typedef bool migrate_progress_fn(void *arg, const struct migrate_progress *p);

/* Copies what is not there yet. ERR_CONFLICT: the target has rows that are not
 * of such a copy, or of another source, or of a copy that had ended and was
 * taken back; or the source has moved elsewhere.
 * ERR_BUSY: another run is at it. At the end the source says where it has
 * moved, and servers do not take it any more. *AGAIN: all had been copied
 * before. */
enum err migrate_data(struct migrate *m, migrate_progress_fn *fn, void *arg,
                      bool *again, struct fault *f);
/* ERR_CONFLICT, with a hint: a copy into the PostgreSQL of URL has begun and
 * not ended, so that no server may use it. Its schema is as it should be. */
enum err migrate_check(const char *url, struct fault *f);
/* Forgets a copy that has not ended, and its rows. ERR_CONFLICT: it has ended,
 * or the source has moved there, so that a server may have written there
 * since. */
enum err migrate_restart(struct migrate *m, struct fault *f);
/* Takes back that the source has moved. Needs no target. */
enum err migrate_undo(const char *folder, struct fault *f);

struct migrate_count {
    const char *table;
    uint64_t source;
    uint64_t target;
    uint64_t copied;
    bool begun;
    bool finished;
};
/* Of all tables. */
enum err
migrate_counts(struct migrate *m, struct migrate_count out[MIGRATE_TABLES],
               struct fault *f);

/* --- comparison --- */

#define MIGRATE_KEY 80

struct migrate_compared {
    const char *table;
    uint64_t source, target; /* rows */
    uint64_t missing;        /* only in the source */
    uint64_t extra;          /* only in the target */
    uint64_t different;      /* in both, not alike */
    char checksum[2][65];    /* SHA-256 of all rows, in hex */
    char first[MIGRATE_KEY]; /* the first row that is not alike, or "" */
};
/* Reads all rows of both sides of table number I. */
enum err migrate_compare(struct migrate *m, unsigned i,
                         struct migrate_compared *out, struct fault *f);

#endif
