/* feed_test.c - tests of feed.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/feed.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_story(void **state)
{
    static const struct {
        uint64_t first, last, position;
        unsigned ahead;
        const char *why;
    } row[] = {
        {1, 4, 4, 0, "in order"},
        {9, 12, 4, 1, "a later batch was faster"},
        {15, 16, 4, 2, "and another"},
        {13, 13, 4, 2, "touches the first of them"},
        {14, 14, 4, 1, "joins both"},
        {9, 10, 4, 1, "again: nothing new"},
        {2, 3, 4, 1, "long ago"},
        {20, 21, 4, 2, "one more ahead"},
        {5, 8, 16, 1, "the missing one: all up to the next hole"},
        {16, 25, 25, 0, "overlaps both ends"},
    };
    struct feed f;
    (void)state;

    feed_init(&f, 0);
    for (size_t i = 0; i < countof(row); i++) {
        assert_true(feed_mark(&f, row[i].first, row[i].last));
        if (f.position != row[i].position || f.n != row[i].ahead)
            fail_msg("%s: %llu", row[i].why, (unsigned long long)f.position);
    }
}

static void
test_forgets_the_farthest(void **state)
{
    struct feed f;
    (void)state;

    feed_init(&f, 0);
    for (uint64_t i = 0; i < FEED_RANGES; i++)
        assert_true(feed_mark(&f, 10 * i + 10, 10 * i + 12));
    assert_false(feed_mark(&f, 900, 901)); /* too far to keep */
    assert_false(feed_mark(&f, 5, 6));     /* kept: the farthest gave way */
    assert_int_equal(f.n, FEED_RANGES);
    assert_int_equal(f.ahead[0].first, 5);
    assert_int_equal(f.ahead[FEED_RANGES - 1].first, 10 * FEED_RANGES - 10);
    assert_true(feed_mark(&f, 1, 4));
    assert_int_equal(f.position, 6);
    assert_true(feed_mark(&f, 7, 9));
    assert_int_equal(f.position, 12);
}

/* Numbers in random runs against an array: the position never passes a number
 * that has not come, and reaches the end when all have. */
static void
test_model(void **state)
{
    enum { N = 400 };
    struct prng r;
    (void)state;

    for (uint64_t seed = 0; seed < 200; seed++) {
        bool come[N + 2] = {false};
        struct feed f;
        uint64_t whole = 0;

        prng_init(&r, seed);
        feed_init(&f, 0);
        for (int step = 0; step < 300; step++) {
            uint64_t first = 1 + prng_below(&r, N);
            uint64_t last = u64_min(N, first + prng_below(&r, 40));
            bool kept = feed_mark(&f, first, last);

            for (uint64_t i = first; i <= last; i++)
                come[i] = true;
            while (come[whole + 1])
                whole++;
            assert_true(f.position <= whole);
            if (kept && f.n == 0 && step < 5)
                assert_int_equal(f.position, whole);
            for (unsigned i = 0; i < f.n; i++) {
                uint64_t before = i ? f.ahead[i - 1].last : f.position;

                assert_true(f.ahead[i].first > before + 1);
                assert_true(f.ahead[i].last >= f.ahead[i].first);
                assert_true(come[f.ahead[i].first]);
            }
        }
        (void)feed_mark(&f, 1, N);
        assert_int_equal(f.position, N);
        assert_int_equal(f.n, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_forgets_the_farthest),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
