/* admin_registry_audit_test.c - audit entries on their way to the database:
 * what waits while it is away, what is lost at most, and that a stop loses
 * none. SPDX-License-Identifier: Apache-2.0 */
#include "admin_registry.h"
#include "role/admin/refusals.h"

static bool
count_audit(void *arg, const struct meta_audit *a)
{
    (void)a;
    ++*(unsigned *)arg;
    return true;
}

static unsigned
audits(struct world *w)
{
    struct meta *m = w->meta.inner;
    struct fault f = {0};
    struct meta_audit_query q = {.ascending = true, .limit = META_AUDIT_PAGE};
    unsigned n = 0;

    do
        ok(m->ops->audit_list(m, &q, count_audit, &n, &q.after, &f), &f);
    while (q.after);
    return n;
}

static void
test_audit(void **state)
{
    struct meta_audit a = {.actor = "x", .action = "delete", .result = "204"};
    struct registry_stats s;
    struct world w;
    (void)state;

    world_init(&w);
    admin_start(w.admin, &w.loop.loop);
    for (int i = 0; i < 100; i++)
        registry_audit(w.g, &a);
    assert_int_equal(audits(&w), 0);
    loop_mem_advance(&w.loop, dur_ms(1000));
    assert_int_equal(audits(&w), 100);

    /* The database is away: nothing is lost until the queues are full. */
    w.meta.fail = (struct fail){.at = 1, .on = true};
    for (int i = 0; i < 10; i++)
        registry_audit(w.g, &a);
    loop_mem_advance(&w.loop, dur_ms(3000));
    for (int i = 0; i < ADMIN_AUDIT_MAX + 5; i++)
        registry_audit(w.g, &a);
    registry_stats(w.g, &s);
    assert_int_equal(s.audit_written, 100);
    assert_int_equal(s.audit_queued, 10 + ADMIN_AUDIT_MAX);
    assert_int_equal(s.audit_lost, 5);
    w.meta.fail.at = 0;
    loop_mem_advance(&w.loop, dur_ms(1000));
    assert_int_equal(audits(&w), 110 + ADMIN_AUDIT_MAX);

    registry_audit(w.g, &a); /* an orderly stop loses nothing */
    stop(&w);
    assert_int_equal(audits(&w), 111 + ADMIN_AUDIT_MAX);
    registry_audit(w.g, &a);
    admin_close(&w.admin);
    assert_int_equal(audits(&w), 112 + ADMIN_AUDIT_MAX);
    world_release(&w);
}

/* Strangers who ask for tokens, and the database is away for an hour: what an
 * administrator does is not lost for them, and they are few. */
static void
test_audit_strangers(void **state)
{
    struct meta_audit act = {.actor = "root", .action = "element.change"};
    struct meta_audit a = {.action = "token.issue", .result = "invalid_client"};
    struct registry_stats s;
    struct world w;
    (void)state;

    world_init(&w);
    admin_start(w.admin, &w.loop.loop);
    w.meta.fail = (struct fail){.at = 1, .on = true};
    for (int second = 0; second < 3600; second++) {
        for (int i = 0; i < 20; i++) {
            (void)snprintf(a.actor, sizeof(a.actor), "n%d-%d", second, i);
            admin_audit_token(w.admin, &a, true, "10.0.0.1", w.loop.loop.now);
        }
        loop_mem_advance(&w.loop, dur_ms(1000));
    }
    for (int i = 0; i < 2000; i++)
        registry_audit(w.g, &act);
    registry_stats(w.g, &s);
    /* Of the strangers those over their share, but not one act. */
    assert_in_range(s.audit_queued, 2000 + ADMIN_AUDIT_TOKENS,
                    2000 + 2 * ADMIN_AUDIT_TOKENS);
    assert_true(s.audit_counted > 60000);
    w.meta.fail.at = 0;
    stop(&w);
    assert_in_range(audits(&w), 2000 + ADMIN_AUDIT_TOKENS,
                    2000 + 2 * ADMIN_AUDIT_TOKENS + REFUSALS_MAX + 1);
    world_release(&w);
}

static void
test_stop_while_working(void **state)
{
    struct meta_audit a = {.actor = "x"};
    struct world w;
    bool done = false;
    (void)state;

    world_init(&w);
    admin_start(w.admin, &w.loop.loop);
    registry_audit(w.g, &a);
    w.loop.hold_work = true;
    loop_mem_advance(&w.loop, dur_ms(1500));
    admin_stop(w.admin, stopped, &done);
    loop_mem_settle(&w.loop);
    assert_false(done); /* a worker is still at it */
    w.loop.hold_work = false;
    loop_mem_settle(&w.loop);
    assert_true(done);
    assert_int_equal(audits(&w), 1);
    world_release(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_audit_strangers),
        cmocka_unit_test(test_stop_while_working),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
