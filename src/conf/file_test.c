/* file_test.c - the syntax of a file of options. ING-274.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_lines(void **state)
{
    static const struct {
        const char *in;
        const char *value; /* NULL: the line is not well-formed */
        const char *why;
    } row[] = {
        {"A=b", "b", "plain"},
        {"A=b\r", "b", "an editor's line end"},
        {"  A = b  ", "b", "blanks around"},
        {"\tA\t=\tb\t", "b", "tabs around"},
        {"A=", "", "nothing"},
        {"A= ", "", "a blank"},
        {"A=b c", "b c", "a blank inside"},
        {"A=b # c", "b", "a comment (ING-274)"},
        {"A=b\t# c", "b", "behind a tab"},
        {"A=b#c", "b#c", "no comment without a blank"},
        {"A=#c", "#c", "nor right behind the equals sign"},
        {"A= #c", "", "but behind a blank"},
        {"A= # c", "", "the same"},
        {"A=b=c", "b=c", "an equals sign in the value"},
        {"A=b\\n", "b\\n", "backslashes are plain"},
        {"A=$HOME", "$HOME", "nothing is expanded"},
        {"A=b'c'", "b'c'", "a quote inside is plain"},
        {"A='b # c'", "b # c", "single quotes"},
        {"A='b' # c", "b", "and a comment"},
        {"A='b\\n$c\"'", "b\\n$c\"", "as it is"},
        {"A=''", "", "empty quotes"},
        {"A='b", NULL, "not closed"},
        {"A='", NULL, "not closed"},
        {"A='b'c", NULL, "something behind"},
        {"A='b'#c", NULL, "a comment needs its blank"},
        {"A=\"b # c\"", "b # c", "double quotes"},
        {"A=\"a\\\\b\\\"c\\$d\\`e\\nf\\tg\"", "a\\b\"c$d`e\nf\tg", "escapes"},
        {"A=\"b\\x\"", NULL, "an unknown escape"},
        {"A=\"b", NULL, "not closed"},
        {"A=\"b\\\"", NULL, "closed by an escaped quote"},
        {"A=\"b\\", NULL, "ends in a backslash"},
        {"A=\"b\" c", NULL, "something behind"},
        {"export A=b", "b", "a shell's file"},
        {"export\tA=b", "b", "with a tab"},
        {"exportA=b", NULL, "the name is another; see the name"},
        {"=b", NULL, "no name"},
        {"A", NULL, "no equals sign"},
        {"A B=c", NULL, "two words"},
        {"A-B=c", NULL, "no hyphens in names"},
        {"1A=c", NULL, "no digit in front"},
        {"A: b", NULL, "another language"},
    };
    struct buf scratch;
    (void)state;

    buf_init(&scratch, 1024);
    for (size_t i = 0; i < countof(row); i++) {
        struct slice name, value;
        struct conf_file f;
        const char *why = NULL;
        enum err err;

        conf_file_init(&f, slice_str(row[i].in));
        err = conf_file_next(&f, &scratch, &name, &value, &why);
        if (err == ERR_OK && !slice_eq(name, SLICE("A")))
            err = ERR_INVAL;
        if (err != (row[i].value ? ERR_OK : ERR_INVAL))
            fail_msg("%s: %s: %s", row[i].in, row[i].why, err_name(err));
        if (row[i].value && !slice_eq(value, slice_str(row[i].value)))
            fail_msg("%s: %s: %.*s", row[i].in, row[i].why, SLICE_ARG(value));
        assert_int_equal(conf_file_next(&f, &scratch, &name, &value, &why),
                         ERR_END);
    }
    buf_release(&scratch);
}

/* Lines are counted as an editor counts them, and a bad one does not hide the
 * next. */
static void
test_numbers(void **state)
{
    static const char text[] = "\xef\xbb\xbf# a mark of byte order\r\n"
                               "A=1\r\n"
                               "\n"
                               "   # blank before\n"
                               "nonsense\n"
                               "B=2\0x\n"
                               "C=3";
    static const struct {
        uint32_t line;
        enum err err;
        const char *name;
    } row[] = {{2, ERR_OK, "A"},
               {5, ERR_INVAL, NULL},
               {6, ERR_INVAL, NULL},
               {7, ERR_OK, "C"},
               {7, ERR_END, NULL}};
    struct buf scratch;
    struct slice name, value;
    struct conf_file f;
    const char *why;
    (void)state;

    buf_init(&scratch, 1024);
    conf_file_init(&f, slice_of(text, sizeof(text) - 1));
    for (size_t i = 0; i < countof(row); i++) {
        assert_int_equal(conf_file_next(&f, &scratch, &name, &value, &why),
                         row[i].err);
        assert_int_equal(f.line, row[i].line);
        if (row[i].name)
            assert_true(slice_eq(name, slice_str(row[i].name)));
    }
    conf_file_init(&f, SLICE(""));
    assert_int_equal(conf_file_next(&f, &scratch, &name, &value, &why),
                     ERR_END);
    buf_release(&scratch);
}

static void
test_ceiling(void **state)
{
    struct slice name, value;
    struct conf_file f;
    struct buf scratch;
    const char *why;
    (void)state;

    buf_init(&scratch, 3);
    conf_file_init(&f, SLICE("A=\"abc\"\nA=\"abcd\"\nA=\"ab\""));
    assert_int_equal(conf_file_next(&f, &scratch, &name, &value, &why), ERR_OK);
    assert_int_equal(conf_file_next(&f, &scratch, &name, &value, &why),
                     ERR_NOMEM);
    assert_int_equal(conf_file_next(&f, &scratch, &name, &value, &why), ERR_OK);
    assert_true(slice_eq(value, SLICE("ab")));
    buf_release(&scratch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
