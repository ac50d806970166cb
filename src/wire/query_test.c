/* query_test.c - tests of query.h and form.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/form.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_decode(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
        const char *why;
    } row[] = {
        {"", "", "nothing"},
        {"abc", "abc", "plain"},
        {"%41%7a%2f%2F", "Az//", "both cases"},
        {"a+b", "a+b", "a plus is a plus"},
        {"%d0%96", "\xd0\x96", "UTF-8"},
        {"%ff", "\xff", "not UTF-8: the caller's business"},
        {"%25%32%35", "%25", "once only"},
        {"%", NULL, "cut"},
        {"%4", NULL, "cut"},
        {"%4g", NULL, "not hexadecimal"},
        {"%%41", NULL, "not hexadecimal"},
        {"%+1", NULL, "a sign"},
        {"%u0041", NULL, "a habit of old IIS"},
        {"a%00b", NULL, "NUL"},
    };
    char out[32];
    size_t n;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = pct_decode(slice_str(row[i].in), out, &n);

        if (ok != (row[i].out != NULL) ||
            (ok && !slice_eq(slice_of(out, n), slice_str(row[i].out))))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

static void
test_round_trip(void **state)
{
    struct prng r;
    struct buf b;
    char in[50], out[200];
    size_t n;
    (void)state;

    prng_init(&r, 4);
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) {
        size_t len = prng_below(&r, sizeof(in));

        for (size_t k = 0; k < len; k++)
            in[k] = (char)(1 + prng_below(&r, 255));
        buf_clear(&b);
        assert_true(pct_encode(&b, slice_of(in, len), i % 2));
        assert_true(pct_decode(buf_slice(&b), out, &n));
        assert_true(slice_eq(slice_of(out, n), slice_of(in, len)));
    }
    buf_clear(&b);
    pct_encode(&b, SLICE("a/b ~\xd0"), true);
    assert_string_equal(buf_str(&b), "a/b%20~%D0");
    buf_clear(&b);
    pct_encode(&b, SLICE("a/b"), false);
    assert_string_equal(buf_str(&b), "a%2Fb");
    buf_release(&b);
}

static void
test_pairs(void **state)
{
    struct slice k, v;
    struct query q;
    char text[16];
    (void)state;

    query_init(&q, SLICE("&a=1&&b&c=&%3d+=x%26y=z&"), text, sizeof(text), 9);
    assert_int_equal(query_next(&q, &k, &v), QUERY_OK);
    assert_true(slice_eq(k, SLICE("a")) && slice_eq(v, SLICE("1")));
    assert_int_equal(query_next(&q, &k, &v), QUERY_OK);
    assert_true(slice_eq(k, SLICE("b")) && v.p == NULL);
    assert_int_equal(query_next(&q, &k, &v), QUERY_OK);
    assert_true(slice_eq(k, SLICE("c")) && v.p && v.n == 0);
    assert_int_equal(query_next(&q, &k, &v), QUERY_OK);
    assert_true(slice_eq(k, SLICE("= ")) && slice_eq(v, SLICE("x&y=z")));
    assert_int_equal(query_next(&q, &k, &v), QUERY_END);

    query_init(&q, SLICE("a=1&b=2&c=3"), text, sizeof(text), 2);
    assert_int_equal(query_next(&q, &k, &v), QUERY_OK);
    assert_int_equal(query_next(&q, &k, &v), QUERY_OK);
    assert_int_equal(query_next(&q, &k, &v), QUERY_LONG); /* a third */
    query_init(&q, SLICE("abcdefgh=01234567"), text, sizeof(text), 2);
    assert_int_equal(query_next(&q, &k, &v), QUERY_LONG); /* 17 bytes */
    query_init(&q, SLICE("a=%4"), text, sizeof(text), 2);
    assert_int_equal(query_next(&q, &k, &v), QUERY_BAD);
    query_init(&q, SLICE_NULL, text, sizeof(text), 2);
    assert_int_equal(query_next(&q, &k, &v), QUERY_END);
}

static void
test_get(void **state)
{
    struct slice s = SLICE("x=1&filename=a+b%20c.txt&y=2&e=&f&y=3&z=%");
    char out[12];
    size_t n;
    (void)state;

    assert_int_equal(query_get(s, SLICE("filename"), out, 12, &n), QUERY_OK);
    assert_string_equal(out, "a b c.txt");
    assert_int_equal(n, 9);
    assert_int_equal(query_get(s, SLICE("x"), out, 2, NULL), QUERY_OK);
    assert_int_equal(query_get(s, SLICE("x"), out, 1, NULL), QUERY_LONG);
    assert_int_equal(query_get(s, SLICE("nope"), out, 12, NULL), QUERY_END);
    assert_string_equal(out, "");
    assert_int_equal(query_get(s, SLICE("e"), out, 12, &n), QUERY_OK);
    assert_int_equal(n, 0);
    assert_int_equal(query_get(s, SLICE("f"), out, 12, &n), QUERY_OK);
    assert_int_equal(query_get(s, SLICE("y"), out, 12, &n), QUERY_BAD);
    assert_int_equal(query_get(s, SLICE("z"), out, 12, &n), QUERY_BAD);
    assert_int_equal(query_get(SLICE("%78=1"), SLICE("x"), out, 12, &n),
                     QUERY_OK);
}

static void
test_path(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* segments, each behind a '|'; "!" refused */
        const char *why;
    } row[] = {
        {"/", "|", "root"},
        {"/a/b", "|a|b", "two"},
        {"/a/", "|a|", "an empty one at the end"},
        {"/a%20b/%d0%96", "|a b|\xd0\x96", "decoded"},
        {"//a", "||a", "an empty one at the front"},
        {"*", "!", "not a path"},
        {"/a/../b", "|a!", "up"},
        {"/./b", "!", "here"},
        {"/a/%2e%2E/b", "|a!", "up, hidden"},
        {"/a%2fb", "!", "a separator, hidden"},
        {"/a%5cb", "!", "the other separator"},
        {"/a%0ab", "!", "a control byte"},
        {"/a%zz", "!", "bad escape"},
        {"/...", "|...", "three dots are a name"},
    };
    char dst[16];
    struct buf b;
    (void)state;

    buf_init(&b, 100);
    for (size_t i = 0; i < countof(row); i++) {
        struct slice rest = slice_str(row[i].in), seg;
        enum query_result r;

        buf_clear(&b);
        while ((r = path_next(&rest, dst, sizeof(dst), &seg)) == QUERY_OK) {
            buf_add_char(&b, '|');
            buf_add_slice(&b, seg);
        }
        if (r == QUERY_BAD)
            buf_add_char(&b, '!');
        if (strcmp(buf_str(&b), row[i].out) != 0)
            fail_msg("%s (%s): %s", row[i].in, row[i].why, buf_str(&b));
    }
    buf_release(&b);
}

static void
test_form(void **state)
{
    struct buf b;
    (void)state;

    assert_true(form_is(SLICE("application/x-www-form-urlencoded")));
    assert_true(form_is(SLICE("Application/X-WWW-Form-Urlencoded ;charset=x")));
    assert_false(form_is(SLICE("application/json")));
    buf_init(&b, 100);
    form_add(&b, SLICE("grant_type"), SLICE("client_credentials"));
    form_add(&b, SLICE("scope"), SLICE("read write&"));
    assert_string_equal(buf_str(&b),
                        "grant_type=client_credentials&scope=read%20write%26");
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_pairs),  cmocka_unit_test(test_get),
        cmocka_unit_test(test_path),   cmocka_unit_test(test_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
