/* lanes_test.c - who waits for whom in the hash lanes, and for how long.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/lanes.h"
#include "hash/test_cpu.h"
#include "port/loop_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define ITEMS 80
#define WAIT  dur_ms(1)

static struct {
    struct loop_mem loop;
    struct lanes lanes;
    struct hash_state state[ITEMS];
    struct hash_digests digests[ITEMS];
    struct lane_item item[ITEMS];
    struct dur wait;
    unsigned done;
} w;

static const struct hash_kernels *
kernels(void)
{
    static struct hash_cpu cpu;

    cpu = test_cpu();
    return hash_select(&cpu, NULL);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    w.wait = WAIT;
    loop_mem_init(&w.loop);
    lanes_init(&w.lanes, &w.loop.loop, kernels());
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    loop_mem_release(&w.loop);
    return 0;
}

static void
done(struct lane_item *it)
{
    (void)it;
    w.done++;
}

/* Piece I, whole, of CLIENT (a number; 0: nobody in particular). */
static void
add(unsigned i, unsigned client)
{
    static const char body[] = "of piece";

    hash_init(&w.state[i]);
    w.item[i] = (struct lane_item){
        .state = &w.state[i],
        .p = body,
        .n = i % sizeof(body),
        .client = client ? (const char *)&w + client : NULL,
        .final = true,
        .wait = w.wait,
        .digests = &w.digests[i],
        .done = done,
    };
    lanes_add(&w.lanes, &w.item[i]);
    assert_int_equal(w.done, 0); /* never inside */
}

static void
test_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        w.done = 0;
        add(i, 1);
        loop_mem_settle(&w.loop);
        assert_int_equal(w.done, 1); /* at once, whatever it sends */
    }
}

/* Two that send by turns are hashed together, or 1 ms later. */
static void
test_company(void **state)
{
    (void)state;
    if (hash_kernels_lanes(kernels()) == 1)
        skip(); /* with one lane company is worth nothing */
    add(0, 1);
    add(1, 2);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 2);
    w.done = 0;
    add(2, 1); /* client 2 had a piece a moment ago */
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 0);
    add(3, 2);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 2);
    assert_int_equal(atomic_load(&w.lanes.runs), 2);
    w.done = 0;
    add(4, 1);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 0);
    loop_mem_advance(&w.loop, WAIT);
    assert_int_equal(w.done, 1);
    /* Client 2 is silent for long: nobody waits for it any more. */
    loop_mem_advance(&w.loop, LANES_RECENT);
    w.done = 0;
    add(5, 1);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 1);
}

/* Whoever waits least decides for all; a piece that may not wait goes at once
 * and takes along who is there. */
static void
test_patience(void **state)
{
    (void)state;
    if (hash_kernels_lanes(kernels()) < 4)
        skip();
    for (unsigned i = 0; i < 4; i++)
        add(i, i + 1);
    loop_mem_settle(&w.loop);
    w.done = 0;
    w.wait = dur_ms(6);
    add(4, 1);
    loop_mem_advance(&w.loop, dur_ms(2));
    assert_int_equal(w.done, 0);
    w.wait = dur_ms(2);
    add(5, 2);
    loop_mem_advance(&w.loop, dur_ms(1));
    assert_int_equal(w.done, 0);
    loop_mem_advance(&w.loop, dur_ms(1));
    assert_int_equal(w.done, 2);
    w.done = 0;
    w.wait = dur_ms(6);
    add(6, 1);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 0);
    w.wait = dur_ms(0);
    add(7, 2);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 2);
    /* 4 ms is what the second may wait, whatever the first might have. */
    w.done = 0;
    w.wait = dur_ms(4);
    add(8, 1);
    loop_mem_advance(&w.loop, dur_ms(3));
    assert_int_equal(w.done, 0);
    loop_mem_advance(&w.loop, dur_ms(1));
    assert_int_equal(w.done, 1);
}

/* More clients than are remembered, and more pieces than one run takes; each
 * digest is that of its own piece. */
static void
test_many(void **state)
{
    struct hash_state s;
    struct hash_digests d;
    (void)state;

    for (unsigned round = 0; round < 2; round++) {
        w.done = 0;
        for (unsigned i = 0; i < ITEMS; i++)
            add(i, i % 50 + 1);
        loop_mem_advance(&w.loop, WAIT);
        assert_int_equal(w.done, ITEMS);
    }
    for (unsigned i = 0; i < ITEMS; i++) {
        hash_init(&s);
        hash_run(kernels(), &(struct hash_job){&s, w.item[i].p, w.item[i].n},
                 1);
        hash_final(kernels(), &s, &d);
        assert_memory_equal(&d.sha256, &w.digests[i].sha256, 32);
    }
}

static bool
no_timer(struct loop *l, struct timer *t, struct mono at)
{
    (void)l;
    (void)t;
    (void)at;
    return false;
}

/* Without a timer nobody would come back for a piece that waits. */
static void
test_no_timer(void **state)
{
    struct loop_ops ops = *w.loop.loop.ops;
    (void)state;

    add(0, 1);
    add(1, 2);
    loop_mem_settle(&w.loop);
    w.done = 0;
    ops.timer_set = no_timer;
    w.loop.loop.ops = &ops;
    add(2, 1);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.done, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_alone), T(test_company),  T(test_patience),
        T(test_many),  T(test_no_timer),
    };

    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
