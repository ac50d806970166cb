/* near_test.c - the name that was probably meant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/near.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

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
        cmocka_unit_test(test_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
