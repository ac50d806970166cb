/* seal_test.c - a seal says what was sealed, to who has the keys; and nothing
 * else is one. SPDX-License-Identifier: Apache-2.0 */
#include "sec/seal.h"
#include "base/base.h"
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct keyset *
one_key(void)
{
    struct keyset *ks = keyset_new(1);

    assert_non_null(ks);
    assert_int_equal(
        keyset_add(ks, EVP_RSA_gen(2048), NULL, KEY_OURS | KEY_SIGNS, NULL),
        ERR_OK);
    return ks;
}

static void
test_seal(void **state)
{
    const struct seal s = {{3, 57, {1, 2, 0xff}}, {1700000000123}};
    const struct token_spec spec = {.sub = "x", .life = dur_s(60)};
    struct keyset *ks = one_key(), *other = one_key();
    struct claims claims;
    struct seal got;
    struct buf b;
    (void)state;

    buf_init(&b, 8 * KIB);
    assert_int_equal(seal_make(ks, &s, &b, NULL), ERR_OK);
    assert_int_equal(seal_read(ks, buf_slice(&b), &got), TOKEN_OK);
    assert_memory_equal(&got, &s, sizeof(s));
    assert_true(seal_parse(buf_slice(&b), &got));
    assert_memory_equal(&got, &s, sizeof(s));

    /* Of somebody else's key, and no token. */
    assert_int_equal(seal_read(other, buf_slice(&b), &got), TOKEN_KEY_UNKNOWN);
    assert_int_equal(got.head.n, 0);
    assert_int_equal(
        token_verify(ks, &(struct token_conf){0}, buf_slice(&b), s.at, &claims),
        TOKEN_MALFORMED);
    for (size_t i = 0; i < b.n; i += 7) { /* a bit of it */
        b.p[i] ^= 1;
        assert_int_not_equal(seal_read(ks, buf_slice(&b), &got), TOKEN_OK);
        b.p[i] ^= 1;
    }
    assert_int_equal(seal_read(ks, SLICE(""), &got), TOKEN_MISSING);
    /* A token is no seal. */
    buf_clear(&b);
    assert_int_equal(token_issue(ks, &spec, &b, NULL), ERR_OK);
    assert_int_equal(seal_read(ks, buf_slice(&b), &got), TOKEN_MALFORMED);
    assert_false(seal_parse(buf_slice(&b), &got));
    buf_release(&b);
    keyset_unref(&ks);
    keyset_unref(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seal)};

    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
