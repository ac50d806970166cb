/* standstill_test.c - all loops stand still while the function runs, and a loop
 * that does not come stops nobody for long.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/standstill.h"
#include "base/base.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <cmocka.h>

#define LOOPS 3

/* A loop of which only posting works: a thread that runs one task after the
 * other and counts its turns between them. */
struct fake {
    struct loop loop;
    pthread_t thread;
    _Atomic(struct task *) task;
    _Atomic(bool) asleep; /* it does not take tasks */
    _Atomic(bool) end;
    _Atomic(unsigned) turns;
};

static struct fake fakes[LOOPS];
static struct loop *loops[LOOPS];

static void
fake_post(struct loop *l, struct task *t)
{
    atomic_store(&container_of(l, struct fake, loop)->task, t);
}

static const struct loop_ops fake_ops = {.post = fake_post};

static void
nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void *
fake_main(void *arg)
{
    struct fake *f = arg;

    while (!atomic_load(&f->end)) {
        struct task *t =
            atomic_load(&f->asleep) ? NULL : atomic_exchange(&f->task, NULL);

        atomic_fetch_add(&f->turns, 1);
        if (t)
            t->run(&f->loop, t);
        else
            nap();
    }
    return NULL;
}

static int
begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOOPS; i++) {
        fakes[i].loop.ops = &fake_ops;
        loops[i] = &fakes[i].loop;
        atomic_store(&fakes[i].end, false);
        if (pthread_create(&fakes[i].thread, NULL, fake_main, &fakes[i]) != 0)
            return -1;
    }
    return 0;
}

static void
end(void)
{
    for (unsigned i = 0; i < LOOPS; i++)
        atomic_store(&fakes[i].end, true);
    for (unsigned i = 0; i < LOOPS; i++)
        pthread_join(fakes[i].thread, NULL);
}

struct seen {
    unsigned calls;
    unsigned turns; /* that loops made meanwhile */
};

static unsigned
turns(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < LOOPS; i++)
        n += atomic_load(&fakes[i].turns);
    return n;
}

static void
look(void *arg)
{
    struct seen *s = arg;
    unsigned before = turns();

    for (unsigned i = 0; i < 50; i++)
        nap();
    s->turns += turns() - before;
    s->calls++;
}

static void
nobody_moves(void **state)
{
    struct standstill *s = standstill_open(loops, LOOPS);
    struct seen seen = {0};
    unsigned before;
    (void)state;

    for (unsigned i = 1; i <= 5; i++) {
        /* The tasks of the time before may be at their last line. */
        while (!standstill_run(s, look, &seen))
            nap();
        assert_int_equal(seen.calls, i);
    }
    assert_int_equal(seen.turns, 0);
    before = turns();
    for (unsigned i = 0; i < 100; i++)
        nap();
    assert_true(turns() > before); /* and afterwards they go on */
    end(); /* only when the loops have stopped may it be closed */
    standstill_close(&s);
    assert_null(s);
}

static void
one_does_not_come(void **state)
{
    struct standstill *s = standstill_open(loops, LOOPS);
    struct seen seen = {0};
    unsigned before, tries = 0;
    (void)state;

    atomic_store(&fakes[1].asleep, true);
    assert_false(standstill_run(s, look, &seen));
    /* Nothing happened, and the others were let go. */
    assert_int_equal(seen.calls, 0);
    before = atomic_load(&fakes[0].turns);
    for (unsigned i = 0; i < 100; i++)
        nap();
    assert_true(atomic_load(&fakes[0].turns) > before);
    /* Its task is still on the way: no second one. */
    assert_false(standstill_run(s, look, &seen));
    atomic_store(&fakes[1].asleep, false);
    while (!standstill_run(s, look, &seen) && tries++ < 10000)
        nap();
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.turns, 0);
    end(); /* only when the loops have stopped may it be closed */
    standstill_close(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_moves, begin),
        cmocka_unit_test_setup(one_does_not_come, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
