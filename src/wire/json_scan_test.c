/* json_scan_test.c - tests of json_scan.h; fuzz_elements.c compares it with the
 * JSON library. SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_scan.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* All tokens as one line: { } [ ] k:KEY "TEXT" #NUM t f n . or !WHY@BYTE */
static void
scan(struct slice json, struct buf *out)
{
    struct json_scan s;
    struct slice text;
    enum json_token t;
    char copy[256];

    json_scan_init(&s, json, 4);
    do {
        t = json_scan_next(&s, &text);
        if (t == JSON_KEY || t == JSON_TEXT) {
            assert_true(text.n < sizeof(copy));
            (void)json_scan_text(text, copy);
            buf_printf(out, t == JSON_KEY ? "k:%s " : "\"%s\" ", copy);
        } else if (t == JSON_NUM) {
            buf_printf(out, "#%.*s ", SLICE_ARG(text));
        } else if (t == JSON_BAD) {
            buf_printf(out, "!%s@%zu", s.why, s.at);
        } else {
            buf_printf(out, "%c ", "!.{}[]k\"#tfn"[t]);
        }
    } while (t != JSON_DONE && t != JSON_BAD);
    assert_int_equal(json_scan_next(&s, &text), t); /* the end is the end */
}

static void
test_tokens(void **state)
{
    static const struct {
        const char *why, *json, *want;
    } row[] = {
        {"empty object", "{}", "{ } . "},
        {"empty list", " [ ] ", "[ ] . "},
        {"members", "{\"a\":1,\"b\":[true,false,null]}",
         "{ k:a #1 k:b [ t f n ] } . "},
        {"a bare value", "\"x\"", "\"x\" . "},
        {"blanks everywhere", " \t\r\n{ \"a\" : \"b\" } ", "{ k:a \"b\" } . "},
        {"numbers", "[0,-0,10.25,1e5,-1.5E-7,2E+3]",
         "[ #0 #-0 #10.25 #1e5 #-1.5E-7 #2E+3 ] . "},
        {"escapes", "[\"\\\"\\\\\\/\\n\\u0041\\u00e9\\u20ac\"]",
         "[ \"\"\\/\nA\xc3\xa9\xe2\x82\xac\" ] . "},
        {"surrogates", "[\"\\ud83d\\ude00\"]", "[ \"\xf0\x9f\x98\x80\" ] . "},
        {"UTF-8 as it is", "[\"\xc3\xa9\"]", "[ \"\xc3\xa9\" ] . "},
        {"nested to the limit", "[[[[]]]]", "[ [ [ [ ] ] ] ] . "},

        {"nothing", "", "!an end too early@0"},
        {"blanks alone", "  ", "!an end too early@2"},
        {"too deep", "[[[[[", "[ [ [ [ !too deep nesting@4"},
        {"not closed", "[1", "[ #1 !no comma where one must be@2"},
        {"closed wrongly", "[1}", "[ #1 !no comma where one must be@2"},
        {"trailing comma", "[1,]", "[ #1 !something that is no value@3"},
        {"trailing comma in an object", "{\"a\":1,}",
         "{ k:a #1 !no key where one must be@7"},
        {"no key", "{1:2}", "{ !no key where one must be@1"},
        {"no colon", "{\"a\" 1}", "{ !no colon behind a key@5"},
        {"two values", "1 2", "#1 !something behind the value@2"},
        {"a zero too many", "[01]", "[ #0 !no comma where one must be@2"},
        {"no digits", "[-]", "[ !a number without digits@2"},
        {"no digits behind the point", "[1.]",
         "[ !a number without digits behind its point@3"},
        {"no exponent", "[1e]", "[ !an exponent without digits@3"},
        {"plus", "[+1]", "[ !something that is no value@1"},
        {"a word cut", "[tru]", "[ !something that is no value@1"},
        {"words run together", "[truefalse]",
         "[ t !no comma where one must be@5"},
        {"no end of a string", "[\"a", "[ !a string without an end@3"},
        {"ends in a backslash", "[\"a\\", "[ !an escape that is none@3"},
        {"no such escape", "[\"\\x\"]", "[ !an escape that is none@2"},
        {"U+0000", "[\"\\u0000\"]", "[ !an escape that is none@2"},
        {"half a surrogate", "[\"\\ud83d\"]", "[ !an escape that is none@2"},
        {"the other half", "[\"\\ude00\"]", "[ !an escape that is none@2"},
        {"two first halves", "[\"\\ud83d\\ud83d\"]",
         "[ !an escape that is none@2"},
        {"hex that is none", "[\"\\u00g0\"]", "[ !an escape that is none@2"},
        {"a line end in a string", "[\"\n\"]",
         "[ !a control character in a string@2"},
        {"overlong UTF-8", "[\"\xc0\xaf\"]", "[ !a string that is not UTF-8@2"},
        {"cut UTF-8", "[\"\xe2\x82", "[ !a string that is not UTF-8@2"},
        {"a comment", "[1/**/]", "[ #1 !no comma where one must be@2"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct buf b;

        buf_init(&b, 4 * KIB);
        scan(slice_str(row[i].json), &b);
        if (strcmp(buf_str(&b), row[i].want) != 0)
            fail_msg("%s: got \"%s\"", row[i].why, buf_str(&b));
        buf_release(&b);
    }
}

static void
test_skip(void **state)
{
    struct slice json = SLICE("[{\"a\":[1,{}]},[],2,3]"), text;
    struct json_scan s;
    (void)state;

    json_scan_init(&s, json, 8);
    assert_int_equal(json_scan_next(&s, &text), JSON_LIST);
    for (int i = 0; i < 3; i++)
        assert_true(json_scan_skip(&s, json_scan_next(&s, &text)));
    assert_int_equal(json_scan_next(&s, &text), JSON_NUM);
    assert_true(slice_eq(text, SLICE("3")));
    json_scan_init(&s, SLICE("[{\"a\":[1,"), 8);
    assert_false(json_scan_skip(&s, json_scan_next(&s, &text)));
    assert_false(json_scan_skip(&s, JSON_BAD));
    json_scan_init(&s, SLICE_NULL, 8);
    assert_int_equal(json_scan_next(&s, &text), JSON_BAD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_skip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
