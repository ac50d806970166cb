/* resume_test.c - tests of resume.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/resume.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NO RESUME_UNKNOWN

static void
test_ask(void **state)
{
    static const struct {
        uint64_t have, total;
        const char *etag;
        enum resume_ask ask;
        const char *why;
    } row[] = {
        {0, 100, "\"x\"", RESUME_ALL, "nothing is there"},
        {0, NO, NULL, RESUME_ALL, "nothing, and nothing known"},
        {0, 0, "\"x\"", RESUME_ALL, "an empty file is asked for too"},
        {40, 100, "\"x\"", RESUME_REST, "a part"},
        {40, NO, "\"x\"", RESUME_REST, "the end is not known"},
        {40, 100, NULL, RESUME_ALL, "nothing to guard it with"},
        {40, 100, "W/\"x\"", RESUME_ALL, "a weak guard is none"},
        {40, 100, "x", RESUME_ALL, "not an entity tag"},
        {100, 100, "\"x\"", RESUME_DONE, "all of it"},
        {100, 100, NULL, RESUME_DONE, "all of it, to be verified"},
        {101, 100, "\"x\"", RESUME_ALL, "more than there is"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (resume_ask(row[i].have, row[i].total, row[i].etag) != row[i].ask)
            fail_msg("%s", row[i].why);
}

static void
test_judge(void **state)
{
    static const struct {
        long status;
        const char *range;
        uint64_t have, total;
        enum resume_answer answer;
        const char *why;
    } row[] = {
        {200, NULL, 0, 100, RESUME_RESTART, "all was asked for"},
        {200, NULL, 40, 100, RESUME_RESTART, "the range was not granted"},
        {206, "bytes 40-99/100", 40, 100, RESUME_GO_ON, "granted"},
        {206, "bytes 40-99/*", 40, 100, RESUME_GO_ON, "whole not said"},
        {206, "bytes 40-99/100", 40, NO, RESUME_GO_ON, "whole not known"},
        {206, "bytes 40-79/100", 40, 100, RESUME_GO_ON, "less is granted"},
        {206, "bytes 41-99/100", 40, 100, RESUME_WRONG, "a hole"},
        {206, "bytes 39-99/100", 40, 100, RESUME_WRONG, "an overlap"},
        {206, "bytes 40-99/200", 40, 100, RESUME_WRONG, "another file"},
        {206, "bytes 40-99/99", 40, 99, RESUME_WRONG, "beyond the end"},
        {206, "bytes 40-39/100", 40, 100, RESUME_WRONG, "backwards"},
        {206, NULL, 40, 100, RESUME_WRONG, "which range?"},
        {206, "bytes 0-99/100", 0, 100, RESUME_WRONG, "nobody asked"},
        {416, NULL, 40, 100, RESUME_REFUSED, "no such range"},
        {416, NULL, 0, 100, RESUME_WRONG, "without a range asked"},
        {204, NULL, 0, 0, RESUME_WRONG, "no content is no file"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (resume_judge(row[i].status, row[i].range, row[i].have,
                         row[i].total) != row[i].answer)
            fail_msg("%s", row[i].why);
}

static void
test_content_range(void **state)
{
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes 1-2",
                                      "bytes */10",
                                      "bytes 1/2",
                                      "bytes -2/10",
                                      "bytes 1-/10",
                                      "bytes 1-2/",
                                      "pages 1-2/3",
                                      "bytes 1-2/x",
                                      "bytes 2-1/10",
                                      "bytes 1-2/2",
                                      "bytes  1-2/3",
                                      "bytes 1-2/18446744073709551616"};
    uint64_t a, b, c;
    (void)state;

    assert_true(content_range(SLICE("bytes 5-9/10"), &a, &b, &c));
    assert_true(a == 5 && b == 9 && c == 10);
    assert_true(content_range(SLICE("bytes 5-9/*"), &a, &b, &c));
    assert_true(c == RESUME_UNKNOWN);
    for (size_t i = 0; i < countof(bad); i++)
        if (content_range(slice_str(bad[i]), &a, &b, &c))
            fail_msg("'%s' was taken", bad[i]);
}

/* SHA-256 of nothing, as in RFC 9530. */
#define EMPTY "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static void
test_digest(void **state)
{
    static const struct {
        const char *header;
        bool ok;
        const char *why;
    } row[] = {
        {"sha-256=:" EMPTY ":", true, "alone"},
        {"md5=:AAAA:, sha-256=:" EMPTY ":", true, "among others"},
        {"SHA-256=:" EMPTY ":", true, "in capitals"},
        {"sha-512=:AAAA:", false, "another"},
        {"sha-256=" EMPTY, false, "no colons"},
        {"sha-256=:AAAA:", false, "too short"},
        {"sha-256=:" EMPTY EMPTY ":", false, "too long"},
        {"sha-256=::", false, "empty"},
        {"sha-256=:", false, "half"},
        {"sha-256", false, "no value"},
        {"", false, "nothing"},
    };
    uint8_t out[32];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        memset(out, 0, sizeof(out));
        if (repr_digest(slice_str(row[i].header), out) != row[i].ok ||
            (row[i].ok && (out[0] != 0xe3 || out[31] != 0x55)))
            fail_msg("%s", row[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_content_range),
        cmocka_unit_test(test_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
