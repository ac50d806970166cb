/* attr_columns.h - a file_attr as columns, the same for an element's index and
 * for the catalogue, in either database.
 *
 * The columns come in two groups: what is true of the file, and what is true
 * of one copy of it. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_ATTR_COLUMNS_H
#define IO_ATTR_COLUMNS_H

#include "wire/attr.h"

/* Times are milliseconds since 1970, 0 = never; digests and ids are bytes. The
 * arguments are the names of the types. */
#define ATTR_FILE_TYPES_AS(blob, text, number)                            \
    "file_id " blob " NOT NULL, original_filename " text " NOT NULL,"     \
    "storage_filename " text " NOT NULL, content_type " text " NOT NULL," \
    "content_encoding " text " NOT NULL, uploaded_by " text " NOT NULL,"  \
    "size " number " NOT NULL, md5 " blob " NOT NULL, sha256 " blob       \
    " NOT NULL, uploaded_at " number " NOT NULL, expires_at " number      \
    " NOT NULL, retention " number " NOT NULL, metadata " text
#define ATTR_FILE_COLUMNS                                            \
    "file_id, original_filename, storage_filename, content_type,"    \
    "content_encoding, uploaded_by, size, md5, sha256, uploaded_at," \
    "expires_at, retention, metadata"
#define ATTR_FILE_N 13
#define ATTR_FILE_SET                                                       \
    "original_filename = excluded.original_filename,"                       \
    "storage_filename = excluded.storage_filename,"                         \
    "content_type = excluded.content_type,"                                 \
    "content_encoding = excluded.content_encoding,"                         \
    "uploaded_by = excluded.uploaded_by, size = excluded.size,"             \
    "md5 = excluded.md5, sha256 = excluded.sha256,"                         \
    "uploaded_at = excluded.uploaded_at, expires_at = excluded.expires_at," \
    "retention = excluded.retention, metadata = excluded.metadata"

#define ATTR_COPY_TYPES_AS(number)                                      \
    "epoch " number " NOT NULL, seq " number " NOT NULL, state " number \
    " NOT NULL, format " number " NOT NULL, stored_size " number        \
    " NOT NULL, stored_crc " number " NOT NULL"
#define ATTR_COPY_COLUMNS "epoch, seq, state, format, stored_size, stored_crc"
#define ATTR_COPY_N       6
#define ATTR_COPY_SET                                                     \
    "epoch = excluded.epoch, seq = excluded.seq, state = excluded.state," \
    "format = excluded.format, stored_size = excluded.stored_size,"       \
    "stored_crc = excluded.stored_crc"

/* SQL has signed numbers only: sizes, epochs and seqs below 2^63, and text
 * within the wire's limits; else it cannot be stored. */
bool attr_fits(const struct file_attr *a);
/* Makes A->metadata, which belonged to a statement, the caller's. False: no
 * memory. */
bool attr_own(struct file_attr *a);

#endif
