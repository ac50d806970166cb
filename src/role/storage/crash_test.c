/* crash_test.c - recovery on every state that a power cut may leave (D33).
 *
 * A story runs on a recording disk: uploads, deletes, restarts. Then, for each
 * moment of it, for each first part of the index's commits that may have become
 * durable, and for each legal state of the disk (all, or a sample where there
 * are too many), the element is started on what is left. It must start, and
 *
 *   every file acknowledged before the moment is there with its bytes,
 *   every file not acknowledged is there complete, or not at all,
 *   every delete acknowledged is done, and stays done,
 *   nothing lies around, nothing counts as damaged,
 *   and the index is what a rebuild would make.
 *
 * Recovery itself is a story too: for some of the states its own trace is
 * crashed again. With CRASH_LIMIT in the environment every moment is looked at,
 * in so many states each (without: STATES at most, at about 80 moments and
 * before every sync); the seed is fixed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "role/storage/rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FILES_MAX 160
#define NEVER     UINT64_MAX
#define TIMES_MAX 4000
/* At one moment. What recovery must show, the plain build shows; a sanitizer
 * looks at its code, which is the same for all states of a moment. */
#define STATES TIMES(12, 2)

/* What is known of one file: times are numbers of disk operations. */
struct fate {
    uint64_t size;
    uint64_t begun;  /* its upload was submitted */
    uint64_t stored; /* and acknowledged */
    uint64_t dying;  /* its delete was submitted */
    uint64_t dead;   /* and acknowledged */
    uint64_t given_up;
};

static struct rig rig;
static struct fate fate[FILES_MAX];

/* By the time of each disk operation: */
struct watch {
    struct rig *rig;
    size_t commits[TIMES_MAX + 1]; /* of the index, that may be durable */
    size_t synced[TIMES_MAX + 1];  /* that must be */
    bool sync[TIMES_MAX + 1];      /* a sync comes next: most is at stake */
};
static struct watch story, recovery, *watch = &story;
static uint64_t posted[FILES_MAX]; /* times of the acknowledgements */
static unsigned n_posted;
static uint64_t n_states;

static uint64_t
now(void)
{
    return disk_rec_time(rig.rec);
}

/* Between two disk operations: what the index has done so far. */

static struct disk_ops spy_ops;
static const struct disk_ops *real_ops;

static void
look(void)
{
    uint64_t t = disk_rec_time(watch->rig->rec);

    assert_true(t < TIMES_MAX);
    watch->commits[t] = index_mem_commits(watch->rig->mem);
    watch->synced[t] = index_mem_synced(watch->rig->mem);
}

static void
spy_on(struct watch *w, struct rig *r)
{
    memset(w, 0, sizeof(*w));
    w->rig = r;
    watch = w;
    r->rec->ops = &spy_ops;
}

/* Two batches at the same time, on one thread: the second worker is held back
 * and runs inside the first one's sync. */

static struct {
    bool wanted;
    unsigned works;
    struct work *held;
    struct work tail; /* brings the held one's DONE */
    bool inside;
} overlap;

static void
nothing(struct work *w)
{
    (void)w;
}

static void
tail_done(struct loop *l, struct work *w)
{
    (void)w;
    overlap.held->done(l, overlap.held);
}

static struct loop_ops post_ops;
static const struct loop_ops *real_loop;

static void
spy_work(struct loop *l, struct work *w)
{
    if (overlap.wanted && ++overlap.works == 2) {
        overlap.held = w;
        return;
    }
    real_loop->work(l, w);
}

static void
run_held(void)
{
    overlap.inside = true;
    overlap.wanted = false;
    overlap.held->work(overlap.held);
    overlap.tail = (struct work){.work = nothing, .done = tail_done};
    real_loop->work(&rig.loop.loop, &overlap.tail);
}

static enum err
spy_exec(struct disk *d, struct disk_op *op, struct fault *f)
{
    look();
    if (overlap.wanted && overlap.held && op->what == DISK_SYNC &&
        op->n_set > 4) {
        run_held();
        look();
    }
    if (op->what == DISK_SYNC)
        watch->sync[disk_rec_time(d)] = true;
    return real_ops->exec(d, op, f);
}

static void
spy_io(struct disk *d, struct loop *l, struct file_io *io)
{
    look();
    real_ops->io(d, l, io);
}

/* The moment of an acknowledgement is when it is posted, not when the story
 * has come back: more may have been written by then. */

static void
spy_post(struct loop *l, struct task *t)
{
    assert_true(n_posted < FILES_MAX);
    posted[n_posted++] = now();
    real_loop->post(l, t);
}

static void
begin(const struct disk_rec_conf *conf)
{
    rig_init(&rig, conf);
    real_ops = rig.rec->ops;
    spy_ops = *real_ops;
    spy_ops.exec = spy_exec;
    spy_ops.io = spy_io;
    spy_on(&story, &rig);
    real_loop = rig.loop.loop.ops;
    post_ops = *real_loop;
    post_ops.post = spy_post;
    post_ops.work = spy_work;
    rig.loop.loop.ops = &post_ops;
    disk_rec_settle(rig.rec);
    for (unsigned i = 0; i < FILES_MAX; i++)
        fate[i] = (struct fate){.begun = NEVER,
                                .stored = NEVER,
                                .dying = NEVER,
                                .dead = NEVER,
                                .given_up = NEVER};
}

/* The words of a story. */

static void
put(unsigned i, uint64_t size)
{
    n_posted = 0;
    fate[i].begun = now();
    fate[i].size = size;
    assert_int_equal(story_put(&rig.story, i, size, NULL), ERR_OK);
    assert_int_equal(n_posted, 1);
    fate[i].stored = posted[0];
}

static void
put_many(unsigned first, unsigned n, uint64_t size)
{
    enum err errs[FILES_MAX];

    n_posted = 0;
    for (unsigned k = 0; k < n; k++)
        fate[first + k] = (struct fate){size, now(), 0, NEVER, NEVER, NEVER};
    story_put_many(&rig.story, first, n, size, errs);
    assert_int_equal(n_posted, n);
    for (unsigned k = 0; k < n; k++) {
        assert_int_equal(errs[k], ERR_OK);
        fate[first + k].stored = posted[k];
    }
}

static void
upload(unsigned i, uint64_t size, bool known)
{
    n_posted = 0;
    fate[i].begun = now();
    fate[i].size = size;
    assert_int_equal(story_upload(&rig.story, i, size, known, NULL), ERR_OK);
    fate[i].stored = posted[0];
}

static void
give_up(unsigned i, uint64_t size)
{
    n_posted = 0;
    assert_int_equal(story_abort(&rig.story, i, 1, size, size), ERR_OK);
    fate[i].given_up = posted[0];
}

static void
del(unsigned i)
{
    n_posted = 0;
    fate[i].dying = now();
    assert_int_equal(story_delete(&rig.story, i), ERR_OK);
    fate[i].dead = posted[0];
}

static void
restart(void)
{
    rig_close(&rig);
    assert_int_equal(rig_open(&rig), ERR_OK);
}

static void
restart_after_kill(void)
{
    rig_kill(&rig);
    assert_int_equal(rig_open(&rig), ERR_OK);
}

static void
set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* A minute of idleness, with its clean point. */
static void
idle(void)
{
    bool stopped = false;

    element_start(rig.element, &rig.loop.loop);
    loop_mem_advance(&rig.loop, dur_s(66));
    element_stop(rig.element, set_flag, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
}

/* After the crash. */

static void
explain(const struct rig *r, uint64_t t, size_t k, unsigned i, const char *what)
{
    fprintf(stderr,
            "time %llu, %zu index commits, file %u: %s\n"
            "  begun %lld stored %lld dying %lld dead %lld\n",
            (unsigned long long)t, k, i, what, (long long)fate[i].begun,
            (long long)fate[i].stored, (long long)fate[i].dying,
            (long long)fate[i].dead);
    disk_rec_print(r->rec);
    fail_msg("%s", what);
}

static void
judge_file(struct rig *r, uint64_t t, size_t k, unsigned i)
{
    const struct fate *x = &fate[i];
    enum err e;

    if (x->given_up <= t && story_put(&r->story, i, 1, NULL) != ERR_CONFLICT)
        explain(r, t, k, i, "an attempt that was given up came back");
    if (x->begun == NEVER)
        return;
    e = story_check(&r->story, i, x->size, true);
    if (x->dead <= t && e != ERR_NOENT)
        explain(r, t, k, i, "deleted, and there");
    if (x->stored <= t && x->dying > t && e != ERR_OK)
        explain(r, t, k, i, "acknowledged, and lost");
    if (e != ERR_OK && e != ERR_NOENT)
        explain(r, t, k, i, "half there");
    if (x->begun > t && e != ERR_NOENT)
        explain(r, t, k, i, "there before it was sent");
    if (x->dead <= t && story_put(&r->story, i, 1, NULL) != ERR_CONFLICT)
        explain(r, t, k, i, "a deleted file was stored again");
}

static void
judge(struct rig *r, uint64_t t, size_t k)
{
    char text[300];

    n_states++;
    if (rig_open(r) != ERR_OK) {
        fprintf(stderr, "%s\n", fault_text(&r->fault, text, sizeof(text)));
        explain(r, t, k, 0, "it does not start");
    }
    if (r->report.missing || r->report.damaged || r->report.extra ||
        r->report.rebuilt)
        explain(r, t, k, 0, "it says that there is damage");
    rig_check_log(r);
    for (unsigned i = 0; i < FILES_MAX; i++)
        judge_file(r, t, k, i);
    rig_check_log(r);
    rig_close(r);
    (void)rig_audit(r);
}

/* The trace of a recovery is crashed in turn. */
static void
crash_recovery(struct disk *left, struct index *index, uint64_t t, size_t k)
{
    struct rig r;
    uint64_t last;

    disk_rec_settle(left);
    rig_adopt(&r, left, index);
    spy_on(&recovery, &r);
    assert_int_equal(rig_open(&r), ERR_OK);
    look();
    last = disk_rec_time(r.rec);
    for (uint64_t u = 0; u <= last; u += 1 + last / 12) {
        struct disk_states s;

        disk_states_init(&s, 3, t + u);
        s.sampled = true; /* the odd ones are more interesting */
        while (disk_states_next(&s)) {
            struct disk *again =
                disk_rec_crash(r.rec, u, disk_states_choose, &s);
            size_t n = s.done % 2 ? recovery.synced[u] : recovery.commits[u];
            struct rig third;

            rig_adopt(&third, again, index_mem_first(r.mem, n > k ? n : k));
            judge(&third, t, k);
            rig_release(&third);
        }
    }
    r.rec->ops = real_ops;
    watch = &story;
    rig_kill(&r);
    rig_release(&r);
}

static void
end(const char *what, unsigned moments)
{
    const char *env = getenv("CRASH_LIMIT");
    uint64_t limit = env ? strtoull(env, NULL, 10) : moments < 40 ? 3 : STATES;
    uint64_t last = now(), sampled = 0;
    /* Long stories are looked at in fewer places, unless asked for. */
    uint64_t step = env ? 1 : 1 + last / TIMES(moments, 1 + moments / 4);

    look();
    n_states = 0;
    for (uint64_t t = 0; t <= last; t++) {
        if (t % step && !story.sync[t])
            continue;
        for (size_t k = story.synced[t]; k <= story.commits[t]; k++) {
            struct disk_states s;

            if (k > story.synced[t] + 1 && k + 1 < story.commits[t])
                continue; /* the ends, and their neighbours */
            disk_states_init(&s, limit, t * 1000 + k);
            while (disk_states_next(&s)) {
                struct disk *left =
                    disk_rec_crash(rig.rec, t, disk_states_choose, &s);
                struct rig r;

                if (n_states % 97 == 0) {
                    n_states++;
                    crash_recovery(left, index_mem_first(rig.mem, k), t, k);
                    continue;
                }
                rig_adopt(&r, left, index_mem_first(rig.mem, k));
                judge(&r, t, k);
                rig_release(&r);
            }
            sampled += s.sampled;
        }
    }
    print_message("%s: %llu operations, %llu states, %llu moments sampled\n",
                  what, (unsigned long long)last, (unsigned long long)n_states,
                  (unsigned long long)sampled);
    rig.rec->ops = real_ops;
    rig.loop.loop.ops = real_loop;
    rig_close(&rig);
    rig_release(&rig);
}

static void
test_put(void **state)
{
    (void)state;
    begin(NULL);
    put(1, 700);
    end("one file", 80);
}

static void
test_puts(void **state)
{
    (void)state;
    begin(NULL);
    put(1, 0);
    put(2, 100);
    put_many(10, 5, 600);
    put(3, 70 * 1024); /* O_DIRECT */
    end("files, one by one and together", 80);
}

static void
test_batches(void **state)
{
    (void)state;
    begin(NULL);
    put_many(0, 68, 30); /* two batches: SYNCED is written in between */
    put(150, 10);
    end("more than one batch", 60);
}

/* The second and third batch go their whole way while the first is not durable
 * yet: the third one's journal must not say that it is. */
static void
test_overlap(void **state)
{
    (void)state;
    begin(NULL);
    put(150, 10);
    overlap.wanted = true;
    overlap.works = 0;
    overlap.held = NULL;
    put_many(0, 131, 30);
    assert_true(overlap.inside);
    put(151, 10);
    end("batches that overlap", 60);
}

/* A delete of a file whose bucket is clean, and a journal that forgets. */
static void
test_old_delete(void **state)
{
    (void)state;
    begin(NULL);
    rig.journal_max = 1;
    put_many(0, 4, 20);
    restart();
    del(1);
    idle();
    del(2);
    restart();
    idle();
    end("deletes of old files", 200);
}

/* The index refuses: the upload fails, and must not come back half. */
static void
test_index_fails(void **state)
{
    (void)state;
    begin(NULL);
    put(0, 20);
    fate[1] = (struct fate){30, now(), NEVER, NEVER, NEVER, NEVER};
    rig.index.fail.at = rig.index.fail.calls + 2; /* get, apply */
    rig.index.fail.on = true;
    assert_int_not_equal(story_put(&rig.story, 1, 30, NULL), ERR_OK);
    rig.index.fail.at = 0;
    assert_int_equal(story_check(&rig.story, 1, 30, true), ERR_NOENT);
    restart();
    put(2, 20);
    end("an index that refuses", 200);
}

/* The process dies at the N-th operation of an upload, and starts again while
 * the machine lives on: what recovery then shows must outlive a power cut that
 * comes later, although nobody had synced it. */
static void
killed_at(uint64_t n)
{
    enum err e;

    begin(NULL);
    fate[1] = (struct fate){700, now(), NEVER, NEVER, NEVER, NEVER};
    rig.disk.fail.at = rig.disk.fail.calls + n;
    rig.disk.fail.on = true;
    e = story_put(&rig.story, 1, 700, NULL);
    rig.disk.fail.at = 0;
    if (e == ERR_OK)
        fate[1].stored = posted[0];
    rig_kill(&rig);
    assert_int_equal(rig_open(&rig), ERR_OK);
    if (story_check(&rig.story, 1, 700, true) == ERR_OK)
        fate[1].stored = u64_min(fate[1].stored, now());
    put(2, 10);
    end("killed", 40);
}

static void
test_killed(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 45; n++)
        killed_at(n);
}

static void
test_upload(void **state)
{
    (void)state;
    begin(NULL);
    upload(1, 1000, true);
    upload(2, 2 * BLOCK_SIZE + 77, false);
    give_up(3, 900);
    put(4, 2 * BLOCK_SIZE + 5);
    end("uploads in blocks", 80);
}

static void
test_delete(void **state)
{
    (void)state;
    begin(NULL);
    put_many(0, 3, 50);
    del(1);
    put(6, 20);
    del(0);
    end("deletes", 80);
}

/* Large enough for a file of checksums beside it; few states, since each of
 * them is 16 MiB. */
static void
test_sidecar(void **state)
{
    (void)state;
    begin(NULL);
    upload(1, 65 * BLOCK_SIZE, true);
    del(1);
    end("a file with a file of checksums", 8);
}

static void
test_restart(void **state)
{
    (void)state;
    begin(NULL);
    put(1, 10);
    del(1);
    put(2, 20);
    restart();
    put(3, 30);
    del(2);
    restart_after_kill();
    put(4, 40);
    restart();
    end("restarts", 80);
}

static void
test_clean_point(void **state)
{
    (void)state;
    begin(NULL);
    put_many(0, 3, 30);
    del(2);
    idle();
    put(5, 40);
    del(0);
    idle();
    put(6, 50);
    end("clean points", 80);
}

static void
test_no_tmpfile(void **state)
{
    struct disk_rec_conf conf = {.no_tmpfile = true};
    (void)state;
    begin(&conf);
    put_many(0, 3, 30);
    upload(5, 900, true);
    give_up(6, 900);
    del(1);
    restart_after_kill();
    put(7, 10);
    end("without O_TMPFILE", 80);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),        cmocka_unit_test(test_puts),
        cmocka_unit_test(test_batches),    cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_old_delete), cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_killed),     cmocka_unit_test(test_upload),
        cmocka_unit_test(test_delete),     cmocka_unit_test(test_sidecar),
        cmocka_unit_test(test_restart),    cmocka_unit_test(test_clean_point),
        cmocka_unit_test(test_no_tmpfile),
    };

    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
