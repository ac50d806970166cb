/* near_test.c - the name that was probably meant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/near.h"
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
        {"kitten", "sitting", 2, CONF_NEAR_FAR, "over the limit"},
        {"A", "ABCDE", 3, CONF_NEAR_FAR, "too far apart in length"},
        {"", "ABC", 3, 3, "nothing and something"},
        {"", "", 0, 0, "nothing"},
    };
    char longer[66];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        int d = conf_near_distance(slice_str(row[i].a), slice_str(row[i].b),
                                   row[i].max);

        if (d != row[i].want)
            fail_msg("%s %s: %s: %d", row[i].a, row[i].b, row[i].why, d);
    }
    memset(longer, 'A', sizeof(longer));
    assert_int_equal(
        conf_near_distance(slice_of(longer, 64), slice_of(longer, 64), 0), 0);
    assert_int_equal(
        conf_near_distance(slice_of(longer, 65), slice_of(longer, 64), 3),
        CONF_NEAR_FAR);
}

static void
test_near(void **state)
{
    static const struct {
        const char *name;
        enum conf_role role;
        int id;
        const char *why;
    } row[] = {
        {"APP_PROT", CONF_SERVER, CONF_APP_PORT, "a swap"},
        {"PORT", CONF_SERVER, CONF_APP_PORT, "the last word"},
        {"LOG_LEVLE", CONF_SERVER, CONF_LOG_LEVEL, "a swap"},
        {"VERIFY_READ", CONF_SERVER, CONF_VERIFY_READS, "one short"},
        {"STORAGE_ELEMENT", CONF_SERVER, CONF_STORAGE_ELEMENTS, "one short"},
        {"STORAGE_MOED", CONF_STORAGE, CONF_STORAGE_MODE, "a role's own"},
        {"CAPACITY_WARNING_PERCENTS", CONF_SERVER,
         CONF_CAPACITY_WARNING_PERCENT, "one more"},
        {"XYZZY", CONF_SERVER, -1, "nothing like it"},
        {"TOKEN_T", CONF_SERVER, CONF_TOKEN_TTL, "two away, and mine"},
        {"TOKEN_T", CONF_CLIENT, CONF_TOKEN, "two away, and mine"},
        {"AB", CONF_SERVER, -1, "too short to guess"},
        {"", CONF_SERVER, -1, "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        int id = conf_near(slice_str(row[i].name), row[i].role);

        if (id != row[i].id)
            fail_msg("%s: %s: %s", row[i].name, row[i].why,
                     id < 0 ? "none" : conf_option[id].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
