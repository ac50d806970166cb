/* token.c - see token.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/token.h"
#include "base/hex.h"
#include "base/uuid.h"
#include "sec/random.h"
#include "wire/json.h"
#include <openssl/err.h>
#include <openssl/evp.h>

/* Keys whose name we do not know are all tried; each costs a check. */
#define TRIES_MAX 4

/* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3); the padding is EVP's
 * default for a key of type RSA, and keyset_add() takes no other. */
static bool
signature_is_right(const struct key *k, struct slice text, const uint8_t *sig,
                   size_t len)
{
    EVP_MD_CTX *md;
    bool right;

    if ((int)len != EVP_PKEY_get_size(k->pkey))
        return false;
    md = EVP_MD_CTX_new();
    right =
        md &&
        EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
        EVP_DigestVerify(md, sig, len, (const uint8_t *)text.p, text.n) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error(); /* a wrong signature leaves its story there */
    return right;
}

static bool
is_over(const struct key *k, struct wall now)
{
    return k->until.ms && k->until.ms <= now.ms;
}

/* A key of the name that the token gives, else those that may have any name. */
static enum token_why
signature_check(const struct keyset *ks, const struct token_header *h,
                const struct jwt *p, struct wall now)
{
    uint8_t sig[JWT_SIGNATURE_MAX];
    size_t len, tried = 0;

    if (!jwt_decode(p->signature, sig, sizeof(sig), &len))
        return TOKEN_MALFORMED;
    for (size_t i = 0; i < ks->n && h->has_kid; i++)
        if (strcmp(ks->key[i].kid, h->kid) == 0 && !is_over(&ks->key[i], now))
            return signature_is_right(&ks->key[i], p->signed_part, sig, len)
                       ? TOKEN_OK
                       : TOKEN_SIGNATURE;
    for (size_t i = 0; i < ks->n && tried < TRIES_MAX; i++) {
        if ((!ks->key[i].any_kid && (h->has_kid || ks->n > 1)) ||
            is_over(&ks->key[i], now))
            continue;
        if (signature_is_right(&ks->key[i], p->signed_part, sig, len))
            return TOKEN_OK;
        tried++;
    }
    return tried ? TOKEN_SIGNATURE : TOKEN_KEY_UNKNOWN;
}

enum token_why
token_signed_long(const struct keyset *ks, struct slice token, size_t max,
                  struct wall then, struct slice *payload)
{
    struct token_header h;
    enum token_why why;
    struct jwt p;

    *payload = SLICE_NULL;
    if (token.n == 0)
        return TOKEN_MISSING;
    if (!jwt_split_long(token, max, &p))
        return TOKEN_MALFORMED;
    if ((why = token_header_read(p.header, &h)) != TOKEN_OK ||
        (why = signature_check(ks, &h, &p, then)) != TOKEN_OK)
        return why;
    *payload = p.payload;
    return TOKEN_OK;
}

enum token_why
token_signed(const struct keyset *ks, struct slice token, struct slice *payload)
{
    /* Whenever it was signed: {0} is before any key was over. */
    return token_signed_long(ks, token, JWT_MAX, (struct wall){0}, payload);
}

enum token_why
token_verify(const struct keyset *ks, const struct token_conf *conf,
             struct slice token, struct wall now, struct claims *out)
{
    const struct wall then = {now.ms - conf->leeway.ns / 1000000};
    struct slice payload;
    enum token_why why;

    *out = (struct claims){0};
    if ((why = token_signed_long(ks, token, JWT_MAX, then, &payload)) !=
            TOKEN_OK ||
        (why = claims_read(payload, conf, out)) != TOKEN_OK ||
        (why = claims_time(out, conf->leeway, now)) != TOKEN_OK)
        *out = (struct claims){0};
    return why;
}

/* -------------------------------------------------------------- issuing -- */

static void
text_set(json_t *obj, const char *key, const char *value)
{
    if (value && value[0])
        json_object_set_new(obj, key, json_string(value));
}

static json_t *
claims_make(const struct token_spec *spec)
{
    json_t *c = json_object();
    char scopes[SCOPE_TEXT], jti[UUID_TEXT];
    uint8_t random[16];
    struct uuid id;
    int64_t now_s = spec->now.ms / 1000;

    sec_random(random, sizeof(random));
    id = uuid_v4(random);
    text_set(c, "iss", spec->issuer);
    text_set(c, "sub", spec->sub);
    text_set(c, "aud", spec->audience);
    json_object_set_new(c, "iat", json_integer(now_s));
    json_object_set_new(c, "nbf", json_integer(now_s));
    json_object_set_new(c, "exp",
                        json_integer(now_s + spec->life.ns / 1000000000));
    text_set(c, "jti", uuid_text(&id, jti));
    text_set(c, "username", spec->username);
    text_set(c, "client_id", spec->client_id);
    text_set(c, "role", spec->role);
    text_set(c, "type",
             spec->kind == TOKEN_SERVICE_ACCOUNT ? "service_account" : "user");
    /* Always: a token without the list would be read by its role. */
    json_object_set_new(c, "scope",
                        json_string(scope_text(spec->scopes, scopes)));
    return c;
}

/* Appends base64url of N bytes. */
static void
encoded_add(struct buf *out, const void *p, size_t n)
{
    char *at = buf_reserve(out, BASE64_LEN(n));

    if (at) {
        base64url_encode(p, n, at);
        out->n += strlen(at);
    }
}

static bool
part_add(struct buf *out, json_t *j)
{
    struct buf text;

    buf_init(&text, out->max);
    if (json_out_value(&text, j))
        encoded_add(out, text.p, text.n);
    else
        out->failed = true;
    buf_release(&text);
    return !out->failed;
}

static bool
signature_add(struct buf *out, const struct key *k, size_t from)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t sig[JWT_SIGNATURE_MAX];
    size_t len = sizeof(sig);
    bool ok;

    ok = md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
         EVP_DigestSign(md, sig, &len, (const uint8_t *)out->p + from,
                        out->n - from) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    if (ok && buf_add_char(out, '.'))
        encoded_add(out, sig, len);
    return ok && !out->failed;
}

enum err
token_sign(const struct keyset *ks, json_t *payload, struct buf *out,
           struct fault *f)
{
    size_t from = out->n;
    json_t *header = NULL;
    const struct key *k;
    enum err e = ERR_OK;

    if (ks->signer < 0)
        return fault_set(f, ERR_UNSUPPORTED, "issue a token",
                         "there is no private key here");
    k = &ks->key[ks->signer];
    header =
        json_pack("{s:s,s:s,s:s}", "alg", "RS256", "typ", "JWT", "kid", k->kid);
    if (!header || !payload || !part_add(out, header) ||
        !buf_add_char(out, '.') || !part_add(out, payload) ||
        !signature_add(out, k, from)) {
        out->n = from;
        e = fault_set(f, ERR_NOMEM, "issue a token", k->kid);
    }
    json_decref(header);
    return e;
}

enum err
token_issue(const struct keyset *ks, const struct token_spec *spec,
            struct buf *out, struct fault *f)
{
    json_t *claims = claims_make(spec);
    enum err e;

    assert(spec->life.ns >= 1000000000);
    e = token_sign(ks, claims, out, f);
    json_decref(claims);
    return e;
}
