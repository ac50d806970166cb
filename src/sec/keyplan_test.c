/* keyplan_test.c - tests of keyplan.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/keyplan.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_text(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t signs, others;
        const char *why;
    } row[] = {
        {"-----BEGIN PRIVATE KEY-----\n", true, 0, 0, "made by hand"},
        {"", true, 0, 0, "nothing at all"},
        {"a note\n-----BEGIN", true, 0, 0, "lines of others"},
        {"artstore-signs-from: 1970-01-01T00:00:05.250Z\n-----BEGIN", true,
         5250, 0, "one"},
        {"artstore-others-until: 1970-01-01T00:00:07Z\n"
         "artstore-signs-from: 1970-01-01T00:00:05Z\n-----BEGIN",
         true, 5000, 7000, "both, in any order"},
        {"artstore-signs-from: 1970-01-01T00:00:05Z", true, 5000, 0,
         "no end of line"},
        {"artstore-signs-from: soon\n-----BEGIN", false, 0, 0, "no time"},
        {"-----BEGIN\nartstore-signs-from: soon\n", true, 0, 0,
         "behind the beginning it is the key's"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct key_plan p;
        bool ok = key_plan_parse(slice_str(row[i].text), &p);

        if (ok != row[i].ok || (ok && (p.signs_from.ms != row[i].signs ||
                                       p.others_until.ms != row[i].others)))
            fail_msg("%s", row[i].why);
    }
}

static void
test_round(void **state)
{
    const struct key_plan p = {1, {1767225600123}, {1769817600456}};
    struct key_plan got;
    struct buf b;
    (void)state;

    buf_init(&b, 400);
    assert_true(key_plan_put(&b, &p));
    assert_true(key_plan_parse(buf_slice(&b), &got));
    assert_int_equal(got.signs_from.ms, p.signs_from.ms);
    assert_int_equal(got.others_until.ms, p.others_until.ms);
    buf_release(&b);
}

/* The story of a rotation at 100, with a lead of 10 and 50 to keep, and of a
 * second one, in a hurry, at 130. */
static void
test_story(void **state)
{
    static const struct key_plan p[] = {
        {1, {0}, {0}}, {2, {110}, {160}}, {3, {130}, {130}}};
    static const struct {
        size_t n;
        int64_t now;
        size_t signer;
        const char *over; /* one letter a key: '.', 'x' */
        const char *why;
    } row[] = {
        {1, 0, 0, ".", "one key"},
        {2, 100, 0, "..", "published, but not heard of everywhere"},
        {2, 109, 0, "..", "still"},
        {2, 110, 1, "..", "its time has come"},
        {2, 159, 1, "..", "the last token of the old one"},
        {2, 160, 1, "x.", "over"},
        {2, 1 << 30, 1, "x.", "after a long sleep"},
        {3, 129, 1, "...", "a third one, before its time"},
        {3, 130, 2, "xx.", "stolen keys are over at once"},
        {3, 200, 2, "xx.", "and stay so"},
        {2, -5, 0, "..", "a clock that is wrong: somebody signs"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct wall now = {row[i].now};

        if (key_plan_signer(p, row[i].n, now) != row[i].signer)
            fail_msg("%s: signer", row[i].why);
        for (size_t k = 0; k < row[i].n; k++)
            if (key_plan_over(p, row[i].n, k, now) != (row[i].over[k] == 'x'))
                fail_msg("%s: key %zu", row[i].why, k);
    }
}

/* When the first is gone, the next signs though its time has not come; and who
 * is told to end before its follower signs, ends with that. */
static void
test_odd(void **state)
{
    static const struct key_plan alone[] = {{2, {110}, {160}}};
    static const struct key_plan early[] = {{1, {0}, {0}}, {2, {110}, {50}}};
    (void)state;

    assert_int_equal(key_plan_signer(alone, 1, (struct wall){5}), 0);
    assert_int_equal(key_plan_until(early, 2, 0).ms, 110);
    assert_int_equal(key_plan_until(early, 2, 1).ms, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_odd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
