/* sqlite_attr.h - the columns of attr_columns.h for SQLite, so that an index
 * can be read with the sqlite3 tool. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_SQLITE_ATTR_H
#define IO_SQLITE_ATTR_H

#include "io/attr_columns.h"
#include "io/sqlite.h"

#define ATTR_FILE_TYPES ATTR_FILE_TYPES_AS("BLOB", "TEXT", "INTEGER")
#define ATTR_FILE_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?"
#define ATTR_COPY_TYPES ATTR_COPY_TYPES_AS("INTEGER")
#define ATTR_COPY_MARKS "?,?,?,?,?,?"

/* A is read until the statement's next reset. */
void attr_bind_file(sqlite3_stmt *st, int first, const struct file_attr *a);
void attr_bind_copy(sqlite3_stmt *st, int first, const struct file_attr *a);

/* False: no row of ours has such values. A->metadata belongs to the statement
 * until its next step; attr_own() makes it the caller's. */
bool attr_read_file(sqlite3_stmt *st, int first, struct file_attr *a);
bool attr_read_copy(sqlite3_stmt *st, int first, struct file_attr *a);

#endif
