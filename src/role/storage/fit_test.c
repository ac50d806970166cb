/* fit_test.c - an index that was lost, or is an old copy, is noticed at the
 * start and made anew; nothing is missing in silence.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))
#define BUCKET        "data/2023/11/14/0001/"

static struct rig rig;

/* X in the place of the index; the element is closed. */
static void
swap_index(struct index *x)
{
    rig.mem->ops->close(rig.mem);
    rig.mem = x;
    rig.index.inner = x;
}

static void
lose_index(void)
{
    swap_index(index_mem_new(0));
}

static void
put_all(unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        OK(story_put(&rig.story, i, 100 + i, NULL));
}

static void
check_all(unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        OK(story_check(&rig.story, i, 100 + i, true));
}

static void
set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* A clean point, and a day later, so that the next file goes elsewhere. */
static void
another_day(void)
{
    bool stopped = false;

    element_start(rig.element, &rig.loop.loop);
    loop_mem_advance(&rig.loop, dur_s(86400));
    element_stop(rig.element, set_flag, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
}

static uint64_t
last_number(void)
{
    uint64_t first, last;

    OK(element_log(rig.element, &first, &last, NULL));
    return last;
}

/* What the catalogue would do from SINCE on: does it find a hole? */
struct walk {
    uint64_t next;
    bool hole;
};

static bool
see_change(void *arg, const struct index_change *c)
{
    struct walk *w = arg;

    w->hole = w->hole || c->seq != w->next;
    w->next = c->seq + 1;
    return true;
}

static bool
has_hole(uint64_t since)
{
    struct walk w = {.next = since + 1};

    OK(element_changes(rig.element, since, 1000, see_change, &w, NULL));
    assert_true(w.next > since + 1); /* there are changes */
    return w.hole;
}

static void
stays_well(unsigned files)
{
    rig_close(&rig);
    OK(rig_open(&rig));
    assert_false(rig.report.rebuilt);
    assert_int_equal(rig.report.buckets, 0);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), files);
    rig_release(&rig);
}

/* rm index.db after a clean stop. */
static void
test_lost(void **state)
{
    uint64_t last;
    (void)state;

    rig_init(&rig, NULL);
    put_all(0, 100);
    OK(story_delete(&rig.story, 99));
    last = last_number();
    rig_close(&rig);
    lose_index();
    OK(rig_open(&rig));
    assert_true(rig.report.rebuilt);
    assert_int_equal(rig.report.files, 99);
    assert_int_equal(rig.report.damaged + rig.report.missing, 0);
    check_all(0, 99);
    IS(ERR_NOENT, story_check(&rig.story, 99, 199, true));
    assert_true(last_number() > last); /* no number is given twice */
    assert_true(has_hole(last));       /* whoever follows reads all again */
    put_all(200, 1);
    stays_well(100);
}

/* The last change was a publish, so that the numbers alone look right. */
static void
test_lost_in_step(void **state)
{
    uint64_t last;
    (void)state;

    rig_init(&rig, NULL);
    put_all(0, 3);
    last = last_number();
    rig_close(&rig);
    lose_index();
    OK(rig_open(&rig));
    assert_true(rig.report.rebuilt);
    assert_true(has_hole(last));
    stays_well(3);
}

/* Each index that there ever was, put back after a clean stop. */
static void
test_old_copy(void **state)
{
    size_t n;
    (void)state;

    rig_init(&rig, NULL);
    put_all(0, 6);
    OK(story_delete(&rig.story, 2));
    put_all(6, 3);
    rig_close(&rig);
    n = index_mem_commits(rig.mem);
    for (size_t i = 0; i < n; i++) {
        swap_index(index_mem_first(rig.mem, i));
        OK(rig_open(&rig));
        assert_true(rig.report.rebuilt);
        check_all(0, 2);
        check_all(3, 6);
        rig_close(&rig);
        assert_int_equal(rig_audit(&rig), 8);
        n = index_mem_commits(rig.mem) < n ? index_mem_commits(rig.mem) : n;
    }
    rig_release(&rig);
}

/* A row too many, of a file that is not there. */
static void
test_newer(void **state)
{
    struct index_change c = {.op = INDEX_PUBLISH, .row = {.bucket = "x"}};
    (void)state;

    rig_init(&rig, NULL);
    put_all(0, 5);
    c.seq = last_number() + 1;
    story_attr(&c.row.attr, 77, 5);
    rig_close(&rig);
    OK(rig.mem->ops->apply(rig.mem, &c, 1, NULL));
    OK(rig_open(&rig));
    assert_true(rig.report.rebuilt);
    assert_int_equal(story_count(&rig.story, 100), 5);
    stays_well(5);
}

/* kill -9, and the bucket of yesterday is not dirty any more. */
static void
test_unclean(void **state)
{
    (void)state;

    rig_init(&rig, NULL);
    put_all(0, 20);
    OK(story_delete(&rig.story, 7));
    another_day();
    put_all(20, 10);
    OK(story_delete(&rig.story,
                    0)); /* its bucket is clean; the journal tells */
    rig_kill(&rig);
    lose_index();
    OK(rig_open(&rig));
    assert_true(rig.report.rebuilt);
    assert_int_equal(rig.report.files, 28);
    check_all(1, 6);
    check_all(8, 22);
    stays_well(28);
}

/* The AT-th operation on the index, or on the disk, fails while it is made
 * anew: the next start begins it again. ERR_OK: there are not so many. */
static enum err
interrupt(bool clean, bool disk, uint64_t at)
{
    enum err e;

    rig_init(&rig, NULL);
    put_all(0, 70);
    another_day();
    put_all(70, 10);
    if (clean)
        rig_close(&rig);
    else
        rig_kill(&rig);
    lose_index();
    rig.index.fail.calls = rig.disk.fail.calls = 0;
    rig.index.fail.at = disk ? 0 : at;
    rig.disk.fail.at = disk ? at : 0;
    e = rig_open(&rig);
    rig.index.fail.at = rig.disk.fail.at = 0;
    if (e == ERR_OK)
        rig_kill(&rig);
    OK(rig_open(&rig));
    assert_int_equal(story_count(&rig.story, 100), 80);
    check_all(0, 80);
    stays_well(80);
    return e;
}

static void
test_interrupted(void **state)
{
    uint64_t at;
    (void)state;

    for (unsigned clean = 0; clean < 2; clean++) {
        for (at = 1; interrupt(clean, false, at) != ERR_OK; at++)
            ;
        assert_true(at > 5);
        for (at = 1; interrupt(clean, true, at) != ERR_OK; at += 41)
            ;
        assert_true(at > 100);
    }
}

static void
damage(unsigned i, uint64_t size)
{
    struct file_attr a;
    char path[512];

    OK(story_put(&rig.story, i, size, &a));
    snprintf(path, sizeof(path), BUCKET "%s.attr.json", a.storage_filename);
    assert_true(disk_rec_damage(rig.rec, path, 50));
}

/* Without the index nobody knows that the file with the damaged attr.json was
 * acknowledged: it is told of and kept all the same. */
static void
test_damaged(void **state)
{
    unsigned names;
    (void)state;

    for (unsigned clean = 0; clean < 2; clean++) {
        rig_init(&rig, NULL);
        put_all(0, 4);
        rig_close(&rig); /* so that the superblock knows of an index */
        OK(rig_open(&rig));
        put_all(4, 1);
        damage(10, 100);
        names = disk_rec_names(rig.rec);
        if (clean)
            rig_close(&rig);
        else
            rig_kill(&rig);
        lose_index();
        OK(rig_open(&rig));
        assert_true(rig.report.rebuilt);
        assert_int_equal(rig.report.damaged, 1);
        assert_int_equal(rig.report.removed, 0);
        assert_int_equal(rig.report.files, 5);
        check_all(0, 5);
        /* Where it was, or in quarantine/. */
        assert_int_equal(disk_rec_names(rig.rec), names + !clean);
        rig_close(&rig);
        rig_release(&rig);
    }
}

/* By hand: the next start has nothing left to do. */
static void
test_by_hand(void **state)
{
    struct element_report rep;
    (void)state;

    rig_init(&rig, NULL);
    put_all(0, 10);
    OK(story_delete(&rig.story, 9));
    rig_close(&rig);
    lose_index();
    OK(element_rebuild(rig.rec, rig.mem, NULL, NULL, false, true, &rep, NULL));
    assert_int_equal(rep.files, 9);
    OK(rig_open(&rig));
    assert_false(rig.report.rebuilt);
    check_all(0, 9);
    /* After an unclean stop only a start can do it. */
    put_all(20, 1);
    rig_kill(&rig);
    lose_index();
    OK(element_rebuild(rig.rec, rig.mem, NULL, NULL, false, true, &rep, NULL));
    assert_int_equal(rep.files, 10);
    OK(rig_open(&rig));
    assert_true(rig.report.rebuilt);
    check_all(0, 9);
    check_all(20, 1);
    stays_well(10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost),        cmocka_unit_test(test_lost_in_step),
        cmocka_unit_test(test_old_copy),    cmocka_unit_test(test_newer),
        cmocka_unit_test(test_unclean),     cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_interrupted), cmocka_unit_test(test_by_hand),
    };

    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
