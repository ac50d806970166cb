/* disposition_test.c - tests of disposition.h (ING-041, STO-034, STO-035).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/disposition.h"
#include "base/prng.h"
#include "wire/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_format(void **state)
{
    static const struct {
        const char *in;
        const char *out;
        const char *why;
    } row[] = {
        {"a b.txt", "attachment; filename=\"a b.txt\"", "plain"},
        {"", "attachment; filename=\"\"", "none"},
        {"a\"\\%.txt",
         "attachment; filename=\"a___.txt\"; filename*=UTF-8''a%22%5C%25.txt",
         "what old readers trip over"},
        {"\xc3\xa9 \xd0\x96.txt",
         "attachment; filename=\"_ _.txt\"; "
         "filename*=UTF-8''%C3%A9%20%D0%96.txt",
         "one '_' for a character"},
        {"a\r\nB: c",
         "attachment; filename=\"a__B: c\"; filename*=UTF-8''a%0D%0AB%3A%20c",
         "no new line gets through"},
        {"\xff.txt", "attachment; filename=\"_.txt\"", "not UTF-8"},
    };
    struct buf b;
    (void)state;

    buf_init(&b, 1000);
    for (size_t i = 0; i < countof(row); i++) {
        buf_clear(&b);
        assert_true(disposition_format(&b, true, slice_str(row[i].in)));
        if (strcmp(buf_str(&b), row[i].out) != 0)
            fail_msg("%s: %s", row[i].why, buf_str(&b));
    }
    buf_clear(&b);
    disposition_format(&b, false, SLICE("x"));
    assert_string_equal(buf_str(&b), "inline; filename=\"x\"");
    buf_release(&b);
}

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50

static void
test_sanitise(void **state)
{
    static const struct {
        const char *in;
        const char *out;
        const char *why;
    } row[] = {
        {"report.pdf", "report.pdf", "plain"},
        {"\xd0\xbe\xd1\x82\xd1\x87 1.pdf", "\xd0\xbe\xd1\x82\xd1\x87 1.pdf",
         "UTF-8 is kept"},
        {"../../etc/passwd", "passwd", "a way up"},
        {"C:\\dir\\a.txt", "a.txt", "an old browser's path"},
        {"a/b/", "b", "separator at the end"},
        {"..", "file", "up"},
        {".", "file", "here"},
        {"/", "file", "root"},
        {"", "file", "nothing"},
        {"  a.txt  ", "a.txt", "blanks around"},
        {".bashrc", ".bashrc", "a dot in front is no extension"},
        {"a\x01\x7f\nb.txt", "a___b.txt", "control bytes"},
        {"a\xff\xc3.txt", "a__.txt", "not UTF-8"},
        {"a\xe2\x80\xae"
         "fdp.exe",
         "a_fdp.exe", "reversed reading"},
        {"a\xef\xbb\xbf\xc2\x85.txt", "a__.txt", "invisible, C1"},
        {"a.", "a.", "no extension"},
        {X250 "abcdef.txt", X250 "a.txt", "cut, extension kept"},
        {X250 "abc\xd0\x96\xd0\x96", X250 "abc\xd0\x96", "cut just so"},
        {X250 "abcd\xd0\x96", X250 "abcd", "cut before the character"},
        {X250 "." X50, X250 ".xxxx", "too long to be an extension"},
    };
    char out[FILENAME_MAX_BYTES + 1];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        size_t n = filename_sanitise(slice_str(row[i].in), out);

        if (strcmp(out, row[i].out) != 0 || n != strlen(out))
            fail_msg("%s: %s", row[i].why, out);
    }
}

#define TAIL "_20250102T153045_017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

static void
test_storage(void **state)
{
    static const struct {
        const char *name;
        const char *user;
        const char *out;
        const char *why;
    } row[] = {
        {"report.pdf", "ivanov", "report_ivanov" TAIL ".pdf", "STO-034"},
        {"Report.PDF", "ivanov", "Report_ivanov" TAIL ".pdf", "lower case"},
        {"a.tar.gz", "u", "a.tar_u" TAIL ".gz", "the last extension"},
        {"README", "u", "README_u" TAIL, "no extension, no dot"},
        {"a.", "u", "a._u" TAIL, "an empty one"},
        {".env", "u", "env_u" TAIL, "not hidden"},
        {"-rf", "u", "rf_u" TAIL, "not an option"},
        {"..", "u", "file_u" TAIL, "nothing left"},
        {"a b;c$(d).txt", "i@corp/x", "a_b_c__d__i_corp_x" TAIL ".txt",
         "shells"},
        {"a.b c", "u", "a.b_c_u" TAIL, "a blank makes no extension"},
        {"x", "", "x_anonymous" TAIL, "nobody"},
        {"../x", "../y", "x__y" TAIL, "ways up"},
    };
    char out[STORAGE_NAME_MAX + 1];
    struct uuid id;
    struct wall t = {1735831845123};
    (void)state;

    assert_true(uuid_parse(SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), &id));
    for (size_t i = 0; i < countof(row); i++) {
        size_t n = storage_name(slice_str(row[i].name), slice_str(row[i].user),
                                t, &id, out);

        if (strcmp(out, row[i].out) != 0 || n != strlen(out))
            fail_msg("%s: %s", row[i].why, out);
    }
}

/* Whatever comes in, what goes out can be a name of a file. */
static void
test_random(void **state)
{
    static const char *const bit[] = {
        "/", "\\", ".", "..",   "a", "\xd0\x96", "\xff", "\xf0\x9f\x98\x80",
        " ", "\n", "",  ".txt", "-", X50};
    char out[FILENAME_MAX_BYTES + 1], name[STORAGE_NAME_MAX + 1];
    struct uuid id = {{0}};
    struct prng r;
    struct buf b, user;
    (void)state;

    prng_init(&r, 9);
    buf_init(&b, 100000);
    buf_init(&user, 100000);
    for (int round = 0; round < 20000; round++) {
        struct slice s;
        size_t n;

        buf_clear(&b);
        buf_clear(&user);
        for (size_t k = prng_below(&r, 12); k > 0; k--) {
            buf_add_str(&b, bit[prng_below(&r, countof(bit))]);
            buf_add_str(&user, bit[prng_below(&r, countof(bit))]);
        }
        if (b.n && prng_below(&r, 3) == 0)
            b.p[prng_below(&r, b.n)] = 0; /* a NUL inside */
        n = filename_sanitise(buf_slice(&b), out);
        s = slice_of(out, n);
        assert_true(n > 0 && n <= FILENAME_MAX_BYTES && strlen(out) == n);
        assert_true(utf8_valid(s));
        assert_true(slice_find(s, '/') == n && slice_find(s, '\\') == n);
        assert_true(strcmp(out, ".") != 0 && strcmp(out, "..") != 0);

        n = storage_name(buf_slice(&b), buf_slice(&user), (struct wall){0}, &id,
                         name);
        s = slice_of(name, n);
        assert_true(n > 0 && n <= STORAGE_NAME_MAX && strlen(name) == n);
        assert_true(utf8_valid(s));
        assert_true(slice_find(s, '/') == n && slice_find(s, ' ') == n);
        assert_true(name[0] != '.' && name[0] != '-');
    }
    buf_release(&b);
    buf_release(&user);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_sanitise),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
