/* forge.h - for the tests of sec/: keys and tokens made by hand, good and bad.
 * Every function stops the test when it cannot do its work.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_FORGE_H
#define SEC_FORGE_H

#include "base/hex.h"
#include "sec/keyset.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FORGED_MAX ((size_t)20000)
#define FORGE_KEYS 2

/* Making a key takes a tenth of a second, so a test program makes two. */
static inline EVP_PKEY *
forge_key(int i)
{
    static EVP_PKEY *key[FORGE_KEYS];

    if (!key[i])
        key[i] = EVP_RSA_gen(2048);
    assert_non_null(key[i]);
    EVP_PKEY_up_ref(key[i]);
    return key[i];
}

enum forge_sign {
    FORGE_RS256,
    FORGE_RS384,
    FORGE_PS256,
    FORGE_HS256_PEM, /* HMAC with our public key as the secret */
    FORGE_NOTHING,   /* empty signature */
    FORGE_GARBAGE,   /* right length, wrong bytes */
};

static inline char *
forge_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *out;
    long n;

    assert_true(PEM_write_bio_PUBKEY(bio, key));
    n = BIO_get_mem_data(bio, &text);
    out = calloc(1, (size_t)n + 1);
    assert_non_null(out);
    memcpy(out, text, (size_t)n);
    BIO_free(bio);
    return out;
}

static inline size_t
forge_rsa(EVP_PKEY *key, const EVP_MD *md, bool pss, struct slice text,
          uint8_t *sig, size_t cap)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t n = cap;

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, key), 1);
    if (pss)
        assert_int_equal(
            EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(
        EVP_DigestSign(ctx, sig, &n, (const uint8_t *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    return n;
}

/* header.payload.signature; free() it. */
static inline char *
forge(const char *header, const char *payload, enum forge_sign how,
      EVP_PKEY *key)
{
    char *out = calloc(1, FORGED_MAX), *pem = NULL;
    uint8_t sig[1024] = {0};
    size_t n = 0;
    unsigned hn = 0;
    struct slice text;

    assert_non_null(out);
    assert_true(strlen(header) + strlen(payload) < FORGED_MAX / 2);
    base64url_encode(header, strlen(header), out);
    strcat(out, ".");
    base64url_encode(payload, strlen(payload), out + strlen(out));
    text = slice_str(out);
    switch (how) {
    case FORGE_RS256:
        n = forge_rsa(key, EVP_sha256(), false, text, sig, sizeof(sig));
        break;
    case FORGE_RS384:
        n = forge_rsa(key, EVP_sha384(), false, text, sig, sizeof(sig));
        break;
    case FORGE_PS256:
        n = forge_rsa(key, EVP_sha256(), true, text, sig, sizeof(sig));
        break;
    case FORGE_HS256_PEM:
        pem = forge_pem(key);
        assert_non_null(HMAC(EVP_sha256(), pem, (int)strlen(pem),
                             (const uint8_t *)text.p, text.n, sig, &hn));
        n = hn;
        break;
    case FORGE_NOTHING:
        break;
    case FORGE_GARBAGE:
        n = 256;
        break;
    }
    strcat(out, ".");
    if (n)
        base64url_encode(sig, n, out + strlen(out));
    free(pem);
    return out;
}

/* A set whose only key is number I, ours, with the name KID. */
static inline struct keyset *
forge_set(int i, const char *kid, unsigned flags)
{
    struct keyset *ks = keyset_new(1);

    assert_non_null(ks);
    assert_int_equal(keyset_add(ks, forge_key(i), kid, flags, NULL), ERR_OK);
    return ks;
}

#endif
