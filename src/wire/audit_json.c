/* audit_json.c - see audit_json.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/audit_json.h"
#include "base/hex.h"
#include "wire/date.h"
#include <stdio.h>

static void
put_hash(struct json_writer *w, const uint8_t *hash)
{
    char hex[2 * AUDIT_HASH + 1];

    if (hash)
        json_put_text(w, "hash", hex_encode(hash, AUDIT_HASH, hex));
    else
        json_put_null(w, "hash");
}

void
audit_put_row(struct json_writer *w, const struct audit_row *r,
              const uint8_t *hash)
{
    char date[DATE_TEXT], id[UUID_TEXT];

    json_put_object(w, NULL);
    json_put_u64(w, "n", r->n);
    json_put_text(w, "at", date_rfc3339_ms(r->at, date));
    if (uuid_is_nil(&r->id))
        json_put_null(w, "id");
    else
        json_put_text(w, "id", uuid_text(&r->id, id));
    json_put_str(w, "actor", r->actor);
    json_put_str(w, "action", r->action);
    json_put_str(w, "object", r->object);
    json_put_str(w, "element_id", r->element_id);
    json_put_str(w, "result", r->result);
    json_put_str(w, "request_id", r->request_id);
    json_put_str(w, "source", r->source);
    put_hash(w, hash);
    json_end_object(w);
}

static void
wrong(struct json_error *e, const char *key)
{
    if (!e->text[0])
        snprintf(e->text, sizeof(e->text), "%s is malformed", key);
}

/* *THERE, unless it is NULL, tells whether there is one. */
static void
get_hash(const json_t *o, uint8_t hash[AUDIT_HASH], bool *there,
         struct json_error *e)
{
    struct slice s = json_get_str(o, "hash", JSON_OPTIONAL, e);

    if (s.p ? !hex_decode(s, hash, AUDIT_HASH) : !there)
        wrong(e, "hash");
    if (there)
        *there = s.p != NULL;
}

bool
audit_get_row(const json_t *o, struct audit_row *r, uint8_t hash[AUDIT_HASH],
              bool *sealed, struct json_error *e)
{
    struct slice id = json_get_str(o, "id", JSON_OPTIONAL, e);
    struct slice at = json_get_str(o, "at", JSON_REQUIRED, e);

    *r = (struct audit_row){
        .n = (uint64_t)json_get_int(o, "n", JSON_REQUIRED, 1, INT64_MAX, 0, e),
        .actor = json_get_str(o, "actor", JSON_REQUIRED, e),
        .action = json_get_str(o, "action", JSON_REQUIRED, e),
        .object = json_get_str(o, "object", JSON_REQUIRED, e),
        .element_id = json_get_str(o, "element_id", JSON_REQUIRED, e),
        .result = json_get_str(o, "result", JSON_REQUIRED, e),
        .request_id = json_get_str(o, "request_id", JSON_REQUIRED, e),
        .source = json_get_str(o, "source", JSON_REQUIRED, e)};
    if (!date_parse_rfc3339(at, &r->at))
        wrong(e, "at");
    if (id.p && !uuid_parse(id, &r->id))
        wrong(e, "id");
    get_hash(o, hash, sealed, e);
    return !e->text[0];
}

void
audit_put_head(struct json_writer *w, const struct audit_head *h)
{
    if (h->n == 0) {
        json_put_null(w, "head");
        return;
    }
    json_put_object(w, "head");
    json_put_u64(w, "first", h->first);
    json_put_u64(w, "n", h->n);
    put_hash(w, h->hash);
    json_end_object(w);
}

bool
audit_get_head(const json_t *o, struct audit_head *h, struct json_error *e)
{
    const json_t *j = json_get_obj(o, "head", JSON_OPTIONAL, e);

    *h = (struct audit_head){0};
    if (!j)
        return !e->text[0];
    h->first =
        (uint64_t)json_get_int(j, "first", JSON_REQUIRED, 1, INT64_MAX, 0, e);
    h->n = (uint64_t)json_get_int(j, "n", JSON_REQUIRED, 1, INT64_MAX, 0, e);
    get_hash(j, h->hash, NULL, e);
    if (h->first > h->n)
        wrong(e, "head");
    return !e->text[0];
}
