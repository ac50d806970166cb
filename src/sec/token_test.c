/* token_test.c - every way in which a token may be refused, as a table; then
 * what is taken, and cjose as a second opinion (ING-183, ING-186, ING-187,
 * ADM-026). SPDX-License-Identifier: Apache-2.0 */
#include "sec/token.h"
#include "sec/forge.h"
#include <cjose/cjose.h>
#include <time.h>

#define NOW_S 1800000000
static const struct wall NOW = {INT64_C(1000) * NOW_S};
static const struct token_conf RULES = {
    .audience = "artstore",
    .issuer = "https://admin",
    .leeway = {INT64_C(60) * 1000000000},
};

#define H    "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"
#define GOOD "\"sub\":\"u\",\"aud\":\"artstore\",\"iss\":\"https://admin\","
#define EXP  "\"exp\":1800000600"

static void
test_refusals(void **state)
{
    static const struct {
        const char *header;
        const char *payload;
        enum forge_sign how;
        enum token_why want;
        const char *why;
    } row[] = {
        {H, "{" GOOD EXP "}", FORGE_RS256, TOKEN_OK, "as it should be"},
        /* the algorithm: RFC 8725 sections 2.1 and 3.1 */
        {"{\"alg\":\"none\"}", "{" GOOD EXP "}", FORGE_NOTHING, TOKEN_ALGORITHM,
         "alg none"},
        {"{\"alg\":\"None\",\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_NOTHING,
         TOKEN_ALGORITHM, "alg none in another case"},
        {"{\"alg\":\"\",\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_NOTHING,
         TOKEN_ALGORITHM, "no name of an algorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\"}", "{" GOOD EXP "}",
         FORGE_HS256_PEM, TOKEN_ALGORITHM, "HS256 keyed by our public key"},
        {H, "{" GOOD EXP "}", FORGE_HS256_PEM, TOKEN_SIGNATURE,
         "that under the name of RS256"},
        {"{\"alg\":\"RS384\",\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_RS384,
         TOKEN_ALGORITHM, "RS384, well signed"},
        {H, "{" GOOD EXP "}", FORGE_RS384, TOKEN_SIGNATURE,
         "SHA-384 under the name of RS256"},
        {"{\"alg\":\"PS256\",\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_PS256,
         TOKEN_ALGORITHM, "PS256, well signed"},
        {H, "{" GOOD EXP "}", FORGE_PS256, TOKEN_SIGNATURE,
         "PSS under the name of RS256"},
        {"{\"alg\":\"rs256\",\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_RS256,
         TOKEN_ALGORITHM, "names are case-sensitive"},
        {"{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"k1\"}",
         "{" GOOD EXP "}", FORGE_RS256, TOKEN_MALFORMED, "two algorithms"},
        {"{\"alg\":[\"RS256\"],\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_RS256,
         TOKEN_MALFORMED, "a list of algorithms"},
        {"{\"kid\":\"k1\"}", "{" GOOD EXP "}", FORGE_RS256, TOKEN_MALFORMED,
         "no algorithm"},
        /* the header */
        {"{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":[\"exp\"],\"exp\":1}",
         "{" GOOD EXP "}", FORGE_RS256, TOKEN_MALFORMED, "crit"},
        {"{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":null}", "{" GOOD EXP "}",
         FORGE_RS256, TOKEN_MALFORMED, "crit, empty"},
        {"{\"alg\":\"RS256\",\"kid\":\"k2\"}", "{" GOOD EXP "}", FORGE_RS256,
         TOKEN_KEY_UNKNOWN, "another kid"},
        {"{\"alg\":\"RS256\",\"kid\":7}", "{" GOOD EXP "}", FORGE_RS256,
         TOKEN_MALFORMED, "a kid that is no string"},
        {"{\"alg\":\"RS256\",\"kid\":\"k1\\u0000x\"}", "{" GOOD EXP "}",
         FORGE_RS256, TOKEN_MALFORMED, "a kid with a zero in it"},
        {"{\"alg\":\"RS256\"}", "{" GOOD EXP "}", FORGE_RS256, TOKEN_OK,
         "no kid, and only one key"},
        {"{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\"}", "{" GOOD EXP "}",
         FORGE_RS256, TOKEN_MALFORMED, "typed as something else"},
        {"{\"alg\":\"RS256\",\"typ\":\"at+JWT\"}", "{" GOOD EXP "}",
         FORGE_RS256, TOKEN_OK, "access token type (RFC 9068)"},
        {"[]", "{" GOOD EXP "}", FORGE_RS256, TOKEN_MALFORMED, "a list"},
        {"{\"alg\":\"RS256\",\"jku\":\"http://evil/\",\"kid\":\"evil\"}",
         "{" GOOD EXP "}", FORGE_RS256, TOKEN_KEY_UNKNOWN,
         "keys are not fetched from where the token says"},
        /* the signature */
        {H, "{" GOOD EXP "}", FORGE_NOTHING, TOKEN_SIGNATURE, "unsigned"},
        {H, "{" GOOD EXP "}", FORGE_GARBAGE, TOKEN_SIGNATURE, "zeros"},
        /* the reason is not told to who has no right signature */
        {H, "{" GOOD "\"exp\":1}", FORGE_GARBAGE, TOKEN_SIGNATURE,
         "expired and forged"},
        /* time, with 60 s of leeway */
        {H, "{" GOOD "\"exp\":1799999939}", FORGE_RS256, TOKEN_EXPIRED,
         "61 s ago"},
        {H, "{" GOOD "\"exp\":1799999940}", FORGE_RS256, TOKEN_EXPIRED,
         "just 60 s ago"},
        {H, "{" GOOD "\"exp\":1799999941}", FORGE_RS256, TOKEN_OK, "59 s ago"},
        {H, "{" GOOD "\"exp\":1799999941.9}", FORGE_RS256, TOKEN_OK,
         "a fraction"},
        {H, "{" GOOD EXP ",\"nbf\":1800000060}", FORGE_RS256, TOKEN_OK,
         "valid in 60 s"},
        {H, "{" GOOD EXP ",\"nbf\":1800000061}", FORGE_RS256,
         TOKEN_NOT_YET_VALID, "valid in 61 s"},
        {H, "{\"sub\":\"u\",\"aud\":\"artstore\",\"iss\":\"https://admin\"}",
         FORGE_RS256, TOKEN_MALFORMED, "never expires"},
        {H, "{" GOOD "\"exp\":\"1800000600\"}", FORGE_RS256, TOKEN_MALFORMED,
         "exp as a string"},
        {H, "{" GOOD "\"exp\":1e300}", FORGE_RS256, TOKEN_MALFORMED,
         "exp beyond all years"},
        {H, "{" GOOD "\"exp\":9223372036854775807}", FORGE_RS256,
         TOKEN_MALFORMED, "exp that overflows in milliseconds"},
        {H, "{" GOOD "\"exp\":-1}", FORGE_RS256, TOKEN_MALFORMED,
         "exp before 1970"},
        {H, "{" GOOD "\"exp\":null}", FORGE_RS256, TOKEN_MALFORMED, "exp null"},
        {H, "{" GOOD "\"exp\":1,\"exp\":1800000600}", FORGE_RS256,
         TOKEN_MALFORMED, "two exp"},
        /* for whom, from whom */
        {H,
         "{\"sub\":\"u\",\"aud\":\"other\",\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_AUDIENCE, "another audience"},
        {H, "{\"sub\":\"u\",\"iss\":\"https://admin\"," EXP "}", FORGE_RS256,
         TOKEN_AUDIENCE, "no audience"},
        {H,
         "{\"sub\":\"u\",\"aud\":[\"x\",\"artstore\"],"
         "\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_OK, "one of several"},
        {H, "{\"sub\":\"u\",\"aud\":[\"x\"],\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_AUDIENCE, "none of several"},
        {H, "{\"sub\":\"u\",\"aud\":[],\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_AUDIENCE, "an empty list"},
        {H,
         "{\"sub\":\"u\",\"aud\":[\"artstore\",7],"
         "\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_MALFORMED, "a number among them"},
        {H,
         "{\"sub\":\"u\",\"aud\":\"artstore\\u0000\","
         "\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_MALFORMED, "ours and a zero"},
        {H,
         "{\"sub\":\"u\",\"aud\":\"artstore\",\"iss\":\"https://evil\"," EXP
         "}",
         FORGE_RS256, TOKEN_ISSUER, "another issuer"},
        {H, "{\"sub\":\"u\",\"aud\":\"artstore\"," EXP "}", FORGE_RS256,
         TOKEN_ISSUER, "no issuer"},
        {H, "{\"aud\":\"artstore\",\"iss\":\"https://admin\"," EXP "}",
         FORGE_RS256, TOKEN_MALFORMED, "nobody"},
        {H, "{" GOOD EXP ",\"username\":7}", FORGE_RS256, TOKEN_MALFORMED,
         "a name that is a number"},
        {H, "{" GOOD EXP ",\"scope\":7}", FORGE_RS256, TOKEN_MALFORMED,
         "scopes that are a number"},
        {H, "{" GOOD EXP ",\"x\":[[[[[[[[[1]]]]]]]]]}", FORGE_RS256,
         TOKEN_MALFORMED, "nested too deep"},
        {H, "{" GOOD EXP ",\"x\":\"[[[[[[[[[[[\\\"[[\"}", FORGE_RS256, TOKEN_OK,
         "brackets in a string are no nesting"},
        {H, "{" GOOD EXP "}x", FORGE_RS256, TOKEN_MALFORMED, "text behind"},
        {H, "{" GOOD EXP ",\"username\":\"\xff\"}", FORGE_RS256,
         TOKEN_MALFORMED, "not UTF-8"},
        {H, "", FORGE_RS256, TOKEN_MALFORMED, "no payload"},
    };
    struct keyset *ks = forge_set(0, "k1", KEY_OURS);
    EVP_PKEY *key = forge_key(0);
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char *t = forge(row[i].header, row[i].payload, row[i].how, key);
        struct claims c, zero = {0};
        enum token_why got = token_verify(ks, &RULES, slice_str(t), NOW, &c);

        if (got != row[i].want)
            fail_msg("%s: %s instead of %s", row[i].why, token_why_name(got),
                     token_why_name(row[i].want));
        if (got != TOKEN_OK)
            assert_memory_equal(&c, &zero, sizeof(c)); /* nothing leaks out */
        free(t);
    }
    EVP_PKEY_free(key);
    keyset_unref(&ks);
}

/* A good token changed in one place, or in its shape. */
static void
test_shape(void **state)
{
    struct keyset *ks = forge_set(0, "k1", KEY_OURS);
    EVP_PKEY *key = forge_key(0);
    char *good = forge(H, "{" GOOD EXP "}", FORGE_RS256, key);
    size_t n = strlen(good);
    char *t = calloc(1, n + TOKEN_MAX + 2);
    struct claims c;
    (void)state;

    assert_non_null(t);
    assert_int_equal(token_verify(ks, &RULES, slice_str(good), NOW, &c),
                     TOKEN_OK);
    for (size_t cut = 0; cut < n; cut++) /* truncated anywhere */
        assert_int_not_equal(
            token_verify(ks, &RULES, slice_of(good, cut), NOW, &c), TOKEN_OK);
    for (size_t i = 0; i < n; i++) { /* one character changed */
        memcpy(t, good, n + 1);
        t[i] = t[i] == 'A' ? 'B' : 'A';
        if (token_verify(ks, &RULES, slice_of(t, n), NOW, &c) == TOKEN_OK)
            fail_msg("character %zu does not matter", i);
    }
    /* A second spelling of the same signature: spare bits, padding, the other
     * alphabet, a line feed. */
    memcpy(t, good, n + 1);
    strcpy(t + n, "=");
    assert_int_equal(token_verify(ks, &RULES, slice_str(t), NOW, &c),
                     TOKEN_MALFORMED);
    strcpy(t + n, "\n");
    assert_int_equal(token_verify(ks, &RULES, slice_str(t), NOW, &c),
                     TOKEN_MALFORMED);
    strcpy(t + n, ".x");
    assert_int_equal(token_verify(ks, &RULES, slice_str(t), NOW, &c),
                     TOKEN_MALFORMED);
    assert_int_equal(token_verify(ks, &RULES, SLICE_NULL, NOW, &c),
                     TOKEN_MISSING);
    assert_int_equal(token_verify(ks, &RULES, SLICE(".."), NOW, &c),
                     TOKEN_MALFORMED);
    assert_int_equal(token_verify(ks, &RULES, SLICE("a"), NOW, &c),
                     TOKEN_MALFORMED);
    /* Huge: one byte over the bound, all of it payload. */
    memset(t, 'A', TOKEN_MAX + 1);
    t[4] = '.';
    t[TOKEN_MAX - 4] = '.';
    assert_int_equal(
        token_verify(ks, &RULES, slice_of(t, TOKEN_MAX + 1), NOW, &c),
        TOKEN_MALFORMED);
    free(t);
    free(good);
    EVP_PKEY_free(key);
    keyset_unref(&ks);
}

/* Which key is tried for which token. */
static void
test_key_choice(void **state)
{
    EVP_PKEY *k0 = forge_key(0), *k1 = forge_key(1);
    struct keyset *ks = keyset_new(1);
    static const struct {
        int key;
        const char *header;
        enum token_why want;
        const char *why;
    } row[] = {
        {0, "{\"alg\":\"RS256\",\"kid\":\"ours\"}", TOKEN_OK, "by name"},
        {1, "{\"alg\":\"RS256\",\"kid\":\"ours\"}", TOKEN_SIGNATURE,
         "the other key under that name"},
        {1, "{\"alg\":\"RS256\",\"kid\":\"admin-7\"}", TOKEN_OK,
         "a PEM may have any name at its issuer"},
        {0, "{\"alg\":\"RS256\",\"kid\":\"admin-7\"}", TOKEN_SIGNATURE,
         "our key never under another name"},
        {1, "{\"alg\":\"RS256\"}", TOKEN_OK, "no name: the PEM is tried"},
        {0, "{\"alg\":\"RS256\"}", TOKEN_SIGNATURE,
         "no name, several keys: ours is not guessed"},
    };
    struct claims c;
    (void)state;

    assert_int_equal(keyset_add(ks, forge_key(0), "ours", KEY_OURS, NULL),
                     ERR_OK);
    assert_int_equal(keyset_add(ks, forge_key(1), NULL, KEY_ANY_KID, NULL),
                     ERR_OK);
    for (size_t i = 0; i < countof(row); i++) {
        char *t = forge(row[i].header, "{" GOOD EXP "}", FORGE_RS256,
                        row[i].key ? k1 : k0);

        if (token_verify(ks, &RULES, slice_str(t), NOW, &c) != row[i].want)
            fail_msg("%s", row[i].why);
        free(t);
    }
    EVP_PKEY_free(k0);
    EVP_PKEY_free(k1);
    keyset_unref(&ks);
}

/* Scopes: a list restricts, else permissions, else the role (ING-187). */
static void
test_scopes(void **state)
{
    static const struct {
        const char *claims;
        unsigned scopes;
        const char *why;
    } row[] = {
        {"\"scope\":\"read write\"", SCOPE_READ | SCOPE_WRITE, "a string"},
        {"\"scope\":[\"read\",\"admin\"]", SCOPE_READ | SCOPE_ADMIN, "a list"},
        {"\"scope\":\"read mail.send\"", SCOPE_READ, "words of others"},
        {"\"scope\":\"readx READ\"", 0, "near misses"},
        {"\"scope\":\"read\",\"role\":\"admin\"", SCOPE_READ,
         "a list restricts what the role has"},
        {"\"scope\":\"\",\"role\":\"admin\"", 0, "also when it is empty"},
        {"\"permissions\":[\"delete\"],\"role\":\"admin\"", SCOPE_DELETE,
         "permissions"},
        {"\"role\":\"admin\"", SCOPE_ALL, "role"},
        {"\"role\":\"user\"", SCOPE_READ | SCOPE_WRITE, "role"},
        {"\"role\":\"king\"", 0, "a role that we do not know"},
        {"\"x\":1", 0, "nothing"},
    };
    struct keyset *ks = forge_set(0, "k1", KEY_OURS);
    EVP_PKEY *key = forge_key(0);
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char payload[256], *t;
        struct claims c;

        snprintf(payload, sizeof(payload), "{" GOOD EXP ",%s}", row[i].claims);
        t = forge(H, payload, FORGE_RS256, key);
        assert_int_equal(token_verify(ks, &RULES, slice_str(t), NOW, &c),
                         TOKEN_OK);
        if (c.scopes != row[i].scopes)
            fail_msg("%s: %u", row[i].why, c.scopes);
        free(t);
    }
    assert_true(scope_grants(SCOPE_ADMIN, SCOPE_DELETE));
    assert_false(scope_grants(SCOPE_READ, SCOPE_READ | SCOPE_WRITE));
    assert_true(scope_grants(SCOPE_NONE, SCOPE_NONE));
    EVP_PKEY_free(key);
    keyset_unref(&ks);
}

static void
test_no_demands(void **state)
{
    struct token_conf any = {.leeway = RULES.leeway};
    struct keyset *ks = forge_set(0, "k1", KEY_OURS);
    EVP_PKEY *key = forge_key(0);
    char *t =
        forge(H, "{\"client_id\":\"c\",\"type\":\"service_account\"," EXP "}",
              FORGE_RS256, key);
    struct claims c;
    (void)state;

    assert_int_equal(token_verify(ks, &any, slice_str(t), NOW, &c), TOKEN_OK);
    assert_string_equal(c.client_id, "c");
    assert_int_equal(c.kind, TOKEN_SERVICE_ACCOUNT);
    free(t);
    EVP_PKEY_free(key);
    keyset_unref(&ks);
}

static char *
issue(struct keyset *ks)
{
    struct token_spec spec = {
        .sub = "user-1",
        .username = "ivan\"ov",
        .client_id = "cli",
        .role = "user",
        .audience = "artstore",
        .issuer = "https://admin",
        .kind = TOKEN_USER,
        .scopes = SCOPE_READ | SCOPE_DELETE,
        .now = NOW,
        .life = dur_s(600),
    };
    struct buf b;
    char *out;

    buf_init(&b, TOKEN_MAX);
    buf_add_str(&b, "x"); /* it appends */
    assert_int_equal(token_issue(ks, &spec, &b, NULL), ERR_OK);
    out = strdup(buf_str(&b) + 1);
    buf_release(&b);
    return out;
}

/* ADM-026, ADM-027: what we issue we take, and all of it comes back. */
static void
test_round(void **state)
{
    struct keyset *ks = forge_set(0, NULL, KEY_OURS | KEY_SIGNS);
    struct keyset *other = forge_set(1, NULL, KEY_OURS);
    char *t = issue(ks);
    struct fault f;
    struct buf b;
    struct claims c;
    (void)state;

    assert_int_equal(token_verify(ks, &RULES, slice_str(t), NOW, &c), TOKEN_OK);
    assert_string_equal(c.sub, "user-1");
    assert_string_equal(c.username, "ivan\"ov");
    assert_string_equal(c.client_id, "cli");
    assert_string_equal(c.role, "user");
    assert_int_equal(strlen(c.jti), 36);
    assert_int_equal(c.scopes, SCOPE_READ | SCOPE_DELETE);
    assert_int_equal(c.exp_s, NOW_S + 600);
    assert_int_equal(c.iat_s, NOW_S);
    assert_int_equal(token_verify(other, &RULES, slice_str(t), NOW, &c),
                     TOKEN_KEY_UNKNOWN);
    buf_init(&b, TOKEN_MAX);
    assert_int_equal(
        token_issue(other, &(struct token_spec){.life = dur_s(1)}, &b, &f),
        ERR_UNSUPPORTED);
    assert_int_equal(b.n, 0);
    buf_release(&b);
    free(t);
    keyset_unref(&ks);
    keyset_unref(&other);
}

/* cjose reads our token and our JWKS, and we read a token that it signed. */
static void
test_second_opinion(void **state)
{
    struct keyset *ks = forge_set(0, NULL, KEY_OURS | KEY_SIGNS);
    const char *payload = "{" GOOD EXP ",\"scope\":\"read\"}";
    char *t = issue(ks);
    struct buf b;
    cjose_err err;
    cjose_jwk_t *jwk;
    cjose_jws_t *jws;
    cjose_header_t *h;
    const char *compact;
    struct claims c;
    (void)state;

    buf_init(&b, 64 * KIB);
    assert_true(keyset_jwks(ks, 0, &b));
    /* {"keys": [ ... ]} */
    jwk = cjose_jwk_import(buf_str(&b) + 10, b.n - 12, &err);
    assert_non_null(jwk);
    assert_string_equal(cjose_jwk_get_kid(jwk, &err), ks->key[0].kid);
    jws = cjose_jws_import(t, strlen(t), &err);
    assert_non_null(jws);
    assert_true(cjose_jws_verify(jws, jwk, &err));
    cjose_jws_release(jws);
    cjose_jwk_release(jwk);
    free(t);
    buf_release(&b);

    /* The other way: a JWK with the private half from cjose's own key. */
    keyset_unref(&ks);
    jwk = cjose_jwk_create_RSA_random(2048, (const uint8_t *)"\1\0\1", 3, &err);
    assert_non_null(jwk);
    assert_true(cjose_jwk_set_kid(jwk, "theirs", 6, &err));
    h = cjose_header_new(&err);
    assert_true(cjose_header_set(h, CJOSE_HDR_ALG, "RS256", &err));
    assert_true(cjose_header_set(h, CJOSE_HDR_KID, "theirs", &err));
    jws =
        cjose_jws_sign(jwk, h, (const uint8_t *)payload, strlen(payload), &err);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &compact, &err));
    t = cjose_jwk_to_json(jwk, false, &err);
    assert_non_null(t);
    ks = keyset_new(1);
    assert_int_equal(keyset_add_jwks(ks, slice_str(t), NULL), ERR_OK);
    assert_int_equal(token_verify(ks, &RULES, slice_str(compact), NOW, &c),
                     TOKEN_OK);
    assert_int_equal(c.scopes, SCOPE_READ);
    free(t);
    cjose_jws_release(jws);
    cjose_header_release(h);
    cjose_jwk_release(jwk);
    keyset_unref(&ks);
}

/* Printed, not judged; a key of 3,072 bits as in production. */
static void
test_speed(void **state)
{
    struct keyset *ks = keyset_new(1);
    struct timespec a, b;
    enum { N = 500 };
    struct claims c;
    char *t;
    (void)state;

    assert_int_equal(
        keyset_add(ks, EVP_RSA_gen(3072), NULL, KEY_OURS | KEY_SIGNS, NULL),
        ERR_OK);
    t = issue(ks);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < N; i++)
        assert_int_equal(token_verify(ks, &RULES, slice_str(t), NOW, &c),
                         TOKEN_OK);
    clock_gettime(CLOCK_MONOTONIC, &b);
    print_message("a token of %zu bytes: %.1f us per check\n", strlen(t),
                  ((double)(b.tv_sec - a.tv_sec) * 1e6 +
                   (double)(b.tv_nsec - a.tv_nsec) / 1e3) /
                      N);
    free(t);
    keyset_unref(&ks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_shape),
        cmocka_unit_test(test_key_choice),     cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_no_demands),     cmocka_unit_test(test_round),
        cmocka_unit_test(test_second_opinion), cmocka_unit_test(test_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
