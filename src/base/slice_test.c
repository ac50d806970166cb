/* slice_test.c - tests of slice.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_u64(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        uint64_t v;
        const char *why;
    } row[] = {
        {"0", true, 0, "zero"},
        {"42", true, 42, "plain"},
        {"18446744073709551615", true, UINT64_MAX, "the largest"},
        {"18446744073709551616", false, 0, "one over"},
        {"99999999999999999999", false, 0, "far over"},
        {"", false, 0, "nothing"},
        {"-1", false, 0, "a sign"},
        {"+1", false, 0, "a sign"},
        {" 1", false, 0, "a blank"},
        {"1x", false, 0, "a letter"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        uint64_t v = 0;
        bool ok = slice_u64(slice_str(row[i].in), &v);

        if (ok != row[i].ok || (ok && v != row[i].v))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

static void
test_cut(void **state)
{
    struct slice rest = SLICE("a,,b,"), part;
    (void)state;

    assert_true(slice_cut(&rest, ',', &part) && slice_eq(part, SLICE("a")));
    assert_true(slice_cut(&rest, ',', &part) && part.n == 0);
    assert_true(slice_cut(&rest, ',', &part) && slice_eq(part, SLICE("b")));
    assert_true(slice_cut(&rest, ',', &part) && part.n == 0);
    assert_false(slice_cut(&rest, ',', &part)); /* used up */
}

static void
test_cut_n(void **state)
{
    struct slice rest = SLICE("a,,b"), part[2];
    (void)state;

    assert_true(slice_cut_n(&rest, ',', part, 2));
    assert_true(slice_eq(part[0], SLICE("a")) && part[1].n == 0 && part[1].p);
    assert_false(slice_cut_n(&rest, ',', part, 2)); /* there is one more */
    assert_true(slice_eq(part[0], SLICE("b")) && part[1].p == NULL);
    assert_false(slice_cut_n(&rest, ',', part, 2)); /* used up */
    assert_null(part[0].p);
}

static void
test_compare(void **state)
{
    (void)state;
    assert_true(
        slice_eq_nocase(SLICE("Content-Length"), SLICE("content-LENGTH")));
    assert_false(slice_eq_nocase(SLICE("a"), SLICE("ab")));
    assert_false(slice_eq_nocase(SLICE("["), SLICE("{"))); /* not letters */
    assert_true(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_cmp(SLICE("b"), SLICE("ab")) > 0);
    assert_int_equal(slice_cmp(SLICE("ab"), SLICE("ab")), 0);
    assert_true(slice_eq(slice_trim(SLICE(" \ta b\t ")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE("  ")).n, 0);
}

static void
test_copy(void **state)
{
    char b[4];
    (void)state;

    assert_true(slice_copy(SLICE("abc"), b, sizeof(b))); /* just fits */
    assert_string_equal(b, "abc");
    assert_false(slice_copy(SLICE("abcd"), b, sizeof(b))); /* one over */
    assert_string_equal(b, "");
    assert_false(slice_copy(SLICE("a\0b"), b, sizeof(b))); /* hides its tail */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_n), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
