/* hex_test.c - tests of hex.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_hex(void **state)
{
    uint8_t b[4] = {0};
    char t[9];
    (void)state;

    assert_string_equal(hex_encode("\x00\x9f\xA0\xff", 4, t), "009fa0ff");
    assert_string_equal(hex_encode("", 0, t), "");
    assert_true(hex_decode(SLICE("009fA0Ff"), b, 4));
    assert_memory_equal(b, "\x00\x9f\xA0\xff", 4);
    assert_false(hex_decode(SLICE("009fa0f"), b, 4));   /* one short */
    assert_false(hex_decode(SLICE("009fa0ff0"), b, 4)); /* one long */
    assert_false(hex_decode(SLICE("009fa0fg"), b, 4));  /* not a digit */
    assert_true(hex_decode(SLICE(""), b, 0));
}

static void
test_base64(void **state)
{
    /* RFC 4648 section 10, then what must not be taken. */
    static const struct {
        const char *plain;
        const char *text;
    } row[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    static const struct {
        const char *in;
        const char *why;
    } bad[] = {
        {"Zg", "no padding"},
        {"Zg=", "half padding"},
        {"Zg===", "too much"},
        {"====", "only padding"},
        {"Zh==", "bits left over"},
        {"Zm9=", "bits left over"},
        {"Zm 9", "a blank"},
        {"Zm9v\n", "a newline"},
        {"Zm-_", "the other alphabet"},
        {"Z=m9", "padding inside"},
    };
    char t[BASE64_LEN(6)], out[8];
    size_t n;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        size_t len = strlen(row[i].plain);

        assert_string_equal(base64_encode(row[i].plain, len, t), row[i].text);
        assert_true(base64_decode(slice_str(t), out, sizeof(out), &n));
        assert_true(slice_eq(slice_of(out, n), slice_str(row[i].plain)));
        if (len)
            assert_false(base64_decode(slice_str(t), out, len - 1, &n));
    }
    for (size_t i = 0; i < countof(bad); i++)
        if (base64_decode(slice_str(bad[i].in), out, sizeof(out), &n))
            fail_msg("%s: %s", bad[i].in, bad[i].why);
}

static void
test_base64url(void **state)
{
    char t[BASE64_LEN(6)], out[8];
    size_t n;
    (void)state;

    assert_string_equal(base64url_encode("\xfb\xff\xfe", 3, t), "-__-");
    assert_string_equal(base64url_encode("f", 1, t), "Zg");
    assert_true(base64url_decode(SLICE("Zg"), out, 1, &n) && n == 1);
    assert_false(base64url_decode(SLICE("Zg=="), out, 8, &n)); /* padding */
    assert_false(base64url_decode(SLICE("Zh"), out, 8, &n));   /* left over */
    assert_false(base64url_decode(SLICE("Z"), out, 8, &n));    /* impossible */
    assert_false(base64url_decode(SLICE("+/+/"), out, 8, &n));
}

static void
test_round_trip(void **state)
{
    struct prng r;
    uint8_t in[64], out[64];
    char t[BASE64_LEN(64)], h[129];
    (void)state;

    prng_init(&r, 1);
    for (int i = 0; i < 2000; i++) {
        size_t len = prng_below(&r, sizeof(in) + 1), n;

        prng_fill(&r, in, len);
        base64_encode(in, len, t);
        assert_true(base64_decode(slice_str(t), out, sizeof(out), &n));
        assert_true(slice_eq(slice_of(out, n), slice_of(in, len)));
        base64url_encode(in, len, t);
        assert_true(base64url_decode(slice_str(t), out, sizeof(out), &n));
        assert_true(slice_eq(slice_of(out, n), slice_of(in, len)));
        hex_encode(in, len, h);
        assert_true(hex_decode(slice_str(h), out, len));
        assert_true(slice_eq(slice_of(out, len), slice_of(in, len)));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
