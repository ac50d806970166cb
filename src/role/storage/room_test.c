/* room_test.c - an element whose file system others fill too (D28): what they
 * have taken is never promised, and what did not come to anything is given
 * back. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define BODY (3 * MIB)

/* A disk on which somebody else takes room, too. */
struct shared {
    struct disk disk;
    struct disk *inner;
    uint64_t others;   /* have so much */
    uint64_t at_alloc; /* and take so much more after our next allocation */
    bool no_alloc;
    bool no_gate;
    bool in;
    uint64_t seen; /* free when we were last out of the gate again */
};

static uint64_t
free_on(struct disk *d)
{
    struct disk_space sp;

    assert_int_equal(disk_statfs(d, &sp, NULL), ERR_OK);
    return sp.free;
}

static enum err
shared_exec(struct disk *d, struct disk_op *op, struct fault *f)
{
    struct shared *s = container_of(d, struct shared, disk);
    enum err e;

    if (op->what == DISK_GATE) {
        if (s->no_gate)
            return fault_set(f, ERR_UNSUPPORTED, "gate", "");
        assert_true(s->in != !!(op->flags & DISK_ENTER));
        s->in = !s->in;
        s->seen = s->in ? 0 : free_on(s->inner);
        return ERR_OK;
    }
    if (op->what == DISK_ALLOC && s->no_alloc)
        return fault_set(f, ERR_UNSUPPORTED, "alloc", "");
    e = s->inner->ops->exec(s->inner, op, f);
    if (op->what == DISK_ALLOC && (s->in || s->no_gate)) {
        s->others += s->at_alloc;
        s->at_alloc = 0;
    }
    if (op->what == DISK_STATFS)
        op->space->free -= u64_min(op->space->free, s->others);
    return e;
}

static void
shared_io(struct disk *d, struct loop *l, struct file_io *io)
{
    struct shared *s = container_of(d, struct shared, disk);

    s->inner->ops->io(s->inner, l, io);
}

static struct rig rig;
static struct shared shared;
static unsigned number;

/* Over the headroom. */
static int64_t
left(void)
{
    return (int64_t)free_on(rig.rec) - (int64_t)shared.others -
           (int64_t)rig.ledger.headroom.bytes;
}

static void
start(uint64_t bytes)
{
    static const struct disk_ops ops = {.exec = shared_exec, .io = shared_io};
    struct disk_rec_conf conf = {.bytes = bytes};

    rig_init(&rig, &conf);
    rig_close(&rig);
    shared = (struct shared){.disk = {.ops = &ops}, .inner = rig.rec};
    rig.disk.inner = &shared.disk;
    assert_int_equal(rig_open(&rig), ERR_OK);
    number = 0;
    /* The folder of the day is made. */
    assert_int_equal(story_put(&rig.story, number++, 1, NULL), ERR_OK);
}

static void
stop(void)
{
    assert_false(shared.in);
    rig_close(&rig);
    rig.disk.inner = rig.rec;
    rig_audit(&rig);
    rig_release(&rig);
}

static enum err
store(bool blocks)
{
    unsigned i = number++;

    return blocks ? story_upload(&rig.story, i, BODY, true, NULL)
                  : story_put(&rig.story, i, BODY, NULL);
}

static void
test_others(void **state)
{
    static const struct {
        uint64_t others, at_alloc; /* leave this much less than BODY needs */
        bool no_gate;
        enum err err;
        const char *why;
    } row[] = {
        {0, 0, false, ERR_OK, "nobody else is there"},
        {8 * MIB, 0, false, ERR_OK, "there is enough for all"},
        {28 * MIB, 0, false, ERR_NOSPC, "they were first"},
        {0, 28 * MIB, false, ERR_NOSPC, "they do not come by the gate"},
        {0, 28 * MIB, true, ERR_NOSPC, "nor do we"},
        {8 * MIB, 8 * MIB, true, ERR_OK, "a gate is not needed for room"},
    };
    (void)state;

    for (size_t i = 0; i < 2 * countof(row); i++) {
        bool blocks = i % 2;
        size_t k = i / 2;
        struct blob_capacity c;
        uint64_t before;

        start(32 * MIB);
        before = free_on(rig.rec);
        shared.others = row[k].others;
        shared.at_alloc = row[k].at_alloc;
        shared.no_gate = row[k].no_gate;
        if (store(blocks) != row[k].err)
            fail_msg("%s (%s)", row[k].why, blocks ? "blocks" : "put");
        if (row[k].err != ERR_OK && free_on(rig.rec) != before)
            fail_msg("%s: something was kept", row[k].why);
        if (row[k].at_alloc && !row[k].no_gate && shared.seen != before)
            fail_msg("%s: given back too late", row[k].why);
        rig.story.blob->ops->capacity(rig.story.blob, &c);
        assert_int_equal(c.reserved, 0);
        shared.others = 0; /* they have gone */
        loop_mem_advance(&rig.loop, dur_ms(20));
        assert_int_equal(store(blocks), ERR_OK);
        stop();
    }
}

/* To the last: all take turns, and the headroom is nobody's. */
static void
test_last(void **state)
{
    (void)state;

    for (int no_alloc = 0; no_alloc < 2; no_alloc++) {
        unsigned stored = 0;

        start(64 * MIB);
        shared.no_alloc = no_alloc;
        for (int i = 0; i < 40; i++) {
            if (left() >= (int64_t)MIB) /* they keep to the same rule */
                shared.others += MIB;
            stored += store(i % 3) == ERR_OK;
            assert_true(left() >= 0);
        }
        assert_true(stored == 15 && left() < (int64_t)MIB);
        stop();
    }
}

/* Without allocation an account is not shared, and that is said (join.c). */
static void
test_no_alloc(void **state)
{
    (void)state;

    start(32 * MIB);
    assert_false(rig.report.no_alloc);
    rig_close(&rig);
    shared.no_alloc = true;
    assert_int_equal(rig_open(&rig), ERR_OK);
    assert_true(rig.report.no_alloc);
    assert_int_equal(store(true), ERR_OK);
    stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_last),
        cmocka_unit_test(test_no_alloc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
