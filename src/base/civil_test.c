/* civil_test.c - tests of civil.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/civil.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_points(void **state)
{
    static const struct {
        int64_t ms;
        struct civil c;
        const char *why;
    } row[] = {
        {0, {1970, 1, 1, 0, 0, 0, 0}, "the beginning"},
        {951782400000, {2000, 2, 29, 0, 0, 0, 0}, "a leap day of a 400th"},
        {4107542399999, {2100, 2, 28, 23, 59, 59, 999}, "2100 has none"},
        {4107542400000, {2100, 3, 1, 0, 0, 0, 0}, "so March is next"},
        {1735832744123, {2025, 1, 2, 15, 45, 44, 123}, "an ordinary moment"},
        {253402300799999, {9999, 12, 31, 23, 59, 59, 999}, "the end"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct civil c = civil_of((struct wall){row[i].ms});
        struct wall t;

        if (c.year != row[i].c.year || c.month != row[i].c.month ||
            c.day != row[i].c.day || c.hour != row[i].c.hour ||
            c.minute != row[i].c.minute || c.second != row[i].c.second ||
            c.ms != row[i].c.ms)
            fail_msg("civil_of: %s", row[i].why);
        if (!civil_wall(&row[i].c, &t) || t.ms != row[i].ms)
            fail_msg("civil_wall: %s", row[i].why);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        struct civil c;
        const char *why;
    } row[] = {
        {{2025, 2, 29, 0, 0, 0, 0}, "no leap year"},
        {{2100, 2, 29, 0, 0, 0, 0}, "a 100th is none"},
        {{2025, 4, 31, 0, 0, 0, 0}, "April has 30"},
        {{2025, 0, 1, 0, 0, 0, 0}, "months begin at 1"},
        {{2025, 13, 1, 0, 0, 0, 0}, "and end at 12"},
        {{2025, 1, 0, 0, 0, 0, 0}, "days begin at 1"},
        {{2025, 1, 1, 24, 0, 0, 0}, "24:00 is tomorrow"},
        {{2025, 1, 1, 23, 60, 0, 0}, "minute 60"},
        {{2025, 1, 1, 23, 59, 60, 0}, "wall time has no leap seconds"},
        {{1969, 12, 31, 0, 0, 0, 0}, "before the beginning"},
        {{10000, 1, 1, 0, 0, 0, 0}, "five digits"},
    };
    struct wall t;
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (civil_wall(&row[i].c, &t))
            fail_msg("%s", row[i].why);
}

/* Every day of 8,030 years there and back. */
static void
test_every_day(void **state)
{
    unsigned last = 0;
    (void)state;

    for (int64_t d = 0; d < 2932897; d++) {
        struct civil c = civil_of((struct wall){d * 86400000});
        struct wall t;

        assert_true(c.day == last + 1 || c.day == 1);
        assert_true(civil_wall(&c, &t) && t.ms == d * 86400000);
        last = c.day;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
