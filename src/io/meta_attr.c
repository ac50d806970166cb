/* meta_attr.c - see meta_attr.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_attr.h"

void
meta_bind_file(struct db_tx *t, int first, const struct file_attr *a)
{
    db_bind_uuid(t, first, &a->file_id);
    db_bind_text(t, first + 1, a->original_filename);
    db_bind_text(t, first + 2, a->storage_filename);
    db_bind_text(t, first + 3, a->content_type);
    db_bind_text(t, first + 4, a->content_encoding);
    db_bind_text(t, first + 5, a->uploaded_by);
    db_bind_i64(t, first + 6, (int64_t)a->size);
    db_bind_blob(t, first + 7, a->md5, sizeof(a->md5));
    db_bind_blob(t, first + 8, a->sha256, sizeof(a->sha256));
    db_bind_i64(t, first + 9, a->uploaded_at.ms);
    db_bind_i64(t, first + 10, a->expires_at.ms);
    db_bind_i64(t, first + 11, a->retention);
    db_bind_text(t, first + 12, a->metadata);
}

void
meta_bind_copy(struct db_tx *t, int first, const struct file_attr *a)
{
    db_bind_i64(t, first, (int64_t)a->epoch);
    db_bind_i64(t, first + 1, (int64_t)a->seq);
    db_bind_i64(t, first + 2, a->state);
    db_bind_i64(t, first + 3, a->format);
    db_bind_i64(t, first + 4, (int64_t)a->stored_size);
    db_bind_i64(t, first + 5, a->stored_crc);
}

bool
meta_read_file(struct db_tx *t, int first, struct file_attr *a)
{
    int64_t retention = db_i64(t, first + 11);

    a->size = (uint64_t)db_i64(t, first + 6);
    a->uploaded_at.ms = db_i64(t, first + 9);
    a->expires_at.ms = db_i64(t, first + 10);
    a->retention = retention == RETENTION_TEMPORARY ? RETENTION_TEMPORARY
                                                    : RETENTION_PERMANENT;
    a->metadata = db_str(t, first + 12);

#define TEXT(i, field) db_text(t, first + (i), a->field, sizeof(a->field))
    return db_uuid(t, first, &a->file_id) && TEXT(1, original_filename) &&
           TEXT(2, storage_filename) && TEXT(3, content_type) &&
           TEXT(4, content_encoding) && TEXT(5, uploaded_by) &&
           db_blob(t, first + 7, a->md5, sizeof(a->md5)) &&
           db_blob(t, first + 8, a->sha256, sizeof(a->sha256)) &&
           (retention == RETENTION_TEMPORARY ||
            retention == RETENTION_PERMANENT);
#undef TEXT
}

bool
meta_read_copy(struct db_tx *t, int first, struct file_attr *a)
{
    int64_t state = db_i64(t, first + 2);
    int64_t crc = db_i64(t, first + 5);

    a->epoch = (uint64_t)db_i64(t, first);
    a->seq = (uint64_t)db_i64(t, first + 1);
    a->state = state == ATTR_HELD ? ATTR_HELD : ATTR_COMMITTED;
    a->format = (uint32_t)db_i64(t, first + 3);
    a->stored_size = (uint64_t)db_i64(t, first + 4);
    a->stored_crc = (uint32_t)crc;
    return (state == ATTR_HELD || state == ATTR_COMMITTED) && crc >= 0 &&
           crc <= UINT32_MAX;
}
