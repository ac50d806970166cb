/* heap_test.c - tests of heap.h against a list searched in full.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_ties_leave_as_they_came(void **state)
{
    struct heap_item it[100] = {0};
    struct heap h;
    (void)state;

    heap_init(&h, 100);
    for (size_t i = 0; i < 100; i++)
        assert_true(heap_set(&h, &it[i], (struct mono){5}));
    for (size_t i = 0; i < 100; i++) {
        assert_ptr_equal(heap_first(&h), &it[i]);
        heap_remove(&h, &it[i]);
    }
    assert_null(heap_first(&h));
    heap_remove(&h, &it[0]); /* not in: nothing happens */
    heap_release(&h);
}

static void
test_ceiling(void **state)
{
    struct heap_item it[3] = {0};
    struct heap h;
    (void)state;

    heap_init(&h, 2);
    assert_true(heap_set(&h, &it[0], (struct mono){1}));
    assert_true(heap_set(&h, &it[1], (struct mono){2}));
    assert_false(heap_set(&h, &it[2], (struct mono){0}));
    assert_int_equal(it[2].pos, 0);
    assert_true(heap_set(&h, &it[0], (struct mono){9})); /* a move is no more */
    assert_ptr_equal(heap_first(&h), &it[1]);
    heap_release(&h);
    assert_int_equal(it[0].pos, 0);
}

/* What is reserved is there: the array does not move while it fills. */
static void
test_reserve(void **state)
{
    struct heap_item it[100] = {0};
    struct heap_item **a;
    struct heap h;
    (void)state;

    heap_init(&h, 100);
    assert_true(heap_set(&h, &it[0], (struct mono){1}));
    assert_true(heap_reserve(&h, 100));
    a = h.a;
    assert_true(heap_reserve(&h, 50));
    for (size_t i = 1; i < 100; i++)
        assert_true(heap_set(&h, &it[i], (struct mono){(int64_t)i}));
    assert_ptr_equal(h.a, a);
    assert_int_equal(h.cap, 100);
    assert_ptr_equal(heap_first(&h), &it[0]);
    heap_release(&h);
}

static void
test_random(void **state)
{
    struct heap_item it[200] = {0};
    struct heap h;
    struct prng r;
    (void)state;

    prng_init(&r, 7);
    heap_init(&h, countof(it));
    for (int step = 0; step < 20000; step++) {
        struct heap_item *x = &it[prng_below(&r, countof(it))];
        const struct heap_item *best = NULL;

        if (prng_below(&r, 3))
            heap_set(&h, x, (struct mono){(int64_t)prng_below(&r, 50)});
        else
            heap_remove(&h, x);
        for (size_t i = 0; i < countof(it); i++) {
            const struct heap_item *y = &it[i];

            if (y->pos && (!best || y->at.ns < best->at.ns ||
                           (y->at.ns == best->at.ns && y->seq < best->seq)))
                best = y;
        }
        assert_ptr_equal(heap_first(&h), best);
    }
    heap_release(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ties_leave_as_they_came),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
