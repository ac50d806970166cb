/* cloud_fault_test.c - an element in a bucket whose store is away, refuses, or
 * fails at any one call; and the process with it. Nothing that was acknowledged
 * is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_small.h"
#include <stdlib.h>
#include <string.h>

/* No worker waits for a store of which it is known that it does not answer,
 * and a stop does not either. */
static void
test_away(void **state)
{
    uint64_t asked;
    (void)state;

    rig.store.fail = (struct fail){.at = 1, .on = true};
    IS(ERR_IO, story_put(&rig.story, 1, 100, NULL));
    asked = rig.store.fail.calls;
    IS(ERR_AGAIN, story_put(&rig.story, 2, 100, NULL));
    assert_int_equal(rig.store.fail.calls, asked);
    rig.store.fail = (struct fail){0};
    let_pass(dur_s(6)); /* it is back */
    OK(story_put(&rig.story, 2, 100, NULL));
    rig.store.fail = (struct fail){.at = 1, .on = true};
    IS(ERR_IO, story_put(&rig.story, 3, 100, NULL));
    asked = rig.store.fail.calls;
    cloud_rig_close(&rig);
    assert_int_equal(rig.store.fail.calls, asked);
    rig.store.fail = (struct fail){0};
    OK(cloud_rig_open(&rig));
    OK(story_check(&rig.story, 2, 100, true));
    IS(ERR_NOENT, story_check(&rig.story, 3, 100, true));
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 1);
}

/* Keys that are refused, a bucket that is gone: not what the caller did. */
static void
test_not_ours(void **state)
{
    static const enum err row[] = {ERR_DENIED, ERR_NOENT, ERR_INVAL,
                                   ERR_CORRUPT};
    struct blob_capacity c;
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    for (unsigned i = 0; i < countof(row); i++) {
        rig.store.fail = (struct fail){.at = 1, .on = true, .err = row[i]};
        IS(ERR_IO, story_put(&rig.story, 2 + i, 100, NULL));
        IS(ERR_IO, story_upload(&rig.story, 20 + i, 9 * B, true, NULL));
        rig.story.blob->ops->capacity(rig.story.blob, &c);
        assert_true(strncmp(c.health, "unhealthy", 9) == 0);
        assert_false(c.writable);
        rig.store.fail = (struct fail){0};
        let_pass(dur_s(70)); /* it is back, and debts are paid */
        rig.story.blob->ops->capacity(rig.story.blob, &c);
        assert_true(c.writable);
        OK(story_put(&rig.story, 2 + i, 100, NULL));
    }
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 1 + countof(row));
}

/* ---- a store that fails ---- */

/* What a story was told of each file. */
enum fate { ABSENT, THERE, MAYBE };

#define FILES 6

static const uint64_t size_of[FILES] = {100, 5 * B, 9 * B, 70 * B, 100, 0};

static void
tell_story(enum fate fate[FILES])
{
    enum err e;

    for (unsigned i = 0; i < FILES; i++) {
        e = i % 2 ? story_upload(&rig.story, i, size_of[i], i & 2, NULL)
                  : story_put(&rig.story, i, size_of[i], NULL);
        fate[i] = e == ERR_OK ? THERE : MAYBE;
        if (i == 3)
            (void)story_abort(&rig.story, 20, 1, 12 * B, 9 * B);
        if (i >= 4 && fate[i - 4] == THERE) {
            e = story_delete(&rig.story, i - 4);
            fate[i - 4] = e == ERR_OK ? ABSENT : MAYBE;
        }
    }
}

/* Nothing acknowledged is lost, nothing deleted comes back, nothing is half
 * there. */
static void
check_fates(const enum fate fate[FILES], const char *when, uint64_t n)
{
    for (unsigned i = 0; i < FILES; i++) {
        enum err e = story_check(&rig.story, i, size_of[i], true);

        if ((fate[i] == THERE && e != ERR_OK) ||
            (fate[i] == ABSENT && e != ERR_NOENT) ||
            (e != ERR_OK && e != ERR_NOENT))
            fail_msg("%s, call %llu: file %u, told %d, is %s", when,
                     (unsigned long long)n, i, fate[i], err_name(e));
    }
}

/* One call fails, before it is carried out or after; and then all do until the
 * process is killed. Every third call, each time others; EVERY_FAULT=1 is all
 * of them. */
static void
fail_each(bool after, bool on, unsigned forget)
{
    const uint64_t step = getenv("EVERY_FAULT") ? 1 : 3;

    for (uint64_t n = 1 + (after + 2 * on + forget) % step;; n += step) {
        enum fate fate[FILES];
        bool more;

        (void)bucket_open(&small_parts, NULL);
        rig.store.fail = (struct fail){.at = n, .after = after, .on = on};
        tell_story(fate);
        more = rig.store.fail.calls >= n;
        if (on) { /* and the process dies: kill -9, or with it a power cut */
            size_t commits = index_mem_commits(rig.mem);

            cloud_rig_kill(&rig);
            rig.store.fail = (struct fail){0};
            if (forget && index_mem_synced(rig.mem) + forget <= commits) {
                struct index *first =
                    index_mem_first(rig.mem, commits - forget);

                rig.index.inner = first;
                rig.mem->ops->close(rig.mem);
                rig.mem = first;
            }
            OK(cloud_rig_open(&rig));
        } else {
            rig.store.fail = (struct fail){0};
            check_fates(fate, "at once", n);
            cloud_rig_check_log(&rig);
            let_pass(dur_s(70)); /* debts are paid */
        }
        check_fates(fate, "later", n);
        cloud_rig_check_log(&rig);
        if (rig.report.missing || rig.report.damaged)
            fail_msg("call %llu: %llu missing, %llu damaged",
                     (unsigned long long)n,
                     (unsigned long long)rig.report.missing,
                     (unsigned long long)rig.report.damaged);
        cloud_rig_close(&rig);
        (void)cloud_rig_audit(&rig);
        OK(cloud_rig_open(&rig));
        check_fates(fate, "after another start", n);
        cloud_rig_release(&rig);
        if (!more)
            break;
    }
}

static void
test_fails_before(void **state)
{
    (void)state;
    fail_each(false, false, 0);
}

static void
test_fails_after(void **state)
{
    (void)state;
    fail_each(true, false, 0);
}

static void
test_dies_before(void **state)
{
    (void)state;
    fail_each(false, true, 0);
}

static void
test_dies_after(void **state)
{
    (void)state;
    fail_each(true, true, 0);
}

/* With the machine: SQLite forgets its last transactions. */
static void
test_power_cut(void **state)
{
    (void)state;
    fail_each(false, true, 1);
    fail_each(true, true, 3);
}

/* The index refuses: nothing is acknowledged, nothing lies around. */
static void
test_index_fails(void **state)
{
    (void)state;

    for (uint64_t n = 1;; n++) {
        enum fate fate[FILES];
        bool more;

        (void)bucket_open(&small_parts, NULL);
        rig.index.fail = (struct fail){.at = n};
        tell_story(fate);
        more = rig.index.fail.calls >= n;
        rig.index.fail = (struct fail){0};
        check_fates(fate, "index", n);
        /* The next transaction tells what could not be told. */
        OK(story_put(&rig.story, 50, 10, NULL));
        cloud_rig_check_log(&rig);
        cloud_rig_close(&rig);
        (void)cloud_rig_audit(&rig);
        cloud_rig_release(&rig);
        if (!more)
            break;
    }
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_away),
        T(test_not_ours),
        cmocka_unit_test(test_fails_before),
        cmocka_unit_test(test_fails_after),
        cmocka_unit_test(test_dies_before),
        cmocka_unit_test(test_dies_after),
        cmocka_unit_test(test_power_cut),
        cmocka_unit_test(test_index_fails),
    };

    return cmocka_run_group_tests_name("cloud_fault", tests, NULL, NULL);
}
