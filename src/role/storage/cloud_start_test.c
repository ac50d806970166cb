/* cloud_start_test.c - an element in a bucket that is opened again: without its
 * index, with tombs, with another's objects, another owner, name or mode.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/test_cpu.h"
#include "role/storage/cloud_small.h"
#include <string.h>

/* The index is a cache (STO-036). */
static void
test_index_lost(void **state)
{
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    OK(story_upload(&rig.story, 2, 70 * B, true, NULL));
    OK(story_put(&rig.story, 3, 100, NULL));
    OK(story_delete(&rig.story, 3));
    OK(story_abort(&rig.story, 4, 1, 3 * B, 2 * B));
    cloud_rig_close(&rig);
    OK(rig.mem->ops->reset(rig.mem, NULL));
    OK(cloud_rig_open(&rig));
    assert_true(rig.report.rebuilt);
    assert_int_equal(rig.report.files, 2);
    OK(story_check(&rig.story, 1, 100, true));
    OK(story_check(&rig.story, 2, 70 * B, true));
    IS(ERR_NOENT, story_check(&rig.story, 3, 100, true));
    IS(ERR_CONFLICT, story_put(&rig.story, 3, 100, NULL));
    IS(ERR_CONFLICT, story_put(&rig.story, 4, 100, NULL));
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 2);
}

/* Those of one millisecond too: each has an object of its own. */
static void
test_tombs_expire(void **state)
{
    (void)state;

    for (unsigned i = 1; i <= 3; i++) {
        OK(story_put(&rig.story, i, 100, NULL));
        OK(story_delete(&rig.story, i));
    }
    OK(story_abort(&rig.story, 4, 1, 3 * B, 2 * B));
    OK(story_put(&rig.story, 5, 100, NULL));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 4);
    rig.loop.loop.wall.ms += TOMB_KEEP_MS - 120000;
    let_pass(dur_s(70));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 4);
    rig.loop.loop.wall.ms += 120000;
    let_pass(dur_s(70));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 0);
    /* And those that an earlier process left. */
    OK(story_delete(&rig.story, 5));
    OK(story_abort(&rig.story, 6, 1, 3 * B, 2 * B));
    cloud_rig_close(&rig);
    rig.loop.loop.wall.ms += TOMB_KEEP_MS + 1;
    OK(cloud_rig_open(&rig));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 0);
}

/* The page of a proxy is nobody's word, and a bucket that is gone is. */
static void
test_owner_unclear(void **state)
{
    char page[100] = "<html>";
    struct slice s = slice_of(page, sizeof(page));
    struct object_req r = {
        .op = OBJECT_PUT, .key = "owner", .body = &s, .n_body = 1};
    (void)state;

    OK(objects_call(&rig.store.objects, &r));
    let_pass(dur_s(31));
    OK(story_put(&rig.story, 1, 100, NULL));
    r.op = OBJECT_DELETE;
    OK(objects_call(&rig.store.objects, &r));
    let_pass(dur_s(31));
    IS(ERR_READONLY, story_put(&rig.story, 2, 100, NULL));
}

/* D31: somebody else has opened it. */
static void
test_owner_lost(void **state)
{
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    let_pass(dur_s(31));
    OK(story_put(&rig.story, 2, 100, NULL));
    objects_mem_get(&rig.store, "owner", NULL)[0] ^= 1;
    let_pass(dur_s(31));
    IS(ERR_READONLY, story_put(&rig.story, 3, 100, NULL));
    assert_non_null(element_trouble(rig.element));
    OK(story_check(&rig.story, 1, 100, true));
}

static void
test_foreign(void **state)
{
    struct objects_mem *m = &rig.store;
    struct slice s = SLICE("hello");
    struct object_req r = {.op = OBJECT_PUT,
                           .key = "data/2023/11/14/notes.txt",
                           .body = &s,
                           .n_body = 1};
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    OK(objects_call(&m->objects, &r));
    cloud_rig_kill(&rig);
    OK(cloud_rig_open(&rig));
    assert_int_equal(rig.report.extra, 1);
    assert_non_null(objects_mem_get(m, "data/2023/11/14/notes.txt", NULL));
    OK(story_check(&rig.story, 1, 100, true));
    cloud_rig_close(&rig);
    /* D31: and nothing is made where something is. */
    IS(ERR_EXISTS,
       cloud_init(&m->objects,
                  &(struct element_birth){.label = "x", .pool_id = "p"},
                  test_quickest(), &rig.fault));
}

/* D31, AMB-026: as an element in a folder. */
static void
test_name_and_mode(void **state)
{
    struct element_conf conf = {.mode = BLOB_AR, .hash = test_quickest()};
    struct cloud_conf cc = {.limit = 0};
    struct ledger_conf ledger = element_ledger_conf();
    struct element_report rep;
    struct element *e;
    (void)state;

    IS(ERR_BUSY,
       cloud_rename(rig.objects, "se-09", test_quickest(), &rig.fault));
    cloud_rig_kill(&rig); /* it may be served elsewhere, for all we know */
    IS(ERR_BUSY,
       cloud_rename(rig.objects, "se-09", test_quickest(), &rig.fault));
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    rig.element_id = "se-09";
    OK(cloud_rename(rig.objects, "se-09", test_quickest(), &rig.fault));
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    OK(cloud_rename(rig.objects, "se-01", test_quickest(), &rig.fault));
    rig.element_id = "se-77";
    IS(ERR_CONFLICT, cloud_rig_open(&rig));
    assert_non_null(strstr(rig.fault.what, "se-77"));
    assert_non_null(strstr(rig.fault.what, "se-01"));
    IS(ERR_CONFLICT,
       cloud_rebuild(rig.objects, rig.mem, "se-77", test_quickest(), true,
                     false, &rep, &rig.fault));
    rig.element_id = "se-01";
    /* A start that went no further has served in no mode. */
    rig.pool = element_pool_new(&ledger);
    OK(cloud_open(&e, &conf, &cc, rig.objects, rig.mem, rig.pool, NULL,
                  &rig.fault));
    element_close(&e);
    element_pool_free(&rig.pool);
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    rig.mode = BLOB_AR;
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    rig.mode = BLOB_EDIT;
    IS(ERR_CONFLICT, cloud_rig_open(&rig));
    assert_non_null(strstr(rig.fault.hint, "STORAGE_MODE"));
}

/* Whatever call of a start fails, the bucket is as clean as before, and may be
 * renamed; but for the last, which says that it is in use. */
static void
test_start_fails(void **state)
{
    bool more = true;
    (void)state;

    cloud_rig_close(&rig);
    for (uint64_t n = 1; more; n++) {
        rig.store.fail = (struct fail){.at = n};
        more = cloud_rig_open(&rig) != ERR_OK;
        rig.store.fail = (struct fail){0};
        assert_int_equal(more, rig.element == NULL);
        cloud_rig_close(&rig);
        OK(cloud_rename(rig.objects, "se-01", test_quickest(), &rig.fault));
        assert_true(more || n > 5);
    }
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_index_lost),  T(test_tombs_expire), T(test_owner_unclear),
        T(test_owner_lost),  T(test_foreign),      T(test_name_and_mode),
        T(test_start_fails),
    };

    return cmocka_run_group_tests_name("cloud_start", tests, NULL, NULL);
}
