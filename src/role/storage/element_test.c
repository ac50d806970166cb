/* element_test.c - port/blob.h on an element in memory, and what an element
 * does beyond it: identity, capacity to the last byte, clean points, expiry.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/blob_contract.h"
#include "role/storage/rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))

/* The contract, with the rig behind it. */

static struct rig rig;

static struct blob *
c_open(void *arg, struct loop_mem *l)
{
    (void)l;
    rig_init(&rig, arg);
    return rig.story.blob;
}

static struct blob *
c_reopen(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    rig_close(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.buckets, 0); /* a clean stop */
    return rig.story.blob;
}

static void
c_close(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    rig_close(&rig);
    rig_release(&rig);
}

static void
c_mode(void *arg, struct blob *b, enum blob_mode mode)
{
    (void)arg;
    (void)b;
    element_set_mode(rig.element, mode);
}

static void
c_damage(void *arg, struct blob *b, const char *name, uint64_t off)
{
    char path[512];
    (void)arg;
    (void)b;

    snprintf(path, sizeof(path), "data/2023/11/14/0001/%s", name);
    assert_true(disk_rec_damage(rig.rec, path, off));
}

/* Identity (D31). */
static void
test_identity(void **state)
{
    struct element_birth birth = {.label = "x", .pool_id = "p"};
    struct element_conf conf = {.mode = BLOB_EDIT};
    struct element *second = NULL;
    struct fault f;
    int fd;
    (void)state;

    rig_init(&rig, NULL);
    IS(ERR_EXISTS, element_init(rig.rec, &birth, NULL, &f));
    conf.installation_id.b[0] = 9;
    IS(ERR_CONFLICT,
       element_open(&second, &conf, rig.rec, rig.mem, rig.pool, NULL, &f));
    conf.installation_id.b[0] = 0;
    IS(ERR_BUSY,
       element_open(&second, &conf, rig.rec, rig.mem, rig.pool, NULL, &f));
    rig_close(&rig);
    assert_true(disk_rec_damage(rig.rec, "superblock", 40));
    IS(ERR_CORRUPT, rig_open(&rig));
    assert_true(disk_rec_damage(rig.rec, "superblock", 40));
    OK(rig_open(&rig));
    rig_close(&rig);
    OK(disk_unlink(rig.rec, DISK_ROOT, "superblock", &f));
    IS(ERR_NOENT, rig_open(&rig));
    assert_non_null(strstr(rig.fault.what, "storage init"));
    OK(disk_create(rig.rec, DISK_ROOT, "holiday.jpg", &fd, &f));
    disk_close(rig.rec, &fd);
    IS(ERR_EXISTS, element_init(rig.rec, &birth, NULL, &f));
    assert_non_null(strstr(f.what, "holiday.jpg"));
    rig_release(&rig);
}

/* Fills a small disk by small and large files until it says no; what was
 * acknowledged is there, and deletes still work (D28). */
static void
fill(uint64_t bytes, uint64_t inodes, bool no_tmpfile, enum err expected)
{
    struct disk_rec_conf conf = {
        .bytes = bytes, .inodes = inodes, .no_tmpfile = no_tmpfile};
    unsigned n = 0;
    enum err e = ERR_OK;

    rig_init(&rig, &conf);
    while (e == ERR_OK && n < 1000) {
        e = n % 4 ? story_put(&rig.story, n, 5000, NULL)
                  : story_upload(&rig.story, n, BLOCK_SIZE + 9, n % 8, NULL);
        n += e == ERR_OK;
    }
    assert_int_equal(e, expected);
    assert_true(n > 4 && n < 1000);
    for (unsigned i = 0; i < n; i++)
        OK(story_check(&rig.story, i, i % 4 ? 5000 : BLOCK_SIZE + 9, true));
    assert_int_equal(story_count(&rig.story, 100), n);
    for (unsigned i = 0; i < n; i++)
        OK(story_delete(&rig.story, i));
    OK(story_put(&rig.story, 2000, 5000, NULL)); /* room came back */
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 1);
    rig_release(&rig);
}

static void
test_full(void **state)
{
    (void)state;
    /* An upload of unknown length reserves 64 MiB, so it meets the end early
     * and the others go on: here all are stopped by the first refusal. */
    fill(96 * MIB, 0, false, ERR_NOSPC);
    fill(96 * MIB, 0, true, ERR_NOSPC);
    fill(0, 200, false, ERR_NOINODES);
}

/* What is said of a full disk. */
static void
test_status(void **state)
{
    struct disk_rec_conf conf = {.bytes = 4 * MIB};
    struct blob_capacity c;
    unsigned n = 0;
    (void)state;

    rig_init(&rig, &conf);
    while (story_put(&rig.story, n, BLOCK_SIZE, NULL) == ERR_OK)
        n++;
    assert_true(n >= 8 && n < 16);
    rig.story.blob->ops->capacity(rig.story.blob, &c);
    assert_true(c.available < BLOCK_SIZE + 4096);
    assert_int_equal(c.reserved, 0);
    assert_true(c.status >= BLOB_WARNING);
    assert_string_equal(c.health, "healthy");
    rig_close(&rig);
    rig_release(&rig);
}

static void
set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* After a clean point nothing is looked at again, whatever happens. */
static void
test_clean_point(void **state)
{
    bool stopped = false;
    (void)state;

    rig_init(&rig, NULL);
    element_start(rig.element, &rig.loop.loop);
    for (unsigned i = 0; i < 20; i++)
        OK(story_put(&rig.story, i, 100, NULL));
    OK(story_delete(&rig.story, 3));
    loop_mem_advance(&rig.loop, dur_s(70));
    assert_int_equal(index_mem_synced(rig.mem), index_mem_commits(rig.mem));
    element_stop(rig.element, set_flag, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
    rig_kill(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.buckets, 1); /* the one that is written to */
    assert_int_equal(rig.report.settled, 1);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 19);
    rig_release(&rig);
}

int
main(void)
{
    struct disk_rec_conf bare = {.no_tmpfile = true};
    struct blob_contract c = {.name = "element in memory",
                              .open = c_open,
                              .reopen = c_reopen,
                              .close = c_close,
                              .set_mode = c_mode,
                              .damage = c_damage};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_clean_point),
    };
    int failed = blob_contract_run(&c);

    c.name = "element in memory, no tmpfile";
    c.arg = &bare;
    failed += blob_contract_run(&c);
    return failed + cmocka_run_group_tests_name("element", tests, NULL, NULL);
}
