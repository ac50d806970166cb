/* keyset.c - see keyset.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/keyset.h"
#include "sec/digest.h"
#include "wire/json.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define N_BYTES_MAX (KEY_BITS_MAX / 8)
#define PEM_VERSION "artstore-keys-version:"

static const struct json_limits LIMITS = {KEYSET_TEXT, 16, 4096, false};

struct keyset *
keyset_new(uint64_t generation)
{
    struct keyset *ks = calloc(1, sizeof(*ks));

    if (!ks)
        return NULL;
    atomic_init(&ks->refs, 1);
    ks->generation = generation;
    ks->signer = -1;
    return ks;
}

struct keyset *
keyset_ref(struct keyset *ks)
{
    atomic_fetch_add_explicit(&ks->refs, 1, memory_order_relaxed);
    return ks;
}

void
keyset_unref(struct keyset **ks)
{
    struct keyset *x = *ks;

    *ks = NULL;
    if (!x || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < x->n; i++)
        EVP_PKEY_free(x->key[i].pkey);
    free(x);
}

/* One of the two numbers of a public key as bytes; 0 when it is not RSA. */
static size_t
number_of(const EVP_PKEY *pkey, const char *param, uint8_t *out, size_t cap)
{
    BIGNUM *bn = NULL;
    size_t n = 0;

    if (EVP_PKEY_get_bn_param(pkey, param, &bn) &&
        (size_t)BN_num_bytes(bn) <= cap)
        n = (size_t)BN_bn2bin(bn, out);
    BN_free(bn);
    return n;
}

struct jwk_text {
    char n[BASE64_LEN(N_BYTES_MAX)];
    char e[BASE64_LEN(N_BYTES_MAX)];
};

static bool
jwk_text(const EVP_PKEY *pkey, struct jwk_text *out)
{
    uint8_t bytes[N_BYTES_MAX];
    size_t n;

    n = number_of(pkey, OSSL_PKEY_PARAM_RSA_N, bytes, sizeof(bytes));
    if (!n)
        return false;
    base64url_encode(bytes, n, out->n);
    n = number_of(pkey, OSSL_PKEY_PARAM_RSA_E, bytes, sizeof(bytes));
    if (!n)
        return false;
    base64url_encode(bytes, n, out->e);
    return true;
}

bool
key_thumbprint(const EVP_PKEY *pkey, char out[KEY_THUMBPRINT])
{
    uint8_t digest[32];
    struct jwk_text t;
    struct buf b;
    bool ok;

    out[0] = 0;
    if (!jwk_text(pkey, &t))
        return false;
    buf_init(&b, 4 * KIB);
    /* Members in lexical order, no blanks (RFC 7638 section 3). */
    buf_printf(&b, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", t.e, t.n);
    ok = !b.failed && sec_sha256(buf_slice(&b), digest);
    if (ok)
        base64url_encode(digest, sizeof(digest), out);
    buf_release(&b);
    return ok;
}

/* RSA for PKCS#1 v1.5, of a size that is neither weak nor a burden. */
static bool
is_acceptable(const EVP_PKEY *pkey)
{
    uint8_t e[N_BYTES_MAX];
    size_t n;

    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA ||
        EVP_PKEY_get_bits(pkey) < KEY_BITS_MIN ||
        EVP_PKEY_get_bits(pkey) > KEY_BITS_MAX)
        return false;
    /* A long exponent makes each check as slow as a signature; 1 is no
     * signature at all, an even one no key. */
    n = number_of(pkey, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e));
    return n > 0 && n <= 4 && (e[n - 1] & 1) && (n > 1 || e[0] > 1);
}

enum err
keyset_add(struct keyset *ks, EVP_PKEY *pkey, const char *kid, unsigned flags,
           struct fault *f)
{
    char thumb[KEY_THUMBPRINT];
    struct key *k;
    enum err e = ERR_OK;

    if (!is_acceptable(pkey) || !key_thumbprint(pkey, thumb)) {
        e = fault_set(f, ERR_INVAL, "key",
                      "not an RSA key of 2048 to 8192 bits");
        goto out;
    }
    if (!kid)
        kid = thumb;
    for (size_t i = 0; i < ks->n; i++)
        if (strcmp(ks->key[i].kid, kid) == 0) {
            e = EVP_PKEY_eq(ks->key[i].pkey, pkey) == 1
                    ? ERR_EXISTS
                    : fault_set(f, ERR_INVAL, "two keys of one kid", kid);
            goto out;
        }
    if (ks->n == KEYSET_MAX) {
        e = fault_set(f, ERR_TOOBIG, "key", "too many keys");
        goto out;
    }
    k = &ks->key[ks->n];
    *k = (struct key){0}; /* one that was taken back may have been there */
    if (!slice_copy(slice_str(kid), k->kid, sizeof(k->kid))) {
        e = fault_set(f, ERR_INVAL, "key", "its kid is too long");
        goto out;
    }
    k->pkey = pkey;
    k->any_kid = flags & KEY_ANY_KID;
    k->is_ours = flags & KEY_OURS;
    k->can_sign = flags & KEY_SIGNS;
    if (flags & KEY_SIGNS)
        ks->signer = (int)ks->n;
    ks->n++;
    pkey = NULL;
out:
    EVP_PKEY_free(pkey);
    ERR_clear_error(); /* the next call on this thread starts clean */
    return e;
}

/* ---------------------------------------------------------------- PEM -- */

/* The key in one block, NULL when it is not of a kind that we take. */
static EVP_PKEY *
block_key(const char *name, const unsigned char *der, long len)
{
    EVP_PKEY *pkey = NULL;
    X509 *x = NULL;

    if (strcmp(name, PEM_STRING_PUBLIC) == 0)
        return d2i_PUBKEY(NULL, &der, len);
    if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0)
        return d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, len);
    if (strcmp(name, PEM_STRING_X509) == 0 &&
        (x = d2i_X509(NULL, &der, len)) != NULL)
        pkey = X509_get_pubkey(x);
    X509_free(x);
    return pkey;
}

/* Other lines there are anybody's. */
static bool
pem_version(struct slice text, uint64_t *out)
{
    struct slice line;

    while (slice_cut(&text, '\n', &line) &&
           !slice_starts(line, SLICE("-----BEGIN")))
        if (slice_starts(line, SLICE(PEM_VERSION)))
            return slice_u64(slice_trim(slice_skip(line, strlen(PEM_VERSION))),
                             out);
    return true;
}

enum err
keyset_add_pem(struct keyset *ks, struct slice text, struct fault *f)
{
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
    enum err e = bio ? ERR_OK : ERR_NOMEM;
    size_t found = 0, before = ks->n;

    if (e == ERR_OK && !pem_version(text, &ks->version))
        e = fault_set(f, ERR_INVAL, "public key", "its version is no number");
    while (e == ERR_OK) {
        char *name = NULL, *header = NULL;
        unsigned char *der = NULL;
        EVP_PKEY *pkey = NULL;
        long len = 0;

        if (!PEM_read_bio(bio, &name, &header, &der, &len))
            break;
        if (strstr(name, "PRIVATE KEY"))
            e = fault_set(f, ERR_INVAL, "public key",
                          "the file holds a private key");
        else if (!(pkey = block_key(name, der, len)))
            e = fault_set(f, ERR_INVAL, "public key", "unreadable block");
        if (pkey)
            e = keyset_add(ks, pkey, NULL, KEY_ANY_KID, f);
        if (e == ERR_EXISTS)
            e = ERR_OK;
        found++;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (e == ERR_OK && ks->n - before > KEYSET_FOREIGN)
        e = fault_set(f, ERR_TOOBIG, "public key", "more than 64 keys");
    if (e == ERR_OK && !found)
        e = fault_set(f, ERR_INVAL, "public key", "the file holds no PEM key");
    return e;
}

bool
keyset_pem(const struct keyset *ks, uint64_t version, struct buf *out)
{
    if (version)
        buf_printf(out, PEM_VERSION " %llu\n", (unsigned long long)version);
    for (size_t i = 0; i < ks->n; i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text;
        long n;

        if (!ks->key[i].is_ours) {
            BIO_free(bio);
            continue;
        }
        if (bio && PEM_write_bio_PUBKEY(bio, ks->key[i].pkey) &&
            (n = BIO_get_mem_data(bio, &text)) > 0)
            buf_add(out, text, (size_t)n);
        else
            out->failed = true;
        BIO_free(bio);
    }
    return !out->failed;
}

/* ---------------------------------------------------------------- JWK -- */

static BIGNUM *
jwk_number(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    uint8_t bytes[N_BYTES_MAX];
    size_t n;

    if (!text || !base64url_decode(slice_str(text), bytes, sizeof(bytes), &n) ||
        !n)
        return NULL;
    return BN_bin2bn(bytes, (int)n, NULL);
}

static EVP_PKEY *
jwk_key(const json_t *jwk)
{
    BIGNUM *n = jwk_number(jwk, "n"), *e = jwk_number(jwk, "e");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (n && e && ctx && bld &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) &&
        (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
        EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static bool
member_is(const json_t *jwk, const char *name, const char *value, bool optional)
{
    const json_t *j = json_object_get(jwk, name);

    if (!j)
        return optional;
    return json_is_string(j) && strcmp(json_string_value(j), value) == 0;
}

/* 0: it is not there, or is no such number. */
static int64_t
positive(const json_t *o, const char *name)
{
    const json_t *j = json_object_get(o, name);

    return json_is_integer(j) && json_integer_value(j) > 0
               ? json_integer_value(j)
               : 0;
}

/* One more of *FOUND, if it is of use; also when it is in already. */
static enum err
jwk_add(struct keyset *ks, const json_t *jwk, size_t *found, struct fault *f)
{
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    EVP_PKEY *pkey;
    enum err e;

    if (!member_is(jwk, "kty", "RSA", false) ||
        !member_is(jwk, "use", "sig", true) ||
        !member_is(jwk, "alg", "RS256", true))
        return ERR_OK; /* someone else's */
    if (json_object_get(jwk, "d"))
        return fault_set(f, ERR_INVAL, "jwk", "the file holds a private key");
    if (!(pkey = jwk_key(jwk)))
        return fault_set(f, ERR_INVAL, "jwk", "n or e is not readable");
    e = keyset_add(ks, pkey, kid, kid ? 0 : KEY_ANY_KID, f);
    if (e == ERR_OK)
        ks->key[ks->n - 1].until.ms = positive(jwk, "until");
    if (e == ERR_EXISTS)
        e = ERR_OK;
    *found += e == ERR_OK;
    return e;
}

enum err
keyset_add_jwks(struct keyset *ks, struct slice text, struct fault *f)
{
    struct json_error ignored = {0};
    json_t *j = json_read_limited(text, &LIMITS, &ignored);
    enum err e = keyset_add_list(ks, j, f);

    json_decref(j);
    return e;
}

enum err
keyset_add_list(struct keyset *ks, const json_t *j, struct fault *f)
{
    const json_t *list = json_object_get(j, "keys");
    const uint64_t version = ks->version;
    const size_t before = ks->n;
    size_t found = 0;
    enum err e = ERR_OK;

    if (!json_is_object(j)) {
        e = fault_set(f, ERR_INVAL, "jwks", "not a JSON object");
        goto out;
    }
    if (json_array_size(list) > KEYSET_FOREIGN) {
        e = fault_set(f, ERR_TOOBIG, "jwks", "more than 64 keys");
        goto out;
    }
    ks->version = (uint64_t)positive(j, "version");
    if (!list)
        e = jwk_add(ks, j, &found, f);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(list); i++)
        e = jwk_add(ks, json_array_get(list, i), &found, f);
    if (e == ERR_OK && found == 0)
        e = fault_set(f, ERR_INVAL, "jwks", "no RSA key for signatures in it");
    if (e != ERR_OK) { /* none of it, then */
        while (ks->n > before)
            EVP_PKEY_free(ks->key[--ks->n].pkey);
        ks->version = version;
    }
out:
    ERR_clear_error();
    return e;
}

enum err
keyset_add_peers(struct keyset *ks, struct slice text, struct fault *f)
{
    struct json_error ignored = {0};
    json_t *j = json_read_limited(text, &LIMITS, &ignored);
    const json_t *list = json_object_get(j, "keys");
    size_t own = ks->n, found = 0;

    if (!json_is_array(list)) {
        json_decref(j);
        return fault_set(f, ERR_INVAL, "peers", "not a JWKS");
    }
    for (size_t i = 0; i < json_array_size(list) && ks->n - own < KEYSET_PEERS;
         i++)
        (void)jwk_add(ks, json_array_get(list, i), &found, NULL);
    for (size_t i = own; i < ks->n; i++)
        ks->key[i].is_ours = ks->key[i].is_peer = true;
    json_decref(j);
    ERR_clear_error();
    return ERR_OK;
}

bool
keyset_jwk(const struct keyset *ks, size_t i, struct buf *out)
{
    struct jwk_text t;

    return jwk_text(ks->key[i].pkey, &t) &&
           buf_printf(out,
                      "{\"kty\": \"RSA\", \"use\": \"sig\", "
                      "\"alg\": \"RS256\", \"kid\": \"%s\", "
                      "\"n\": \"%s\", \"e\": \"%s\"}",
                      ks->key[i].kid, t.n, t.e);
}

bool
keyset_jwks(const struct keyset *ks, uint64_t version, struct buf *out)
{
    const char *sep = "";

    buf_add_str(out, "{");
    if (version)
        buf_printf(out, "\"version\": %llu, ", (unsigned long long)version);
    buf_add_str(out, "\"keys\": [");
    for (size_t i = 0; i < ks->n; i++) {
        if (!ks->key[i].is_ours)
            continue;
        buf_add_str(out, sep);
        (void)keyset_jwk(ks, i, out);
        sep = ", ";
    }
    return buf_add_str(out, "]}");
}
