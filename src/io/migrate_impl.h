/* migrate_impl.h - what the parts of migrate.h share: migrate_table.c has the
 * tables and their statements, migrate.c copies, migrate_compare.c compares.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_MIGRATE_IMPL_H
#define IO_MIGRATE_IMPL_H

#include "io/db.h"
#include "io/meta_impl.h"
#include "io/migrate.h"

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
