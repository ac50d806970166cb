/* date_test.c - tests of date.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/date.h"
#include "base/base.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

#define T1994 784111777000 /* Sun, 06 Nov 1994 08:49:37 GMT, of RFC 9110 */

static void
test_format(void **state)
{
    struct wall t = {1735831845123};
    char out[DATE_TEXT];
    (void)state;

    assert_string_equal(date_rfc3339(t, out), "2025-01-02T15:30:45Z");
    assert_string_equal(date_rfc3339_ms(t, out), "2025-01-02T15:30:45.123Z");
    assert_string_equal(date_compact(t, out), "20250102T153045"); /* STO-034 */
    assert_string_equal(date_http(t, out), "Thu, 02 Jan 2025 15:30:45 GMT");
    assert_string_equal(date_http((struct wall){T1994}, out),
                        "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(date_http((struct wall){0}, out),
                        "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(date_rfc3339((struct wall){-1}, out),
                        "1970-01-01T00:00:00Z");
    assert_string_equal(date_rfc3339_ms((struct wall){INT64_MAX}, out),
                        "9999-12-31T23:59:59.999Z");
    assert_string_equal(date_http((struct wall){INT64_MAX}, out),
                        "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void
test_rfc3339(void **state)
{
    static const struct {
        const char *in;
        int64_t ms; /* -1: refused */
        const char *why;
    } row[] = {
        {"1970-01-01T00:00:00Z", 0, "the beginning"},
        {"2025-01-02T15:30:45Z", 1735831845000, "plain"},
        {"2025-01-02t15:30:45z", 1735831845000, "lower case"},
        {"2025-01-02 15:30:45Z", 1735831845000, "a blank"},
        {"2025-01-02T15:30:45.1Z", 1735831845100, "tenths"},
        {"2025-01-02T15:30:45.123999999999Z", 1735831845123, "is cut"},
        {"2025-01-02T18:30:45+03:00", 1735831845000, "east"},
        {"2025-01-02T10:00:45-05:30", 1735831845000, "west"},
        {"1970-01-01T03:00:00+03:00", 0, "east of the beginning"},
        {"1970-01-01T02:59:59+03:00", -1, "before the beginning"},
        {"2016-12-31T23:59:60Z", 1483228799000, "leap second"},
        {"2024-02-29T00:00:00Z", 1709164800000, "leap day"},
        {"2025-02-29T00:00:00Z", -1, "no leap day"},
        {"2025-13-01T00:00:00Z", -1, "month"},
        {"2025-00-01T00:00:00Z", -1, "month"},
        {"2025-01-01T24:00:00Z", -1, "hour"},
        {"2025-01-01T00:60:00Z", -1, "minute"},
        {"2025-01-01T00:00:61Z", -1, "second"},
        {"2025-01-01T00:00:00", -1, "no zone"},
        {"2025-01-01T00:00:00.Z", -1, "no fraction"},
        {"2025-01-01T00:00:00+0300", -1, "no colon"},
        {"2025-01-01T00:00:00+24:00", -1, "offset"},
        {"2025-01-01T00:00:00ZZ", -1, "more"},
        {"2025-1-01T00:00:00Z", -1, "one digit"},
        {"+025-01-01T00:00:00Z", -1, "a sign"},
        {"2025-01-01", -1, "no time"},
        {"", -1, "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct wall t = {-1};
        bool ok = date_parse_rfc3339(slice_str(row[i].in), &t);

        if (ok != (row[i].ms >= 0) || (ok && t.ms != row[i].ms))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

static void
test_http(void **state)
{
    static const struct {
        const char *in;
        int64_t ms;
        const char *why;
    } row[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", T1994, "IMF"},
        {"Sunday, 06-Nov-94 08:49:37 GMT", T1994, "RFC 850"},
        {"Sun Nov  6 08:49:37 1994", T1994, "asctime"},
        {"Sun Nov 16 08:49:37 1994", T1994 + 864000000, "asctime, two digits"},
        {"Mon, 06 Nov 1994 08:49:37 GMT", T1994, "the wrong day"},
        {"Sunday, 06-Nov-75 08:49:37 GMT", 3340255777000,
         "50 years after 2025"},
        {"Sunday, 06-Nov-76 08:49:37 GMT", 216118177000, "51 years after"},
        {"sun, 06 Nov 1994 08:49:37 GMT", -1, "case"},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1, "one digit"},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1, "not GMT"},
        {"Sun, 06 Nov 1994 08:49:37", -1, "no zone"},
        {"Sun, 06 Nov 1994 08:49 GMT", -1, "no seconds"},
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1, "no such day"},
        {"Sun, 06 Nov 1969 08:49:37 GMT", -1, "before 1970"},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", -1, "a blank behind"},
        {"Xyz, 06 Nov 1994 08:49:37 GMT", -1, "no day"},
        {"0", -1, "a number"},
        {"", -1, "nothing"},
    };
    struct wall now = {1735831845000}; /* 2025 */
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct wall t = {-1};
        bool ok = date_parse_http(slice_str(row[i].in), now, &t);

        if (ok != (row[i].ms >= 0) || (ok && t.ms != row[i].ms))
            fail_msg("%s: %s (%lld)", row[i].in, row[i].why, (long long)t.ms);
    }
}

/* Random times against the C library, and back again. */
static void
test_against_libc(void **state)
{
    struct prng r;
    (void)state;

    prng_init(&r, 6);
    for (int i = 0; i < 20000; i++) {
        int64_t s = (int64_t)prng_below(&r, 253402300800);
        struct wall t = {s * 1000}, back;
        char ours[DATE_TEXT], theirs[DATE_TEXT];
        time_t c = (time_t)s;
        struct tm tm;

        gmtime_r(&c, &tm);
        strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_string_equal(date_http(t, ours), theirs);
        assert_true(date_parse_http(slice_str(ours), t, &back));
        assert_int_equal(back.ms, t.ms);
        assert_true(date_parse_rfc3339(
            slice_str(date_rfc3339((struct wall){t.ms + 7}, ours)), &back));
        assert_int_equal(back.ms, t.ms);
        assert_true(date_parse_rfc3339(
            slice_str(date_rfc3339_ms((struct wall){t.ms + 7}, ours)), &back));
        assert_int_equal(back.ms, t.ms + 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_rfc3339),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_against_libc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
