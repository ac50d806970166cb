/* tomb_test.c - tests of tomb.h (D27, D30).
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/tomb.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct uuid
id(unsigned i)
{
    struct uuid u = {{0}};

    u.b[14] = (uint8_t)(i >> 8);
    u.b[15] = (uint8_t)i;
    return u;
}

static bool
allow(const struct tombs *t, unsigned i, uint64_t attempt)
{
    struct uuid u = id(i);

    return tombs_allow(t, &u, attempt);
}

static void
abort_(struct tombs *t, unsigned i, uint64_t attempt)
{
    struct uuid u = id(i);

    assert_non_null(tombs_abort(t, &u, attempt, (struct wall){i}));
}

static struct tomb *
delete_(struct tombs *t, unsigned i, const char *place)
{
    struct uuid u = id(i);
    struct tomb *b = tombs_delete(t, &u, 1, 100 + i, (struct wall){i}, place);

    assert_non_null(b);
    return b;
}

static void
test_allow(void **state)
{
    struct tombs t;
    (void)state;

    assert_true(tombs_init(&t, 100, 1));
    assert_true(allow(&t, 1, 1));
    abort_(&t, 1, 3);
    assert_false(allow(&t, 1, 1)); /* earlier than what was given up */
    assert_false(allow(&t, 1, 3));
    assert_true(allow(&t, 1, 4)); /* a new attempt */
    abort_(&t, 1, 2);             /* told late: nothing is taken back */
    assert_false(allow(&t, 1, 3));
    delete_(&t, 1, "b n");
    assert_false(allow(&t, 1, UINT64_MAX)); /* deleted is for ever */
    abort_(&t, 1, 9);
    assert_false(allow(&t, 1, UINT64_MAX));
    assert_true(allow(&t, 2, 1));
    assert_int_equal(t.map.n, 1);
    tombs_release(&t);
}

static void
test_bounded(void **state)
{
    struct tombs t;
    struct uuid one = id(1);
    (void)state;

    assert_true(tombs_init(&t, 10, 1));
    delete_(&t, 1, "b n")->pinned = true; /* still to be unlinked */
    for (unsigned i = 2; i < 50; i++)
        delete_(&t, i, NULL);
    assert_int_equal(t.map.n, 10);
    assert_string_equal(tombs_get(&t, &one)->place, "b n");
    assert_true(allow(&t, 2, 1));   /* the oldest were forgotten */
    assert_false(allow(&t, 49, 1)); /* the youngest not */
    tombs_release(&t);
}

/* Many deletes that are not settled, as a start finds them in the journal: each
 * one more costs no look at all of them, and what is over the limit goes when
 * it may. */
static void
test_many_pinned(void **state)
{
    enum { MAX = 1000, MANY = 60000 };
    struct tombs t;
    (void)state;

    assert_true(tombs_init(&t, MAX, 1));
    for (unsigned i = 0; i < MANY; i++)
        delete_(&t, i, NULL)->pinned = true;
    assert_int_equal(t.map.n, MANY);
    LIST_FOREACH (it, &t.age)
        container_of(it, struct tomb, age)->pinned = false;
    for (unsigned i = MANY; i < MANY + MAX; i++)
        abort_(&t, i, 1);
    assert_int_equal(t.map.n, MAX);
    tombs_release(&t);
}

static void
test_expire(void **state)
{
    struct tombs t;
    (void)state;

    assert_true(tombs_init(&t, 100, 1));
    for (unsigned i = 1; i <= 10; i++)
        delete_(&t, i, NULL)->pinned = i == 2;
    assert_int_equal(tombs_expire(&t, (struct wall){6}), 4); /* 1 3 4 5 */
    assert_int_equal(tombs_expire(&t, (struct wall){6}), 0);
    assert_true(allow(&t, 5, 1));
    assert_false(allow(&t, 2, 1));
    assert_false(allow(&t, 6, 1));
    tombs_release(&t);
}

static void
test_forget(void **state)
{
    struct tombs t;
    (void)state;

    assert_true(tombs_init(&t, 100, 1));
    for (unsigned i = 1; i <= 4; i++)
        delete_(&t, i, NULL)->pinned = i == 2;
    for (unsigned i = 1; i <= 3; i++) { /* its own time, pinned, renewed */
        struct uuid u = id(i);

        tombs_forget(&t, &u, (struct wall){i == 3 ? 2 : i});
        assert_int_equal(allow(&t, i, 1), i == 1);
    }
    assert_false(allow(&t, 4, 1));
    tombs_release(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allow),       cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_many_pinned), cmocka_unit_test(test_expire),
        cmocka_unit_test(test_forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
