/* known_test.c - the answers that the standards give, from every set of
 * kernels. SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "base/hex.h"
#include "hash/test_cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct known {
    const char *text;
    const char *digest;
    const char *why;
};

static const struct known md5_known[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e", "RFC 1321 A.5: nothing"},
    {"a", "0cc175b9c0f1b6a831c399e269772661", "RFC 1321 A.5: one byte"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72", "RFC 1321 A.5: three bytes"},
    {"message digest", "f96b697d7cb7938d525a2f31aaf161d0", "RFC 1321 A.5: 14"},
    {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b",
     "RFC 1321 A.5: 26"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     "d174ab98d277d9f5a5611c2c9f419d9f", "RFC 1321 A.5: 62, two blocks"},
    {"12345678901234567890123456789012345678901234567890123456789012345678901"
     "234567890",
     "57edf4a22be3c955ac49da2e2107b67a", "RFC 1321 A.5: 80, past one block"},
};

static const struct known sha256_known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "FIPS 180-4: nothing"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "FIPS 180-4 examples: one block"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
     "FIPS 180-4 examples: 56 bytes, the padding does not fit"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmno"
     "pjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
     "FIPS 180-4 examples: 112 bytes"},
};

static void
digests(const struct hash_kernels *k, const char *text,
        struct hash_digests *out)
{
    struct hash_state s;
    struct hash_job j = {&s, (const uint8_t *)text, strlen(text)};

    hash_init(&s);
    hash_run(k, &j, 1);
    hash_final(k, &s, out);
}

static void
test_known(void **state)
{
    const struct hash_kernels *k;
    char hex[2 * HASH_SHA256_SIZE + 1];
    (void)state;

    for (unsigned i = 0; (k = test_kernels(i)) != NULL; i++) {
        struct hash_digests d;

        for (size_t r = 0; r < countof(md5_known); r++) {
            digests(k, md5_known[r].text, &d);
            hex_encode(d.md5, HASH_MD5_SIZE, hex);
            if (strcmp(hex, md5_known[r].digest) != 0)
                fail_msg("%s: %s", hash_kernels_name(k), md5_known[r].why);
        }
        for (size_t r = 0; r < countof(sha256_known); r++) {
            digests(k, sha256_known[r].text, &d);
            hex_encode(d.sha256, HASH_SHA256_SIZE, hex);
            if (strcmp(hex, sha256_known[r].digest) != 0)
                fail_msg("%s: %s", hash_kernels_name(k), sha256_known[r].why);
        }
    }
    assert_true(test_kernels(0) != NULL); /* "c" at least was tried */
}

/* FIPS 180-4 examples: a million times "a", here by many jobs for one state
 * and many states at once. */
static void
test_million(void **state)
{
    enum { N = 5, CHUNK = 8000 };
    static const char *md5 = "7707d6ae4e027c70eea2a935c2296f21";
    static const char *sha256 =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    const struct hash_kernels *k;
    uint8_t *as = malloc(CHUNK);
    char hex[2 * HASH_SHA256_SIZE + 1];
    (void)state;

    assert_non_null(as);
    memset(as, 'a', CHUNK);
    for (unsigned i = 0; (k = test_kernels(i)) != NULL; i++) {
        struct hash_state s[N];
        struct hash_job j[N];
        struct hash_digests d;

        for (unsigned n = 0; n < N; n++) {
            hash_init(&s[n]);
            j[n] = (struct hash_job){&s[n], as, CHUNK};
        }
        for (unsigned done = 0; done < 1000000; done += CHUNK)
            hash_run(k, j, N);
        for (unsigned n = 0; n < N; n++) {
            hash_final(k, &s[n], &d);
            assert_string_equal(hex_encode(d.md5, HASH_MD5_SIZE, hex), md5);
            assert_string_equal(hex_encode(d.sha256, HASH_SHA256_SIZE, hex),
                                sha256);
        }
    }
    free(as);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
