/* media_test.c - tests of media.h and utf8.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/media.h"
#include "wire/param.h"
#include "wire/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_parse(void **state)
{
    static const char *const bad[] = {"",       "text",      "text/",
                                      "/a",     "a/b/c",     "a b/c",
                                      "a/b; x", "a/b; x=\"", "a/b c=d"};
    struct media_type m;
    struct slice v;
    bool q;
    (void)state;

    assert_true(media_parse(SLICE("Text/Plain ; charset=\"utf-8\""), &m));
    assert_true(slice_eq(m.type, SLICE("Text")));
    assert_true(slice_eq(m.subtype, SLICE("Plain")));
    assert_true(slice_eq(m.essence, SLICE("Text/Plain")));
    assert_int_equal(http_param_find(m.params, SLICE("charset"), &v, &q),
                     HTTP_PARAM_OK);
    assert_true(slice_eq(v, SLICE("utf-8")));
    for (size_t i = 0; i < countof(bad); i++)
        if (media_parse(slice_str(bad[i]), &m))
            fail_msg("%s", bad[i]);
}

static void
test_accept(void **state)
{
    static const struct {
        const char *in;
        const char *media;
        unsigned q;
        bool named;
        const char *why;
    } row[] = {
        {NULL, "a/b", 1000, false, "no field"},
        {"", "a/b", 0, false, "nothing is wanted"},
        {"a/b", "a/b", 1000, true, "itself"},
        {"A/B;q=0.5", "a/b", 500, true, "any case, a weight"},
        {"*/*;q=0.1", "a/b", 100, false, "anything"},
        {"a/*;q=0.25, */*", "a/b", 250, false, "the more specific"},
        {"a/b;q=0, a/*", "a/b", 0, false, "excluded"},
        {"a/b;q=0.123, a/b;q=0.2", "a/b", 200, true, "the larger of two"},
        {"a/b;q=2", "a/b", 0, false, "over 1: passed over"},
        {"a/b;q=1.001", "a/b", 0, false, "over 1"},
        {"a/b;q=0.1234", "a/b", 0, false, "too long"},
        {"a/b;q=.5", "a/b", 0, false, "no zero"},
        {"ab/*", "a/b", 0, false, "another type"},
        {"text/html, application/problem+json;q=0.9, */*;q=0.8",
         "application/problem+json", 900, true, "D16"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (accept_media(slice_str(row[i].in), slice_str(row[i].media)) !=
                row[i].q ||
            accept_names(slice_str(row[i].in), slice_str(row[i].media)) !=
                row[i].named)
            fail_msg("%s: %s", row[i].in, row[i].why);
}

static void
test_coding(void **state)
{
    static const struct {
        const char *in;
        const char *coding;
        unsigned q;
        const char *why;
    } row[] = {
        {NULL, "gzip", 1000, "no field"},
        {"", "gzip", 0, "nothing but identity"},
        {"", "identity", 1, "identity"},
        {"gzip, br;q=0.5", "br", 500, "a weight"},
        {"GZIP", "gzip", 1000, "any case"},
        {"gzip", "identity", 1, "not excluded"},
        {"*;q=0", "identity", 0, "excluded by the star"},
        {"identity;q=0", "identity", 0, "excluded"},
        {"gzip;q=0, *", "gzip", 0, "excluded by name"},
        {"*;q=0.3", "zstd", 300, "the star"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (accept_coding(slice_str(row[i].in), slice_str(row[i].coding)) !=
            row[i].q)
            fail_msg("%s: %s", row[i].in, row[i].why);
}

static void
test_utf8(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *why;
    } row[] = {
        {"", true, "nothing"},
        {"a\x7f", true, "ASCII"},
        {"\xc2\x80\xdf\xbf", true, "two bytes, ends of the range"},
        {"\xe0\xa0\x80\xef\xbf\xbf", true, "three"},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true, "four"},
        {"\xed\x9f\xbf\xee\x80\x80", true, "around the surrogates"},
        {"\xc0\x80", false, "overlong NUL"},
        {"\xc1\xbf", false, "overlong"},
        {"\xe0\x9f\xbf", false, "overlong"},
        {"\xf0\x8f\xbf\xbf", false, "overlong"},
        {"\xed\xa0\x80", false, "a surrogate"},
        {"\xf4\x90\x80\x80", false, "above U+10FFFF"},
        {"\xf5\x80\x80\x80", false, "above"},
        {"\x80", false, "a tail alone"},
        {"\xc3", false, "cut"},
        {"\xe2\x82", false, "cut"},
        {"\xf0\x9f\x98", false, "cut"},
        {"\xe2\x28\xa1", false, "no tail"},
        {"\xff", false, "never"},
    };
    struct slice s = SLICE("a\xe2\x82\xac"
                           "b");
    uint32_t c;
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (utf8_valid(slice_str(row[i].in)) != row[i].ok)
            fail_msg("row %zu: %s", i, row[i].why);
    assert_int_equal(utf8_next(slice_skip(s, 1), &c), 3);
    assert_int_equal(c, 0x20ac);
    assert_int_equal(utf8_head(s, 3).n, 1);
    assert_int_equal(utf8_head(s, 4).n, 4);
    assert_int_equal(utf8_head(s, 9).n, 5);
    assert_int_equal(utf8_head(s, 0).n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_coding),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
