/* uuid_test.c - tests of uuid.h (D39). SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_v7(void **state)
{
    /* RFC 9562 appendix A.6: 2022-02-22 14:22:22.00 GMT-05:00 */
    static const uint8_t random[10] = {0xfc, 0xc3, 0x58, 0xc4, 0xdc,
                                       0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct uuid u = uuid_v7((struct wall){0x017F22E279B0}, random);
    char text[UUID_TEXT];
    (void)state;

    assert_string_equal(uuid_text(&u, text),
                        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_int_equal(uuid_time(&u).ms, 0x017F22E279B0);
}

static void
test_v7_is_ordered(void **state)
{
    static const uint8_t ones[10] = {255, 255, 255, 255, 255,
                                     255, 255, 255, 255, 255};
    static const uint8_t zero[10];
    struct uuid a = uuid_v7((struct wall){1000}, ones);
    struct uuid b = uuid_v7((struct wall){1001}, zero);
    (void)state;

    assert_true(memcmp(a.b, b.b, 16) < 0);
}

static void
test_v4(void **state)
{
    static const uint8_t ones[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                     255, 255, 255, 255, 255, 255, 255, 255};
    struct uuid u = uuid_v4(ones);
    char text[UUID_TEXT];
    (void)state;

    assert_string_equal(uuid_text(&u, text),
                        "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_int_equal(uuid_time(&u).ms, 0); /* it has no time of birth */
}

static void
test_parse(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *why;
    } row[] = {
        {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", true, "lower case"},
        {"017F22E2-79B0-7CC3-98C4-DC0C0C07398F", true, "upper case"},
        {"00000000-0000-0000-0000-000000000000", true, "nil"},
        {"017f22e279b07cc398c4dc0c0c07398f", false, "no hyphens"},
        {"017f22e2-79b0-7cc3-98c4-dc0c0c07398", false, "short"},
        {"017f22e2-79b0-7cc3-98c4-dc0c0c07398ff", false, "long"},
        {"017f22e2-79b0-7cc3-98c4-dc0c0c07398g", false, "not a digit"},
        {"017f22e27-9b0-7cc3-98c4-dc0c0c07398f", false, "hyphen elsewhere"},
        {"{17f22e2-79b0-7cc3-98c4-dc0c0c07398}", false, "braces"},
        {"", false, "nothing"},
    };
    struct uuid u;
    char text[UUID_TEXT];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = uuid_parse(slice_str(row[i].in), &u);

        if (ok != row[i].ok)
            fail_msg("%s: %s", row[i].in, row[i].why);
        if (ok)
            assert_true(slice_eq_nocase(slice_str(uuid_text(&u, text)),
                                        slice_str(row[i].in)));
    }
    assert_true(uuid_parse(slice_str(row[2].in), &u) && uuid_is_nil(&u));
    assert_true(uuid_parse(slice_str(row[0].in), &u) && !uuid_is_nil(&u));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v7),
        cmocka_unit_test(test_v7_is_ordered),
        cmocka_unit_test(test_v4),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
