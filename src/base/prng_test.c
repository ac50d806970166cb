/* prng_test.c - tests of prng.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_reference(void **state)
{
    /* The first numbers of xoshiro256** from the state {1, 2, 3, 4}, worked
     * out by hand from its definition: rotl(2 * 5, 7) * 9 = 11520; then
     * s[1] = 0, so 0; then s[1] = 2 ^ 1 ^ 3 ... */
    struct prng r = {{1, 2, 3, 4}};
    (void)state;

    assert_int_equal(prng_next(&r), 11520);
    assert_int_equal(prng_next(&r), 0);
    assert_int_equal(prng_next(&r), 1509978240);
    assert_int_equal(prng_next(&r), 1215971899390074240);
}

static void
test_seed(void **state)
{
    struct prng a, b, c;
    (void)state;

    prng_init(&a, 0); /* splitmix64 from 0 begins e220a8397b1dcdaf */
    assert_true(a.s[0] == 0xe220a8397b1dcdafULL);
    prng_init(&b, 42);
    prng_init(&c, 42);
    for (int i = 0; i < 100; i++)
        assert_int_equal(prng_next(&b), prng_next(&c));
}

static void
test_below(void **state)
{
    struct prng r;
    unsigned seen[7] = {0};
    (void)state;

    prng_init(&r, 3);
    for (int i = 0; i < 70000; i++) {
        uint64_t v = prng_below(&r, 7);

        assert_true(v < 7);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++) /* 10,000 each; 5 sigma is 463 */
        assert_in_range(seen[i], 9500, 10500);
    assert_int_equal(prng_below(&r, 1), 0);
    assert_true(prng_below(&r, UINT64_MAX) < UINT64_MAX);
}

static void
test_fill(void **state)
{
    struct prng a, b;
    uint8_t p[21], q[21];
    (void)state;

    prng_init(&a, 5);
    prng_init(&b, 5);
    memset(p, 0xee, sizeof(p));
    prng_fill(&a, p, 20);
    assert_int_equal(p[20], 0xee); /* and no more than asked */
    prng_fill(&b, q, 20);
    assert_memory_equal(p, q, 20);
    prng_fill(&a, p, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
