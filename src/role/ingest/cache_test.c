/* cache_test.c - open files: who is kept, who goes, and who is believed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/cache.h"
#include "port/blob_story.h"
#include "port/blob_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct {
    struct loop_mem loop;
    struct blob_mem element;
    struct cache *cache;
    struct file_attr attr[5];
} w;

static void
put_done(struct blob_put *r)
{
    assert_int_equal(r->err, ERR_OK);
}

static void
open_done(struct blob_open *r)
{
    assert_int_equal(r->err, ERR_OK);
}

static int
set_up(void **state)
{
    (void)state;
    loop_mem_init(&w.loop);
    blob_mem_init(&w.element, "se-0", BLOB_EDIT);
    for (unsigned i = 0; i < countof(w.attr); i++) {
        struct blob_put r = {.loop = &w.loop.loop,
                             .done = put_done,
                             .attr = &w.attr[i],
                             .data = ""};

        story_attr(&w.attr[i], i, 0);
        w.element.blob.ops->put(&w.element.blob, &r);
        loop_mem_settle(&w.loop);
    }
    w.cache = cache_open(2, 1, &w.loop.loop);
    assert_non_null(w.cache);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    cache_close(&w.cache);
    assert_int_equal(w.element.readers, 0);
    blob_mem_release(&w.element);
    loop_mem_release(&w.loop);
    return 0;
}

static struct cache_entry *
put(unsigned i)
{
    struct blob_open r = {
        .loop = &w.loop.loop, .done = open_done, .file_id = w.attr[i].file_id};

    w.element.blob.ops->open(&w.element.blob, &r);
    loop_mem_settle(&w.loop);
    return cache_put(w.cache, &r.file_id, &w.element.blob, r.reader);
}

static bool
has(unsigned i)
{
    struct cache_entry *e = cache_get(w.cache, &w.attr[i].file_id);

    if (e)
        cache_unref(e);
    return e != NULL;
}

static void
test_least_recent_goes(void **state)
{
    (void)state;
    assert_false(has(0));
    cache_unref(put(0));
    cache_unref(put(1));
    assert_true(has(0)); /* now 1 is older */
    cache_unref(put(2));
    assert_true(has(0) && !has(1) && has(2));
    assert_int_equal(w.element.readers, 2);
}

/* In use it outlives its eviction, and the cache itself. */
static void
test_in_use(void **state)
{
    struct cache_entry *e = put(0);
    (void)state;

    cache_unref(put(1));
    cache_unref(put(2));
    assert_false(has(0));
    assert_int_equal(w.element.readers, 3);
    cache_clear(w.cache);
    assert_int_equal(w.element.readers, 1);
    assert_true(uuid_eq(&e->file_id, &w.attr[0].file_id));
    cache_unref(e);
    assert_int_equal(w.element.readers, 0);
}

/* Two downloads that missed together: the second entry takes the place. */
static void
test_twice(void **state)
{
    struct cache_entry *first = put(0), *second = put(0);
    (void)state;

    assert_ptr_not_equal(first, second);
    cache_unref(first);
    assert_int_equal(w.element.readers, 1);
    cache_unref(second);
    assert_true(has(0));
}

/* After any delete on the element nothing is believed. */
static void
test_stale(void **state)
{
    (void)state;
    cache_unref(put(0));
    w.element.generation++;
    assert_false(has(0));
    assert_int_equal(w.element.readers, 0);
    cache_unref(put(0));
    assert_true(has(0));
}

/* A file that nobody asks for again is closed all the same: deleted, it would
 * keep its room on the disk. */
static void
test_sweep(void **state)
{
    struct cache_entry *used;
    (void)state;

    cache_unref(put(0));
    used = put(1);
    loop_mem_advance(&w.loop, dur_ms(2500));
    assert_int_equal(w.element.readers, 2);
    w.element.generation++;
    loop_mem_advance(&w.loop, CACHE_SWEEP);
    assert_int_equal(w.element.readers, 1); /* who reads it goes on */
    cache_unref(used);
    assert_int_equal(w.element.readers, 0);
    loop_mem_advance(&w.loop, dur_s(3));
    cache_unref(put(2));
    w.element.generation++;
    loop_mem_advance(&w.loop, CACHE_SWEEP);
    assert_int_equal(w.element.readers, 0);
}

/* A cache of nothing holds one, not ever more. */
static void
test_of_nothing(void **state)
{
    (void)state;
    cache_close(&w.cache);
    w.cache = cache_open(0, 1, &w.loop.loop);
    assert_non_null(w.cache);
    for (unsigned i = 0; i < countof(w.attr); i++)
        cache_unref(put(i));
    assert_int_equal(w.element.readers, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_least_recent_goes),
        T(test_in_use),
        T(test_twice),
        T(test_stale),
        T(test_sweep),
        T(test_of_nothing),
    };

    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
