/* refusals_test.c - what strangers can cause in the audit log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/refusals.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct refusals r;

static struct mono
at_s(int64_t s)
{
    return (struct mono){s * 1000000000};
}

static bool
add(const char *who, const char *address, const char *result, int64_t s)
{
    struct meta_audit e = {.action = "token.issue", .at = {1000 * s}};

    (void)snprintf(e.actor, sizeof(e.actor), "%s", who);
    (void)snprintf(e.object, sizeof(e.object), "%s", who);
    (void)snprintf(e.result, sizeof(e.result), "%s", result);
    (void)snprintf(e.request_id, sizeof(e.request_id), "r");
    e.id.b[0] = 1;
    return refusals_add(&r, &e, address, at_s(s));
}

static void
expect(int64_t s, bool all, const char *who, const char *result)
{
    struct meta_audit e;

    if (!refusals_take(&r, at_s(s), all, &e))
        fail_msg("nothing, and not %s %s", who, result);
    assert_string_equal(e.actor, who);
    assert_string_equal(e.result, result);
    assert_string_equal(e.request_id, "");
    assert_true(uuid_is_nil(&e.id));
}

static void
expect_none(int64_t s, bool all)
{
    struct meta_audit e;

    if (refusals_take(&r, at_s(s), all, &e))
        fail_msg("%s %s", e.actor, e.result);
}

static void
test_count(void **state)
{
    (void)state;
    r = (struct refusals){0};
    assert_true(add("ci", "10.0.0.1", "invalid_client", 1));
    for (int i = 0; i < 9; i++)
        assert_false(add("ci", "10.0.0.1", "invalid_client", 2));
    /* Another account, address or reason is another matter. */
    assert_true(add("cd", "10.0.0.1", "invalid_client", 2));
    assert_true(add("ci", "10.0.0.2", "invalid_client", 2));
    assert_true(add("ci", "10.0.0.1", "rate_limited", 2));
    assert_false(refusals_due(&r, at_s(60)));
    expect_none(60, false);
    assert_true(refusals_due(&r, at_s(61)));
    expect(61, false, "ci", "invalid_client x9");
    expect_none(61, false);
    /* It goes on: one entry a minute, none at once. */
    assert_false(add("ci", "10.0.0.1", "invalid_client", 62));
    assert_false(add("ci", "10.0.0.1", "invalid_client", 63));
    expect(121, false, "ci", "invalid_client x2");
    /* A quiet minute, and it begins anew. */
    expect_none(181, false);
    assert_int_equal(r.n, 0);
    assert_true(add("ci", "10.0.0.1", "invalid_client", 190));
    assert_int_equal(r.counted, 11);
}

/* A hundred thousand names in an hour: 64 + 1 entries a minute. */
static void
test_flood(void **state)
{
    struct meta_audit e;
    unsigned told = 0;
    (void)state;

    r = (struct refusals){0};
    for (int i = 0; i < 108000; i++) {
        char who[16];

        (void)snprintf(who, sizeof(who), "n%d", i);
        told += add(who, "10.0.0.1", "invalid_client", i / 30);
        while (refusals_take(&r, at_s(i / 30), false, &e))
            told++;
    }
    assert_in_range(told, 59 * (REFUSALS_MAX + 1), 61 * (REFUSALS_MAX + 1));
}

static void
test_others(void **state)
{
    (void)state;
    r = (struct refusals){0};
    for (int i = 0; i < REFUSALS_MAX; i++) {
        char who[16];

        (void)snprintf(who, sizeof(who), "n%d", i);
        assert_true(add(who, "10.0.0.1", "invalid_client", 1));
    }
    assert_false(add("one", "10.0.0.1", "invalid_client", 1));
    assert_false(add("more", "10.0.0.2", "rate_limited", 1));
    assert_false(add("n0", "10.0.0.1", "invalid_client", 1));
    /* At a stop nothing that was counted is lost. */
    expect(2, true, "n0", "invalid_client x1");
    expect(2, true, REFUSALS_OTHERS, "refused x2");
    expect_none(2, true);
}

/* The longest reason, and more than can be counted, fit. */
static void
test_bounds(void **state)
{
    (void)state;
    r = (struct refusals){0};
    (void)add("ci", "10.0.0.1", "unsupported_grant_type", 1);
    (void)add("ci", "10.0.0.1", "unsupported_grant_type", 1);
    r.row[0].count = REFUSALS_COUNTED;
    (void)add("ci", "10.0.0.1", "unsupported_grant_type", 1);
    expect(61, false, "ci", "unsupported_grant_type x999999");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
