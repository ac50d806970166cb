/* ioloop_until.h - for tests: a loop turns until something is true.
 *
 * Who waits judges by the time that the loop had, not by the clock: a process
 * that stood still, and one that hardly gets a processor, finds its time over
 * after a single turn, though what is waited for needs some more of them. So a
 * turn that comes late counts as one that came in time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ARTSTORE_IO_IOLOOP_UNTIL_H
#define ARTSTORE_IO_IOLOOP_UNTIL_H

#include "io/ioloop.h"

#define IOLOOP_UNTIL_TICK dur_ms(5)

static inline void
ioloop_until_tick(struct loop *l, struct timer *t)
{
    (void)loop_timer(l, t, mono_add(l->now, IOLOOP_UNTIL_TICK));
}

/* Turns L until IS(arg), for at most as long as HAD; whether it became true. */
static inline bool
ioloop_until(struct ioloop *l, bool (*is)(void *arg), void *arg, struct dur had)
{
    /* A turn ends with a wait, and the last one has nothing to wait for. */
    struct timer tick = {.fire = ioloop_until_tick};
    bool came;

    ioloop_until_tick(&l->loop, &tick);
    while (!(came = is(arg)) && had.ns > 0) {
        const int64_t most = 2 * IOLOOP_UNTIL_TICK.ns;
        struct mono began = l->loop.now;
        int64_t took;

        if (!ioloop_turn(l))
            break;
        took = mono_sub(l->loop.now, began).ns;
        had.ns -= took < most ? took : most;
    }
    loop_timer_stop(&l->loop, &tick);
    return came;
}

#endif
