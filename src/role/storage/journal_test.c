/* journal_test.c - how long the journal becomes, and what a start reads in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "role/storage/impl.h"
#include "role/storage/rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))

static struct rig rig;

static void
set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void
start(void)
{
    element_start(rig.element, &rig.loop.loop);
}

static void
stop(void)
{
    bool stopped = false;

    element_stop(rig.element, set_flag, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
}

static uint64_t
journal_size(void)
{
    struct disk_stat st;
    struct fault f;
    int fd;

    OK(disk_open(rig.rec, DISK_ROOT, "journal", 0, &fd, &f));
    OK(disk_stat(rig.rec, fd, &st, &f));
    disk_close(rig.rec, &fd);
    return st.size;
}

/* Deletes are forgotten, and the journal stays short, where no bucket is ever
 * clean, too: each start would otherwise read all deletes of all times, until
 * it cannot. */
static void
journal_stays_short(bool relaxed, bool frozen)
{
    const unsigned n = 50;
    uint64_t before;

    rig_init(&rig, NULL);
    rig_close(&rig);
    rig.relaxed = relaxed;
    rig.journal_max = 1;
    OK(rig_open(&rig));
    rig.element->synced_frozen = frozen;
    start();
    for (unsigned i = 0; i <= n; i++)
        OK(story_put(&rig.story, i, 10, NULL));
    for (unsigned i = 0; i < n; i++)
        OK(story_delete(&rig.story, i));
    before = journal_size();
    assert_int_equal(rig.element->pinned, n);
    loop_mem_advance(&rig.loop, dur_s(70));
    assert_int_equal(rig.element->pinned, 0);
    assert_true(journal_size() > before / 2); /* late uploads still fail */
    IS(ERR_CONFLICT, story_put(&rig.story, 7, 10, NULL));
    loop_mem_advance(&rig.loop, dur_s(73 * 3600));
    OK(story_put(&rig.story, 100, 10, NULL));
    loop_mem_advance(&rig.loop, dur_s(70));
    assert_true(journal_size() < 100);
    stop();
    rig_close(&rig);
    OK(rig_open(&rig));
    assert_int_equal(rig.report.buckets, 2); /* not clean all the same */
    assert_int_equal(rig.report.settled, 0);
    assert_int_equal(rig.report.files, 2);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 2);
    rig_release(&rig);
}

static void
test_never_clean(void **state)
{
    (void)state;
    journal_stays_short(true, false);
    journal_stays_short(false, true);
}

/* After a clean stop nothing is left to be settled: all is still known, and
 * none of it pinned, so that the table can forget the oldest. */
static void
test_clean_start(void **state)
{
    const unsigned n = 50;
    (void)state;

    for (unsigned killed = 0; killed < 2; killed++) {
        rig_init(&rig, NULL);
        for (unsigned i = 0; i < n; i++) {
            OK(story_put(&rig.story, i, 10, NULL));
            OK(story_delete(&rig.story, i));
        }
        if (killed)
            rig_kill(&rig);
        else
            rig_close(&rig);
        OK(rig_open(&rig));
        assert_int_equal(rig.element->tombs.map.n, n);
        assert_int_equal(rig.element->pinned, killed ? n : 0);
        assert_int_equal(rig.report.settled, killed ? n : 0);
        IS(ERR_CONFLICT, story_put(&rig.story, 7, 10, NULL));
        rig_close(&rig);
        assert_int_equal(rig_audit(&rig), 0);
        rig_release(&rig);
    }
}

static unsigned
tombs_after_restart(void)
{
    size_t n;

    rig_close(&rig);
    OK(rig_open(&rig));
    n = rig.element->tombs.map.n;
    return (unsigned)n;
}

/* A compaction keeps of what is young only what the table has, whose size is
 * bounded, but attempts that were given up within the hour. */
static void
test_table_full(void **state)
{
    const unsigned n = 50, max = 10;
    (void)state;

    rig_init(&rig, NULL);
    rig_close(&rig);
    rig.journal_max = 1;
    OK(rig_open(&rig));
    rig.element->tombs.max = max;
    start();
    for (unsigned i = 0; i < n; i++) {
        OK(story_put(&rig.story, i, 10, NULL));
        OK(story_delete(&rig.story, i));
        OK(story_abort(&rig.story, 100 + i, 1, 100, 100));
    }
    loop_mem_advance(&rig.loop, dur_s(70)); /* none is pinned any more */
    for (unsigned i = n; i < n + max; i++) {
        OK(story_put(&rig.story, i, 10, NULL));
        OK(story_delete(&rig.story, i));
    }
    assert_int_equal(rig.element->tombs.map.n, max);
    loop_mem_advance(&rig.loop, dur_s(70));
    stop();
    assert_int_equal(tombs_after_restart(), max + n);
    start();
    loop_mem_advance(&rig.loop, dur_s(3700));
    rig.element->tombs.max = max;
    OK(story_put(&rig.story, 90, 10, NULL));
    OK(story_delete(&rig.story, 90));
    assert_int_equal(rig.element->tombs.map.n, max);
    loop_mem_advance(&rig.loop, dur_s(70));
    stop();
    assert_int_equal(tombs_after_restart(), max);
    rig_close(&rig);
    assert_int_equal(rig_audit(&rig), 0);
    rig_release(&rig);
}

/* A journal that became long is read all the same: here one of whole lines and
 * of rubbish, over several of the pieces in which it is read, behind more zeros
 * than memory is to be spent on. */

#define ZEROS ((uint64_t)300 * 1024 * 1024)

static const struct disk_ops *rec_ops;
static int journal_fd;

static enum err
zeros_first(struct disk *d, struct disk_op *op, struct fault *f)
{
    bool ours = op->what == DISK_PREAD && op->fd == journal_fd;
    enum err e;

    if (ours && op->off < ZEROS) {
        op->did = (size_t)u64_min(op->n, ZEROS - op->off);
        memset(op->p, 0, op->did);
        return ERR_OK;
    }
    op->off -= ours ? ZEROS : 0;
    e = rec_ops->exec(d, op, f);
    op->off += ours ? ZEROS : 0;
    if (op->what == DISK_STAT && op->fd == journal_fd)
        op->stat->size += ZEROS;
    else if (op->what == DISK_OPEN && strcmp(op->name, "journal") == 0)
        journal_fd = op->fd;
    else if (op->what == DISK_CLOSE && op->fd == journal_fd)
        journal_fd = DISK_NONE;
    return e;
}

static void
write_journal(unsigned n)
{
    static const struct hash_cpu portable;
    struct journal_record r = {
        .type = JOURNAL_ABORT, .number = 1, .at = rig.loop.loop.wall};
    struct fault f;
    struct buf text;

    buf_init(&text, 16 * MIB);
    for (unsigned i = 0; i < n; i++) {
        r.file_id.b[0] = (uint8_t)i;
        r.file_id.b[1] = (uint8_t)(i >> 8);
        assert_true(journal_encode(&text, &r, hash_select(&portable, "c")));
        for (unsigned k = 0; i == n / 2 && k < 3 * MIB; k++)
            buf_add_char(&text, 'x');
    }
    assert_false(text.failed);
    OK(disk_replace_file(rig.rec, DISK_ROOT, "journal", buf_slice(&text), &f));
    buf_release(&text);
}

static void
test_long(void **state)
{
    const unsigned n = 30000;
    struct disk_ops ops;
    (void)state;

    rig_init(&rig, NULL);
    rig_close(&rig);
    write_journal(n);
    rec_ops = rig.rec->ops;
    ops = *rec_ops;
    ops.exec = zeros_first;
    rig.rec->ops = &ops;
    journal_fd = DISK_NONE;
    OK(rig_open(&rig));
    assert_int_equal(rig.element->tombs.map.n, n);
    rig_kill(&rig);
    rig.rec->ops = rec_ops;
    rig_release(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_clean),
        cmocka_unit_test(test_clean_start),
        cmocka_unit_test(test_table_full),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
