/* element_test.c - port/blob.h on an element in memory, and what an element
 * does beyond it: identity, capacity to the last byte, clean points, expiry.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/test_cpu.h"
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
    assert_non_null(strstr(rig.fault.hint, "storage init"));
    OK(disk_create(rig.rec, DISK_ROOT, "holiday.jpg", &fd, &f));
    disk_close(rig.rec, &fd);
    IS(ERR_EXISTS, element_init(rig.rec, &birth, NULL, &f));
    assert_non_null(strstr(f.what, "holiday.jpg"));
    rig_release(&rig);
}

/* The disk of another element is neither served nor rebuilt (D31). */
static void
test_name(void **state)
{
    struct element_report rep;
    struct fault f;
    (void)state;

    rig_init(&rig, NULL);
    IS(ERR_BUSY, element_rename(rig.rec, "se-09", test_quickest(), &f));
    rig_close(&rig);
    rig.element_id = "se-77";
    IS(ERR_CONFLICT, rig_open(&rig));
    assert_non_null(strstr(rig.fault.what, "se-77"));
    assert_non_null(strstr(rig.fault.what, "se-01"));
    assert_non_null(strstr(rig.fault.hint, "STORAGE_ELEMENT_ID"));
    for (int check = 0; check < 2; check++)
        IS(ERR_CONFLICT, element_rebuild(rig.rec, rig.mem, "se-77", NULL, check,
                                         false, &rep, &f));
    OK(element_rebuild(rig.rec, rig.mem, "se-01", NULL, true, false, &rep, &f));
    OK(element_rename(rig.rec, "se-77", test_quickest(), &f));
    OK(rig_open(&rig));
    assert_string_equal(rig.story.blob->element_id, "se-77");
    rig_close(&rig);
    rig.element_id = "se-01";
    IS(ERR_CONFLICT, rig_open(&rig));
    /* A folder that is no element is left as it was. */
    OK(disk_unlink(rig.rec, DISK_ROOT, "superblock", &f));
    OK(disk_unlink(rig.rec, DISK_ROOT, "lock", &f));
    IS(ERR_NOENT, element_rename(rig.rec, "se-01", test_quickest(), &f));
    IS(ERR_NOENT, disk_unlink(rig.rec, DISK_ROOT, "lock", &f));
    rig_release(&rig);
}

/* AMB-026: what has been rw never deletes again. */
static void
test_mode_goes_forward(void **state)
{
    static const struct {
        enum blob_mode mode;
        enum err want;
        const char *why;
    } row[] = {
        {BLOB_RW, ERR_OK, "forward"},
        {BLOB_EDIT, ERR_CONFLICT, "back"},
        {BLOB_RW, ERR_OK, "the same: a refusal changed nothing"},
        {BLOB_AR, ERR_OK, "a mode may be left out"},
        {BLOB_RO, ERR_CONFLICT, "back, though both only read"},
        {BLOB_AR, ERR_OK, "the same"},
    };
    struct element_conf conf = {.mode = BLOB_AR};
    struct element *e = NULL;
    struct blob_capacity cap;
    struct fault f;
    (void)state;

    rig_init(&rig, NULL); /* edit */
    rig_close(&rig);
    /* A start that went no further, for another element: it served nothing. */
    rig.pool = element_pool_new(&rig.ledger);
    OK(element_open(&e, &conf, rig.rec, rig.mem, rig.pool, NULL, &f));
    element_close(&e);
    element_pool_free(&rig.pool);
    for (size_t i = 0; i < countof(row); i++) {
        rig_close(&rig);
        rig.mode = row[i].mode;
        if (rig_open(&rig) != row[i].want)
            fail_msg("row %zu: %s", i, row[i].why);
        if (row[i].want != ERR_OK)
            assert_non_null(strstr(rig.fault.hint, "STORAGE_MODE"));
    }
    rig_close(&rig);
    conf = (struct element_conf){.mode = BLOB_EDIT, .keep_mode = true};
    rig.pool = element_pool_new(&rig.ledger);
    OK(element_open(&e, &conf, rig.rec, rig.mem, rig.pool, NULL, &f));
    element_blob(e)->ops->capacity(element_blob(e), &cap);
    assert_int_equal(cap.mode, BLOB_AR); /* kept */
    element_close(&e);
    element_pool_free(&rig.pool);
    rig_release(&rig);
}

/* Set while it is served, and remembered after it. */
static void
test_mode_set_later(void **state)
{
    (void)state;

    rig_init(&rig, NULL);
    element_set_mode(rig.element, BLOB_RO);
    rig_close(&rig);
    IS(ERR_CONFLICT, rig_open(&rig));
    rig_release(&rig);
}

/* A start that failed has not served. Only after a sync that failed nobody
 * knows what was written. */
static void
test_mode_of_a_failed_start(void **state)
{
    unsigned failed = 0;
    bool all = false;
    (void)state;

    for (unsigned at = 1; !all; at++) {
        enum err e;

        rig_init(&rig, NULL);
        rig_close(&rig);
        rig.mode = BLOB_RW;
        rig.disk.fail = (struct fail){.at = at};
        e = rig_open(&rig);
        all = rig.disk.fail.calls < at;
        rig.disk.fail = (struct fail){.at = 0};
        if (e != ERR_OK && rig.disk.last != DISK_SYNC) {
            failed++;
            rig.mode = BLOB_EDIT;
            if (rig_open(&rig) != ERR_OK)
                fail_msg("operation %u: %s", at, rig.fault.what);
        }
        rig_release(&rig);
    }
    assert_true(failed > 5);
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

static void
put_done(struct blob_put *r)
{
    *(bool *)r->priv = true;
}

/* File I, expiring at AT. */
static void
put_until(unsigned i, struct wall at, enum retention retention)
{
    uint8_t byte = story_byte(i, 0);
    bool done = false;
    struct file_attr a;
    struct blob_put r = {.loop = &rig.loop.loop,
                         .done = put_done,
                         .attempt = 1,
                         .attr = &a,
                         .data = &byte,
                         .priv = &done};

    story_attr(&a, i, 1);
    a.expires_at = at;
    a.retention = retention;
    element_blob(rig.element)->ops->put(element_blob(rig.element), &r);
    loop_mem_settle(&rig.loop);
    assert_true(done);
    OK(r.err);
}

static void
stop_periodic(void)
{
    bool stopped = false;

    element_stop(rig.element, set_flag, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
}

static bool
see_expiry(void *arg, const struct index_change *c)
{
    *(unsigned *)arg += c->op == INDEX_EXPIRE;
    return true;
}

/* STO-043: TEMPORARY files past their time go, in mode edit only. */
static void
test_expiry(void **state)
{
    struct wall t;
    unsigned expired = 0;
    (void)state;

    rig_init(&rig, NULL);
    t = rig.loop.loop.wall;
    for (unsigned i = 0; i < 300; i++) /* more than one sweep */
        put_until(i, (struct wall){t.ms + 1000}, RETENTION_TEMPORARY);
    put_until(500, (struct wall){t.ms + 1000}, RETENTION_PERMANENT);
    put_until(501, (struct wall){t.ms + 600000}, RETENTION_TEMPORARY);
    put_until(502, (struct wall){0}, RETENTION_TEMPORARY);
    element_set_mode(rig.element, BLOB_RW);
    element_start(rig.element, &rig.loop.loop);
    loop_mem_advance(&rig.loop, dur_s(130));
    assert_int_equal(story_count(&rig.story, 100), 303); /* not in rw */
    element_set_mode(rig.element, BLOB_EDIT);
    loop_mem_advance(&rig.loop, dur_s(65));
    assert_int_equal(story_count(&rig.story, 100), 47); /* 256 at a time */
    loop_mem_advance(&rig.loop, dur_s(65));
    assert_int_equal(story_count(&rig.story, 100), 3);
    IS(ERR_NOENT, story_check(&rig.story, 7, 1, true));
    OK(element_changes(rig.element, 0, 10000, see_expiry, &expired, NULL));
    assert_int_equal(expired, 300);
    loop_mem_advance(&rig.loop, dur_s(600));
    assert_int_equal(story_count(&rig.story, 100), 2);
    stop_periodic();
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 2);
    rig_release(&rig);
}

/* A clock that leaps a year ahead does not take everything with it. */
static void
test_clock_jump(void **state)
{
    struct wall t;
    (void)state;

    rig_init(&rig, NULL);
    t = rig.loop.loop.wall;
    put_until(1, (struct wall){t.ms + 3600000}, RETENTION_TEMPORARY);
    element_start(rig.element, &rig.loop.loop);
    loop_mem_advance(&rig.loop, dur_s(70));
    rig.loop.loop.wall.ms += (int64_t)365 * 86400000;
    loop_mem_advance(&rig.loop, dur_s(300));
    OK(story_check(&rig.story, 1, 1, true));
    rig.loop.loop.wall.ms -= (int64_t)365 * 86400000; /* somebody saw it */
    loop_mem_advance(&rig.loop, dur_s(3000));
    OK(story_check(&rig.story, 1, 1, true));
    loop_mem_advance(&rig.loop, dur_s(3600)); /* an honest hour */
    IS(ERR_NOENT, story_check(&rig.story, 1, 1, true));
    stop_periodic();
    rig_close(&rig);
    rig_release(&rig);
}

/* D24: a sync that failed ends all writing until a restart; reading goes on. */
static void
test_poison(void **state)
{
    struct blob_capacity c;
    enum err e = ERR_OK;
    unsigned i = 10;
    (void)state;

    rig_init(&rig, NULL);
    OK(story_put(&rig.story, 1, 100, NULL));
    assert_null(element_trouble(rig.element));
    /* Only the sync of the next put: tmpfile, write ... come before it. */
    for (uint64_t n = 1; rig.disk.last != DISK_SYNC && n < 50; n++) {
        rig.disk.fail.calls = 0;
        rig.disk.fail.at = n;
        e = story_put(&rig.story, i++, 100, NULL);
    }
    rig.disk.fail.at = 0;
    assert_int_equal(rig.disk.last, DISK_SYNC);
    assert_int_equal(e, ERR_IO);
    assert_non_null(element_trouble(rig.element));
    IS(ERR_READONLY, story_put(&rig.story, 50, 100, NULL));
    IS(ERR_READONLY, story_upload(&rig.story, 51, 100, true, NULL));
    IS(ERR_READONLY, story_delete(&rig.story, 1));
    OK(story_check(&rig.story, 1, 100, true));
    rig.story.blob->ops->capacity(rig.story.blob, &c);
    assert_false(c.writable);
    assert_int_equal(strncmp(c.health, "unhealthy: ", 11), 0);
    rig_close(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.buckets, 1); /* it was looked at */
    OK(story_put(&rig.story, 52, 100, NULL));
    OK(story_check(&rig.story, 1, 100, true));
    rig_close(&rig);
    (void)rig_audit(&rig);
    rig_release(&rig);
}

/* More dirty buckets than the superblock has names for: all are looked at. */
static void
test_many_buckets(void **state)
{
    const unsigned n = 1100;
    (void)state;

    rig_init(&rig, NULL);
    for (unsigned i = 0; i < n; i++) {
        OK(story_put(&rig.story, i, 10, NULL));
        loop_mem_advance(&rig.loop, dur_s(86400));
    }
    rig_kill(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.buckets, n);
    assert_int_equal(rig.report.files, n);
    rig_close(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.buckets, 0);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), n);
    rig_release(&rig);
}

/* The index is lost: the next start makes it anew with `storage rebuild`. */
static void
test_rebuild(void **state)
{
    struct element_report rep;
    struct fault f;
    (void)state;

    rig_init(&rig, NULL);
    for (unsigned i = 0; i < 100; i++)
        OK(story_put(&rig.story, i, i, NULL));
    OK(story_upload(&rig.story, 200, 66 * BLOCK_SIZE, true, NULL));
    OK(story_delete(&rig.story, 5));
    IS(ERR_BUSY,
       element_rebuild(rig.rec, rig.mem, NULL, NULL, true, false, &rep, &f));
    rig_close(&rig);
    rig.mem->ops->close(rig.mem);
    rig.mem = index_mem_new(0);
    rig.index.inner = rig.mem;
    OK(element_rebuild(rig.rec, rig.mem, NULL, NULL, true, false, &rep, &f));
    assert_int_equal(rep.extra, 100); /* the index knows none of them */
    OK(element_rebuild(rig.rec, rig.mem, NULL, NULL, false, false, &rep, &f));
    assert_int_equal(rep.files, 100);
    OK(element_rebuild(rig.rec, rig.mem, NULL, NULL, true, true, &rep, &f));
    assert_int_equal(rep.extra + rep.missing + rep.damaged, 0);
    OK(rig_open(&rig));
    for (unsigned i = 0; i < 100; i++)
        IS(i == 5 ? ERR_NOENT : ERR_OK, story_check(&rig.story, i, i, true));
    IS(ERR_CONFLICT, story_put(&rig.story, 5, 5, NULL)); /* still dead */
    OK(story_put(&rig.story, 300, 5, NULL));             /* numbers go on */
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 101);
    rig_release(&rig);
}

/* Damage that an unclean start meets is told and kept, never swept away. */
static void
test_quarantine(void **state)
{
    struct file_attr a, b;
    char path[512];
    struct fault f;
    int dir;
    (void)state;

    rig_init(&rig, NULL);
    OK(story_put(&rig.story, 1, 100, &a));
    OK(story_put(&rig.story, 2, 100, &b));
    OK(story_put(&rig.story, 3, 100, NULL));
    snprintf(path, sizeof(path), "data/2023/11/14/0001/%s.attr.json",
             a.storage_filename);
    assert_true(disk_rec_damage(rig.rec, path, 50));
    OK(disk_open(rig.rec, DISK_ROOT, "data/2023/11/14/0001", DISK_DIR, &dir,
                 &f));
    OK(disk_unlink(rig.rec, dir, b.storage_filename, &f));
    disk_close(rig.rec, &dir);
    rig_kill(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.damaged, 2);
    assert_int_equal(rig.report.files, 1);
    IS(ERR_NOENT, story_check(&rig.story, 1, 100, true));
    OK(story_check(&rig.story, 3, 100, true));
    snprintf(path, sizeof(path), "quarantine/%s", a.storage_filename);
    OK(disk_open(rig.rec, DISK_ROOT, path, 0, &dir, &f));
    disk_close(rig.rec, &dir);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 1);
    rig_release(&rig);
}

/* An unclean start syncs a folder once, however many deletes there were in it
 * since the last clean point. */

static const struct disk_ops *rec_ops;
static unsigned syncs;

static enum err
count_syncs(struct disk *d, struct disk_op *op, struct fault *f)
{
    syncs += op->what == DISK_SYNC;
    return rec_ops->exec(d, op, f);
}

static unsigned
syncs_of_start(unsigned deletes)
{
    struct disk_ops ops;

    rig_init(&rig, NULL);
    for (unsigned i = 0; i < 200; i++) { /* in two folders */
        if (i == 100)
            loop_mem_advance(&rig.loop, dur_s(86400));
        OK(story_put(&rig.story, i, 10, NULL));
    }
    for (unsigned i = 0; i < deletes; i++)
        OK(story_delete(&rig.story, i % 2 ? 100 + i / 2 : i / 2));
    rig_kill(&rig);
    rec_ops = rig.rec->ops;
    ops = *rec_ops;
    ops.exec = count_syncs;
    rig.rec->ops = &ops;
    syncs = 0;
    OK(rig_open(&rig));
    rig.rec->ops = rec_ops;
    assert_int_equal(rig.report.settled, deletes);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 200 - deletes);
    rig_release(&rig);
    return syncs;
}

static void
test_settle(void **state)
{
    (void)state;
    assert_int_equal(syncs_of_start(2), syncs_of_start(100));
}

/* COMMIT_BATCH_MAX and BUCKET_FILES_MAX do what they say. */
static void
test_limits(void **state)
{
    struct element_stats before, after;
    enum err errs[32];
    (void)state;

    for (unsigned n = 1; n <= 8; n *= 8) {
        rig_init(&rig, NULL);
        rig_close(&rig);
        rig.batch_max = n;
        rig.bucket_files = 64;
        OK(rig_open(&rig));
        element_stats(rig.element, &before);
        story_put_many(&rig.story, 0, 32, 10, errs);
        element_stats(rig.element, &after);
        assert_int_equal(after.published - before.published, 32);
        assert_in_range(after.batches - before.batches, 32 / n, 32 / n + 2);
        for (unsigned i = 32; i < 150; i++)
            OK(story_put(&rig.story, i, 10, NULL));
        rig_kill(&rig);
        OK(rig_open(&rig));
        assert_int_equal(rig.report.files, 150);
        assert_int_equal(rig.report.buckets, 3);
        rig_close(&rig);
        rig_release(&rig);
    }
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
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_mode_goes_forward),
        cmocka_unit_test(test_mode_set_later),
        cmocka_unit_test(test_mode_of_a_failed_start),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_clean_point),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_clock_jump),
        cmocka_unit_test(test_poison),
        cmocka_unit_test(test_many_buckets),
        cmocka_unit_test(test_rebuild),
        cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_limits),
    };
    int failed = blob_contract_run(&c);

    c.name = "element in memory, no tmpfile";
    c.arg = &bare;
    failed += blob_contract_run(&c);
    return failed + cmocka_run_group_tests_name("element", tests, NULL, NULL);
}
