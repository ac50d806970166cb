/* blobs.c - see blobs.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/blobs.h"
#include "base/hex.h"
#include "wire/date.h"
#include <stdio.h>
#include <string.h>

static const struct {
    enum err err;
    int status;
} statuses[] = {
    {ERR_OK, 200},       {ERR_NOENT, 404},    {ERR_EXISTS, 409},
    {ERR_CONFLICT, 409}, {ERR_INVAL, 400},    {ERR_TOOBIG, 413},
    {ERR_NOSPC, 507},    {ERR_NOINODES, 507}, {ERR_READONLY, 403},
    {ERR_DENIED, 403},   {ERR_BUSY, 409},     {ERR_AGAIN, 503},
    {ERR_TIMEOUT, 504},  {ERR_CANCELED, 503}, {ERR_NOMEM, 503},
    {ERR_IO, 500},       {ERR_CORRUPT, 500},  {ERR_UNSUPPORTED, 501},
};

int
blobs_status(enum err e)
{
    for (size_t i = 0; i < countof(statuses); i++)
        if (statuses[i].err == e)
            return statuses[i].status;
    return 500;
}

/* "not_found" is what any server says of a path that it does not have. */
const char *
blobs_err_name(enum err e)
{
    return e == ERR_NOENT ? "file_not_found" : err_name(e);
}

enum err
blobs_err(struct slice name)
{
    for (int e = 0; e < ERR_COUNT; e++)
        if (slice_eq(name, slice_str(blobs_err_name((enum err)e))))
            return (enum err)e;
    return ERR_COUNT;
}

/* ---- attributes ---- */

static void
put_hex(struct json_writer *w, const char *key, const uint8_t *p, size_t n)
{
    char hex[2 * 32 + 1];

    json_put_text(w, key, hex_encode(p, n, hex));
}

void
blobs_put_members(struct json_writer *w, const struct file_attr *a)
{
    char id[UUID_TEXT], crc[9];

    json_put_text(w, "file_id", uuid_text(&a->file_id, id));
    json_put_text(w, "original_filename", a->original_filename);
    json_put_text(w, "storage_filename", a->storage_filename);
    json_put_text(w, "content_type", a->content_type);
    json_put_text(w, "content_encoding", a->content_encoding);
    json_put_text(w, "uploaded_by", a->uploaded_by);
    json_put_u64(w, "size_bytes", a->size);
    put_hex(w, "md5_hash", a->md5, sizeof(a->md5));
    put_hex(w, "sha256_hash", a->sha256, sizeof(a->sha256));
    json_put_time(w, "uploaded_at", a->uploaded_at);
    json_put_time(w, "expires_at", a->expires_at);
    json_put_text(w, "retention_policy",
                  a->retention == RETENTION_PERMANENT ? "PERMANENT"
                                                      : "TEMPORARY");
    if (a->metadata)
        json_put_text(w, "metadata", a->metadata);
    json_put_text(w, "storage_element_id", a->element_id);
    json_put_text(w, "element_uuid", uuid_text(&a->element_uuid, id));
    json_put_u64(w, "format", a->format);
    json_put_u64(w, "epoch", a->epoch);
    json_put_u64(w, "seq", a->seq);
    json_put_text(w, "state", a->state == ATTR_HELD ? "held" : "committed");
    json_put_u64(w, "stored_size", a->stored_size);
    snprintf(crc, sizeof(crc), "%08x", a->stored_crc);
    json_put_text(w, "stored_crc32c", crc);
}

void
blobs_put_attr(struct json_writer *w, const char *key,
               const struct file_attr *a)
{
    json_put_object(w, key);
    blobs_put_members(w, a);
    json_end_object(w);
}

static void
wrong(struct json_error *e, const char *key)
{
    if (!e->text[0])
        snprintf(e->text, sizeof(e->text), "%s is missing or malformed", key);
}

static void
get_text(const json_t *o, const char *key, char *dst, size_t cap,
         struct json_error *e)
{
    struct slice s = json_get_str(o, key, JSON_REQUIRED, e);

    if (!e->text[0] && !slice_copy(s, dst, cap))
        wrong(e, key);
}

static void
get_hex(const json_t *o, const char *key, uint8_t *dst, size_t n,
        struct json_error *e)
{
    struct slice s = json_get_str(o, key, JSON_REQUIRED, e);

    if (!e->text[0] && !hex_decode(s, dst, n))
        wrong(e, key);
}

static uint64_t
get_u64(const json_t *o, const char *key, struct json_error *e)
{
    return (uint64_t)json_get_int(o, key, JSON_REQUIRED, 0, INT64_MAX, 0, e);
}

static void
get_uuid(const json_t *o, const char *key, struct uuid *dst,
         struct json_error *e)
{
    struct slice s = json_get_str(o, key, JSON_REQUIRED, e);

    if (!e->text[0] && !uuid_parse(s, dst))
        wrong(e, key);
}

static void
get_time(const json_t *o, const char *key, struct wall *dst,
         struct json_error *e)
{
    struct slice s = json_get_str(o, key, JSON_OPTIONAL, e);

    if (s.p && !date_parse_rfc3339(s, dst))
        wrong(e, key);
}

/* One of two words. */
static bool
get_choice(const json_t *o, const char *key, const char *no, const char *yes,
           struct json_error *e)
{
    struct slice s = json_get_str(o, key, JSON_REQUIRED, e);

    if (slice_eq(s, slice_str(yes)))
        return true;
    if (!slice_eq(s, slice_str(no)))
        wrong(e, key);
    return false;
}

static void
get_copy(const json_t *o, struct file_attr *a, struct json_error *e)
{
    uint8_t crc[4] = {0};
    uint64_t format = get_u64(o, "format", e);

    get_text(o, "storage_element_id", a->element_id, sizeof(a->element_id), e);
    get_uuid(o, "element_uuid", &a->element_uuid, e);
    if (format > UINT32_MAX)
        wrong(e, "format");
    a->format = (uint32_t)format;
    a->epoch = get_u64(o, "epoch", e);
    a->seq = get_u64(o, "seq", e);
    a->state = get_choice(o, "state", "committed", "held", e) ? ATTR_HELD
                                                              : ATTR_COMMITTED;
    a->stored_size = get_u64(o, "stored_size", e);
    get_hex(o, "stored_crc32c", crc, sizeof(crc), e);
    a->stored_crc = (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 |
                    (uint32_t)crc[2] << 8 | crc[3];
}

static void
get_metadata(const json_t *o, struct file_attr *a, struct json_error *e)
{
    struct slice s = json_get_str(o, "metadata", JSON_OPTIONAL, e);

    if (e->text[0] || !s.p)
        return;
    if (s.n > ATTR_METADATA_MAX || memchr(s.p, 0, s.n))
        wrong(e, "metadata");
    else if (!(a->metadata = strndup(s.p, s.n)))
        wrong(e, "metadata (no memory)");
}

bool
blobs_get_attr(const json_t *o, struct file_attr *a, struct json_error *e)
{
    *a = (struct file_attr){0};
    get_uuid(o, "file_id", &a->file_id, e);
    get_text(o, "original_filename", a->original_filename,
             sizeof(a->original_filename), e);
    get_text(o, "storage_filename", a->storage_filename,
             sizeof(a->storage_filename), e);
    get_text(o, "content_type", a->content_type, sizeof(a->content_type), e);
    get_text(o, "content_encoding", a->content_encoding,
             sizeof(a->content_encoding), e);
    get_text(o, "uploaded_by", a->uploaded_by, sizeof(a->uploaded_by), e);
    a->size = get_u64(o, "size_bytes", e);
    get_hex(o, "md5_hash", a->md5, sizeof(a->md5), e);
    get_hex(o, "sha256_hash", a->sha256, sizeof(a->sha256), e);
    get_time(o, "uploaded_at", &a->uploaded_at, e);
    get_time(o, "expires_at", &a->expires_at, e);
    a->retention =
        get_choice(o, "retention_policy", "TEMPORARY", "PERMANENT", e)
            ? RETENTION_PERMANENT
            : RETENTION_TEMPORARY;
    get_copy(o, a, e);
    get_metadata(o, a, e);
    return o != NULL && !e->text[0];
}

/* ---- blocks ---- */

void
blobs_put_trailer(const struct blobs_trailer *t,
                  uint8_t out[BLOBS_TRAILER_SIZE])
{
    memset(out, 0, BLOBS_TRAILER_SIZE);
    out[0] = (uint8_t)t->state;
    for (unsigned i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(t->crc >> 8 * i);
}

bool
blobs_get_trailer(struct blobs_trailer *t, const uint8_t in[BLOBS_TRAILER_SIZE])
{
    if (in[0] > BLOBS_FAILED || in[1] || in[2] || in[3])
        return false;
    t->state = (enum blobs_state)in[0];
    t->crc = (uint32_t)in[4] | (uint32_t)in[5] << 8 | (uint32_t)in[6] << 16 |
             (uint32_t)in[7] << 24;
    return true;
}
