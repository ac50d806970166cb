/* opt_test.c - tests of opt.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct args {
    const char *name;
    const char *secret;
    const char *kind;
    uint64_t count;
    uint64_t size;
    struct opt_list list;
    bool force;
    bool quiet;
};

#define AT(m) offsetof(struct args, m)

static const struct cli_opt own[] = {
    {.name = "name",
     .letter = 'n',
     .kind = OPT_TEXT,
     .at = AT(name),
     .value = "NAME",
     .help = "."},
    {.name = "secret",
     .kind = OPT_SECRET,
     .at = AT(secret),
     .value = "S",
     .help = "."},
    {.name = "kind",
     .kind = OPT_CHOICE,
     .at = AT(kind),
     .value = "red|blue",
     .help = "."},
    {.name = "count",
     .letter = 'c',
     .kind = OPT_UINT,
     .at = AT(count),
     .value = "N",
     .min = 1,
     .max = 9,
     .help = "."},
    {.name = "size",
     .kind = OPT_SIZE,
     .at = AT(size),
     .value = "SIZE",
     .help = "."},
    {.name = "meta",
     .letter = 'm',
     .kind = OPT_LIST,
     .at = AT(list),
     .value = "K=V",
     .help = "."},
    {.name = "force",
     .letter = 'f',
     .kind = OPT_FLAG,
     .at = AT(force),
     .help = "."},
    {0},
};
static const struct cli_opt common[] = {
    {.name = "quiet",
     .letter = 'q',
     .kind = OPT_FLAG,
     .at = AT(quiet),
     .help = "."},
    {0},
};

/* LINE split at blanks; "" as a word is written as an underscore. */
static bool
parse(const char *line, struct args *a, struct opt_words *words,
      struct buf *err)
{
    static char text[512];
    static char *argv[80];
    int argc = 0;
    char *save, *one;

    assert_true(snprintf(text, sizeof(text), "cmd %s", line) < 512);
    for (one = strtok_r(text, " ", &save); one && argc < 80;
         one = strtok_r(NULL, " ", &save)) {
        if (strcmp(one, "_") == 0)
            *one = '\0';
        argv[argc++] = one;
    }
    buf_clear(err);
    *a = (struct args){0};
    return opt_parse(own, common, argc, argv, a, words, err);
}

static void
test_forms(void **state)
{
    static const struct {
        const char *line;
        const char *name;
        uint64_t count;
        bool force, quiet;
        int words;
        const char *first;
        const char *why;
    } row[] = {
        {"", NULL, 0, false, false, 0, NULL, "nothing"},
        {"--name x", "x", 0, false, false, 0, NULL, "two arguments"},
        {"--name=x", "x", 0, false, false, 0, NULL, "one argument"},
        {"--name=a=b", "a=b", 0, false, false, 0, NULL, "first = counts"},
        {"-n x", "x", 0, false, false, 0, NULL, "letter, two arguments"},
        {"-nx", "x", 0, false, false, 0, NULL, "letter, one argument"},
        {"-n=x", "=x", 0, false, false, 0, NULL, "a letter takes no ="},
        {"-fq", NULL, 0, true, true, 0, NULL, "flags together"},
        {"-fqc3", NULL, 3, true, true, 0, NULL, "the last has a value"},
        {"a -f b", NULL, 0, true, false, 2, "a", "words between options"},
        {"-- -f", NULL, 0, false, false, 1, "-f", "words after --"},
        {"-", NULL, 0, false, false, 1, "-", "standard input is a word"},
        {"--name --force", "--force", 0, false, false, 0, NULL,
         "a value may look like an option"},
        {"-c 1 -c 2", NULL, 2, false, false, 0, NULL, "the last one wins"},
    };
    struct opt_words words;
    struct buf err;
    struct args a;
    (void)state;

    buf_init(&err, 4 * KIB);
    for (size_t i = 0; i < countof(row); i++) {
        if (!parse(row[i].line, &a, &words, &err))
            fail_msg("'%s' (%s): %s", row[i].line, row[i].why, buf_str(&err));
        if ((row[i].name == NULL) != (a.name == NULL) ||
            (a.name && strcmp(a.name, row[i].name) != 0) ||
            a.count != row[i].count || a.force != row[i].force ||
            a.quiet != row[i].quiet || words.n != row[i].words ||
            (row[i].first && strcmp(words.v[0], row[i].first) != 0))
            fail_msg("'%s': %s", row[i].line, row[i].why);
    }
    buf_release(&err);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *line;
        const char *says;
        const char *why;
    } row[] = {
        {"--nam x", "did you mean --name?", "an abbreviation"},
        {"--froce", "did you mean --force?", "letters changed places"},
        {"--zzzzzz", "there is no option --zzzzzz", "far from all"},
        {"-x", "there is no option -x", "an unknown letter"},
        {"-fx", "there is no option -x", "in a group"},
        {"--name", "needs a value (NAME)", "at the end"},
        {"-n", "needs a value", "a letter at the end"},
        {"--force=yes", "takes no value", "a flag is no switch"},
        {"--count 0", "from 1 to 9", "below"},
        {"--count 10", "from 1 to 9", "above"},
        {"--count -1", "whole number", "a sign"},
        {"--count 1x", "whole number", "a tail"},
        {"--count _", "the value is empty (N)", "empty"},
        {"--name _", "the value is empty (NAME)", "a variable not set"},
        {"--name=", "the value is empty", "the same in one argument"},
        {"-n _", "the value is empty", "the same behind a letter"},
        {"--meta _", "the value is empty", "the same of a list"},
        {"--size 1X", "must be a size", "an unknown unit"},
        {"--kind green", "one of red|blue", "not among the choices"},
        {"--kind re", "one of red|blue", "half a choice"},
        {"--kind _", "the value is empty", "no choice"},
    };
    struct opt_words words;
    struct buf err;
    struct args a;
    (void)state;

    buf_init(&err, 4 * KIB);
    for (size_t i = 0; i < countof(row); i++) {
        if (parse(row[i].line, &a, &words, &err))
            fail_msg("'%s' was taken: %s", row[i].line, row[i].why);
        if (!strstr(buf_str(&err), row[i].says))
            fail_msg("'%s': '%s' (%s)", row[i].line, buf_str(&err), row[i].why);
    }
    buf_release(&err);
}

static void
test_kinds(void **state)
{
    struct opt_words words;
    struct buf err;
    struct args a;
    (void)state;

    buf_init(&err, 4 * KIB);
    assert_true(parse("--kind BLUE --size 10M -m a=1 -mb=2", &a, &words, &err));
    assert_string_equal(a.kind, "BLUE");
    assert_int_equal(a.size, 10 << 20);
    assert_int_equal(a.list.n, 2);
    assert_string_equal(a.list.v[1], "b=2");
    buf_release(&err);
}

static void
test_list_has_a_ceiling(void **state)
{
    char *argv[2 * OPT_LIST_MAX + 3];
    struct opt_words words;
    struct args a = {0};
    struct buf err;
    int argc = 0;
    (void)state;

    argv[argc++] = "cmd";
    for (int i = 0; i < OPT_LIST_MAX; i++) {
        argv[argc++] = "-m";
        argv[argc++] = "k=v";
    }
    buf_init(&err, 4 * KIB);
    assert_true(opt_parse(own, NULL, argc, argv, &a, &words, &err));
    argv[argc++] = "-mk=v";
    a = (struct args){0};
    assert_false(opt_parse(own, NULL, argc, argv, &a, &words, &err));
    buf_release(&err);
}

/* What stood in argv, where ps(1) sees it, is gone; and no message shows it. */
static void
test_secret(void **state)
{
    char first[] = "cmd", option[] = "--secret=hunter2",
         *argv[] = {first, option};
    struct opt_words words;
    struct args a = {0};
    struct buf err;
    (void)state;

    buf_init(&err, 4 * KIB);
    assert_true(opt_parse(own, NULL, 2, argv, &a, &words, &err));
    assert_string_equal(a.secret, "hunter2");
    assert_string_equal(option, "--secret=xxxxxxx");
    buf_release(&err);
}

static void
test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        size_t d;
    } row[] = {{"", "", 0},
               {"a", "", 1},
               {"put", "put", 0},
               {"putt", "put", 1},
               {"pt", "put", 1},
               {"pot", "put", 1},
               {"kitten", "sitting", 3}};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        assert_int_equal(opt_distance(slice_str(row[i].a), slice_str(row[i].b)),
                         row[i].d);
        assert_int_equal(opt_distance(slice_str(row[i].b), slice_str(row[i].a)),
                         row[i].d);
    }
    /* Longer than any name: far, and nothing is overrun. */
    assert_true(opt_distance(SLICE("0123456789012345678901234567890123456789"),
                             SLICE("put")) > 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_list_has_a_ceiling),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
