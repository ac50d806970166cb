/* file.c - see file.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/file.h"
#include "base/hex.h"
#include "wire/date.h"
#include "wire/json.h"

static void
add_text(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, ",\"%s\":", key);
    json_out_str(b, slice_str(value));
}

void
attr_json(struct buf *b, const struct file_attr *a)
{
    char id[UUID_TEXT], hex[2 * sizeof(a->sha256) + 1], date[DATE_TEXT];

    buf_printf(b, "\"file_id\":\"%s\"", uuid_text(&a->file_id, id));
    add_text(b, "storage_element_id", a->element_id);
    add_text(b, "storage_filename", a->storage_filename);
    buf_printf(b, ",\"size_bytes\":%llu", (unsigned long long)a->size);
    add_text(b, "md5_hash", hex_encode(a->md5, sizeof(a->md5), hex));
    add_text(b, "sha256_hash", hex_encode(a->sha256, sizeof(a->sha256), hex));
    add_text(b, "uploaded_at", date_rfc3339(a->uploaded_at, date));
    add_text(b, "original_filename", a->original_filename);
    add_text(b, "content_type", a->content_type);
    add_text(b, "retention_policy",
             a->retention == RETENTION_PERMANENT ? "PERMANENT" : "TEMPORARY");
    if (a->expires_at.ms)
        add_text(b, "expires_at", date_rfc3339(a->expires_at, date));
    else
        buf_add_str(b, ",\"expires_at\":null");
    add_text(b, "uploaded_by", a->uploaded_by);
    buf_add_str(b, ",\"metadata\":");
    buf_add_str(b, a->metadata ? a->metadata : "{}"); /* JSON already */
}
