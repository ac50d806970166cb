/* bucket_test.c - tests of bucket.h (D35).
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/bucket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define DAY ((int64_t)86400000)

static void
expect(const struct bucket *b, const char *text)
{
    char got[BUCKET_TEXT];

    assert_string_equal(bucket_text(b, got), text);
}

static void
test_roll(void **state)
{
    struct wall t = {1763683200000}; /* 2025-11-21 */
    struct bucket b;
    unsigned moves = 0;
    (void)state;

    bucket_init(&b, BUCKET_FILES_MAX);
    assert_true(bucket_take(&b, t, 1)); /* the first must be made */
    expect(&b, "2025/11/21/0001");
    for (unsigned i = 1; i < BUCKET_FILES_MAX; i++)
        assert_false(bucket_take(&b, t, 1));
    assert_true(bucket_take(&b, t, 1)); /* full */
    expect(&b, "2025/11/21/0002");
    assert_false(bucket_take(&b, t, BUCKET_FILES_MAX - 1));
    assert_true(bucket_take(&b, t, 64)); /* a batch is never divided */
    expect(&b, "2025/11/21/0003");
    assert_true(bucket_take(&b, (struct wall){t.ms + DAY}, 1));
    expect(&b, "2025/11/22/0001");
    /* The clock goes back: we stay, rather than write to an old day. */
    assert_false(bucket_take(&b, t, 1));
    expect(&b, "2025/11/22/0001");
    for (unsigned i = 0; i < 100000; i++)
        moves += bucket_take(&b, t, BUCKET_FILES_MAX);
    assert_int_equal(moves, BUCKET_NUMBER_MAX - 1); /* then it grows */
    expect(&b, "2025/11/22/99999");
}

static void
test_found(void **state)
{
    struct bucket b;
    (void)state;

    bucket_init(&b, BUCKET_FILES_MAX);
    bucket_found(&b, 20000, 3, 100);
    bucket_found(&b, 20000, 2, 8000); /* an earlier one */
    bucket_found(&b, 19999, 9, 5);
    assert_int_equal(b.number, 3);
    assert_false(bucket_take(&b, (struct wall){20000 * DAY}, 1));
    assert_int_equal(b.files, 101);
    bucket_found(&b, 20001, 1, BUCKET_FILES_MAX);
    assert_true(bucket_take(&b, (struct wall){20001 * DAY + 5}, 1));
    assert_int_equal(b.number, 2);
}

/* BUCKET_FILES_MAX is an option. */
static void
test_smaller(void **state)
{
    struct wall t = {1763683200000};
    struct bucket b;
    (void)state;

    bucket_init(&b, 100);
    assert_true(bucket_take(&b, t, 60));
    assert_false(bucket_take(&b, t, 40));
    assert_true(bucket_take(&b, t, 1));
    expect(&b, "2025/11/21/0002");
    bucket_found(&b, b.day, 7, 90); /* does not change it */
    assert_true(bucket_take(&b, t, 11));
    expect(&b, "2025/11/21/0008");
}

static void
test_parse(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        const char *why;
    } row[] = {
        {"2025/11/21/0001", true, "as we write it"},
        {"2024/02/29/9999", true, "a leap day"},
        {"2024/02/29/12345", true, "more than 9,999 in a day"},
        {"2025/02/29/0001", false, "no such day"},
        {"2025/11/21/0000", false, "numbers begin at 1"},
        {"2025/11/21/1", false, "four digits at least"},
        {"2025/11/21/123456", false, "five at most"},
        {"2025/11/21", false, "no number"},
        {"2025/11/21/0001/", false, "something behind"},
        {"2025/1/21/0001", false, "two digits"},
        {"../../etc/0001", false, "no digits"},
        {"", false, "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct bucket b = {0};
        char back[BUCKET_TEXT];

        if (bucket_parse(slice_str(row[i].text), &b.day, &b.number) !=
            row[i].ok)
            fail_msg("%s: %s", row[i].text, row[i].why);
        if (row[i].ok)
            assert_string_equal(bucket_text(&b, back), row[i].text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roll),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_smaller),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
