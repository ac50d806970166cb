/* text_test.c - tests of text.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_size(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } row[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {102348, "99.9 KiB"},
        {102400, "100 KiB"},
        {1024 * 1024 - 1, "1.0 MiB"}, /* not "1024 KiB" */
        {(uint64_t)5 << 30, "5.0 GiB"},
        {(uint64_t)1 << 50, "1.0 PiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char out[TEXT_SIZE];
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        assert_string_equal(text_size(row[i].n, out), row[i].text);
    assert_string_equal(text_rate(112 << 20, out), "112 MiB/s");
    /* The longest that there is fits its buffer. */
    assert_string_equal(text_rate(1023 << 20, out), "1023 MiB/s");
}

static void
test_duration(void **state)
{
    static const struct {
        uint64_t s;
        const char *text;
    } row[] = {
        {0, "0:00"},
        {7, "0:07"},
        {59, "0:59"},
        {60, "1:00"},
        {3599, "59:59"},
        {3600, "1:00:00"},
        {86399, "23:59:59"},
        {86400, "1d 0h"},
        {8640000 - 1, "99d 23h"},
        {8640000, ">99d"},
        {UINT64_MAX - 1, ">99d"},
        {UINT64_MAX, "-:--"},
    };
    char out[TEXT_SIZE];
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        assert_string_equal(text_duration(row[i].s, out), row[i].text);
}

static void
test_parse_size(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        uint64_t n;
        const char *why;
    } row[] = {
        {"0", true, 0, "zero"},
        {"4096", true, 4096, "bytes"},
        {"4096B", true, 4096, "bytes, said so"},
        {"10M", true, 10 << 20, "a letter"},
        {"10m", true, 10 << 20, "a small letter"},
        {"10MB", true, 10 << 20, "as the server's options: 1024"},
        {"10MiB", true, 10 << 20, "the proper name"},
        {"10 MiB", true, 10 << 20, "as text_size() writes it"},
        {"1.5G", true, (uint64_t)3 << 29, "a fraction"},
        {"0.001K", true, 1, "cut, not rounded"},
        {"15E", true, (uint64_t)15 << 60, "the largest unit"},
        {"18446744073709551615", true, UINT64_MAX, "the largest number"},
        {"16E", false, 0, "one over"},
        {"15.9999999E", false, 0, "finer than anybody means"},
        {"18446744073709551616", false, 0, "one over"},
        {"18014398509481984K", false, 0, "one over, with a unit"},
        {"", false, 0, "nothing"},
        {"M", false, 0, "no number"},
        {"-1", false, 0, "a sign"},
        {"1.5", false, 0, "half a byte"},
        {"1.K", false, 0, "no digits behind the point"},
        {".5K", false, 0, "none before it"},
        {"1.2.3K", false, 0, "two points"},
        {"1X", false, 0, "an unknown unit"},
        {"1KK", false, 0, "a unit too many"},
        {"1iB", false, 0, "half a unit"},
        {"1e3", false, 0, "an exponent"},
        {"0x10", false, 0, "hexadecimal"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        uint64_t n = 0;
        bool ok = text_parse_size(slice_str(row[i].in), &n);

        if (ok != row[i].ok || (ok && n != row[i].n))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

static void
test_parse_time(void **state)
{
    const struct wall now = {INT64_C(1735831845000)}; /* 2025-01-02T15:30:45Z */
    static const struct {
        const char *in, *out;
    } row[] = {
        {"2025-01-02", "2025-01-02T00:00:00Z"},
        {"2025-01-02T10:00:00Z", "2025-01-02T10:00:00Z"},
        {"45s", "2025-01-02T15:30:00Z"},
        {"30m", "2025-01-02T15:00:45Z"},
        {"1h", "2025-01-02T14:30:45Z"},
        {"2d", "2024-12-31T15:30:45Z"},
        {"1w", "2024-12-26T15:30:45Z"},
        {"", NULL},
        {"d", NULL},
        {"-1d", NULL},
        {"yesterday", NULL},
        {"2025-13-01", NULL},
        {"2025-01-02T10:00:00", NULL},       /* which zone? */
        {"2025-01-02T10:00:00+02:00", NULL}, /* not UTC */
        {"2025-01-02 10:00:00Z", NULL},
        {"4294967294w", NULL}, /* before 1970 */
        {"99999999999d", NULL},
    };
    char out[TEXT_TIME];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = text_parse_time(slice_str(row[i].in), now, out);

        if (ok != (row[i].out != NULL) || (ok && strcmp(out, row[i].out) != 0))
            fail_msg("%s: %s", row[i].in, ok ? out : "refused");
    }
}

static void
test_safe(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } row[] = {
        {"plain.txt", "plain.txt", "as it is"},
        {"Bericht ü.pdf", "Bericht ü.pdf", "UTF-8"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "four bytes"},
        {"a\x1b[2J", "a\\x1b[2J", "clears the screen"},
        {"a\r\nb", "a\\x0d\\x0ab", "forges a line"},
        {"\x7f", "\\x7f", "delete"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J", "CSI in one character"},
        {"\xe2\x80\xae"
         "fdp.exe",
         "\\xe2\\x80\\xaefdp.exe", "right to left"},
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6", "isolate"},
        {"\xff\xfe", "\\xff\\xfe", "not UTF-8"},
        {"\xc3", "\\xc3", "cut off"},
        {"\xc0\xaf", "\\xc0\\xaf", "an overlong slash"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", "a surrogate"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "beyond Unicode"},
    };
    struct buf b;
    (void)state;

    buf_init(&b, 1 * KIB);
    for (size_t i = 0; i < countof(row); i++) {
        buf_clear(&b);
        text_safe(&b, slice_str(row[i].in));
        if (strcmp(buf_str(&b), row[i].out) != 0)
            fail_msg("%s: %s", row[i].why, buf_str(&b));
    }
    buf_release(&b);
}

static void
test_width(void **state)
{
    (void)state;
    assert_int_equal(text_width(SLICE("abc")), 3);
    assert_int_equal(text_width(SLICE("äöü")), 3);
    assert_int_equal(text_cut(SLICE("äöü"), 2).n, 4);
    assert_int_equal(text_cut(SLICE("äöü"), 9).n, 6);
    assert_int_equal(text_cut(SLICE("abc"), 0).n, 0);
}

static void
test_bar(void **state)
{
    static const struct {
        unsigned permille;
        const char *bar;
        const char *why;
    } row[] = {
        {0, "..........", "empty"},   {1, "#.........", "something is in it"},
        {500, "#####.....", "half"},  {999, "#########.", "room is left"},
        {1000, "##########", "full"}, {5000, "##########", "over"},
    };
    struct buf b;
    (void)state;

    buf_init(&b, 1 * KIB);
    for (size_t i = 0; i < countof(row); i++) {
        buf_clear(&b);
        text_bar(&b, row[i].permille, 10, false);
        if (strcmp(buf_str(&b), row[i].bar) != 0)
            fail_msg("%s: %s", row[i].why, buf_str(&b));
    }
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),       cmocka_unit_test(test_duration),
        cmocka_unit_test(test_parse_size), cmocka_unit_test(test_parse_time),
        cmocka_unit_test(test_safe),       cmocka_unit_test(test_width),
        cmocka_unit_test(test_bar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
