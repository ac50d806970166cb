/* buf_test.c - tests of buf.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_append(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 1000);
    assert_string_equal(buf_str(&b), ""); /* before the first append */
    buf_add_str(&b, "a");
    buf_add_char(&b, '-');
    buf_add_u64(&b, 0);
    buf_add_u64(&b, UINT64_MAX);
    buf_add_slice(&b, SLICE("|x"));
    buf_add(&b, NULL, 0);
    buf_printf(&b, "%s=%d", "k", -7);
    assert_false(b.failed);
    assert_string_equal(buf_str(&b), "a-018446744073709551615|xk=-7");
    assert_int_equal(buf_slice(&b).n, strlen(b.p));
    buf_release(&b);
    buf_release(&b); /* forgives */
    assert_null(b.p);
}

static void
test_ceiling(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 4);
    assert_true(buf_add_str(&b, "abcd")); /* up to the ceiling */
    assert_false(buf_add_char(&b, 'e'));  /* and not one over */
    assert_true(b.failed);
    assert_string_equal(buf_str(&b), "abcd");
    buf_clear(&b);
    assert_false(b.failed);
    assert_string_equal(buf_str(&b), "");
    assert_false(buf_printf(&b, "%d", 12345)); /* all of it or nothing */
    assert_string_equal(buf_str(&b), "");
    assert_false(buf_add_char(&b, 'a')); /* a failure stays */
    buf_clear(&b);
    assert_null(buf_reserve(&b, SIZE_MAX)); /* no wrap-around */
    buf_release(&b);
}

static void
test_reserve(void **state)
{
    struct buf b;
    char *p;
    (void)state;

    buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++) {
        p = buf_reserve(&b, 100);
        assert_non_null(p);
        memset(p, 'a' + i % 26, 100);
        b.n += 100;
    }
    assert_null(buf_reserve(&b, 1));
    for (size_t i = 0; i < b.n; i++)
        assert_int_equal(b.p[i], 'a' + i / 100 % 26);
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
