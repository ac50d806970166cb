/* attr.c - see attr.h. Written by hand, because it is made for every file that
 * is stored; read with the JSON library, because anybody may have touched it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/attr.h"
#include "base/hex.h"
#include "wire/date.h"
#include "wire/json.h"
#include "wire/selfsum.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const known[] = {
    "format",
    "file_id",
    "original_filename",
    "content_type",
    "storage_filename",
    "content_encoding",
    "size_bytes",
    "md5_hash",
    "sha256_hash",
    "uploaded_at",
    "uploaded_by",
    "retention_policy",
    "expires_at",
    "metadata",
    "storage_element_id",
    "element_uuid",
    "epoch",
    "seq",
    "state",
    "stored_size",
    "stored_crc32c",
    "block_crc32c",
    "blocks_crc32c",
    "checksum",
};

static void
put_text(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\n  \"%s\": ", name);
    selfsum_string(b, slice_str(value));
}

static void
put_hex(struct buf *b, const char *name, const uint8_t *p, size_t n)
{
    char text[65];

    assert(n <= 32);
    buf_printf(b, ",\n  \"%s\": \"%s\"", name, hex_encode(p, n, text));
}

static void
put_u64(struct buf *b, const char *name, uint64_t v)
{
    buf_printf(b, ",\n  \"%s\": %llu", name, (unsigned long long)v);
}

/* JSON text that someone else made: an object in one line. */
static bool
put_object(struct buf *b, const char *name, const char *text)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(o) && buf_printf(b, ",\n  \"%s\": ", name) &&
              json_out_value(b, o);

    json_decref(o);
    return ok;
}

static void
put_identity(struct buf *b, const struct file_attr *a)
{
    char text[UUID_TEXT];

    buf_printf(b, "{\n  \"format\": %u", ATTR_FORMAT);
    put_text(b, "file_id", uuid_text(&a->file_id, text));
    put_text(b, "original_filename", a->original_filename);
    put_text(b, "storage_filename", a->storage_filename);
    put_text(b, "content_type", a->content_type);
    put_text(b, "content_encoding", a->content_encoding);
    put_u64(b, "size_bytes", a->size);
    put_hex(b, "md5_hash", a->md5, sizeof(a->md5));
    put_hex(b, "sha256_hash", a->sha256, sizeof(a->sha256));
}

static void
put_life(struct buf *b, const struct file_attr *a)
{
    char text[DATE_TEXT];

    put_text(b, "uploaded_at", date_rfc3339_ms(a->uploaded_at, text));
    put_text(b, "uploaded_by", a->uploaded_by);
    put_text(b, "retention_policy",
             a->retention == RETENTION_TEMPORARY ? "TEMPORARY" : "PERMANENT");
    if (a->expires_at.ms)
        put_text(b, "expires_at", date_rfc3339_ms(a->expires_at, text));
    else
        buf_add_str(b, ",\n  \"expires_at\": null");
}

static void
put_element(struct buf *b, const struct attr_doc *doc)
{
    const struct file_attr *a = &doc->attr;
    char text[UUID_TEXT];

    put_text(b, "storage_element_id", a->element_id);
    put_text(b, "element_uuid", uuid_text(&a->element_uuid, text));
    put_u64(b, "epoch", a->epoch);
    put_u64(b, "seq", a->seq);
    put_text(b, "state", a->state == ATTR_HELD ? "held" : "committed");
    put_u64(b, "stored_size", a->stored_size);
    buf_printf(b, ",\n  \"stored_crc32c\": \"%08x\"", a->stored_crc);
    if (attr_blocks(a->stored_size) > ATTR_INLINE_BLOCKS) {
        buf_printf(b, ",\n  \"blocks_crc32c\": \"%08x\"", doc->sidecar_crc);
        return;
    }
    assert(doc->n_block == attr_blocks(a->stored_size));
    buf_add_str(b, ",\n  \"block_crc32c\": \"");
    for (uint32_t i = 0; i < doc->n_block; i++)
        buf_printf(b, "%08x", doc->block_crc[i]);
    buf_add_char(b, '"');
}

/* What this version does not know goes back as it was, at the end. */
static bool
put_extra(struct buf *b, const char *extra)
{
    json_t *o = json_loads(extra, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(o);
    const char *name;
    json_t *v;

    json_object_foreach(o, name, v)
    {
        buf_add_str(b, ",\n  ");
        selfsum_string(b, slice_str(name));
        buf_add_str(b, ": ");
        ok = json_out_value(b, v) && ok;
    }
    json_decref(o);
    return ok;
}

bool
attr_encode(struct buf *out, const struct attr_doc *doc,
            const struct hash_kernels *k)
{
    size_t from = out->n;

    put_identity(out, &doc->attr);
    put_life(out, &doc->attr);
    if (doc->attr.metadata && !put_object(out, "metadata", doc->attr.metadata))
        return false;
    put_element(out, doc);
    if (doc->extra && !put_extra(out, doc->extra))
        return false;
    return selfsum_close(out, from, k);
}

/* Reading: each get_x answers false when the member is missing or wrong, and
 * the document is then corrupt. */

static bool
get_text(const json_t *o, const char *name, char *dst, size_t cap)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) &&
           slice_copy(slice_of(json_string_value(v), json_string_length(v)),
                      dst, cap);
}

static struct slice
get_slice(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v)
               ? slice_of(json_string_value(v), json_string_length(v))
               : SLICE_NULL;
}

static bool
get_u64(const json_t *o, const char *name, uint64_t *out)
{
    const json_t *v = json_object_get(o, name);
    json_int_t n = json_integer_value(v);

    if (!json_is_integer(v) || n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static bool
get_crc(struct slice s, uint32_t *out)
{
    uint8_t b[4];

    if (!hex_decode(s, b, 4))
        return false;
    *out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
    return true;
}

static bool
get_identity(struct file_attr *a, const json_t *o)
{
    return uuid_parse(get_slice(o, "file_id"), &a->file_id) &&
           get_text(o, "original_filename", a->original_filename,
                    sizeof(a->original_filename)) &&
           get_text(o, "storage_filename", a->storage_filename,
                    sizeof(a->storage_filename)) &&
           get_text(o, "content_type", a->content_type,
                    sizeof(a->content_type)) &&
           get_text(o, "content_encoding", a->content_encoding,
                    sizeof(a->content_encoding)) &&
           get_u64(o, "size_bytes", &a->size) &&
           hex_decode(get_slice(o, "md5_hash"), a->md5, sizeof(a->md5)) &&
           hex_decode(get_slice(o, "sha256_hash"), a->sha256,
                      sizeof(a->sha256));
}

static bool
get_life(struct file_attr *a, const json_t *o)
{
    struct slice policy = get_slice(o, "retention_policy");
    const json_t *expires = json_object_get(o, "expires_at");

    if (slice_eq(policy, SLICE("TEMPORARY")))
        a->retention = RETENTION_TEMPORARY;
    else if (slice_eq(policy, SLICE("PERMANENT")))
        a->retention = RETENTION_PERMANENT;
    else
        return false;
    if (!json_is_null(expires) &&
        !date_parse_rfc3339(get_slice(o, "expires_at"), &a->expires_at))
        return false;
    return date_parse_rfc3339(get_slice(o, "uploaded_at"), &a->uploaded_at) &&
           get_text(o, "uploaded_by", a->uploaded_by, sizeof(a->uploaded_by));
}

static bool
get_blocks(struct attr_doc *doc, const json_t *o)
{
    uint64_t n = attr_blocks(doc->attr.stored_size);
    struct slice hex = get_slice(o, "block_crc32c");

    if (n > ATTR_INLINE_BLOCKS)
        return get_crc(get_slice(o, "blocks_crc32c"), &doc->sidecar_crc);
    if (hex.n != 8 * n || !hex.p)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!get_crc(slice_of(hex.p + (size_t)8 * i, 8), &doc->block_crc[i]))
            return false;
    doc->n_block = (uint32_t)n;
    return true;
}

static bool
get_element(struct attr_doc *doc, const json_t *o)
{
    struct file_attr *a = &doc->attr;
    struct slice state = get_slice(o, "state");

    if (slice_eq(state, SLICE("committed")))
        a->state = ATTR_COMMITTED;
    else if (slice_eq(state, SLICE("held")))
        a->state = ATTR_HELD;
    else
        return false;
    return get_text(o, "storage_element_id", a->element_id,
                    sizeof(a->element_id)) &&
           uuid_parse(get_slice(o, "element_uuid"), &a->element_uuid) &&
           get_u64(o, "epoch", &a->epoch) && get_u64(o, "seq", &a->seq) &&
           get_u64(o, "stored_size", &a->stored_size) &&
           get_crc(get_slice(o, "stored_crc32c"), &a->stored_crc) &&
           get_blocks(doc, o);
}

/* The caller's; NULL without memory. */
static char *
text_of(const json_t *o)
{
    struct buf b;
    char *text;

    buf_init(&b, ATTR_TEXT_MAX);
    text = json_out_value(&b, o) ? strdup(buf_str(&b)) : NULL;
    buf_release(&b);
    return text;
}

/* Metadata, and whatever is not in the list above, as text of their own. */
static bool
get_rest(struct attr_doc *doc, json_t *o)
{
    json_t *meta = json_object_get(o, "metadata");

    if (meta) {
        if (!json_is_object(meta))
            return false;
        doc->attr.metadata = text_of(meta);
        if (!doc->attr.metadata)
            return false;
    }
    for (size_t i = 0; i < countof(known); i++)
        (void)json_object_del(o, known[i]);
    if (json_object_size(o) == 0)
        return true;
    doc->extra = text_of(o);
    return doc->extra != NULL;
}

enum err
attr_decode(struct attr_doc *doc, struct slice text,
            const struct hash_kernels *k)
{
    uint64_t format = 0;
    json_t *o = NULL;
    enum err e = ERR_CORRUPT;

    *doc = (struct attr_doc){0};
    if (text.n > ATTR_TEXT_MAX || !selfsum_check(text, k))
        return ERR_CORRUPT;
    o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o) || !get_u64(o, "format", &format))
        goto out;
    if (format > ATTR_FORMAT) {
        e = ERR_UNSUPPORTED;
        goto out;
    }
    doc->attr.format = (uint32_t)format;
    if (get_identity(&doc->attr, o) && get_life(&doc->attr, o) &&
        get_element(doc, o) && get_rest(doc, o))
        e = ERR_OK;
out:
    json_decref(o);
    if (e != ERR_OK)
        attr_release(doc);
    return e;
}

void
attr_release(struct attr_doc *doc)
{
    free((void *)(uintptr_t)doc->attr.metadata);
    free(doc->extra);
    *doc = (struct attr_doc){0};
}
