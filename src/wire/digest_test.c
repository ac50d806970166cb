/* digest_test.c - tests of digest.h and sfdict.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/digest.h"
#include "base/hex.h"
#include "wire/sfdict.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Of {"hello": "world"} and a line end: RFC 9530 appendix B. */
#define SHA256 "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="
#define MD5    "1B2M2Y8AsgTpgAmY7PhCfg==" /* of nothing */
#define SHA512                                                 \
    "YMAam51Jz/jOATT6/"                                        \
    "zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ" \
    "/WkppmM44T3qg=="

static void
test_digest(void **state)
{
    static const struct {
        const char *in;
        enum err e;
        bool sha256, md5;
        const char *why;
    } row[] = {
        {"sha-256=:" SHA256 ":", ERR_OK, true, false, "plain"},
        {"sha-256=:" SHA256 ":, md5=:" MD5 ":", ERR_OK, true, true, "both"},
        {"sha-512=:" SHA512 ":", ERR_OK, false, false, "passed over"},
        {"sha-512=:" SHA512 ":,\tmd5=:" MD5 ":;a=b;c", ERR_OK, false, true,
         "passed over; parameters"},
        {"x=1, y=?0, z, t=tok, s=\"a\\\"b\", d=-1.5, l=(1 2;a b), md5=:" MD5
         ":",
         ERR_OK, false, true, "every type is passed over"},
        {"", ERR_OK, false, false, "an empty dictionary"},
        {"md5=:" MD5 ":, md5=:" MD5 ":", ERR_OK, false, true, "twice same"},
        {"md5=:" MD5 ":, md5=:AAAAAAAAAAAAAAAAAAAAAA==:", ERR_CONFLICT, false,
         true, "twice, not the same"},
        {"sha-256=:" MD5 ":", ERR_INVAL, false, false, "too short"},
        {"md5=:" SHA256 ":", ERR_INVAL, false, false, "too long"},
        {"sha-256=" SHA256, ERR_INVAL, false, false, "no colons"},
        {"sha-256=:" SHA256, ERR_INVAL, false, false, "one colon"},
        {"sha-256=::", ERR_INVAL, false, false, "empty"},
        {"sha-256", ERR_INVAL, false, false, "no value"},
        {"sha-256=10", ERR_INVAL, false, false, "a number"},
        {"SHA-256=:" SHA256 ":", ERR_INVAL, false, false, "keys have a case"},
        {"sha-256=:" SHA256 ":,", ERR_INVAL, false, false, "comma at the end"},
        {"sha-256 =:" SHA256 ":", ERR_INVAL, false, false, "blank"},
        {"x=(1 2", ERR_INVAL, false, false, "open list"},
        {"x=\"a", ERR_INVAL, false, false, "open string"},
        {"x=1.2345", ERR_INVAL, false, false, "long fraction"},
        {"x=1234567890123456", ERR_INVAL, false, false, "long number"},
        {"x=1;", ERR_INVAL, false, false, "no parameter"},
        {"x=?2", ERR_INVAL, false, false, "no boolean"},
        {"x=", ERR_INVAL, false, false, "no value"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct digest_set set = {0};
        enum err e = digest_parse(slice_str(row[i].in), &set);

        if (e != row[i].e || set.has_sha256 != row[i].sha256 ||
            set.has_md5 != row[i].md5)
            fail_msg("%s (%s): %s", row[i].in, row[i].why, err_name(e));
    }
}

static void
test_others(void **state)
{
    static const char nothing[] = "d41d8cd98f00b204e9800998ecf8427e";
    struct digest_set a = {0}, b = {0};
    (void)state;

    assert_int_equal(digest_parse_md5(SLICE(MD5), &a), ERR_OK);
    assert_int_equal(digest_parse_hex_md5(slice_str(nothing), &b), ERR_OK);
    assert_memory_equal(a.md5, b.md5, 16);
    assert_int_equal(digest_parse_hex_md5(slice_str(nothing), &a), ERR_OK);
    assert_int_equal(digest_parse_md5(SLICE("AAAAAAAAAAAAAAAAAAAAAA=="), &a),
                     ERR_CONFLICT);
    assert_int_equal(digest_parse_md5(SLICE("AAAA"), &a), ERR_INVAL);
    assert_int_equal(digest_parse_hex_md5(SLICE(""), &a), ERR_OK);
    assert_int_equal(digest_parse_hex_sha256(SLICE("00"), &a), ERR_INVAL);
    assert_false(a.has_sha256);
}

static void
test_head(void **state)
{
    static const char in[] = "PUT / HTTP/1.1\r\nHost: a\r\n"
                             "Content-MD5: " MD5 "\r\n"
                             "Repr-Digest: md5=:" MD5 ":\r\n"
                             "Content-Digest: sha-512=:" SHA512 ":\r\n"
                             "content-digest: sha-256=:" SHA256 ":\r\n\r\n";
    struct digest_set set = {0};
    struct http_scan scan = {0};
    struct http_head h;
    struct buf b;
    (void)state;

    assert_int_equal(
        http_head_parse(&h, &scan, &HTTP_LIMITS_DEFAULT, in, sizeof(in) - 1),
        HTTP_OK);
    assert_int_equal(digest_of_head(&h, &set), ERR_OK);
    buf_init(&b, 1000);
    digest_format(&b, &set);
    assert_string_equal(buf_str(&b), "sha-256=:" SHA256 ":, md5=:" MD5 ":");
    buf_clear(&b);
    set.has_sha256 = false;
    digest_format(&b, &set);
    assert_string_equal(buf_str(&b), "md5=:" MD5 ":");
    buf_release(&b);
}

static void
test_want(void **state)
{
    unsigned sha256, md5;
    struct buf b;
    (void)state;

    assert_true(
        digest_parse_want(SLICE("sha-256=10, sha-512=3"), &sha256, &md5));
    assert_true(sha256 == 10 && md5 == 0);
    assert_false(digest_parse_want(SLICE("sha-256=11"), &sha256, &md5));
    assert_false(digest_parse_want(SLICE("sha-256=-1"), &sha256, &md5));
    assert_false(digest_parse_want(SLICE("sha-256"), &sha256, &md5));
    buf_init(&b, 100);
    digest_format_want(&b, 10, 3);
    assert_string_equal(buf_str(&b), "sha-256=10, md5=3");
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_want),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
