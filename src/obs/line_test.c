/* line_test.c - tests of line.h and trace.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/line.h"
#include "obs/trace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
expect(const struct line *l, const char *want, const char *why)
{
    if (!slice_eq(line_slice(l), slice_str(want)))
        fail_msg("%s: got [%.*s], want [%s]", why, SLICE_ARG(line_slice(l)),
                 want);
}

static void
test_json(void **state)
{
    static const struct {
        struct slice in;
        size_t max;
        const char *out;
        const char *why;
    } row[] = {
        {SLICE("abc"), 100, "\"abc\"", "plain"},
        {SLICE(""), 100, "\"\"", "empty"},
        {SLICE("a\"b\\c"), 100, "\"a\\\"b\\\\c\"", "quote and backslash"},
        {SLICE("a\nb\r\t"), 100, "\"a\\nb\\r\\t\"", "no second line"},
        {SLICE("\x1b[2J"), 100, "\"\\u001b[2J\"", "terminal command"},
        {SLICE("\xc2\x9b"), 100, "\"\\u009b\"", "C1: CSI in one character"},
        {SLICE("a\0b"), 100, "\"a\\u0000b\"", "zero"},
        {SLICE("\x7f"), 100, "\"\\u007f\"", "DEL"},
        {SLICE("\xd0\xb6\xe2\x82\xac\xf0\x9f\x98\x80"), 100,
         "\"\xd0\xb6\xe2\x82\xac\xf0\x9f\x98\x80\"", "2, 3 and 4 bytes"},
        {SLICE("\xff"), 100, "\"\xef\xbf\xbd\"", "never in UTF-8"},
        {SLICE("\xc0\xaf"), 100, "\"\xef\xbf\xbd\xef\xbf\xbd\"", "overlong"},
        {SLICE("\xe0\x80\xaf"), 100, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "overlong, three"},
        {SLICE("\xed\xa0\x80"), 100, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "surrogate"},
        {SLICE("\xf4\x90\x80\x80"), 100,
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "too large"},
        {SLICE("a\xe2\x82"), 100, "\"a\xef\xbf\xbd\xef\xbf\xbd\"", "cut off"},
        {SLICE("abcdef"), 3, "\"abc...\"", "over its length"},
        {SLICE("abc"), 3, "\"abc\"", "just its length"},
        {SLICE("ab\xd0\xb6"), 3, "\"ab\xd0\xb6\"", "bound inside a character"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char text[128];
        struct line l;

        line_init(&l, text, sizeof(text));
        line_json(&l, row[i].in, row[i].max);
        expect(&l, row[i].out, row[i].why);
    }
}

static void
test_numbers(void **state)
{
    static const struct {
        int64_t v;
        unsigned digits;
        const char *out;
    } row[] = {
        {0, 0, "0"},           {0, 3, "0"},
        {1500, 3, "1.5"},      {1, 3, "0.001"},
        {5000000, 9, "0.005"}, {10000000000, 9, "10"},
        {-1500, 3, "-1.5"},    {INT64_MIN, 0, "-9223372036854775808"},
        {-1, 3, "-0.001"},     {123456789, 9, "0.123456789"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char text[64];
        struct line l;

        line_init(&l, text, sizeof(text));
        line_fixed(&l, row[i].v, row[i].digits);
        expect(&l, row[i].out, "line_fixed");
    }
}

static void
test_time(void **state)
{
    static const struct {
        int64_t ms;
        const char *out;
        const char *why;
    } row[] = {
        {0, "1970-01-01T00:00:00.000Z", "the beginning"},
        {951782399999, "2000-02-28T23:59:59.999Z", "before the leap day"},
        {951782400000, "2000-02-29T00:00:00.000Z", "leap day of 2000"},
        {4107542399000, "2100-02-28T23:59:59.000Z", "2100 has none"},
        {4107542400000, "2100-03-01T00:00:00.000Z", "next day"},
        {1795254360123, "2026-11-21T09:46:00.123Z", "milliseconds"},
        {-5, "1970-01-01T00:00:00.000Z", "before the beginning"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char text[64];
        struct line l;

        line_init(&l, text, sizeof(text));
        line_time(&l, (struct wall){row[i].ms});
        expect(&l, row[i].out, row[i].why);
    }
}

/* What does not fit is left out whole, and nothing comes after it. */
static void
test_ceiling(void **state)
{
    char text[8];
    struct line l;
    (void)state;

    line_init(&l, text, sizeof(text));
    line_str(&l, "12345678");
    assert_false(l.cut); /* just fits */
    line_char(&l, '9');
    assert_true(l.cut);
    expect(&l, "12345678", "one over");
    line_back(&l, 4);
    line_str(&l, "abcde");
    assert_true(l.cut);
    line_str(&l, "x"); /* would fit, but would stand in the wrong place */
    expect(&l, "1234", "after a cut");
}

static void
test_word(void **state)
{
    char text[64];
    struct line l;
    (void)state;

    line_init(&l, text, sizeof(text));
    line_word(&l, SLICE("plain"), 10);
    line_word(&l, SLICE("two words"), 10);
    line_word(&l, SLICE("a=b"), 10);
    line_word(&l, SLICE(""), 10);
    line_word(&l, SLICE("line\nfeed"), 10);
    expect(&l, "plain\"two words\"\"a=b\"\"\"\"line\\nfeed\"", "words");
}

/* ING-310, W3C Trace Context: zero ids are not valid. */
static void
test_trace(void **state)
{
    static const uint8_t zero[24];
    uint8_t random[24];
    struct trace t, c;
    (void)state;

    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i + 1);
    trace_begin(&t, zero, (struct mono){5});
    assert_int_equal(t.trace_id[15], 1);
    assert_int_equal(t.span_id[7], 1);
    trace_begin(&t, random, (struct mono){5});
    assert_memory_equal(t.trace_id, random, 16);
    assert_memory_equal(t.span_id, random + 16, 8);
    trace_request_id(&t, SLICE("req-1"), random);
    trace_child(&c, &t, random, (struct mono){7});
    assert_memory_equal(c.trace_id, t.trace_id, 16);
    assert_memory_equal(c.parent_id, t.span_id, 8);
    assert_memory_equal(c.span_id, random, 8);
    assert_string_equal(c.request_id, "req-1");
    assert_int_equal(trace_took(&c, (struct mono){10}).ns, 3);
}

#define D64 "0123456789012345678901234567890123456789012345678901234567890123"

static void
test_request_id(void **state)
{
    static const struct {
        const char *sent;
        bool kept;
        const char *why;
    } row[] = {
        {"abc-1.2_3:4~/+=@", true, "all that is allowed"},
        {"", false, "nothing"},
        {"a b", false, "a blank"},
        {"a\r\nSet-Cookie: x", false, "a header in the header"},
        {"\"}", false, "would end a JSON string"},
        {D64 D64, true, "128"},
        {D64 D64 "x", false, "129"},
    };
    static const uint8_t random[16] = {1};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct trace t = {0};

        trace_request_id(&t, slice_str(row[i].sent), random);
        if ((strcmp(t.request_id, row[i].sent) == 0) != row[i].kept ||
            strlen(t.request_id) == 0)
            fail_msg("%s", row[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_time),       cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_word),       cmocka_unit_test(test_trace),
        cmocka_unit_test(test_request_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
