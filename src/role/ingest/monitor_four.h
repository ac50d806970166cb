/* monitor_four.h - for the tests of the monitor: four gateways and eight
 * elements, every second of mode rw, and what is asked of all of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_MONITOR_FOUR_H
#define ROLE_INGEST_MONITOR_FOUR_H

#include "role/ingest/monitor_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static struct world w;

static inline int
set_up(void **state)
{
    (void)state;
    world_open(&w, 4, 8);
    return 0;
}

static inline int
tear_down(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static inline void
start_all(void)
{
    world_list(&w, w.n_elements);
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
}

/* To all elements. */
static inline unsigned
requests(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w.n_elements; i++)
        n += w.e[i].requests;
    return n;
}

/* There must be one. */
static inline unsigned
leader(void)
{
    int n = world_leader(&w);

    assert_true(n >= 0);
    return (unsigned)n;
}

/* A gateway that does not lead. */
static inline unsigned
follower(void)
{
    return leader() == 0;
}

/* For this gateway; the others have it. */
static inline void
lose_store(unsigned node, bool lost)
{
    w.node[node].store.fail =
        lost ? (struct fail){.at = 1, .on = true} : (struct fail){0};
}

static inline void
lose_store_all(bool lost)
{
    for (unsigned i = 0; i < w.n; i++)
        lose_store(i, lost);
}

static inline struct mono
made(unsigned node)
{
    const struct loop *l = &w.node[node].lm.loop;
    const struct view_part *p =
        view_part_of(monitor_view(w.node[node].m, l), VIEW_POLLED, w.now);

    return p ? p->snap->made : (struct mono){0};
}

/* Of what was polled, made while D passes. */
static inline unsigned
snapshots(unsigned node, struct dur d)
{
    struct mono last = made(node);
    unsigned n = 0;

    for (int64_t ms = 0; ms < d.ns / 1000000; ms++) {
        world_run(&w, dur_ms(1));
        n += made(node).ns != last.ns;
        last = made(node);
    }
    return n;
}

#endif
