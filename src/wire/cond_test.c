/* cond_test.c - tests of cond.h (D21). SPDX-License-Identifier: Apache-2.0 */
#include "wire/cond.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define OLD  "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATE "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct http_validators there = {
    .exists = true,
    .etag = {{"a", 1}, false},
    .has_modified = true,
    .modified = {784111777999}, /* SAME, and a bit */
};
static const struct http_validators weak = {
    .exists = true,
    .etag = {{"a", 1}, true},
};
static const struct http_validators missing = {.exists = false};

static enum http_cond
eval(const char *method, const char *fields, const struct http_validators *v)
{
    struct http_scan scan = {0};
    struct http_head h;
    char in[1000];
    int n = snprintf(in, sizeof(in), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                     method, fields);

    assert_int_equal(
        http_head_parse(&h, &scan, &HTTP_LIMITS_DEFAULT, in, (size_t)n),
        HTTP_OK);
    return http_cond_eval(&h, v, (struct wall){1735831845000});
}

static void
test_eval(void **state)
{
    static const struct {
        const char *method;
        const char *fields;
        const struct http_validators *v;
        enum http_cond want;
        const char *why;
    } row[] = {
        {"GET", "", &there, HTTP_COND_PROCEED, "no condition"},
        /* If-Match */
        {"GET", "If-Match: \"a\"\r\n", &there, HTTP_COND_PROCEED, "match"},
        {"PUT", "If-Match: \"b\", \"a\"\r\n", &there, HTTP_COND_PROCEED,
         "second"},
        {"PUT", "If-Match: \"b\"\r\nIf-Match: \"a\"\r\n", &there,
         HTTP_COND_PROCEED, "second line"},
        {"PUT", "If-Match: \"b\"\r\n", &there, HTTP_COND_FAILED, "none"},
        {"PUT", "If-Match: W/\"a\"\r\n", &there, HTTP_COND_FAILED,
         "weak is not enough"},
        {"PUT", "If-Match: \"a\"\r\n", &weak, HTTP_COND_FAILED, "ours is weak"},
        {"PUT", "If-Match: *\r\n", &there, HTTP_COND_PROCEED, "any"},
        {"PUT", "If-Match: *\r\n", &missing, HTTP_COND_FAILED, "any of none"},
        {"PUT", "If-Match: \"a\"\r\n", &missing, HTTP_COND_FAILED, "of none"},
        {"PUT", "If-Match: a\r\n", &there, HTTP_COND_FAILED, "malformed"},
        {"PUT", "If-Match:\r\n", &there, HTTP_COND_FAILED, "empty"},
        {"PUT", "If-Match: \"a\"\r\nIf-Unmodified-Since: " OLD "\r\n", &there,
         HTTP_COND_PROCEED, "If-Match goes before the date"},
        /* If-Unmodified-Since */
        {"PUT", "If-Unmodified-Since: " OLD "\r\n", &there, HTTP_COND_FAILED,
         "modified later"},
        {"PUT", "If-Unmodified-Since: " SAME "\r\n", &there, HTTP_COND_PROCEED,
         "in the same second"},
        {"PUT", "If-Unmodified-Since: yesterday\r\n", &there, HTTP_COND_PROCEED,
         "not a date"},
        {"PUT", "If-Unmodified-Since: " OLD "\r\n", &weak, HTTP_COND_PROCEED,
         "nothing to compare with"},
        /* If-None-Match */
        {"GET", "If-None-Match: \"a\"\r\n", &there, HTTP_COND_NOT_MODIFIED,
         "the same"},
        {"HEAD", "If-None-Match: \"a\"\r\n", &there, HTTP_COND_NOT_MODIFIED,
         "HEAD too"},
        {"PUT", "If-None-Match: \"a\"\r\n", &there, HTTP_COND_FAILED,
         "the same, writing"},
        {"GET", "If-None-Match: W/\"a\"\r\n", &there, HTTP_COND_NOT_MODIFIED,
         "weak is enough"},
        {"GET", "If-None-Match: \"b\"\r\n", &there, HTTP_COND_PROCEED,
         "another"},
        {"PUT", "If-None-Match: *\r\n", &there, HTTP_COND_FAILED, "create"},
        {"PUT", "If-None-Match: *\r\n", &missing, HTTP_COND_PROCEED, "create"},
        {"GET", "If-None-Match: *\r\n", &there, HTTP_COND_NOT_MODIFIED, "any"},
        {"GET", "If-None-Match: a\r\n", &there, HTTP_COND_PROCEED,
         "malformed, reading"},
        {"PUT", "If-None-Match: a\r\n", &there, HTTP_COND_FAILED,
         "malformed, writing"},
        {"GET", "If-None-Match: \"b\"\r\nIf-Modified-Since: " LATE "\r\n",
         &there, HTTP_COND_PROCEED, "If-None-Match goes before the date"},
        /* If-Modified-Since */
        {"GET", "If-Modified-Since: " SAME "\r\n", &there,
         HTTP_COND_NOT_MODIFIED, "same second"},
        {"GET", "If-Modified-Since: " LATE "\r\n", &there,
         HTTP_COND_NOT_MODIFIED, "later"},
        {"GET", "If-Modified-Since: " OLD "\r\n", &there, HTTP_COND_PROCEED,
         "modified since"},
        {"PUT", "If-Modified-Since: " LATE "\r\n", &there, HTTP_COND_PROCEED,
         "only for reading"},
        /* both pairs */
        {"GET", "If-Match: \"a\"\r\nIf-None-Match: \"a\"\r\n", &there,
         HTTP_COND_NOT_MODIFIED, "the second decides"},
        {"GET", "If-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", &there,
         HTTP_COND_FAILED, "the first decides"},
        /* If-Range */
        {"GET", "Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", &there,
         HTTP_COND_PROCEED, "holds"},
        {"GET", "Range: bytes=0-1\r\nIf-Range: \"b\"\r\n", &there,
         HTTP_COND_IGNORE_RANGE, "does not"},
        {"GET", "Range: bytes=0-1\r\nIf-Range: W/\"a\"\r\n", &there,
         HTTP_COND_IGNORE_RANGE, "weak is not enough"},
        {"GET", "Range: bytes=0-1\r\nIf-Range: \"a\", \"b\"\r\n", &there,
         HTTP_COND_IGNORE_RANGE, "not a list"},
        {"GET", "Range: bytes=0-1\r\nIf-Range: " SAME "\r\n", &there,
         HTTP_COND_PROCEED, "a date"},
        {"GET", "Range: bytes=0-1\r\nIf-Range: " LATE "\r\n", &there,
         HTTP_COND_IGNORE_RANGE, "a later date is another"},
        {"GET", "Range: bytes=0-1\r\nIf-Range: x\r\n", &there,
         HTTP_COND_IGNORE_RANGE, "malformed"},
        {"GET", "If-Range: \"b\"\r\n", &there, HTTP_COND_PROCEED,
         "nothing to ignore"},
        {"GET",
         "Range: bytes=0-1\r\nIf-Range: \"b\"\r\nIf-None-Match: \"a\"\r\n",
         &there, HTTP_COND_NOT_MODIFIED, "304 goes first"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (eval(row[i].method, row[i].fields, row[i].v) != row[i].want)
            fail_msg("%s %s: %s", row[i].method, row[i].fields, row[i].why);
}

static void
test_etags(void **state)
{
    static const char *const bad[] = {
        "a",       "\"a",    "a\"",        "w/\"a\"",     "W/a",
        "\"a b\"", "\"\t\"", "\"a\"\"b\"", "\"a\" \"b\"", "W/ \"a\""};
    struct slice rest = SLICE(" , \"\",W/\"x,y\" , \"\xff!\" ,");
    struct http_etag e;
    (void)state;

    assert_int_equal(http_etag_next(&rest, &e), HTTP_ETAG_OK);
    assert_true(!e.weak && e.tag.n == 0);
    assert_int_equal(http_etag_next(&rest, &e), HTTP_ETAG_OK);
    assert_true(e.weak && slice_eq(e.tag, SLICE("x,y")));
    assert_int_equal(http_etag_next(&rest, &e), HTTP_ETAG_OK);
    assert_true(slice_eq(e.tag, SLICE("\xff!")));
    assert_int_equal(http_etag_next(&rest, &e), HTTP_ETAG_END);
    for (size_t i = 0; i < countof(bad); i++) {
        rest = slice_str(bad[i]);
        if (http_etag_next(&rest, &e) != HTTP_ETAG_BAD)
            fail_msg("%s", bad[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eval),
        cmocka_unit_test(test_etags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
