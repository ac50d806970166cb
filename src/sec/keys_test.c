/* keys_test.c - tests of keys.h, keyset.h and file.h, in a folder of their own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/file.h"
#include "sec/keys_forge.h"
#include "sec/token.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* First start makes a key, mode 0600; the second finds it. */
static void
test_first(void **state)
{
    struct fixture *f = *state;
    char kid[CLAIM_TEXT];
    struct keyset *ks;
    struct stat st;

    f->conf.bits = 0; /* the default, once */
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    ks = keys_get(f->k);
    assert_int_equal(ks->n, 1);
    assert_int_equal(ks->signer, 0);
    assert_int_equal(EVP_PKEY_get_bits(ks->key[0].pkey), 3072);
    assert_int_equal(strlen(ks->key[0].kid), 43);
    strcpy(kid, ks->key[0].kid);
    keyset_unref(&ks);
    assert_int_equal(stat(path_in(f, "key-0001.pem"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(access(path_in(f, "public_key.pem"), R_OK), 0);
    keys_close(&f->k);
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    expect_kid(f->k, kid, true);
}

static void
test_no_key(void **state)
{
    struct fixture *f = *state;
    struct fault ft;

    f->conf.create = false;
    assert_int_equal(keys_open(&f->k, &f->conf, &ft), ERR_NOENT);
    assert_null(f->k);
    f->conf.dir = NULL;
    f->conf.public_path = f->public;
    assert_int_equal(keys_open(&f->k, &f->conf, &ft), ERR_NOENT);
    f->conf.public_required = true;
    assert_int_equal(keys_open(&f->k, &f->conf, &ft), ERR_NOENT);
    assert_string_equal(ft.what, f->public);
}

static void
test_open_to_others(void **state)
{
    struct fixture *f = *state;
    struct fault ft;

    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    keys_close(&f->k);
    assert_int_equal(chmod(path_in(f, "key-0001.pem"), 0640), 0);
    assert_int_equal(keys_open(&f->k, &f->conf, &ft), ERR_DENIED);
    assert_non_null(strstr(ft.hint, "chmod 600"));
}

/* Where others may write, the highest number is theirs. */
static void
test_folder_of_others(void **state)
{
    static const mode_t row[] = {0720, 0702, 0777, 01777};
    struct fixture *f = *state;
    struct fault ft;
    bool changed;

    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    for (size_t i = 0; i < countof(row); i++) {
        struct keys *k;

        assert_int_equal(chmod(f->dir, row[i]), 0);
        assert_int_equal(keys_reload(f->k, &changed, &ft), ERR_DENIED);
        assert_int_equal(keys_open(&k, &f->conf, &ft), ERR_DENIED);
        assert_non_null(strstr(ft.hint, "chmod 700"));
        assert_string_equal(ft.what, f->dir);
    }
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(keys_reload(f->k, &changed, &ft), ERR_OK);
}

static struct keys *
open_too(const struct fixture *f)
{
    struct keys *k = NULL;

    assert_int_equal(keys_open(&k, &f->conf, NULL), ERR_OK);
    return k;
}

/* Two processes that start together agree on one key. */
static void
test_race(void **state)
{
    struct fixture *f = *state;
    struct keyset *a, *b;
    struct keys *other;
    pid_t pid;
    int status;

    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        other = open_too(f);
        _exit(other ? 0 : 1);
    }
    f->k = open_too(f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(access(path_in(f, "key-0002.pem"), F_OK), -1);
    other = open_too(f);
    a = keys_get(f->k);
    b = keys_get(other);
    assert_string_equal(a->key[0].kid, b->key[0].kid);
    keyset_unref(&a);
    keyset_unref(&b);
    keys_close(&other);
}

/* The new key signs, the old one verifies until its file is gone. */
static void
test_rotate(void **state)
{
    static const struct token_conf any = {.leeway = {0}};
    const struct keys_rotation at_once = {.keep = dur_s(-1)};
    struct token_spec spec = {.sub = "u", .life = dur_s(60)};
    struct fixture *f = *state;
    struct keyset *before, *after;
    uint64_t generation;
    struct claims c;
    struct buf t;
    bool changed;

    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    before = keys_get(f->k);
    generation = keys_generation(f->k);
    buf_init(&t, TOKEN_MAX);
    assert_int_equal(token_issue(before, &spec, &t, NULL), ERR_OK);
    assert_int_equal(keys_rotate(f->k, &at_once, NULL, NULL), ERR_OK);
    assert_true(keys_generation(f->k) > generation);
    after = keys_get(f->k);
    assert_int_equal(after->n, 2);
    assert_int_equal(after->signer, 1);
    assert_string_equal(after->key[0].kid, before->key[0].kid);
    assert_int_equal(
        token_verify(after, &any, buf_slice(&t), (struct wall){0}, &c),
        TOKEN_OK);
    keyset_unref(&after);
    assert_int_equal(unlink(path_in(f, "key-0001.pem")), 0);
    assert_int_equal(keys_reload(f->k, &changed, NULL), ERR_OK);
    assert_true(changed);
    after = keys_get(f->k);
    assert_int_equal(
        token_verify(after, &any, buf_slice(&t), (struct wall){0}, &c),
        TOKEN_KEY_UNKNOWN);
    /* Who still holds the old set goes on with it. */
    assert_int_equal(
        token_verify(before, &any, buf_slice(&t), (struct wall){0}, &c),
        TOKEN_OK);
    keyset_unref(&after);
    keyset_unref(&before);
    buf_release(&t);
}

static struct mono turn_mono;

static void
turn(struct keys *k, int64_t ms, bool want)
{
    bool changed;

    assert_int_equal(keys_turn(k, (struct wall){ms}, turn_mono, &changed, NULL),
                     ERR_OK);
    assert_int_equal(changed, want);
}

/* Published, then signing, then alone; a process that starts at any of these
 * moments comes to the same. */
static void
test_rotate_in_time(void **state)
{
    const struct keys_rotation r = {
        .now = {100000}, .lead = dur_s(10), .keep = dur_s(50)};
    static const struct {
        int64_t now;
        int keys;
        bool second;
        bool changed;
    } row[] = {{100000, 2, false, false}, {109999, 2, false, false},
               {110000, 2, true, true},   {159999, 2, true, false},
               {160000, 1, true, true},   {999999, 1, true, false}};
    struct fixture *f = *state;
    char first[CLAIM_TEXT], kid[CLAIM_TEXT];
    struct keys_rotated second;
    struct keys *other;

    admin_open(f, 100000);
    assert_int_equal(signer_of(f->k, first), 1);
    assert_int_equal(keys_rotate(f->k, &r, &second, NULL), ERR_OK);
    for (size_t i = 0; i < countof(row); i++) {
        turn(f->k, row[i].now, row[i].changed);
        assert_int_equal(signer_of(f->k, kid), row[i].keys);
        assert_string_equal(kid, row[i].second ? second.kid : first);
        f->conf.now.ms = row[i].now;
        assert_int_equal(keys_open(&other, &f->conf, NULL), ERR_OK);
        assert_int_equal(signer_of(other, kid), row[i].keys);
        assert_string_equal(kid, row[i].second ? second.kid : first);
        keys_close(&other);
    }
    /* The clock was wrong: all of it is as before. */
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), 0);
    turn(f->k, 120000, true);
    assert_int_equal(signer_of(f->k, kid), 2);
    turn_mono.ns += 86400 * (int64_t)1000000000;
    turn(f->k, 120001, false);
    /* It is right, and a day later the file goes. */
    turn(f->k, 160000, true);
    turn_mono.ns += 86399 * (int64_t)1000000000;
    turn(f->k, 160001, false);
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), 0);
    turn_mono.ns += (int64_t)1000000000;
    turn(f->k, 160002, false);
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), -1);
    assert_int_equal(access(path_in(f, "key-0002.pem"), F_OK), 0);
}

/* As many keys as may be, and one was stolen: there is room for another. The
 * one that goes is never the one that signs. */
static void
test_rotate_full(void **state)
{
    const struct keys_rotation later = {
        .now = {1000}, .lead = dur_s(3600), .keep = dur_s(-1)};
    const struct keys_rotation now = {.now = {1000}, .keep = dur_s(-1)};
    struct fixture *f = *state;
    char first[CLAIM_TEXT], kid[CLAIM_TEXT];
    struct keys_rotated r, oldest;

    f->conf.now.ms = 1000;
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    assert_int_equal(signer_of(f->k, first), 1);
    assert_int_equal(keys_rotate(f->k, &later, &oldest, NULL), ERR_OK);
    for (int i = 2; i < KEYS_OWN_MAX; i++) {
        assert_int_equal(keys_rotate(f->k, &later, &r, NULL), ERR_OK);
        assert_string_equal(r.removed, "");
    }
    assert_int_equal(signer_of(f->k, kid), KEYS_OWN_MAX);
    assert_string_equal(kid, first);
    /* The oldest signs: the one that was next, and has signed nothing, goes. */
    assert_int_equal(keys_rotate(f->k, &now, &r, NULL), ERR_OK);
    assert_string_equal(r.removed, oldest.kid);
    assert_int_equal(signer_of(f->k, kid), KEYS_OWN_MAX);
    assert_string_equal(kid, r.kid);
    /* Now another signs: the oldest goes. */
    assert_int_equal(keys_rotate(f->k, &now, &r, NULL), ERR_OK);
    assert_string_equal(r.removed, first);
    assert_int_equal(r.removed_until.ms, 0);
    assert_int_equal(signer_of(f->k, kid), KEYS_OWN_MAX);
    assert_string_equal(kid, r.kid);
}

/* A crash between leaving a key out and removing its file; and times that
 * cannot be read, which nobody may guess. */
static void
test_rotate_torn(void **state)
{
    const struct keys_rotation r = {.now = {1000}, .keep = dur_s(0)};
    struct fixture *f = *state;
    char kid[CLAIM_TEXT];
    struct fault ft;
    bool changed;
    FILE *out;

    admin_open(f, 1000);
    assert_int_equal(keys_rotate(f->k, &r, NULL, NULL), ERR_OK);
    assert_int_equal(signer_of(f->k, kid), 1); /* the stolen one is out */
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), 0);
    keys_close(&f->k);
    admin_open(f, 1000);
    assert_int_equal(signer_of(f->k, kid), 1);
    turn(f->k, 1001, false);
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), -1);

    out = fopen(path_in(f, "key-0003.pem"), "w");
    assert_non_null(out);
    fputs("artstore-signs-from: soon\n", out);
    fclose(out);
    assert_int_equal(chmod(path_in(f, "key-0003.pem"), 0600), 0);
    assert_int_equal(
        keys_turn(f->k, (struct wall){1002}, turn_mono, &changed, &ft),
        ERR_CORRUPT);
    assert_int_equal(signer_of(f->k, kid), 1); /* the set of before stays */
}

/* Keys of another Admin: published and verifying, never signing; and what is no
 * key, or a private one, does no harm. */
static void
test_peers(void **state)
{
    static const char *const bad[] = {"", "{\"keys\": []}",
                                      "{\"keys\": [7, {}]}"};
    struct fixture *f = *state;
    char kid[CLAIM_TEXT], mine[CLAIM_TEXT];
    struct keyset *ks;
    struct buf jwks;
    bool changed;

    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    (void)signer_of(f->k, mine);
    assert_string_not_equal(keys_owner(f->k), "");
    peer_jwks(f, &jwks, kid);

    for (int round = 0; round < 2; round++) {
        assert_int_equal(keys_peers(f->k, buf_slice(&jwks), &changed, NULL),
                         ERR_OK);
        assert_int_equal(changed, round == 0);
    }
    expect_kid(f->k, kid, true);
    assert_int_equal(signer_of(f->k, kid), 2);
    assert_string_equal(kid, mine);
    ks = keys_get(f->k);
    assert_true(ks->key[1].is_peer && ks->key[1].is_ours);
    assert_false(ks->key[0].is_peer || ks->key[1].can_sign);
    keyset_unref(&ks);

    for (size_t i = 0; i < countof(bad); i++) {
        assert_int_equal(keys_peers(f->k, slice_str(bad[i]), &changed, NULL),
                         ERR_OK);
        assert_int_equal(signer_of(f->k, kid), 1);
    }
    assert_int_equal(keys_peers(f->k, SLICE("junk"), &changed, NULL),
                     ERR_INVAL);
    assert_int_equal(signer_of(f->k, kid), 1);
    buf_release(&jwks);
}

/* ING-188: what changes takes effect, what cannot be read does not. */
static void
test_reload(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *k0 = forge_key(0), *k1 = forge_key(1);
    char *pem0 = forge_pem(k0), *pem1 = forge_pem(k1), both[4096];
    char kid0[KEY_THUMBPRINT], kid1[KEY_THUMBPRINT];
    uint64_t generation;
    struct fault ft;
    bool changed;

    assert_true(key_thumbprint(k0, kid0) && key_thumbprint(k1, kid1));
    write_text(f->public, pem0);
    f->conf.public_path = f->public;
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    expect_kid(f->k, kid0, true);
    generation = keys_generation(f->k);
    assert_int_equal(keys_reload(f->k, &changed, NULL), ERR_OK);
    assert_false(changed);
    assert_int_equal(keys_generation(f->k), generation);

    write_text(f->public, "garbage");
    assert_int_equal(keys_reload(f->k, &changed, &ft), ERR_INVAL);
    assert_false(changed);
    expect_kid(f->k, kid0, true); /* the old set stays */

    snprintf(both, sizeof(both), "# two keys\n%s\n%s", pem1, pem0);
    write_text(f->public, both);
    assert_int_equal(keys_reload(f->k, &changed, NULL), ERR_OK);
    assert_true(changed);
    expect_kid(f->k, kid0, true);
    expect_kid(f->k, kid1, true);
    assert_true(keys_generation(f->k) > generation);
    free(pem0);
    free(pem1);
    EVP_PKEY_free(k0);
    EVP_PKEY_free(k1);
}

/* What the issuer says is what its file has said. */
static void
test_adopt_same(void **state)
{
    struct keys_conf conf = {.adopts = true};
    struct fixture *f = *state;
    struct keyset *ks = forge_set(0, NULL, KEY_OURS);
    struct buf b;
    bool changed;

    buf_init(&b, 8 * KIB);
    assert_true(keyset_jwks(ks, 0, &b));
    write_text(f->public, buf_str(&b));
    conf.public_path = f->public;
    assert_int_equal(keys_open(&f->k, &conf, NULL), ERR_OK);
    assert_int_equal(keys_adopt(f->k, buf_slice(&b), &changed, NULL), ERR_OK);
    expect_kid(f->k, ks->key[0].kid, true);
    assert_int_equal(keys_adopt(f->k, buf_slice(&b), &changed, NULL), ERR_OK);
    assert_false(changed);
    keyset_unref(&ks);
    buf_release(&b);
}

/* RFC 7638 section 3.1: its key and its thumbprint. */
#define RFC7638_N                                                             \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7a" \
    "PFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArw" \
    "l93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0z" \
    "gdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2Nc" \
    "Rwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"

static void
test_jwks(void **state)
{
    static const struct {
        const char *text;
        enum err want;
        size_t n;
        const char *why;
    } row[] = {
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RFC7638_N
         "\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}]}",
         ERR_OK, 1, "the key of RFC 7638"},
        {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQAB\"}", ERR_OK, 1,
         "one JWK, no kid: its thumbprint"},
        {"{\"keys\":[{\"kty\":\"EC\"},{\"kty\":\"oct\",\"k\":\"AA\"},"
         "{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQAB\"}]}",
         ERR_OK, 1, "others are passed over"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"" RFC7638_N
         "\",\"e\":\"AQAB\"}]}",
         ERR_INVAL, 0, "only for encryption"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS512\",\"n\":\"" RFC7638_N
         "\",\"e\":\"AQAB\"}]}",
         ERR_INVAL, 0, "for another algorithm"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RFC7638_N
         "\",\"e\":\"AQAB\",\"d\":\"AQAB\"}]}",
         ERR_INVAL, 0, "a private key"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQ\"}]}",
         ERR_INVAL, 0, "exponent 1: every text is its own signature"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RFC7638_N
         "\",\"e\":\"" RFC7638_N "\"}]}",
         ERR_INVAL, 0, "an exponent that makes checks slow"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN\","
         "\"e\":\"AQAB\"}]}",
         ERR_INVAL, 0, "192 bits"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"*\",\"e\":\"AQAB\"}]}", ERR_INVAL,
         0, "not base64url"},
        {"{\"keys\":[]}", ERR_INVAL, 0, "none"},
        {"[1]", ERR_INVAL, 0, "no object"},
        {"{", ERR_INVAL, 0, "no JSON"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct keyset *ks = keyset_new(1);
        enum err e = keyset_add_jwks(ks, slice_str(row[i].text), NULL);

        if (e != row[i].want || ks->n != row[i].n)
            fail_msg("%s: %s, %zu keys", row[i].why, err_name(e), ks->n);
        if (i == 0) {
            char thumb[KEY_THUMBPRINT];

            assert_string_equal(ks->key[0].kid, "2011-04-29");
            assert_false(ks->key[0].any_kid);
            assert_true(key_thumbprint(ks->key[0].pkey, thumb));
            assert_string_equal(thumb,
                                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        }
        if (i == 1) {
            assert_string_equal(ks->key[0].kid,
                                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
            assert_true(ks->key[0].any_kid);
        }
        keyset_unref(&ks);
    }
}

static char *
any_pem(EVP_PKEY *key, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *out;
    long n;

    if (private)
        assert_true(
            PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    else
        assert_true(PEM_write_bio_PUBKEY(bio, key));
    n = BIO_get_mem_data(bio, &text);
    out = calloc(1, (size_t)n + 1);
    assert_non_null(out);
    memcpy(out, text, (size_t)n);
    BIO_free(bio);
    return out;
}

static char *
versioned_pem(EVP_PKEY *key, const char *version)
{
    char *pem = forge_pem(key), *text;

    assert_true(asprintf(&text, "Admin\nartstore-keys-version: %s\n%s", version,
                         pem) > 0);
    free(pem);
    return text;
}

static void
test_pem_refusals(void **state)
{
    EVP_PKEY *rsa = forge_key(0), *small = EVP_RSA_gen(1024);
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    struct {
        char *text;
        enum err want;
        const char *why;
    } row[] = {
        {any_pem(rsa, false), ERR_OK, "a public key"},
        {any_pem(rsa, true), ERR_INVAL, "a private key does not belong here"},
        {any_pem(small, false), ERR_INVAL, "1024 bits"},
        {any_pem(ec, false), ERR_INVAL, "an elliptic curve"},
        {strdup(""), ERR_INVAL, "empty"},
        {versioned_pem(rsa, "7"), ERR_OK, "with a version"},
        {versioned_pem(rsa, "7a"), ERR_INVAL, "a version, but which?"},
        {strdup("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
         ERR_INVAL, "no key in the block"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct keyset *ks = keyset_new(1);
        enum err e = keyset_add_pem(ks, slice_str(row[i].text), NULL);

        if (e != row[i].want)
            fail_msg("%s: %s", row[i].why, err_name(e));
        keyset_unref(&ks);
        free(row[i].text);
    }
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(small);
    EVP_PKEY_free(ec);
}

/* What we publish: public numbers only, of our own keys only. */
static void
test_publish(void **state)
{
    struct keyset *ks = keyset_new(1);
    struct buf b;
    (void)state;

    assert_int_equal(
        keyset_add(ks, forge_key(0), NULL, KEY_OURS | KEY_SIGNS, NULL), ERR_OK);
    assert_int_equal(keyset_add(ks, forge_key(1), "foreign", 0, NULL), ERR_OK);
    assert_int_equal(keyset_add(ks, forge_key(1), "foreign", 0, NULL),
                     ERR_EXISTS);
    assert_int_equal(keyset_add(ks, forge_key(0), "foreign", 0, NULL),
                     ERR_INVAL); /* one name, two keys */
    buf_init(&b, 64 * KIB);
    assert_true(keyset_jwks(ks, 0, &b));
    assert_non_null(strstr(buf_str(&b), ks->key[0].kid));
    assert_null(strstr(buf_str(&b), "foreign"));
    assert_null(strstr(buf_str(&b), "\"d\""));
    buf_clear(&b);
    assert_true(keyset_pem(ks, 1763, &b));
    assert_null(strstr(buf_str(&b), "PRIVATE"));
    keyset_unref(&ks);
    ks = keyset_new(1);
    assert_int_equal(keyset_add_pem(ks, buf_slice(&b), NULL), ERR_OK);
    assert_int_equal(ks->version, 1763);
    assert_int_equal(ks->n, 1);
    buf_release(&b);
    keyset_unref(&ks);
}

static void
test_file(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct fault ft;

    buf_init(&b, 8 * KIB);
    assert_int_equal(
        sec_file_write(f->root, "x", SLICE("one"), 0600, false, NULL), ERR_OK);
    assert_int_equal(
        sec_file_write(f->root, "x", SLICE("two"), 0600, false, NULL),
        ERR_EXISTS);
    snprintf(f->public, sizeof(f->public), "%s/x", f->root);
    assert_int_equal(sec_file_read(f->public, true, &b, NULL), ERR_OK);
    assert_string_equal(buf_str(&b), "one");
    assert_int_equal(
        sec_file_write(f->root, "x", SLICE("two"), 0604, true, NULL), ERR_OK);
    assert_int_equal(sec_file_read(f->public, true, &b, &ft), ERR_DENIED);
    buf_clear(&b);
    assert_int_equal(sec_file_read(f->public, false, &b, NULL), ERR_OK);
    assert_string_equal(buf_str(&b), "two");
    assert_int_equal(sec_file_read(f->root, false, &b, &ft), ERR_INVAL);
    assert_int_equal(truncate(f->public, 9000), 0);
    buf_clear(&b);
    assert_int_equal(sec_file_read(f->public, false, &b, &ft), ERR_TOOBIG);
    buf_release(&b);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, keys_setup, keys_teardown)
    const struct CMUnitTest tests[] = {
        T(test_first),
        T(test_no_key),
        T(test_open_to_others),
        T(test_folder_of_others),
        T(test_race),
        T(test_rotate),
        T(test_rotate_in_time),
        T(test_rotate_full),
        T(test_rotate_torn),
        T(test_peers),
        T(test_reload),
        T(test_adopt_same),
        cmocka_unit_test(test_jwks),
        cmocka_unit_test(test_pem_refusals),
        cmocka_unit_test(test_publish),
        T(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
