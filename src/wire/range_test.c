/* range_test.c - tests of range.h (D21, ING-050).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/range.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char *
tell(enum http_range_answer a, const struct http_ranges *r, char *out)
{
    size_t n = (size_t)sprintf(out, "%s",
                               a == HTTP_RANGE_WHOLE     ? "whole"
                               : a == HTTP_RANGE_PARTIAL ? "part"
                                                         : "never");

    for (uint32_t i = 0; i < r->n; i++)
        n += (size_t)sprintf(out + n, " %llu+%llu",
                             (unsigned long long)r->r[i].first,
                             (unsigned long long)r->r[i].n);
    return out;
}

static void
test_resolve(void **state)
{
    static const struct {
        const char *in;
        uint64_t size;
        const char *out;
        const char *why;
    } row[] = {
        {NULL, 100, "whole", "no field"},
        {"bytes=0-9", 100, "part 0+10", "plain"},
        {"BYTES=0-9", 100, "part 0+10", "units have no case"},
        {"bytes=90-", 100, "part 90+10", "to the end"},
        {"bytes=90-200", 100, "part 90+10", "past the end"},
        {"bytes=99-99", 100, "part 99+1", "the last byte"},
        {"bytes=100-", 100, "never", "just outside"},
        {"bytes=-10", 100, "part 90+10", "suffix"},
        {"bytes=-100", 100, "part 0+100", "suffix of all"},
        {"bytes=-101", 100, "part 0+100", "suffix of more"},
        {"bytes=-0", 100, "never", "suffix of nothing"},
        {"bytes=0-", 0, "never", "nothing there"},
        {"bytes=-5", 0, "never", "nothing there"},
        {"bytes=0-99999999999999999999999", 100, "part 0+100", "over 2^64"},
        {"bytes=99999999999999999999999-", 100, "never", "over 2^64"},
        {"bytes=0-18446744073709551615", UINT64_MAX,
         "part "
         "0+18446744073709551615",
         "the largest file"},
        {"bytes=0-0,-1", 100, "part 0+1 99+1", "first and last"},
        {"bytes= 0-0 ,, 5-6 ", 100, "part 0+1 5+2", "blanks, empty members"},
        {"bytes=50-59,0-9", 100, "part 50+10 0+10", "order is kept"},
        {"bytes=0-9,10-19", 100, "part 0+20", "touching"},
        {"bytes=0-9,5-14", 100, "part 0+15", "overlapping"},
        {"bytes=50-59,0-9,55-70", 100, "part 50+21 0+10", "joined in place"},
        {"bytes=0-9,20-29,5-25", 100, "part 0+30", "joins two"},
        {"bytes=0-9,200-300", 100, "part 0+10", "one of two is outside"},
        {"bytes=200-,300-", 100, "never", "both are"},
        {"bytes=9-0", 100, "whole", "backwards"},
        {"bytes=0-9,9-0", 100, "whole", "one malformed spoils all"},
        {"bytes=", 100, "whole", "nothing asked"},
        {"bytes=,", 100, "whole", "nothing asked"},
        {"bytes=-", 100, "whole", "neither end"},
        {"bytes=a-b", 100, "whole", "letters"},
        {"bytes=0-9x", 100, "whole", "a letter"},
        {"bytes=99999999999999999999999x-", 100, "whole", "late letter"},
        {"bytes=0 - 9", 100, "whole", "blanks inside"},
        {"bytes=--5", 100, "whole", "a sign"},
        {"bytes=0-9-", 100, "whole", "two hyphens"},
        {"bytes 0-9", 100, "whole", "no equals sign"},
        {"lines=0-9", 100, "whole", "another unit"},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,"
         "22-22,24-24,26-26,28-28,30-30",
         100,
         "part 0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1 16+1 18+1 20+1 22+1 24+1 "
         "26+1 28+1 30+1",
         "sixteen"},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,"
         "22-22,24-24,26-26,28-28,30-30,32-32",
         100, "whole", "seventeen"},
    };
    struct http_ranges r;
    char text[1000];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        enum http_range_answer a =
            http_ranges_resolve(slice_str(row[i].in), row[i].size, &r);

        if (strcmp(tell(a, &r, text), row[i].out) != 0)
            fail_msg("%s (%s): %s", row[i].in, row[i].why, text);
    }
}

/* Against a bitmap: the same bytes, none twice. */
static void
test_random(void **state)
{
    struct prng g;
    (void)state;

    prng_init(&g, 8);
    for (int round = 0; round < 5000; round++) {
        bool want[60] = {0}, got[60] = {0};
        uint64_t size = prng_below(&g, 60);
        char in[400] = "bytes=";
        size_t n = 6;
        struct http_ranges r;

        for (size_t k = 1 + prng_below(&g, 16); k > 0; k--) {
            uint64_t a = prng_below(&g, 60), b = a + prng_below(&g, 8);

            n += (size_t)sprintf(in + n, "%d-%d,", (int)a, (int)b);
            for (uint64_t at = a; at <= b && at < size; at++)
                want[at] = true;
        }
        http_ranges_resolve(slice_of(in, n), size, &r);
        for (uint32_t i = 0; i < r.n; i++)
            for (uint64_t at = 0; at < r.r[i].n; at++) {
                assert_true(r.r[i].first + at < size);
                assert_false(got[r.r[i].first + at]);
                got[r.r[i].first + at] = true;
            }
        assert_memory_equal(want, got, sizeof(want));
    }
}

static void
test_content_range(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        struct http_content_range r;
        const char *why;
    } row[] = {
        {"bytes 0-499/1234", true, {true, 0, 499, true, 1234}, "plain"},
        {"Bytes 0-0/1", true, {true, 0, 0, true, 1}, "one byte"},
        {"bytes 5-9/*", true, {true, 5, 9, false, 0}, "total unknown"},
        {"bytes */1234", true, {false, 0, 0, true, 1234}, "status query"},
        {"bytes */0", true, {false, 0, 0, true, 0}, "of an empty one"},
        {"bytes */*", false, {0}, "says nothing"},
        {"bytes 0-1234/1234", false, {0}, "one over"},
        {"bytes 9-5/10", false, {0}, "backwards"},
        {"bytes 0-/10", false, {0}, "open end"},
        {"bytes -5/10", false, {0}, "suffix"},
        {"bytes 0-5", false, {0}, "no total"},
        {"bytes 0-5/", false, {0}, "empty total"},
        {"bytes=0-5/10", false, {0}, "the other field's form"},
        {"bytes 0-5/10/11", false, {0}, "two totals"},
        {"bytes  0-5/10", false, {0}, "two blanks"},
        {"bytes 0-18446744073709551616/*", false, {0}, "over 2^64"},
        {"lines 0-5/10", false, {0}, "another unit"},
        {"", false, {0}, "empty"},
    };
    struct http_content_range r;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = http_content_range_parse(slice_str(row[i].in), &r);

        if (ok != row[i].ok ||
            (ok &&
             (r.has_range != row[i].r.has_range || r.first != row[i].r.first ||
              r.last != row[i].r.last || r.has_total != row[i].r.has_total ||
              r.total != row[i].r.total)))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

static void
test_format(void **state)
{
    struct http_ranges r = {2, {{0, 10}, {UINT64_MAX - 5, 5}}};
    char t[HTTP_CONTENT_RANGE_TEXT];
    struct buf b;
    (void)state;

    assert_string_equal(http_content_range_text(r.r[0], 100, t),
                        "bytes 0-9/100");
    assert_string_equal(http_content_range_none(100, t), "bytes */100");
    http_content_range_text((struct http_range){UINT64_MAX - 1, 1}, UINT64_MAX,
                            t);
    assert_string_equal(t, "bytes 18446744073709551614-18446744073709551614/"
                           "18446744073709551615"); /* it fits */

    buf_init(&b, 1000);
    http_byteranges_part(&b, SLICE("XX"), SLICE("a/b"), r.r[0], 100);
    assert_string_equal(buf_str(&b), "\r\n--XX\r\nContent-Type: a/b\r\n"
                                     "Content-Range: bytes 0-9/100\r\n\r\n");
    http_byteranges_part(&b, SLICE("XX"), SLICE("a/b"), r.r[1], UINT64_MAX);
    http_byteranges_end(&b, SLICE("XX"));
    assert_int_equal(
        http_byteranges_length(&r, SLICE("XX"), SLICE("a/b"), UINT64_MAX),
        b.n + 15 + strlen("18446744073709551615") - strlen("100"));
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_content_range),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
