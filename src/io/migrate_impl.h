/* migrate_impl.h - what the parts of migrate.h share: migrate_table.c has the
 * tables and their statements, migrate_note.c the notes of how far a copy has
 * come, migrate.c copies, migrate_compare.c compares.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_MIGRATE_IMPL_H
#define IO_MIGRATE_IMPL_H

#include "io/db.h"
#include "io/meta_impl.h"
#include "io/migrate.h"
#include "io/pg.h"

struct migrate_table {
    const char *name;
    unsigned columns;
    unsigned keys; /* the first of the columns */
    enum meta_part part;
    bool numbered; /* its first column is a {serial} */
};
extern const struct migrate_table migrate_table[MIGRATE_TABLES];

/* Statement WHICH of table number I. */
enum migrate_stmt {
    MIG_COUNT,
    MIG_FIRST, /* $1: how many rows */
    MIG_NEXT,  /* $1, and from $2 on the key after which */
    MIG_PUT,
    MIG_EMPTY,
    MIG_PER_TABLE
};
#define MIG(i, which) ((i) * (unsigned)MIG_PER_TABLE + (unsigned)(which))
/* Once. */
enum {
    MIG_NOTE_GET = MIGRATE_TABLES * MIG_PER_TABLE,
    MIG_NOTE_PUT,
    MIG_NOTES_EMPTY,
    MIG_SEQUENCE_FEED,
    MIG_SEQUENCE_AUDIT,
    MIG_SETTING_GET,
    MIG_SETTING_PUT,
    MIG_UNDO,
    MIG_N
};

/* The scripts of a part with these statements. */
void migrate_schema_of(enum meta_part part, struct db_schema *out);

struct migrate {
    struct db *source[META_PARTS]; /* NULL: none */
    struct db *target;             /* has the tables of both parts */
    struct db_schema schema[META_PARTS];
    struct pg *pg; /* for the schema, and holds the lock of a run */
    unsigned batch;
};

/* --- notes --- */

#define MIGRATE_SOURCE 64 /* an installation, as text */
/* A note of the whole copy, finished when the source has said that it moved. */
#define MIGRATE_WHOLE "complete"

struct migrate_note {
    char source[MIGRATE_SOURCE]; /* whose rows these are */
    struct buf last; /* key of the last row, as migrate_row() has it */
    int64_t done;
    bool begun, finished;
};

/* N->last is initialised. */
enum err migrate_note_get(struct db_tx *t, const char *table,
                          struct migrate_note *n, struct fault *f);
enum err
migrate_note_put(struct db_tx *t, const char *table, const char *source,
                 const struct migrate_note *n, uint64_t total, struct fault *f);

/* Of all notes together. */
struct migrate_state {
    bool begun;
    bool ended;        /* a server may have written there since */
    unsigned finished; /* tables */
    char source[MIGRATE_SOURCE];
};
enum err migrate_state(struct pg *p, struct migrate_state *s, struct fault *f);

/* --- rows --- */

/* A row as bytes: for each value its kind, then a number of eight bytes, or
 * length and bytes. Texts are made UTF-8, as PostgreSQL has them. False: no
 * memory. */
bool migrate_row(struct buf *b, struct db_tx *t, unsigned columns);
/* Binds the first N values of such a row from FIRST on; they are read until the
 * statement ends. */
void migrate_bind(struct db_tx *t, int first, struct slice row, unsigned n);
/* The length of the first N values. */
size_t migrate_head(struct slice row, unsigned n);
/* As both databases order them. */
int migrate_cmp(struct slice a, struct slice b, unsigned n);
/* For people: the first N values with a comma between. */
void migrate_show(struct slice row, unsigned n, char *out, size_t cap);

#endif
