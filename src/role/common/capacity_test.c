/* capacity_test.c - the words for an element's health (ING-112, CNF-016).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/capacity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct row {
    const char *own; /* of the element */
    bool alone;      /* it is left alone here */
    const char *text, *word;
    const char *why;
} rows[] = {
    {"healthy", false, "healthy", "healthy", "in order"},
    {"healthy", true, "degraded: failed too often of late", "degraded",
     "in order, but not from here"},
    {"degraded: no limit", false, "degraded: no limit", "degraded", "passes"},
    {"degraded", true, "degraded", "degraded", "its own word goes before"},
    {"unhealthy: timeout", false, "unhealthy: timeout", "unavailable", "out"},
    {"unhealthy: timeout", true, "unhealthy: timeout", "unavailable", "both"},
    {"", false, "unknown", "unavailable", "not heard of yet"},
    {"", true, "unknown", "unavailable", "nor ever"},
    {"healthyish", false, "healthyish", "unavailable", "no word of ours"},
};

static void
test_health(void **state)
{
    const struct mono now = {1000};
    (void)state;

    for (size_t i = 0; i < countof(rows); i++) {
        struct blob_capacity c = {.alone_until =
                                      mono_add(now, dur_ms(rows[i].alone))};
        const char *text;

        assert_true(
            slice_copy(slice_str(rows[i].own), c.health, sizeof(c.health)));
        text = capacity_health(&c, now);
        if (strcmp(text, rows[i].text) != 0 ||
            strcmp(capacity_health_word(text), rows[i].word) != 0)
            fail_msg("%s (%s): %s, %s", rows[i].own, rows[i].why, text,
                     capacity_health_word(text));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_health)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
