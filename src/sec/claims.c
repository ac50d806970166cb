/* claims.c - see claims.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/claims.h"
#include "wire/json.h"
#include <math.h>

/* The last second of the year 9999: times beyond are mistakes or attacks on
 * the arithmetic. */
#define TIME_MAX_S INT64_C(253402300799)

const char *
token_why_name(enum token_why w)
{
    static const char *const name[] = {
#define X(code, name, text) name,
        TOKEN_TABLE(X)
#undef X
    };

    assert((unsigned)w < countof(name));
    return name[w];
}

const char *
token_why_text(enum token_why w)
{
    static const char *const text_of[] = {
#define X(code, name, text) text,
        TOKEN_TABLE(X)
#undef X
    };

    assert((unsigned)w < countof(text_of));
    return text_of[w];
}

/* The object in base64url PART, or NULL; the caller's to release. */
static json_t *
object_of(struct slice part)
{
    static const struct json_limits limits = {.bytes_max = TOKEN_MAX,
                                              .depth_max = TOKEN_DEPTH_MAX,
                                              .values_max = 512};
    char text[TOKEN_MAX * 3 / 4 + 3];
    struct json_error ignored = {0};
    json_t *j = NULL;
    size_t n;

    if (jwt_decode(part, text, sizeof(text), &n))
        j = json_read_limited(slice_of(text, n), &limits, &ignored);
    if (j && !json_is_object(j)) {
        json_decref(j);
        j = NULL;
    }
    return j;
}

static struct slice
text_of(const json_t *j)
{
    return slice_of(json_string_value(j), json_string_length(j));
}

/* Copies an optional string member; false when it is there and is no string, or
 * does not fit. */
static bool
text_get(const json_t *obj, const char *key, char *out, size_t cap)
{
    const json_t *j = json_object_get(obj, key);

    out[0] = 0;
    if (!j || json_is_null(j))
        return true;
    return json_is_string(j) && slice_copy(text_of(j), out, cap);
}

/* RFC 8725 section 3.11: what is typed as something else is something else. */
static bool
is_token_type(const json_t *typ)
{
    static const char *const ok[] = {"JWT", "at+jwt", "application/jwt",
                                     "application/at+jwt"};

    for (size_t i = 0; i < countof(ok); i++)
        if (slice_eq_nocase(text_of(typ), slice_str(ok[i])))
            return true;
    return false;
}

enum token_why
token_header_read(struct slice part, struct token_header *out)
{
    enum token_why why = TOKEN_MALFORMED;
    const json_t *typ, *alg;
    json_t *h = object_of(part);

    *out = (struct token_header){0};
    if (!h)
        return why;
    typ = json_object_get(h, "typ");
    alg = json_object_get(h, "alg");
    /* We understand no extension, so each is one that we must refuse (RFC 7515
     * section 4.1.11). */
    if (json_object_get(h, "crit") || (typ && !json_is_string(typ)) ||
        (typ && !is_token_type(typ)) || !json_is_string(alg) ||
        !text_get(h, "kid", out->kid, sizeof(out->kid)))
        goto out;
    out->has_kid = json_is_string(json_object_get(h, "kid"));
    why = slice_eq(text_of(alg), SLICE("RS256")) ? TOKEN_OK : TOKEN_ALGORITHM;
out:
    json_decref(h);
    return why;
}

/* NumericDate (RFC 7519 section 2): seconds, perhaps with a fraction, which is
 * dropped. Missing is 0. */
static bool
time_get(const json_t *obj, const char *key, int64_t *out)
{
    const json_t *j = json_object_get(obj, key);
    double d = json_number_value(j);

    *out = 0;
    if (!j)
        return true;
    if (!json_is_number(j) || !isfinite(d) || d < 0 || d > (double)TIME_MAX_S)
        return false;
    *out = json_is_integer(j) ? (int64_t)json_integer_value(j) : (int64_t)d;
    return true;
}

/* A string or a list of strings (RFC 7519 section 4.1.3). */
static enum token_why
audience_check(const json_t *aud, const char *want)
{
    bool found = false;

    if (aud && !json_is_string(aud) && !json_is_array(aud))
        return TOKEN_MALFORMED;
    for (size_t i = 0; i < json_array_size(aud); i++) {
        const json_t *one = json_array_get(aud, i);

        if (!json_is_string(one))
            return TOKEN_MALFORMED;
        if (want && slice_eq(text_of(one), slice_str(want)))
            found = true;
    }
    if (!want || !want[0])
        return TOKEN_OK;
    found = found ||
            (json_is_string(aud) && slice_eq(text_of(aud), slice_str(want)));
    return found ? TOKEN_OK : TOKEN_AUDIENCE;
}

/* "read write" or ["read", "write"]; words of others are passed over. */
static bool
scopes_add(const json_t *j, unsigned *scopes)
{
    if (json_is_string(j)) {
        unsigned some;

        (void)scope_parse(text_of(j), &some);
        *scopes |= some;
        return true;
    }
    if (!json_is_array(j))
        return false;
    for (size_t i = 0; i < json_array_size(j); i++) {
        const json_t *one = json_array_get(j, i);

        if (!json_is_string(one))
            return false;
        *scopes |= scope_word(text_of(one));
    }
    return true;
}

static bool
scopes_get(const json_t *obj, struct claims *out)
{
    const json_t *scope = json_object_get(obj, "scope");
    const json_t *permissions = json_object_get(obj, "permissions");

    out->scopes = SCOPE_NONE;
    if (scope)
        return scopes_add(scope, &out->scopes);
    if (permissions)
        return scopes_add(permissions, &out->scopes);
    out->scopes = scope_of_role(slice_str(out->role));
    return true;
}

static bool
kind_get(const json_t *obj, struct claims *out)
{
    char kind[CLAIM_TEXT];

    if (!text_get(obj, "type", kind, sizeof(kind)))
        return false;
    out->kind = strcmp(kind, "service_account") == 0 ? TOKEN_SERVICE_ACCOUNT
                                                     : TOKEN_USER;
    return true;
}

enum token_why
claims_read(struct slice part, const struct token_conf *conf,
            struct claims *out)
{
    enum token_why why = TOKEN_MALFORMED;
    char issuer[CLAIM_TEXT * 4];
    json_t *c = object_of(part);

    *out = (struct claims){0};
    if (!c)
        return why;
    if (!text_get(c, "sub", out->sub, sizeof(out->sub)) ||
        !text_get(c, "username", out->username, sizeof(out->username)) ||
        !text_get(c, "client_id", out->client_id, sizeof(out->client_id)) ||
        !text_get(c, "role", out->role, sizeof(out->role)) ||
        !text_get(c, "rate_tier", out->rate_tier, sizeof(out->rate_tier)) ||
        !text_get(c, "jti", out->jti, sizeof(out->jti)) ||
        !text_get(c, "iss", issuer, sizeof(issuer)))
        goto out;
    if (!json_object_get(c, "exp") || !time_get(c, "exp", &out->exp_s) ||
        !time_get(c, "nbf", &out->nbf_s) || !time_get(c, "iat", &out->iat_s))
        goto out;
    if (!kind_get(c, out) || !scopes_get(c, out))
        goto out;
    if (!out->sub[0] && !out->client_id[0]) /* nobody */
        goto out;
    why = audience_check(json_object_get(c, "aud"), conf->audience);
    if (why != TOKEN_MALFORMED && conf->issuer && conf->issuer[0] &&
        strcmp(issuer, conf->issuer) != 0)
        why = TOKEN_ISSUER;
out:
    json_decref(c);
    if (why != TOKEN_OK)
        *out = (struct claims){0};
    return why;
}

enum token_why
claims_time(const struct claims *c, struct dur leeway, struct wall now)
{
    int64_t leeway_ms = leeway.ns / 1000000;

    if (now.ms >= c->exp_s * 1000 + leeway_ms)
        return TOKEN_EXPIRED;
    if (c->nbf_s && now.ms < c->nbf_s * 1000 - leeway_ms)
        return TOKEN_NOT_YET_VALID;
    return TOKEN_OK;
}
