/* mono_test.c - deadlines at the ends of time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mono.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void
test_add(void **state)
{
    const struct mono never = MONO_NEVER;
    const struct {
        int64_t t, d, want;
        const char *why;
    } row[] = {
        {5, 7, 12, "a deadline"},
        {5, -7, -2, "one that has passed"},
        {INT64_MAX - 5, 4, INT64_MAX - 1, "just before never"},
        {INT64_MAX - 5, 5, INT64_MAX, "just never"},
        {INT64_MAX - 5, 6, INT64_MAX, "past the end of time"},
        {5, INT64_MAX, INT64_MAX, "an endless wait"},
        {INT64_MAX, -7, INT64_MAX, "never is not moved nearer"},
        {INT64_MAX, 7, INT64_MAX, "never stays never"},
    };

    (void)state;
    for (size_t i = 0; i < countof(row); i++) {
        struct mono got =
            mono_add((struct mono){row[i].t}, (struct dur){row[i].d});

        if (got.ns != row[i].want)
            fail_msg("%s: %lld", row[i].why, (long long)got.ns);
    }
    assert_false(mono_reached((struct mono){INT64_MAX - 1}, never));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_add)};

    return cmocka_run_group_tests_name("mono", tests, NULL, NULL);
}
