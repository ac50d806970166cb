/* name_test.c - tests of name.h: a server's word stays in the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/name.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_disposition(void **state)
{
    static const struct {
        const char *header;
        const char *name; /* NULL: none */
        const char *why;
    } row[] = {
        {"attachment; filename=\"a b.txt\"", "a b.txt", "quoted"},
        {"attachment; filename=a.txt", "a.txt", "a token"},
        {"attachment;filename=a.txt ; x=y", "a.txt", "something behind"},
        {"inline; FILENAME=\"a\"", "a", "names have no case"},
        {"attachment; filename=\"a\\\"b\\\\c\"", "a\"b\\c", "escapes"},
        {"attachment; filename=\"a;b\"", "a;b", "a semicolon in quotes"},
        {"attachment; filename*=UTF-8''%C3%BC.txt", "ü.txt", "RFC 8187"},
        {"attachment; filename=\"u.txt\"; filename*=utf-8'de'%C3%BC.txt",
         "ü.txt", "the better one wins"},
        {"attachment; filename*=UTF-8''%C3%BC.txt; filename=\"u.txt\"", "ü.txt",
         "in whatever order"},
        {"attachment; filename=\"u.txt\"; filename*=UTF-8''%ZZ", "u.txt",
         "bad escapes are no name"},
        {"attachment; filename=\"u.txt\"; filename*=UTF-8''a%00b", "u.txt",
         "nor is a zero"},
        {"attachment; filename=\"u.txt\"; filename*=ISO-8859-1''%FC", "u.txt",
         "nor another charset"},
        {"attachment; filename*=UTF-8''", NULL, "nothing"},
        {"attachment; filename*=UTF-8", NULL, "not even that"},
        {"attachment; filename=\"\"", NULL, "empty"},
        {"attachment", NULL, "no parameters"},
        {"", NULL, "no header"},
        {"attachment; filename", NULL, "no value"},
        {"attachment; filename=\"open", "open", "an open quote"},
        {"attachment; filename=\"a\\", "a\\", "ends in the middle"},
        {"attachment; x=\"filename=y\"; filename=z", "z", "inside of a value"},
    };
    char out[256];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok =
            name_from_disposition(slice_str(row[i].header), out, sizeof(out));

        if (ok != (row[i].name != NULL) ||
            (ok && strcmp(out, row[i].name) != 0))
            fail_msg("%s (%s): %s", row[i].header, row[i].why,
                     ok ? out : "none");
    }
}

static void
test_harmless(void **state)
{
    static const struct {
        const char *in;
        const char *name; /* NULL: nothing is left */
        const char *why;
    } row[] = {
        {"a.txt", "a.txt", "as it is"},
        {"Bericht ü.pdf", "Bericht ü.pdf", "UTF-8 stays"},
        {"../../etc/passwd", "passwd", "leads out"},
        {"/etc/passwd", "passwd", "absolute"},
        {"..\\..\\win.ini", "win.ini", "the other separator"},
        {"C:\\x\\y", "y", "a drive"},
        {"a/..", NULL, "ends in the parent"},
        {"..", NULL, "the parent"},
        {".", NULL, "the folder itself"},
        {"...", NULL, "only dots"},
        {"", NULL, "nothing"},
        {"folder/", NULL, "a folder"},
        {"  ", NULL, "blanks"},
        {"\n", NULL, "a line end"},
        {".bashrc", "_bashrc", "would be obeyed"},
        {"-rf", "_rf", "would be an option"},
        {"a\nb\x1b[2J\x7f", "a_b_[2J_", "controls"},
    };
    char out[NAME_SIZE];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = name_harmless(slice_str(row[i].in), out);

        if (ok != (row[i].name != NULL) ||
            (ok && strcmp(out, row[i].name) != 0))
            fail_msg("'%s' (%s): %s", row[i].in, row[i].why, ok ? out : "none");
    }
    assert_true(name_harmless(slice_of("a\0b", 3), out));
    assert_string_equal(out, "a_b");
}

/* Long names are cut between characters, and keep their ending. */
static void
test_long(void **state)
{
    char in[1000], out[NAME_SIZE];
    (void)state;

    for (size_t i = 0; i < sizeof(in); i += 2)
        memcpy(in + i, "ü", 2);
    memcpy(in + 995, ".pdf", 4);
    assert_true(name_harmless(slice_of(in, 999), out));
    assert_true(strlen(out) < NAME_SIZE && strlen(out) > NAME_SIZE - 4);
    assert_string_equal(out + strlen(out) - 4, ".pdf");
    assert_memory_equal(out + strlen(out) - 6, "ü", 2);
    memset(in, '.', sizeof(in));
    in[0] = 'a';
    assert_true(name_harmless(slice_of(in, sizeof(in)), out));
}

/* Random headers of the characters that matter: whatever comes out is one
 * plain component. */
static void
test_random(void **state)
{
    static const char pieces[][12] = {
        "filename=", "filename*=", "UTF-8''", "\"", ";", "/", "..", "%2F",
        "%2e",       "\\",         "a",       " ",  "'", "=", ".",  "\x1b",
        "%5C",       "-",          "%00",     "\n", "%", "x"};
    struct prng r;
    (void)state;

    prng_init(&r, 7);
    for (int round = 0; round < 50000; round++) {
        char header[300] = "attachment; ", raw[256], out[NAME_SIZE];
        uint64_t n = prng_below(&r, 20);

        while (n--)
            strcat(header, pieces[prng_below(&r, countof(pieces))]);
        if (!name_from_disposition(slice_str(header), raw, sizeof(raw)) ||
            !name_harmless(slice_str(raw), out))
            continue;
        if (strpbrk(out, "/\\\n\x1b") || out[0] == '.' || out[0] == '-' ||
            out[0] == '\0')
            fail_msg("'%s' gave '%s'", header, out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disposition),
        cmocka_unit_test(test_harmless),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
