/* blobs_test.c - the end of the table of attempts, over an element that only
 * gives up. (What the routes answer: test/scn/test_storage_role.py.)
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/loop_mem.h"
#include "role/storage/blobs_impl.h"
#include "role/storage/kind.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct stub {
    const struct element_kind *kind; /* first, as kind.h has it */
    struct blob blob;
    unsigned aborts;
};

static void
stub_abort(struct blob *b, struct blob_abort *r)
{
    container_of(b, struct stub, blob)->aborts++;
    r->done(r); /* as one on another loop that is quick */
}

static struct blob *
stub_blob(struct element *e)
{
    return &((struct stub *)(void *)e)->blob;
}

static const struct blob_ops stub_ops = {.abort = stub_abort};
static const struct element_kind stub_kind = {.blob = stub_blob};
static struct stub stub;
static unsigned told;
static unsigned aborts_when_told;

static void
stopped(void *arg)
{
    (void)arg;
    told++;
    aborts_when_told = stub.aborts;
}

static struct blobs_api *
api_with(unsigned n, struct loop *l, struct attempt **t)
{
    struct blobs_conf conf = {.attempts_max = 8, .seed = 1};
    struct blobs_api *a;
    struct uuid id = {{0}};

    stub = (struct stub){.kind = &stub_kind, .blob = {.ops = &stub_ops}};
    told = 0;
    a = blobs_open((struct element *)(void *)&stub, &conf);
    assert_non_null(a);
    blobs_start(a, l);
    for (unsigned i = 0; i < n; i++) {
        id.b[0] = (uint8_t)i;
        assert_int_equal(attempt_make(a, &id, 1, &t[i]), ERR_OK);
    }
    return a;
}

/* The end is told once, when nothing is left: not while one is gone and the
 * others are still to be given up, and not while a request has one. */
static void
test_stop(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= 4; n++)
        for (unsigned busy = 0; busy <= n; busy++) {
            struct attempt *t[4];
            struct loop_mem l;
            struct blobs_api *a;

            loop_mem_init(&l);
            a = api_with(n, &l.loop, t);
            for (unsigned i = busy; i < n; i++)
                attempt_leave(t[i], &l.loop);
            blobs_stop(a, stopped, NULL);
            assert_int_equal(stub.aborts, n - busy);
            for (unsigned i = 0; i < busy; i++) {
                assert_int_equal(told, 0);
                attempt_remove(t[i]);
            }
            assert_int_equal(told, 1);
            assert_int_equal(aborts_when_told, n - busy);
            blobs_close(&a);
            loop_mem_release(&l);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop)};

    return cmocka_run_group_tests_name("blobs", tests, NULL, NULL);
}
