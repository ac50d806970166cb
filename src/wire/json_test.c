/* json_test.c - tests of json.h and problem.h (D16).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"
#include "wire/problem.h"
#include "base/prng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define D15 "[[[[[[[[[[[[[[["
#define E15 "]]]]]]]]]]]]]]]"

static void
test_read(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *why;
    } row[] = {
        {"{}", true, "empty object"},
        {" [1, 2.5, \"\\u0416\", null] ", true, "a list"},
        {D15 "[" E15 "]", true, "16 deep"},
        {D15 "[[" E15 "]]", false, "17 deep"},
        {"{\"a\":\"" D15 "[[[[\"}", true, "brackets in a string"},
        {"{\"a\":\"\\\"" D15 "[[[[\"}", true, "behind an escaped mark"},
        {"{\"a\":1,\"a\":2}", false, "a key twice"},
        {"{\"a\":{\"b\":1,\"b\":1}}", false, "a key twice, inside"},
        {"\"a\"", false, "a string at the top"},
        {"1", false, "a number at the top"},
        {"", false, "nothing"},
        {"{", false, "cut"},
        {"{}{}", false, "two"},
        {"{} x", false, "more"},
        {"{\"a\":\"\xff\"}", false, "not UTF-8"},
        {"{\"a\":\"\\u0000\"}", false, "NUL"},
        {"{\"a\":\"\\ud800\"}", false, "half a pair"},
        {"{\"a\":12345678901234567890}", false, "over 2^63"},
        {"{\"a\":1e999}", false, "over a double"},
        {"{'a':1}", false, "single quotes"},
        {"[1,]", false, "comma at the end"},
        {"[NaN]", false, "no number"},
        {"[01]", false, "a zero in front"},
        {"]]]][", false, "closed before it is open"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct json_error e = {0};
        json_t *j = json_read(slice_str(row[i].in), &e);

        if ((j != NULL) != row[i].ok || (e.text[0] == 0) != row[i].ok)
            fail_msg("%s (%s): %s", row[i].in, row[i].why, e.text);
        json_decref(j);
    }
}

static void
test_limits(void **state)
{
    struct json_limits lim = {20, 16, 4, true};
    struct json_error e = {0};
    json_t *j;
    (void)state;

    assert_true(json_measure(SLICE("[1,2,3]"), &lim, &e));
    assert_false(json_measure(SLICE("[1,2,3,4]"), &lim, &e));
    assert_true(json_measure(SLICE("01234567890123456789"), &lim, &e));
    assert_false(json_measure(SLICE("012345678901234567890"), &lim, &e));
    assert_string_equal(e.text,
                        "the JSON is 21 bytes long; at most 20 are read");
    j = json_read_limited(SLICE("\"x\""), &lim, &e);
    assert_non_null(j);
    json_decref(j);
}

/* jansson 2.14 takes the second for [9]. */
static void
test_nul(void **state)
{
    struct json_error e;
    (void)state;

    memset(&e, 'x', sizeof(e)); /* as the stack may be */
    assert_null(json_read(slice_of("[9\0]", 4), &e));
    assert_string_equal(e.text, "not valid JSON: it has a NUL byte");
    assert_null(json_read(slice_of("[\0]", 3), &e));
    assert_null(json_read(slice_of("[\"\0\"]", 5), &e));
}

static void
test_get(void **state)
{
    static const char in[] = "{\"s\":\"x\",\"i\":5,\"f\":1.0,\"b\":true,"
                             "\"n\":null,\"o\":{},\"l\":[]}";
    struct json_error e = {0};
    json_t *j = json_read(slice_str(in), &e);
    (void)state;

    assert_non_null(j);
    assert_true(slice_eq(json_get_str(j, "s", JSON_REQUIRED, &e), SLICE("x")));
    assert_int_equal(json_get_int(j, "i", JSON_REQUIRED, 0, 5, 9, &e), 5);
    assert_true(json_get_bool(j, "b", JSON_REQUIRED, false, &e));
    assert_non_null(json_get_obj(j, "o", JSON_REQUIRED, &e));
    assert_non_null(json_get_list(j, "l", JSON_REQUIRED, &e));
    /* absent, or null */
    assert_null(json_get_str(j, "x", JSON_OPTIONAL, &e).p);
    assert_int_equal(json_get_int(j, "n", JSON_OPTIONAL, 0, 5, 9, &e), 9);
    assert_true(json_get_bool(j, "x", JSON_OPTIONAL, true, &e));
    assert_null(json_get_obj(j, "x", JSON_OPTIONAL, &e));
    assert_null(json_get_list(NULL, "x", JSON_REQUIRED, &e));
    assert_string_equal(e.text, "");
    json_get_str(j, "n", JSON_REQUIRED, &e);
    assert_string_equal(e.text, "the field 'n' is missing");
    json_get_str(j, "i", JSON_REQUIRED, &e); /* the first error stays */
    assert_string_equal(e.text, "the field 'n' is missing");
    e.text[0] = 0;
    json_get_str(j, "i", JSON_OPTIONAL, &e);
    assert_string_equal(e.text, "the field 'i' must be a string");
    e.text[0] = 0;
    assert_int_equal(json_get_int(j, "f", JSON_OPTIONAL, 0, 5, 9, &e), 9);
    assert_string_equal(e.text, "the field 'f' must be a whole number");
    e.text[0] = 0;
    assert_int_equal(json_get_int(j, "i", JSON_OPTIONAL, 6, 7, 9, &e), 9);
    assert_string_equal(e.text, "the field 'i' must be from 6 to 7");
    e.text[0] = 0;
    json_get_bool(j, "i", JSON_OPTIONAL, false, &e);
    assert_string_equal(e.text, "the field 'i' must be true or false");
    e.text[0] = 0;
    json_get_obj(j, "l", JSON_OPTIONAL, &e);
    assert_string_equal(e.text, "the field 'l' must be an object");
    e.text[0] = 0;
    json_get_list(j, "o", JSON_OPTIONAL, &e);
    assert_string_equal(e.text, "the field 'o' must be a list");
    json_decref(j);
}

static void
test_out_str(void **state)
{
    static const struct {
        const char *in;
        const char *out;
        const char *why;
    } row[] = {
        {"", "\"\"", "nothing"},
        {"a/b \xd0\x96", "\"a/b \xd0\x96\"", "as it is"},
        {"\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "short escapes"},
        {"a\x01\x1f\x7fz", "\"a\\u0001\\u001f\\u007fz\"", "long escapes"},
        {"\xe2\x80\xa8", "\"\\u2028\"", "a line end of JavaScript"},
        {"a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\"", "not UTF-8"},
    };
    struct buf b;
    (void)state;

    buf_init(&b, 1000);
    for (size_t i = 0; i < countof(row); i++) {
        buf_clear(&b);
        assert_true(json_out_str(&b, slice_str(row[i].in)));
        if (strcmp(buf_str(&b), row[i].out) != 0)
            fail_msg("%s: %s", row[i].why, buf_str(&b));
    }
    buf_clear(&b);
    json_out_str(&b, SLICE("a\0b"));
    assert_string_equal(buf_str(&b), "\"a\\u0000b\"");
    buf_release(&b);
}

/* Whatever the bytes, the library reads back what was written. */
static void
test_out_random(void **state)
{
    struct json_limits lim = {10000, 1, 1000, true};
    struct prng r;
    struct buf b;
    (void)state;

    prng_init(&r, 2);
    buf_init(&b, 10000);
    for (int round = 0; round < 5000; round++) {
        struct json_error e = {0};
        char in[60];
        size_t n = prng_below(&r, sizeof(in));
        json_t *j;

        prng_fill(&r, in, n);
        for (size_t i = 0; i < n; i++) {
            if (round % 2)
                in[i] = (char)(in[i] & 0x7f);
            if (in[i] == 0) /* which the library refuses */
                in[i] = 1;
        }
        buf_clear(&b);
        json_out_str(&b, slice_of(in, n));
        j = json_read_limited(buf_slice(&b), &lim, &e);
        if (j == NULL)
            fail_msg("%s: %s", buf_str(&b), e.text);
        if (round % 2)
            assert_true(
                slice_eq(slice_of(json_string_value(j), json_string_length(j)),
                         slice_of(in, n)));
        json_decref(j);
    }
    buf_release(&b);
}

#define TREE                                                                   \
    "{\"z\":1,\"a\":[true,\"\xd0\x96\",null,false,[],{}],\"i\":-"              \
    "9007199254740993,"                                                        \
    "\"r\":[0.1,1.1,1e+300,0.3333333333333333,2.2250738585072014e-308,2.0,-0." \
    "0]}"

static void
test_writer(void **state)
{
    struct json_error e = {0};
    struct json_writer w;
    struct buf b, again;
    json_t *j;
    (void)state;

    buf_init(&b, 1000);
    buf_init(&again, 1000);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "a", "x");
    json_put_list(&w, "l");
    json_put_u64(&w, NULL, UINT64_MAX);
    json_put_i64(&w, NULL, INT64_MIN);
    json_put_object(&w, NULL);
    json_end_object(&w);
    json_put_list(&w, NULL);
    json_put_null(&w, NULL);
    json_end_list(&w);
    json_end_list(&w);
    json_put_bool(&w, "t", true);
    json_put_double(&w, "d", 0.5);
    json_put_double(&w, "nan", NAN);
    json_put_raw(&w, "r", SLICE("[1]"));
    json_end_object(&w);
    assert_string_equal(
        buf_str(&b),
        "{\"a\":\"x\",\"l\":[18446744073709551615,-9223372036854775808,{},"
        "[null]],\"t\":true,\"d\":0.5,\"nan\":null,\"r\":[1]}");
    /* and a tree comes out as it went in */
    j = json_read(SLICE(TREE), &e);
    assert_true(json_out_value(&again, j));
    assert_string_equal(buf_str(&again), TREE);
    json_decref(j);
    buf_release(&b);
    buf_release(&again);
}

#undef TREE

static void
test_problem(void **state)
{
    struct problem p = {507, "no_space", SLICE("full \"up\""), SLICE("r-1"),
                        SLICE("{\"se\":[]}")};
    struct buf b;
    (void)state;

    buf_init(&b, 1000);
    problem_body(&b, &p, PROBLEM_PLAIN);
    assert_string_equal(buf_str(&b),
                        "{\"error\":\"no_space\",\"message\":\"full \\\"up\\\""
                        "\",\"request_id\":\"r-1\",\"details\":{\"se\":[]}}");
    buf_clear(&b);
    p.request_id = p.details = SLICE_NULL;
    problem_body(&b, &p, PROBLEM_RFC9457);
    assert_string_equal(
        buf_str(&b), "{\"type\":\"about:blank\",\"title\":\"Insufficient "
                     "Storage\",\"status\":507,\"detail\":\"full \\\"up\\\"\","
                     "\"error\":\"no_space\",\"message\":\"full \\\"up\\\"\"}");
    assert_int_equal(problem_form_for(SLICE("application/problem+json")),
                     PROBLEM_RFC9457);
    assert_int_equal(problem_form_for(SLICE("*/*")), PROBLEM_PLAIN);
    assert_int_equal(problem_form_for(SLICE_NULL), PROBLEM_PLAIN);
    assert_string_equal(http_reason(416), "Range Not Satisfiable");
    assert_string_equal(http_reason(299), "Unknown");
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nul),     cmocka_unit_test(test_get),
        cmocka_unit_test(test_out_str), cmocka_unit_test(test_out_random),
        cmocka_unit_test(test_writer),  cmocka_unit_test(test_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
