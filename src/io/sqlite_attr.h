/* sqlite_attr.h - a file_attr as columns, the same for an element's index and
 * for the catalogue, so that either can be read with the sqlite3 tool.
 *
 * The columns come in two groups: what is true of the file, and what is true
 * of one copy of it. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_SQLITE_ATTR_H
#define IO_SQLITE_ATTR_H

#include "io/sqlite.h"
#include "wire/attr.h"

/* Times are milliseconds since 1970, 0 = never; digests and ids are bytes. */
#define ATTR_FILE_TYPES                                               \
    "file_id BLOB NOT NULL, original_filename TEXT NOT NULL,"         \
    "storage_filename TEXT NOT NULL, content_type TEXT NOT NULL,"     \
    "content_encoding TEXT NOT NULL, uploaded_by TEXT NOT NULL,"      \
    "size INTEGER NOT NULL, md5 BLOB NOT NULL, sha256 BLOB NOT NULL," \
    "uploaded_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"      \
    "retention INTEGER NOT NULL, metadata TEXT"
#define ATTR_FILE_COLUMNS                                            \
    "file_id, original_filename, storage_filename, content_type,"    \
    "content_encoding, uploaded_by, size, md5, sha256, uploaded_at," \
    "expires_at, retention, metadata"
#define ATTR_FILE_N     13
#define ATTR_FILE_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?"
#define ATTR_FILE_SET                                                       \
    "original_filename = excluded.original_filename,"                       \
    "storage_filename = excluded.storage_filename,"                         \
    "content_type = excluded.content_type,"                                 \
    "content_encoding = excluded.content_encoding,"                         \
    "uploaded_by = excluded.uploaded_by, size = excluded.size,"             \
    "md5 = excluded.md5, sha256 = excluded.sha256,"                         \
    "uploaded_at = excluded.uploaded_at, expires_at = excluded.expires_at," \
    "retention = excluded.retention, metadata = excluded.metadata"

#define ATTR_COPY_TYPES                                                     \
    "epoch INTEGER NOT NULL, seq INTEGER NOT NULL, state INTEGER NOT NULL," \
    "format INTEGER NOT NULL, stored_size INTEGER NOT NULL,"                \
    "stored_crc INTEGER NOT NULL"
#define ATTR_COPY_COLUMNS "epoch, seq, state, format, stored_size, stored_crc"
#define ATTR_COPY_N       6
#define ATTR_COPY_MARKS   "?,?,?,?,?,?"
#define ATTR_COPY_SET                                                     \
    "epoch = excluded.epoch, seq = excluded.seq, state = excluded.state," \
    "format = excluded.format, stored_size = excluded.stored_size,"       \
    "stored_crc = excluded.stored_crc"

/* SQL has signed numbers only: sizes, epochs and seqs below 2^63, and text
 * within the wire's limits; else it cannot be stored. */
bool attr_fits(const struct file_attr *a);

/* A is read until the statement's next reset. */
void attr_bind_file(sqlite3_stmt *st, int first, const struct file_attr *a);
void attr_bind_copy(sqlite3_stmt *st, int first, const struct file_attr *a);

/* False: no row of ours has such values. A->metadata belongs to the statement
 * until its next step; attr_own() makes it the caller's (false: no memory). */
bool attr_read_file(sqlite3_stmt *st, int first, struct file_attr *a);
bool attr_read_copy(sqlite3_stmt *st, int first, struct file_attr *a);
bool attr_own(struct file_attr *a);

#endif
