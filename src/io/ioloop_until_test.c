/* ioloop_until_test.c - whoever waits in a test is not given up because the
 * process stood still. SPDX-License-Identifier: Apache-2.0 */
#include "io/ioloop_until.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

struct nap {
    struct timer timer;
    unsigned turns, want;
};

/* Stands still for longer than anybody waits, and then needs some turns. */
static void
nap_fire(struct loop *l, struct timer *t)
{
    struct nap *p = container_of(t, struct nap, timer);

    if (p->turns++ == 0)
        usleep(250000);
    (void)loop_timer(l, t, mono_add(l->now, dur_ms(1)));
}

static bool
nap_over(void *arg)
{
    const struct nap *p = arg;

    return p->want && p->turns >= p->want;
}

static void
test_stood_still(void **state)
{
    struct nap p = {.timer.fire = nap_fire, .want = 6};
    struct ioloop *l;
    struct fault f;
    (void)state;

    assert_int_equal(ioloop_open(&l, "epoll", 0, NULL, NULL, &f), ERR_OK);
    (void)loop_timer(&l->loop, &p.timer, l->loop.now);
    assert_true(ioloop_until(l, nap_over, &p, dur_ms(200)));
    p.want = 0; /* what never comes */
    assert_false(ioloop_until(l, nap_over, &p, dur_ms(50)));
    loop_timer_stop(&l->loop, &p.timer);
    ioloop_close(&l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stood_still)};

    return cmocka_run_group_tests_name("ioloop_until", tests, NULL, NULL);
}
