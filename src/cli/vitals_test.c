/* vitals_test.c - the verdicts on disk and memory (PRD-177, PRD-178), the
 * numbers of the kernel's small files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/vitals.h"
#include "base/base.h"
#include "cli/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
disk(void **state)
{
    static const struct vitals_limits limits = {.disk_low = 10, .disk_min = 5};
    static const struct {
        struct vitals_room room; /* total, free, writable, shared */
        enum health_status want;
        const char *why;
    } rows[] = {
        {{1000, 101, true, false}, HEALTH_HEALTHY, "over 10 %"},
        {{1000, 99, true, false}, HEALTH_DEGRADED, "under 10 %"},
        {{1000, 50, true, false}, HEALTH_DEGRADED, "5 % is not under 5 %"},
        {{1000, 49, true, false}, HEALTH_UNHEALTHY, "under 5 %"},
        {{1000, 49, true, true}, HEALTH_DEGRADED, "who would free it?"},
        {{1000, 0, true, true}, HEALTH_DEGRADED, "not even to the last byte"},
        {{1000, 900, false, false}, HEALTH_UNHEALTHY, "mounted read-only"},
        {{1000, 900, false, true}, HEALTH_UNHEALTHY, "whoever shares it"},
        {{0, 0, true, false}, HEALTH_UNHEALTHY, "a file system without size"},
    };
    static const struct vitals_limits never = {.disk_low = 10, .disk_min = 0};
    char text[VITALS_TEXT];
    (void)state;

    for (size_t i = 0; i < countof(rows); i++)
        if (vitals_disk(&rows[i].room, &limits, text) != rows[i].want)
            fail_msg("%s: %s", rows[i].why, text);
    assert_int_equal(vitals_disk(&rows[3].room, &never, text), HEALTH_DEGRADED);
}

static void
memory(void **state)
{
    static const struct {
        uint64_t limit, used;
        enum health_status want;
        const char *why;
    } rows[] = {
        {1000, 850, HEALTH_HEALTHY, "85 % is not over 85 %"},
        {1000, 851, HEALTH_DEGRADED, "over 85 %"},
        {1000, 950, HEALTH_DEGRADED, "95 % is not over 95 %"},
        {1000, 951, HEALTH_UNHEALTHY, "over 95 %"},
        {0, 0, HEALTH_HEALTHY, "nothing can be read: skipped (PRD-178)"},
    };
    char text[VITALS_TEXT];
    (void)state;

    for (size_t i = 0; i < countof(rows); i++)
        if (vitals_memory(rows[i].limit, rows[i].used, text) != rows[i].want)
            fail_msg("%s: %s", rows[i].why, text);
}

static void
numbers(void **state)
{
    const struct slice text =
        SLICE("MemTotal:       24683888 kB\nMemFree: 5 kB\n"
              "inactive_file 4096\nactive_file 8192\nlast");
    (void)state;

    assert_int_equal(memory_number(text, SLICE("MemTotal:")), 24683888);
    assert_int_equal(memory_number(text, SLICE("active_file")), 8192);
    assert_int_equal(memory_number(text, SLICE("inactive_file")), 4096);
    assert_int_equal(memory_number(text, SLICE("last")), 0);
    assert_int_equal(memory_number(text, SLICE("SwapTotal:")), 0);
    assert_int_equal(memory_number(SLICE_NULL, SLICE("x")), 0);
}

static void
this_machine(void **state)
{
    struct memory_use m;
    (void)state;

    memory_read(&m);
    assert_true(m.limit > 16 * MIB);
    assert_true(m.used > 0 && m.used <= m.limit);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disk),
        cmocka_unit_test(memory),
        cmocka_unit_test(numbers),
        cmocka_unit_test(this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
