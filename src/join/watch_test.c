/* watch_test.c - the verdict on storage elements (ING-096).
 * SPDX-License-Identifier: Apache-2.0 */
#include "join/watch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* One letter each: what an element is like. */
static struct blob_capacity
element(char kind, unsigned i)
{
    struct blob_capacity c = {
        .mode = BLOB_EDIT, .total = 10000, .used = 1000, .writable = true};
    const char *health = "healthy";

    switch (kind) {
    case 'e': /* edit */
        break;
    case 'w': /* rw */
        c.mode = BLOB_RW;
        break;
    case 'r': /* ro */
        c.mode = BLOB_RO;
        c.writable = false;
        break;
    case 'F': /* edit, full */
        c.status = BLOB_FULL;
        c.used = 9876;
        break;
    case 'W': /* edit, warning: takes files as before (ING-113) */
        c.status = BLOB_WARNING;
        break;
    case 'x': /* edit, after a failed sync */
    case 'X': /* the same in rw */
        c.mode = kind == 'x' ? BLOB_EDIT : BLOB_RW;
        c.writable = false;
        health = "unhealthy: sync data: it failed; restart to verify";
        break;
    case 'y': /* the same in ro */
        c.mode = BLOB_RO;
        c.writable = false;
        health = "unhealthy: sync data: it failed; restart to verify";
        break;
    case 'd': /* ro, in a bucket */
        c.mode = BLOB_RO;
        c.writable = false;
        health = "degraded: S3_SOFT_CAPACITY_LIMIT is not set";
        break;
    case 'o': /* ro, full: nobody wants to write there */
        c.mode = BLOB_RO;
        c.status = BLOB_FULL;
        c.writable = false;
        break;
    }
    snprintf(c.health, sizeof(c.health), "%s", health);
    snprintf(c.element_id, sizeof(c.element_id), "se-%02u", i + 1);
    return c;
}

static const struct row {
    const char *elements; /* a '+' in front: rw is wanted */
    enum health_status want;
    const char *text;
    const char *why;
} rows[] = {
    {"ew", HEALTH_HEALTHY, "2 of 2 healthy", "the default"},
    {"ewr", HEALTH_HEALTHY, "3 of 3 healthy", "ro is meant so"},
    {"ewo", HEALTH_HEALTHY, "3 of 3 healthy", "an archive may be full"},
    {"We", HEALTH_HEALTHY, "2 of 2 healthy", "a warning changes nothing"},
    {"xew", HEALTH_DEGRADED, "se-01 is unhealthy: sync data", "one is out"},
    {"eX", HEALTH_DEGRADED, "se-02 is unhealthy: sync data", "one is out"},
    {"wF", HEALTH_DEGRADED, "se-02 is full: 98.76 % used",
     "full, but a delete can free it"},
    {"F", HEALTH_DEGRADED, "se-01 is full", "all are full: the same"},
    {"ww", HEALTH_DEGRADED, "no element of mode edit", "rw without edit"},
    {"Fx", HEALTH_DEGRADED, "se-02 is unhealthy", "the worse one is named"},
    {"e", HEALTH_HEALTHY, "1 of 1 healthy", "edit alone is enough"},
    {"xX", HEALTH_UNHEALTHY, "no storage element takes uploads", "all out"},
    {"ro", HEALTH_UNHEALTHY, "no storage element takes uploads", "all ro"},
    {"", HEALTH_UNHEALTHY, "no storage element takes uploads", "none"},
    {"+ew", HEALTH_HEALTHY, "2 of 2 healthy", "what is wanted is there"},
    {"+er", HEALTH_DEGRADED, "no element of mode rw takes uploads",
     "the list says rw, and it was set to ro"},
    {"er", HEALTH_HEALTHY, "2 of 2 healthy", "the list says ro too"},
    {"+Fr", HEALTH_DEGRADED, "no element of mode rw", "more than nearly full"},
    {"+yr", HEALTH_UNHEALTHY, "no storage element", "nothing is worse"},
    {"+eX", HEALTH_DEGRADED, "se-02 is unhealthy", "that is why"},
};

static enum health_status
judge(const char *kinds, bool alone_, char text[WATCH_TEXT])
{
    const bool wants_rw = kinds[0] == '+';
    struct watch_conf conf = {.alone = alone_, .wants_rw = wants_rw};
    struct blob_capacity cap[8];

    kinds += wants_rw;
    conf.n = (unsigned)strlen(kinds);
    for (unsigned k = 0; k < conf.n; k++)
        cap[k] = element(kinds[k], k);
    return watch_judge(&conf, cap, NULL, text);
}

static void
verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        char text[WATCH_TEXT];
        enum health_status got = judge(rows[i].elements, false, text);

        if (got != rows[i].want ||
            !slice_starts(slice_str(text), slice_str(rows[i].text)))
            fail_msg("%s (%s): %s, %s", rows[i].elements, rows[i].why,
                     health_name(got), text);
    }
}

/* `artstore storage`: each by its own mode, or a supervisor would restart what
 * is sound. */
static void
alone(void **state)
{
    static const struct row row[] = {
        {"e", HEALTH_HEALTHY, "1 of 1 healthy", "edit"},
        {"w", HEALTH_HEALTHY, "1 of 1 healthy", "rw"},
        {"r", HEALTH_HEALTHY, "1 of 1 healthy", "ro takes nothing, rightly"},
        {"o", HEALTH_HEALTHY, "1 of 1 healthy", "an archive may be full"},
        {"F", HEALTH_DEGRADED, "se-01 is full", "others take what comes"},
        {"X", HEALTH_UNHEALTHY, "se-01 is unhealthy: sync", "out of order"},
        {"y", HEALTH_UNHEALTHY, "se-01 is unhealthy: sync", "ro, out of order"},
        {"d", HEALTH_DEGRADED, "se-01 is degraded", "a bucket without limit"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char text[WATCH_TEXT];
        enum health_status got = judge(row[i].elements, true, text);

        if (got != row[i].want ||
            !slice_starts(slice_str(text), slice_str(row[i].text)))
            fail_msg("%s (%s): %s, %s", row[i].elements, row[i].why,
                     health_name(got), text);
    }
}

/* An element that is not in the list is a reason of its own. */
static void
left_out(void **state)
{
    static const struct {
        const char *elements;
        struct registry_stats known;
        enum health_status want;
        const char *text;
        const char *why;
    } row[] = {
        {"ew", {.lost = 0}, HEALTH_HEALTHY, "2 of 2 healthy", "none is"},
        {"ew",
         {.lost = 1, .lost_id = "se-03", .lost_files = 12},
         HEALTH_DEGRADED,
         "se-03 is not in STORAGE_ELEMENTS: its 12 files cannot be read",
         "it holds files"},
        {"ew",
         {.lost = 3, .lost_id = "se-03", .lost_files = 1},
         HEALTH_DEGRADED,
         "se-03 is not in STORAGE_ELEMENTS: its 1 file cannot be read; "
         "2 more like it",
         "several"},
        {"w",
         {.lost = 1, .lost_id = "se-03", .lost_files = REGISTRY_UNHEARD},
         HEALTH_DEGRADED,
         "se-03 is not in STORAGE_ELEMENTS, and its files, if",
         "it may be why there is no edit"},
        {"x",
         {.lost = 1, .lost_id = "se-03", .lost_files = 1},
         HEALTH_UNHEALTHY,
         "no storage element takes uploads",
         "nothing is worse"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        const struct blob_capacity cap[2] = {element(row[i].elements[0], 0),
                                             element(row[i].elements[1], 1)};
        const struct watch_conf conf = {.n = (unsigned)strlen(row[i].elements)};
        char text[WATCH_TEXT];
        enum health_status got = watch_judge(&conf, cap, &row[i].known, text);

        if (got != row[i].want ||
            !slice_starts(slice_str(text), slice_str(row[i].text)))
            fail_msg("%s (%s): %s, %s", row[i].elements, row[i].why,
                     health_name(got), text);
    }
}

/* An id and a reason of any length stay within the text. */
static void
long_words(void **state)
{
    struct blob_capacity cap[2] = {element('x', 0), element('e', 1)};
    const struct watch_conf conf = {.n = 2};
    char text[WATCH_TEXT];
    (void)state;

    memset(cap[0].element_id, 'i', sizeof(cap[0].element_id) - 1);
    memset(cap[0].health, 'h', sizeof(cap[0].health) - 1);
    assert_int_equal(watch_judge(&conf, cap, NULL, text), HEALTH_DEGRADED);
    assert_true(strlen(text) < WATCH_TEXT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(alone),
        cmocka_unit_test(left_out),
        cmocka_unit_test(long_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
