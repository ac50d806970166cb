/* index_mem_test.c - port/index.h on index_mem.c, and its memory of the past.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/index_contract.h"
#include "port/index_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct index *
open_mem(void *arg)
{
    struct index *x = index_mem_new(0);

    (void)arg;
    assert_non_null(x);
    return x;
}

/* The past can be had as it was. */
static void
test_first(void **state)
{
    struct index *x = index_mem_new(0), *y;
    struct index_totals t;
    struct index_change c;
    (void)state;

    for (uint64_t i = 1; i <= 5; i++) {
        index_sample_change(&c, i, i);
        assert_int_equal(x->ops->apply(x, &c, 1, NULL), ERR_OK);
        if (i == 2)
            assert_int_equal(x->ops->sync(x, NULL), ERR_OK);
    }
    assert_int_equal(index_mem_commits(x), 5);
    assert_int_equal(index_mem_synced(x), 2);
    for (size_t n = 0; n <= 5; n++) {
        y = index_mem_first(x, n);
        assert_int_equal(y->ops->totals(y, &t, NULL), ERR_OK);
        assert_int_equal(t.files, n);
        assert_int_equal(t.last_seq, n);
        y->ops->close(y);
    }
    x->ops->close(x);
}

/* A full index takes no more, but still forgets. */
static void
test_full(void **state)
{
    struct index *x = index_mem_new(1);
    struct index_change c;
    (void)state;

    index_sample_change(&c, 1, 1);
    assert_int_equal(x->ops->apply(x, &c, 1, NULL), ERR_OK);
    index_sample_change(&c, 2, 2);
    assert_int_equal(x->ops->apply(x, &c, 1, NULL), ERR_NOSPC);
    index_sample_change(&c, 1, 3);
    c.op = INDEX_DELETE;
    assert_int_equal(x->ops->apply(x, &c, 1, NULL), ERR_OK);
    index_sample_change(&c, 2, 4);
    assert_int_equal(x->ops->apply(x, &c, 1, NULL), ERR_OK);
    x->ops->close(x);
}

int
main(void)
{
    const struct index_contract contract = {
        .name = "index_mem", .open = open_mem, .rounds = 2000};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_full),
    };
    int failed = index_contract_run(&contract);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
