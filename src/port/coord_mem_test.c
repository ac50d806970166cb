/* coord_mem_test.c - the contract on the in-process driver and on the failing
 * one, and the ceilings. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_mem.h"
#include "base/base.h"
#include "port/coord_contract.h"
#include "port/coord_fail.h"
#include "port/coord_subs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct coord *
open_mem(void *arg)
{
    struct coord *c = coord_mem_open(10000, 42);

    (void)arg;
    assert_non_null(c);
    return c;
}

static struct coord *
open_fail(void *arg)
{
    static struct coord_fail w;

    coord_fail_init(&w, open_mem(arg));
    return &w.coord;
}

/* Every kind of thing counts, is refused at the ceiling with nothing left
 * behind, and makes room again when its time is over. */
static void
test_ceiling(void **state)
{
    static const enum coord_op ops[] = {COORD_HASH_PUT, COORD_ZSET_PUT,
                                        COORD_BUCKET_TAKE, COORD_RESERVE};
    struct coord_pair p = {.name = SLICE("f"), .value = SLICE("v")};
    struct loop_mem loop;
    (void)state;

    loop_mem_init(&loop);
    for (size_t i = 0; i < countof(ops); i++) {
        struct coord *c = coord_mem_open(100, 1);
        unsigned n = 0;
        enum err e;

        assert_non_null(c);
        for (;; n++) {
            char key[16];
            struct coord_request r = {.op = ops[i],
                                      .key = key,
                                      .member = "m",
                                      .pairs = &p,
                                      .n = 1,
                                      .burst = 10,
                                      .amount = 1,
                                      .limit = 10,
                                      .per = dur_ms(500),
                                      .ttl = dur_ms(500)};

            (void)snprintf(key, sizeof(key), "key-%u", n);
            e = coord_do(c, &loop, &r);
            if (e)
                break;
        }
        assert_int_equal(e, ERR_NOMEM);
        assert_int_equal(n, ops[i] == COORD_BUCKET_TAKE ? 100 : 50);
        assert_int_equal(coord_mem_items(c), 100);
        loop_mem_advance(&loop, dur_ms(500));
        {
            struct coord_request r = {.op = COORD_DEL, .key = "x"};

            assert_int_equal(coord_do(c, &loop, &r), ERR_NOENT);
        }
        assert_int_equal(coord_mem_items(c), 0);
        c->ops->close(c);
    }
    loop_mem_release(&loop);
}

static void
count(struct coord_sub *s, struct slice msg)
{
    (void)msg;
    ++*(unsigned *)s->priv;
}

static void
nothing(struct coord_request *r)
{
    (void)r;
}

/* A subscriber that does not keep up loses messages, and is told how many. */
static void
test_slow_subscriber(void **state)
{
    static struct coord_request r[COORD_SUBS_WAITING_MAX + 10];
    struct coord *c = open_mem(NULL);
    struct loop_mem loop;
    unsigned heard = 0;
    struct coord_sub s = {
        .loop = &loop.loop, .channel = "c", .message = count, .priv = &heard};
    (void)state;

    loop_mem_init(&loop);
    assert_int_equal(coord_subscribe(c, &s), ERR_OK);
    for (size_t i = 0; i < countof(r); i++) {
        r[i] = (struct coord_request){.op = COORD_PUBLISH,
                                      .key = "c",
                                      .loop = &loop.loop,
                                      .done = nothing};
        coord_submit(c, &r[i]);
    }
    loop_mem_settle(&loop);
    assert_int_equal(heard, COORD_SUBS_WAITING_MAX);
    assert_int_equal(s.lost, 10);
    coord_unsubscribe(c, &s);
    c->ops->close(c);
    loop_mem_release(&loop);
}

static void
test_many_subscribers(void **state)
{
    static struct coord_sub s[COORD_SUBS_MAX + 1];
    struct coord *c = open_mem(NULL);
    struct loop_mem loop;
    (void)state;

    loop_mem_init(&loop);
    for (size_t i = 0; i < countof(s); i++) {
        s[i] = (struct coord_sub){
            .loop = &loop.loop, .channel = "c", .message = count};
        assert_int_equal(coord_subscribe(c, &s[i]),
                         i < COORD_SUBS_MAX ? ERR_OK : ERR_NOMEM);
    }
    for (size_t i = 0; i < countof(s); i++)
        coord_unsubscribe(c, &s[i]);
    c->ops->close(c);
    loop_mem_release(&loop);
}

/* A lost answer: the caller cannot know, the store does. */
static void
test_fail(void **state)
{
    struct coord_request r = {
        .op = COORD_LEASE_TAKE, .key = "l", .owner = "a", .ttl = dur_ms(1000)};
    struct coord_request other = r;
    struct coord_fail w;
    struct loop_mem loop;
    (void)state;

    loop_mem_init(&loop);
    coord_fail_init(&w, open_mem(NULL));
    other.owner = "b";
    w.fail = (struct fail){.at = 1};
    assert_int_equal(coord_do(&w.coord, &loop, &r), ERR_IO);
    assert_string_equal(r.fault.op, "lease_take");
    assert_int_equal(coord_do(&w.coord, &loop, &other), ERR_OK);
    loop_mem_advance(&loop, dur_ms(1000));
    w.fail = (struct fail){.at = 1, .after = true};
    assert_int_equal(coord_do(&w.coord, &loop, &r), ERR_IO);
    assert_int_equal(coord_do(&w.coord, &loop, &other), ERR_BUSY);
    w.coord.ops->close(&w.coord);
    loop_mem_release(&loop);
}

int
main(void)
{
    static const struct coord_contract on[] = {
        {.name = "coord_mem", .open = open_mem, .operations = 100000},
        {.name = "coord_fail", .open = open_fail, .operations = 4000},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_slow_subscriber),
        cmocka_unit_test(test_many_subscribers),
        cmocka_unit_test(test_fail),
    };
    int failed = 0;

    for (size_t i = 0; i < countof(on); i++)
        failed += coord_contract_run(&on[i]);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
