/* superblock.c - see superblock.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/superblock.h"
#include "wire/date.h"
#include "wire/selfsum.h"
#include <jansson.h>

static void
put_text(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\n  \"%s\": ", name);
    selfsum_string(b, slice_str(value));
}

bool
superblock_encode(struct buf *out, const struct superblock *s,
                  const struct hash_kernels *k)
{
    char id[UUID_TEXT], at[DATE_TEXT];
    size_t from = out->n;

    buf_printf(out,
               "{\n  \"artstore\": \"superblock\""
               ",\n  \"format_min\": %u,\n  \"format_max\": %u",
               s->format_min, s->format_max);
    put_text(out, "element_uuid", uuid_text(&s->element_uuid, id));
    put_text(out, "installation_id", uuid_text(&s->installation_id, id));
    put_text(out, "label", s->label);
    put_text(out, "mode", s->mode);
    if (s->latest_mode[0])
        put_text(out, "latest_mode", s->latest_mode);
    put_text(out, "pool_id", s->pool_id);
    put_text(out, "created_at", date_rfc3339_ms(s->created_at, at));
    buf_printf(out,
               ",\n  \"boot\": %llu,\n  \"seq\": %llu,\n  \"synced\": %llu"
               ",\n  \"index_seq\": %llu,\n  \"index_files\": %llu"
               ",\n  \"index_stored\": %llu",
               (unsigned long long)s->boot, (unsigned long long)s->seq,
               (unsigned long long)s->synced, (unsigned long long)s->index_seq,
               (unsigned long long)s->index_files,
               (unsigned long long)s->index_stored);
    buf_printf(out,
               ",\n  \"clean\": %s,\n  \"index_lost\": %s"
               ",\n  \"all_dirty\": %s,\n  \"dirty\": [",
               s->clean ? "true" : "false", s->index_lost ? "true" : "false",
               s->all_dirty ? "true" : "false");
    for (uint32_t i = 0; i < s->n_dirty; i++) {
        buf_add_str(out, i ? ", " : "");
        selfsum_string(out, slice_str(s->dirty[i]));
    }
    buf_add_char(out, ']');
    return selfsum_close(out, from, k);
}

static bool
get_text(const json_t *v, char *dst, size_t cap)
{
    return json_is_string(v) &&
           slice_copy(slice_of(json_string_value(v), json_string_length(v)),
                      dst, cap);
}

static bool
get_uuid(const json_t *v, struct uuid *out)
{
    return json_is_string(v) &&
           uuid_parse(slice_str(json_string_value(v)), out);
}

static bool
get_u64(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

/* A number that the first superblocks did not have: 0 then. */
static bool
get_later(const json_t *o, const char *name, uint64_t *out)
{
    const json_t *v = json_object_get(o, name);

    return !v || get_u64(v, out);
}

static bool
get_dirty(struct superblock *s, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > SUPERBLOCK_DIRTY_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!get_text(json_array_get(list, i), s->dirty[i], SUPERBLOCK_BUCKET))
            return false;
    s->n_dirty = (uint32_t)n;
    return true;
}

static bool
get_all(struct superblock *s, const json_t *o)
{
    const json_t *at = json_object_get(o, "created_at");
    const json_t *clean = json_object_get(o, "clean");
    const json_t *lost = json_object_get(o, "index_lost");
    const json_t *all = json_object_get(o, "all_dirty");
    const json_t *mode = json_object_get(o, "latest_mode");

    s->clean = json_is_true(clean);
    s->index_lost = json_is_true(lost);
    s->all_dirty = json_is_true(all);
    return json_is_boolean(clean) && (!lost || json_is_boolean(lost)) &&
           json_is_boolean(all) && json_is_string(at) &&
           date_parse_rfc3339(slice_str(json_string_value(at)),
                              &s->created_at) &&
           get_uuid(json_object_get(o, "element_uuid"), &s->element_uuid) &&
           get_uuid(json_object_get(o, "installation_id"),
                    &s->installation_id) &&
           get_text(json_object_get(o, "label"), s->label, sizeof(s->label)) &&
           get_text(json_object_get(o, "mode"), s->mode, sizeof(s->mode)) &&
           (!mode || get_text(mode, s->latest_mode, sizeof(s->latest_mode))) &&
           get_text(json_object_get(o, "pool_id"), s->pool_id,
                    sizeof(s->pool_id)) &&
           get_u64(json_object_get(o, "boot"), &s->boot) &&
           get_u64(json_object_get(o, "seq"), &s->seq) &&
           get_u64(json_object_get(o, "synced"), &s->synced) &&
           get_later(o, "index_seq", &s->index_seq) &&
           get_later(o, "index_files", &s->index_files) &&
           get_later(o, "index_stored", &s->index_stored) &&
           get_dirty(s, json_object_get(o, "dirty"));
}

enum err
superblock_decode(struct superblock *s, struct slice text,
                  const struct hash_kernels *k)
{
    uint64_t min = 0, max = 0;
    const char *kind;
    json_t *o = NULL;
    enum err e = ERR_CORRUPT;

    *s = (struct superblock){0};
    if (text.n > SUPERBLOCK_TEXT_MAX || !selfsum_check(text, k))
        return ERR_CORRUPT;
    o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    kind = json_string_value(json_object_get(o, "artstore"));
    if (!kind || strcmp(kind, "superblock") != 0 ||
        !get_u64(json_object_get(o, "format_min"), &min) ||
        !get_u64(json_object_get(o, "format_max"), &max) || min > max)
        goto out;
    if (max > SUPERBLOCK_FORMAT) {
        e = ERR_UNSUPPORTED;
        goto out;
    }
    s->format_min = (uint32_t)min;
    s->format_max = (uint32_t)max;
    if (get_all(s, o))
        e = ERR_OK;
out:
    json_decref(o);
    return e;
}
