/* admin_registry_test.c - Admin's registry over SQLite: lookups, feeding out of
 * order, failing feeds, catching up. Its elements and its audit entries are in
 * admin_registry_element_test.c and admin_registry_audit_test.c.
 *
 * They stand here because they need a role and a driver of io, which no folder
 * of src/ may see both.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_registry.h"
#include "base/prng.h"
#include "port/index_contract.h"
#include <stdlib.h>

/* Into the index: N publishes from FIRST, file and number alike. */
static void
publish(struct world *w, uint64_t first, uint64_t n, struct index_change *c)
{
    struct fault f = {0};

    for (uint64_t i = 0; i < n; i++)
        index_sample_change(&c[i], first + i, first + i);
    ok(w->index.index.ops->apply(&w->index.index, c, n, &f), &f);
}

static void delete (struct world *w, uint64_t i, uint64_t seq,
                    struct index_change *c)
{
    struct fault f = {0};

    index_sample_change(c, i, seq);
    c->op = INDEX_DELETE;
    ok(w->index.index.ops->apply(&w->index.index, c, 1, &f), &f);
}

static void
expect_files(struct world *w, uint64_t want)
{
    uint64_t files, bytes;
    struct fault f = {0};
    struct meta *m = w->meta.inner;

    ok(m->ops->file_count(m, &files, &bytes, &f), &f);
    assert_int_equal(files, want);
}

static uint64_t
position(struct world *w)
{
    struct meta *m = w->meta.inner;
    struct fault f = {0};
    uint64_t seq;

    ok(m->ops->feed_position(m, &se1, &seq, &f), &f);
    return seq;
}

static bool
same_row(void *arg, const struct index_row *row)
{
    struct world *w = arg;
    struct meta *m = w->meta.inner;
    struct index_row got = {0}, want = *row;
    struct meta_file file;
    struct fault f = {0};

    ok(m->ops->file_get(m, &row->attr.file_id, &file, &f), &f);
    want.bucket[0] = 0;
    want.attr.element_uuid = se1;
    got.attr = file.attr;
    index_rows_equal(&want, &got);
    meta_file_release(&file);
    return true;
}

/* The catalogue says what the index says. */
static void
expect_same(struct world *w)
{
    struct index *x = w->index.inner;
    struct index_totals t;
    struct fault f = {0};
    struct uuid after = {0};

    ok(x->ops->totals(x, &t, &f), &f);
    expect_files(w, t.files);
    ok(x->ops->list(x, &after, SIZE_MAX, same_row, w, &f), &f);
}

/* --- lookups -------------------------------------------------------------- */

static void
done_lookup(struct registry_lookup *r)
{
    *(int *)r->priv += 1;
}

static void
test_lookup(void **state)
{
    struct registry_lookup r = {.done = done_lookup};
    struct index_change c[4];
    struct fault f = {0};
    struct world w;
    int calls = 0;
    (void)state;

    world_init(&w);
    ok(attach(&w, &f), &f);
    publish(&w, 1, 4, c);
    ok(registry_feed(w.g, &se1, c, 4, &f), &f);

    r.loop = &w.loop.loop;
    r.priv = &calls;
    r.file_id = c[1].row.attr.file_id;
    registry_lookup(w.g, &r);
    assert_int_equal(calls, 0); /* never inside the call */
    loop_mem_settle(&w.loop);
    assert_int_equal(calls, 1);
    ok(r.err, &r.fault);
    assert_ptr_equal(r.blob, &w.blob);
    assert_string_equal(r.file.attr.original_filename, "Report 2.pdf");
    meta_file_release(&r.file);

    r.file_id.b[15] ^= 1;
    registry_lookup(w.g, &r);
    loop_mem_settle(&w.loop);
    assert_int_equal(r.err, ERR_NOENT);
    assert_null(r.blob);

    w.meta.fail = (struct fail){.at = 1};
    registry_lookup(w.g, &r);
    loop_mem_settle(&w.loop);
    assert_int_equal(r.err, ERR_IO);
    assert_string_equal(r.fault.op, "file get");
    world_release(&w);
}

static void
done_list(struct registry_list *r)
{
    *(int *)r->priv += 1;
}

static void
test_list(void **state)
{
    struct meta_file rows[3];
    struct registry_list r = {.done = done_list, .rows = rows};
    struct index_change c[5];
    struct fault f = {0};
    struct world w;
    int calls = 0;
    (void)state;

    world_init(&w);
    ok(attach(&w, &f), &f);
    publish(&w, 1, 5, c);
    ok(registry_feed(w.g, &se1, c, 5, &f), &f);
    r.loop = &w.loop.loop;
    r.priv = &calls;
    r.query = (struct meta_query){.limit = 3, .retention = -1};
    registry_list(w.g, &r);
    loop_mem_settle(&w.loop);
    ok(r.err, &r.fault);
    assert_int_equal(r.n, 3);
    assert_true(uuid_eq(&r.next, &c[2].row.attr.file_id));
    while (r.n > 0)
        meta_file_release(&rows[--r.n]);
    r.query.after = r.next;
    registry_list(w.g, &r);
    loop_mem_settle(&w.loop);
    assert_int_equal(r.n, 2);
    assert_true(uuid_is_nil(&r.next));
    while (r.n > 0)
        meta_file_release(&rows[--r.n]);
    r.query.limit = 0;
    registry_list(w.g, &r);
    loop_mem_settle(&w.loop);
    assert_int_equal(r.err, ERR_INVAL);
    assert_int_equal(calls, 3);
    world_release(&w);
}

/* --- feeding -------------------------------------------------------------- */

static void
test_feed_order(void **state)
{
    struct index_change a[8], b[8], c[8];
    struct registry_stats s;
    struct fault f = {0};
    struct world w;
    (void)state;

    world_init(&w);
    ok(attach(&w, &f), &f);
    publish(&w, 1, 8, a);
    publish(&w, 9, 8, b);
    publish(&w, 17, 8, c);
    ok(registry_feed(w.g, &se1, b, 8, &f), &f);
    assert_int_equal(position(&w), 0); /* 1 ... 8 have not come */
    ok(registry_feed(w.g, &se1, a, 8, &f), &f);
    assert_int_equal(position(&w), 16);
    ok(registry_feed(w.g, &se1, c, 8, &f), &f);
    assert_int_equal(position(&w), 24);
    ok(registry_feed(w.g, &se1, c, 0, &f), &f); /* nothing: harmless */
    expect_same(&w);
    registry_stats(w.g, &s);
    assert_int_equal(s.fed, 24);
    assert_int_equal(s.feed_behind, 1);

    assert_int_equal(registry_feed(w.g, &(struct uuid){{9}}, a, 8, &f),
                     ERR_NOENT); /* not attached */
    world_release(&w);
}

/* A feed fails; the element acknowledges all the same, and the tick makes it
 * good. */
static void
test_feed_failure(void **state)
{
    static const struct fail how[] = {{.at = 1}, {.at = 1, .after = true}};
    (void)state;

    for (size_t i = 0; i < countof(how); i++) {
        struct index_change a[4], b[4], d;
        struct registry_stats s;
        struct fault f = {0};
        struct world w;

        world_init(&w);
        ok(attach(&w, &f), &f);
        admin_start(w.admin, &w.loop.loop);
        publish(&w, 1, 4, a);
        publish(&w, 5, 4, b);
        delete (&w, 2, 9, &d);
        w.meta.fail = how[i];
        assert_int_equal(registry_feed(w.g, &se1, a, 4, &f), ERR_IO);
        ok(registry_feed(w.g, &se1, b, 4, &f), &f);
        ok(registry_feed(w.g, &se1, &d, 1, &f), &f);
        loop_mem_advance(&w.loop, dur_ms(1100));
        expect_same(&w);
        expect_files(&w, 7);
        assert_int_equal(position(&w), 9);
        registry_stats(w.g, &s);
        assert_int_equal(s.feed_errors, 1);
        stop(&w);
        world_release(&w);
    }
}

/* A number that was given out and never used must not hold the position back
 * for ever. */
static void
test_skipped_number(void **state)
{
    struct index_change a[4], b[4];
    struct fault f = {0};
    struct world w;
    (void)state;

    world_init(&w);
    ok(attach(&w, &f), &f);
    admin_start(w.admin, &w.loop.loop);
    publish(&w, 1, 4, a);
    publish(&w, 6, 4, b); /* 5 is nobody's */
    ok(registry_feed(w.g, &se1, a, 4, &f), &f);
    ok(registry_feed(w.g, &se1, b, 4, &f), &f);
    loop_mem_advance(&w.loop, dur_ms(2500));
    assert_int_equal(position(&w), 4); /* it may still come */
    loop_mem_advance(&w.loop, dur_s(10));
    assert_int_equal(position(&w), 9);
    expect_same(&w);
    stop(&w);
    world_release(&w);
}

/* --- catching up ---------------------------------------------------------- */

static void
test_catch_up(void **state)
{
    struct index_change *c = calloc(1000, sizeof(*c)), d;
    struct fault f = {0};
    struct world w;
    (void)state;

    assert_non_null(c);
    world_init(&w);
    publish(&w, 1, 1000, c); /* before Admin ever saw it: several pages */
    ok(attach(&w, &f), &f);
    assert_int_equal(position(&w), 1000);
    expect_same(&w);
    for (uint64_t i = 1; i <= 300; i++) /* while Admin was away */
        delete (&w, i * 3, 1000 + i, &d);
    publish(&w, 2000, 1, c);
    c[0].seq = 1301;
    restart(&w); /* 2000 is no next number: a hole, so it reads the rows */
    expect_same(&w);
    assert_int_equal(position(&w), 2000);
    restart(&w); /* nothing new */
    expect_same(&w);
    free(c);
    world_release(&w);
}

/* A renamed element's files are there under its new name, and not only after
 * its next change. */
static void
test_renamed(void **state)
{
    struct meta_file rows[3];
    int calls = 0;
    struct registry_list r = {.done = done_list,
                              .rows = rows,
                              .priv = &calls,
                              .query = {.limit = 3, .retention = -1}};
    struct index_change c[2];
    struct fault f = {0};
    struct world w;
    (void)state;

    world_init(&w);
    publish(&w, 1, 2, c);
    ok(attach(&w, &f), &f);
    (void)snprintf(w.like.element_id, sizeof(w.like.element_id), "se-03");
    restart(&w);
    r.loop = &w.loop.loop;
    for (int i = 0; i < 2; i++) {
        r.query.element_id = i ? "se-03" : "se-01";
        registry_list(w.g, &r);
        loop_mem_settle(&w.loop);
        ok(r.err, &r.fault);
        assert_int_equal(r.n, i ? 2 : 0);
        while (r.n > 0) {
            r.n--;
            assert_string_equal(rows[r.n].attr.element_id, "se-03");
            meta_file_release(&rows[r.n]);
        }
    }
    world_release(&w);
}

/* Cases in which the log does not lead from the catalogue to the index. */
static void
test_anew(void **state)
{
    struct index_change c[10], d;
    struct index *x;
    struct fault f = {0};
    struct world w;
    (void)state;

    world_init(&w);
    publish(&w, 1, 10, c);
    ok(attach(&w, &f), &f);
    x = &w.index.index;

    delete (&w, 3, 11, &d); /* trimmed beyond the position */
    ok(x->ops->trim(x, 11, &f), &f);
    restart(&w);
    expect_same(&w);
    expect_files(&w, 9);
    assert_int_equal(position(&w), 11);

    ok(x->ops->reset(x, &f), &f); /* rebuilt: publishes only */
    for (int i = 5; i < 8; i++)
        ok(x->ops->apply(x, &c[i], 1, &f), &f);
    index_sample_change(&c[0], 20, 13);
    ok(x->ops->apply(x, &c[0], 1, &f), &f);
    restart(&w);
    expect_same(&w);
    expect_files(&w, 4);

    x->ops->close(x); /* another index altogether */
    ok(index_sqlite_open(&x, ":memory:", &f), &f);
    index_fail_init(&w.index, x);
    index_sample_change(&c[0], 30, 2);
    ok(x->ops->apply(x, &c[0], 1, &f), &f);
    restart(&w);
    expect_same(&w);
    expect_files(&w, 1);
    assert_int_equal(position(&w), 2);
    world_release(&w);
}

/* Each call of attaching fails once; the next start is right. */
static void
test_attach_fails(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        for (uint64_t n = 1;; n++) {
            struct index_change c[10], d;
            struct fault f = {0};
            struct world w;
            struct fail *fail;
            bool failed;

            world_init(&w);
            publish(&w, 1, 10, c);
            ok(attach(&w, &f), &f);
            delete (&w, 3, 11, &d);
            ok(w.index.inner->ops->trim(w.index.inner, 11, &f), &f);
            admin_close(&w.admin);
            ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
            w.g = admin_registry(w.admin);
            fail = which ? &w.meta.fail : &w.index.fail;
            *fail = (struct fail){.at = n, .after = n % 2 == 0};
            failed = attach(&w, &f) != ERR_OK;
            assert_int_equal(failed, fail->calls >= n);
            fail->at = 0;
            if (failed)
                ok(attach(&w, &f), &f);
            expect_same(&w);
            expect_files(&w, 9);
            world_release(&w);
            if (!failed)
                break;
        }
    }
}

/* Batches finish in any order, feeds fail at random before or after, ticks
 * come in between, the process restarts: in the end the two agree. */
static void
test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        enum { BATCHES = 40, SIZE = 4 };
        static struct index_change c[BATCHES][SIZE];
        uint64_t seq = 0;
        unsigned waiting[2], n_waiting = 0;
        struct fault f = {0};
        struct world w;
        struct prng r;

        prng_init(&r, seed);
        world_init(&w);
        ok(attach(&w, &f), &f);
        admin_start(w.admin, &w.loop.loop);
        for (unsigned b = 0; b < BATCHES; b++) {
            for (unsigned k = 0; k < SIZE; k++) {
                index_sample_change(&c[b][k], prng_below(&r, 60), ++seq);
                if (prng_below(&r, 3) == 0)
                    c[b][k].op = INDEX_DELETE;
            }
            ok(w.index.inner->ops->apply(w.index.inner, c[b], SIZE, &f), &f);
            waiting[n_waiting++] = b; /* committed, not yet fed */
            if (n_waiting == 2) {
                unsigned pick = (unsigned)prng_below(&r, 2);

                if (prng_below(&r, 5) == 0)
                    w.meta.fail =
                        (struct fail){.at = 1, .after = prng_below(&r, 2)};
                (void)registry_feed(w.g, &se1, c[waiting[pick]], SIZE, &f);
                waiting[0] = waiting[1 - pick];
                n_waiting = 1;
            }
            if (prng_below(&r, 8) == 0)
                loop_mem_advance(&w.loop, dur_ms(1000));
            if (prng_below(&r, 15) == 0) { /* what was not fed is lost */
                stop(&w);
                restart(&w);
                admin_start(w.admin, &w.loop.loop);
                n_waiting = 0;
            }
        }
        while (n_waiting > 0)
            (void)registry_feed(w.g, &se1, c[waiting[--n_waiting]], SIZE, &f);
        w.meta.fail.at = 0;
        loop_mem_advance(&w.loop, dur_s(20));
        expect_same(&w);
        assert_int_equal(position(&w), seq);
        stop(&w);
        world_release(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_feed_order),
        cmocka_unit_test(test_feed_failure),
        cmocka_unit_test(test_skipped_number),
        cmocka_unit_test(test_catch_up),
        cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_anew),
        cmocka_unit_test(test_attach_fails),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
