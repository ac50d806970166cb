/* search_test.c - a file is looked for at elements that answer when they are
 * told to. SPDX-License-Identifier: Apache-2.0 */
#include "port/loop_mem.h"
#include "role/ingest/impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ELEMENTS 40

static struct loop_mem loop;
static struct blob blob[ELEMENTS];
static struct blob_open *asked[ELEMENTS]; /* and not answered */
static unsigned holds, n_asked, closed, done;
static struct search s;

static void
far_open(struct blob *b, struct blob_open *r)
{
    asked[b - blob] = r;
    n_asked++;
}

static void
far_close(struct blob_reader *rd)
{
    (void)rd;
    closed++;
}

static void
far_hold(struct blob *b)
{
    (void)b;
    holds++;
}

static void
far_drop(struct blob *b)
{
    (void)b;
    assert_true(holds > 0);
    holds--;
}

static const struct blob_ops far_ops = {
    .open = far_open, .close = far_close, .hold = far_hold, .drop = far_drop};

static unsigned
all(struct registry *g, struct registry_element *out, unsigned max)
{
    (void)g;
    for (unsigned i = 0; i < ELEMENTS && i < max; i++)
        out[i].blob = blob_hold(&blob[i]);
    return ELEMENTS;
}

static void
is_done(struct search *q)
{
    (void)q;
    done++;
}

static int
set_up(void **state)
{
    static const struct registry_ops ops = {.elements = all};
    static struct registry registry = {&ops};
    static struct ingest g;
    struct registry_lookup lookup = {.loop = &loop.loop, .err = ERR_NOENT};
    (void)state;

    loop_mem_init(&loop);
    for (unsigned i = 0; i < ELEMENTS; i++) {
        blob[i].ops = &far_ops;
        asked[i] = NULL;
    }
    holds = n_asked = closed = done = 0;
    g.conf.registry = &registry;
    s = (struct search){.done = is_done};
    search_elements(&s, &g, &lookup);
    loop_mem_settle(&loop);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    assert_int_equal(holds, 0);
    loop_mem_release(&loop);
    return 0;
}

static void
say(unsigned i, enum err e)
{
    struct blob_open *r = asked[i];

    assert_non_null(r);
    asked[i] = NULL;
    r->err = e;
    if (e)
        (void)fault_set(&r->fault, e, "open", "far");
    else
        r->reader = (struct blob_reader *)(uintptr_t)(i + 1);
    r->done(r);
}

/* One that is silent does not hold up the others. */
static void
test_found(void **state)
{
    (void)state;
    assert_int_equal(n_asked, SEARCH_AT_ONCE);
    for (unsigned i = 1; i < 30; i++) /* the first says nothing */
        say(i, i % 2 ? ERR_NOENT : ERR_IO);
    assert_int_equal(done, 0);
    say(30, ERR_OK);
    assert_int_equal(done, 1);
    assert_int_equal(s.err, ERR_OK);
    assert_ptr_equal(s.blob, &blob[30]);
    assert_int_equal((uintptr_t)s.open.reader, 31);
    assert_int_equal(n_asked, ELEMENTS);
    say(31, ERR_OK); /* a second copy: nobody wants it any more */
    assert_int_equal(closed, 1);
    for (unsigned i = 32; i < ELEMENTS; i++)
        say(i, ERR_NOENT);
    say(0, ERR_TIMEOUT);
    assert_int_equal(done, 1);
    blob_drop(&s.blob);
}

/* Found early: those that were not asked yet are not. */
static void
test_early(void **state)
{
    (void)state;
    say(3, ERR_OK);
    assert_int_equal(done, 1);
    for (unsigned i = 0; i < SEARCH_AT_ONCE; i++)
        if (i != 3)
            say(i, ERR_NOENT);
    assert_int_equal(n_asked, SEARCH_AT_ONCE);
    blob_drop(&s.blob);
}

/* "There is none" is said when all have said so. */
static void
test_none(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ELEMENTS; i++)
        say(i, ERR_NOENT);
    assert_int_equal(done, 1);
    assert_int_equal(s.err, ERR_NOENT);
    assert_null(s.blob);
}

static void
test_not_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ELEMENTS; i++)
        say(i, i == 7 ? ERR_IO : ERR_NOENT);
    assert_int_equal(done, 1);
    assert_int_equal(s.err, ERR_IO);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_found),
        T(test_early),
        T(test_none),
        T(test_not_all),
    };

    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
