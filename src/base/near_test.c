/* near_test.c - how far apart two names are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/near.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_distance(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        int max;
        int want;
        const char *why;
    } row[] = {
        {"APP_PORT", "APP_PORT", 0, 0, "the same"},
        {"app-port", "APP_PORT", 0, 0, "but for case and hyphens"},
        {"APP_PORT", "APP_PROT", 3, 1, "a swap is one slip"},
        {"APP_PORT", "APP_PRT", 3, 1, "one left out"},
        {"APP_PRT", "APP_PORT", 3, 1, "one put in"},
        {"APP_PORT", "APP_PART", 3, 1, "one changed"},
        {"PAP_PROT", "APP_PORT", 3, 2, "two swaps"},
        {"kitten", "sitting", 3, 3, "the schoolbook's"},
        {"kitten", "sitting", 2, NEAR_FAR, "over the limit"},
        {"A", "ABCDE", 3, NEAR_FAR, "too far apart in length"},
        {"", "ABC", 3, 3, "nothing and something"},
        {"", "", 0, 0, "nothing"},
    };
    char longer[66];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        int d =
            near_distance(slice_str(row[i].a), slice_str(row[i].b), row[i].max);

        if (d != row[i].want)
            fail_msg("%s %s: %s: %d", row[i].a, row[i].b, row[i].why, d);
    }
    memset(longer, 'A', sizeof(longer));
    assert_int_equal(
        near_distance(slice_of(longer, 64), slice_of(longer, 64), 0), 0);
    assert_int_equal(
        near_distance(slice_of(longer, 65), slice_of(longer, 64), 3), NEAR_FAR);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
