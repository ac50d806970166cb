/* sqlite_attr.c - see sqlite_attr.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/sqlite_attr.h"

void
attr_bind_file(sqlite3_stmt *st, int first, const struct file_attr *a)
{
    sql_bind_uuid(st, first, &a->file_id);
    sql_bind_text(st, first + 1, a->original_filename);
    sql_bind_text(st, first + 2, a->storage_filename);
    sql_bind_text(st, first + 3, a->content_type);
    sql_bind_text(st, first + 4, a->content_encoding);
    sql_bind_text(st, first + 5, a->uploaded_by);
    sql_bind_i64(st, first + 6, (int64_t)a->size);
    sql_bind_blob(st, first + 7, a->md5, sizeof(a->md5));
    sql_bind_blob(st, first + 8, a->sha256, sizeof(a->sha256));
    sql_bind_i64(st, first + 9, a->uploaded_at.ms);
    sql_bind_i64(st, first + 10, a->expires_at.ms);
    sql_bind_i64(st, first + 11, a->retention);
    sql_bind_text(st, first + 12, a->metadata);
}

void
attr_bind_copy(sqlite3_stmt *st, int first, const struct file_attr *a)
{
    sql_bind_i64(st, first, (int64_t)a->epoch);
    sql_bind_i64(st, first + 1, (int64_t)a->seq);
    sql_bind_i64(st, first + 2, a->state);
    sql_bind_i64(st, first + 3, a->format);
    sql_bind_i64(st, first + 4, (int64_t)a->stored_size);
    sql_bind_i64(st, first + 5, a->stored_crc);
}

static uint64_t
column_u64(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}

bool
attr_read_file(sqlite3_stmt *st, int first, struct file_attr *a)
{
    int64_t retention = sqlite3_column_int64(st, first + 11);

    a->size = column_u64(st, first + 6);
    a->uploaded_at.ms = sqlite3_column_int64(st, first + 9);
    a->expires_at.ms = sqlite3_column_int64(st, first + 10);
    a->retention = retention == RETENTION_TEMPORARY ? RETENTION_TEMPORARY
                                                    : RETENTION_PERMANENT;
    a->metadata = (const char *)sqlite3_column_text(st, first + 12);

#define TEXT(i, field) \
    sql_column_text(st, first + (i), a->field, sizeof(a->field))
    return sql_column_uuid(st, first, &a->file_id) &&
           TEXT(1, original_filename) && TEXT(2, storage_filename) &&
           TEXT(3, content_type) && TEXT(4, content_encoding) &&
           TEXT(5, uploaded_by) &&
           sql_column_blob(st, first + 7, a->md5, sizeof(a->md5)) &&
           sql_column_blob(st, first + 8, a->sha256, sizeof(a->sha256)) &&
           (retention == RETENTION_TEMPORARY ||
            retention == RETENTION_PERMANENT);
#undef TEXT
}

bool
attr_read_copy(sqlite3_stmt *st, int first, struct file_attr *a)
{
    int64_t state = sqlite3_column_int64(st, first + 2);
    int64_t crc = sqlite3_column_int64(st, first + 5);

    a->epoch = column_u64(st, first);
    a->seq = column_u64(st, first + 1);
    a->state = state == ATTR_HELD ? ATTR_HELD : ATTR_COMMITTED;
    a->format = (uint32_t)sqlite3_column_int64(st, first + 3);
    a->stored_size = column_u64(st, first + 4);
    a->stored_crc = (uint32_t)crc;
    return (state == ATTR_HELD || state == ATTR_COMMITTED) && crc >= 0 &&
           crc <= UINT32_MAX;
}
