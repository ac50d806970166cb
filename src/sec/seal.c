/* seal.c - see seal.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/seal.h"
#include "base/base.h"
#include "base/hex.h"
#include "wire/json.h"

#define MEMBER "audit_seal"

enum err
seal_make(const struct keyset *ks, const struct seal *s, struct buf *out,
          struct fault *f)
{
    char hex[2 * AUDIT_HASH + 1];
    json_t *j = json_pack("{s:{s:I,s:I,s:s,s:I}}", MEMBER, "first",
                          (json_int_t)s->head.first, "n", (json_int_t)s->head.n,
                          "hash", hex_encode(s->head.hash, AUDIT_HASH, hex),
                          "at", (json_int_t)s->at.ms);
    enum err e = token_sign(ks, j, out, f);

    json_decref(j);
    return e;
}

static bool
payload_read(struct slice part, struct seal *out)
{
    struct json_error e = {0};
    char text[512];
    size_t n = 0;
    const json_t *o;
    json_t *j = NULL;
    struct slice hash;

    *out = (struct seal){0};
    if (jwt_decode(part, text, sizeof(text), &n))
        j = json_read(slice_of(text, n), &e);
    o = json_get_obj(j, MEMBER, JSON_REQUIRED, &e);
    hash = json_get_str(o, "hash", JSON_REQUIRED, &e);
    out->head.first =
        (uint64_t)json_get_int(o, "first", JSON_REQUIRED, 1, INT64_MAX, 0, &e);
    out->head.n =
        (uint64_t)json_get_int(o, "n", JSON_REQUIRED, 1, INT64_MAX, 0, &e);
    out->at.ms = json_get_int(o, "at", JSON_REQUIRED, 0, INT64_MAX, 0, &e);
    if (!j || e.text[0] || out->head.first > out->head.n ||
        !hex_decode(hash, out->head.hash, AUDIT_HASH))
        *out = (struct seal){0};
    json_decref(j);
    return out->head.n > 0;
}

enum token_why
seal_read(const struct keyset *ks, struct slice text, struct seal *out)
{
    struct slice payload;
    enum token_why why = token_signed(ks, text, &payload);

    *out = (struct seal){0};
    if (why != TOKEN_OK)
        return why;
    return payload_read(payload, out) ? TOKEN_OK : TOKEN_MALFORMED;
}

bool
seal_parse(struct slice text, struct seal *out)
{
    struct jwt p;

    *out = (struct seal){0};
    return jwt_split(text, &p) && payload_read(p.payload, out);
}
