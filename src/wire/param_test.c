/* param_test.c - tests of param.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/param.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_next(void **state)
{
    struct slice rest = SLICE(" ; a=b;;\tC = d"), n, v;
    bool q;
    (void)state;

    assert_int_equal(http_param_next(&rest, &n, &v, &q), HTTP_PARAM_OK);
    assert_true(slice_eq(n, SLICE("a")) && slice_eq(v, SLICE("b")) && !q);
    /* Blanks around '=' are not allowed (RFC 9110 section 5.6.6). */
    assert_int_equal(http_param_next(&rest, &n, &v, &q), HTTP_PARAM_BAD);
    rest = SLICE(";a=\"x\\\"y;z\" ; b=\"\"");
    assert_int_equal(http_param_next(&rest, &n, &v, &q), HTTP_PARAM_OK);
    assert_true(slice_eq(v, SLICE("x\\\"y;z")) && q);
    assert_int_equal(http_param_next(&rest, &n, &v, &q), HTTP_PARAM_OK);
    assert_true(v.n == 0 && q);
    assert_int_equal(http_param_next(&rest, &n, &v, &q), HTTP_PARAM_END);
    rest = SLICE("a=b;c=d"); /* Forwarded begins without ';' */
    assert_int_equal(http_pair_first(&rest, &n, &v, &q), HTTP_PARAM_OK);
    assert_int_equal(http_param_next(&rest, &n, &v, &q), HTTP_PARAM_OK);
    assert_true(slice_eq(n, SLICE("c")));
}

static void
test_bad(void **state)
{
    static const char *const bad[] = {
        "a=b",       ";a",       ";a=",    ";=b",    ";a=b c", ";a=\"b",
        ";a=\"b\"c", ";a=\"b\\", ";a b=c", ";a=b=c", ";a=(b)"};
    struct slice v;
    bool q;
    (void)state;

    for (size_t i = 0; i < countof(bad); i++)
        if (http_param_find(slice_str(bad[i]), SLICE("zz"), &v, &q) !=
            HTTP_PARAM_BAD)
            fail_msg("%s", bad[i]);
}

static void
test_find(void **state)
{
    struct slice s = SLICE(";a=1;B=2;c=3;C=4"), v;
    bool q;
    (void)state;

    assert_int_equal(http_param_find(s, SLICE("b"), &v, &q), HTTP_PARAM_OK);
    assert_true(slice_eq(v, SLICE("2")));
    assert_int_equal(http_param_find(s, SLICE("d"), &v, &q), HTTP_PARAM_END);
    assert_int_equal(http_param_find(s, SLICE("c"), &v, &q), HTTP_PARAM_BAD);
    assert_int_equal(http_param_find(SLICE(""), SLICE("a"), &v, &q),
                     HTTP_PARAM_END);
}

static void
test_unquote(void **state)
{
    char out[32];
    (void)state;

    assert_true(
        slice_eq(slice_of(out, http_unquote(SLICE("a\\\"\\\\\\b\\"), out)),
                 SLICE("a\"\\b\\")));
    assert_true(slice_eq(
        slice_of(out, http_unquote_filename(SLICE("C:\\b\\\\%22%2"), out)),
        SLICE("C:\\b\\\"%2")));
}

static void
test_ext(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
        const char *why;
    } row[] = {
        {"UTF-8''%c2%a3%20and%20%e2%82%ac%20rates",
         "\xc2\xa3 and \xe2\x82\xac rates", "of RFC 8187"},
        {"utf-8'en'a-b.c", "a-b.c", "any case, a language"},
        {"UTF-8''", "", "empty"},
        {"iso-8859-1'en'%A3", NULL, "another charset"},
        {"UTF-8'a", NULL, "one mark"},
        {"a", NULL, "no marks"},
        {"UTF-8''a b", NULL, "a blank"},
        {"UTF-8''a%2", NULL, "cut"},
        {"UTF-8''%zz", NULL, "no digits"},
        {"UTF-8''%ff", NULL, "not UTF-8"},
        {"UTF-8''a%00", NULL, "NUL"},
        {"UTF-8''a'b", NULL, "three marks"},
    };
    char out[64];
    size_t n;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = http_ext_value(slice_str(row[i].in), out, &n);

        if (ok != (row[i].out != NULL) ||
            (ok && !slice_eq(slice_of(out, n), slice_str(row[i].out))))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_find), cmocka_unit_test(test_unquote),
        cmocka_unit_test(test_ext),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
