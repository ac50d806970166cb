/* admin_registry_test.c - Admin's registry over SQLite: catching up, feeding
 * out of order, failing feeds, audit entries, changes of elements.
 *
 * It stands here because it needs a role and a driver of io, which no folder of
 * src/ may see both. SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "base/prng.h"
#include "io/index_sqlite.h"
#include "io/meta_sqlite.h"
#include "port/index_contract.h"
#include "port/index_fail.h"
#include "port/loop_mem.h"
#include "port/meta_fail.h"
#include "role/admin/refusals.h"
#include "role/admin/registry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* One element with its index, a catalogue that can fail, and Admin. */
struct world {
    struct loop_mem loop;
    struct index_fail index;
    struct meta_fail meta;
    struct admin *admin;
    struct registry *g;
    struct blob blob;
    struct admin_source source;
    struct meta_element like;
    int mode_set; /* what the element was told; -1: nothing */
};

static const struct uuid se1 = {{0xe1}};

static void
ok(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s: %s: %s", err_name(e), f->op, f->what);
}

static void
told_mode(void *arg, enum blob_mode mode)
{
    ((struct world *)arg)->mode_set = (int)mode;
}

static void
world_init(struct world *w)
{
    struct index *x;
    struct meta *m;
    struct fault f = {0};

    memset(w, 0, sizeof(*w));
    loop_mem_init(&w->loop);
    ok(index_sqlite_open(&x, ":memory:", &f), &f);
    ok(meta_sqlite_open(&m, NULL, &f), &f);
    index_fail_init(&w->index, x);
    meta_fail_init(&w->meta, m);
    w->source.index = &w->index.index;
    w->source.set_mode = told_mode;
    w->source.arg = w;
    w->mode_set = -1;
    (void)snprintf(w->blob.element_id, sizeof(w->blob.element_id), "se-01");
    w->like = (struct meta_element){.uuid = se1,
                                    .element_id = "se-01",
                                    .priority = 100,
                                    .created_at = {1000},
                                    .updated_at = {1000}};
    ok(admin_open(&w->admin, &w->meta.meta, &f), &f);
    w->g = admin_registry(w->admin);
}

static enum err
attach(struct world *w, struct fault *f)
{
    enum err e = admin_attach(w->admin, &w->blob, &w->source, &w->like, f);

    return e ? e : admin_attached(w->admin, f);
}

/* As after a restart of the process. */
static void
restart(struct world *w)
{
    struct fault f = {0};

    admin_close(&w->admin);
    ok(admin_open(&w->admin, &w->meta.meta, &f), &f);
    w->g = admin_registry(w->admin);
    ok(attach(w, &f), &f);
}

static enum err
change(struct world *w, const char *id, int mode, int priority,
       struct meta_element *e, struct fault *f)
{
    const struct admin_change c = {.has_mode = true,
                                   .has_priority = true,
                                   .mode = mode,
                                   .priority = priority};

    return admin_element_change(w->admin, id, &c, (struct wall){2000}, e, f);
}

static void
stopped(void *arg)
{
    *(bool *)arg = true;
}

static void
stop(struct world *w)
{
    bool done = false;

    admin_stop(w->admin, stopped, &done);
    assert_false(done); /* never inside the call */
    loop_mem_settle(&w->loop);
    assert_true(done);
}

static void
world_release(struct world *w)
{
    admin_close(&w->admin);
    admin_close(&w->admin); /* harmless */
    w->meta.meta.ops->close(&w->meta.meta);
    w->index.index.ops->close(&w->index.index);
    loop_mem_release(&w->loop);
}

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

/* --- elements ------------------------------------------------------------- */

static void
test_elements(void **state)
{
    struct registry_element out[2];
    struct meta_element e;
    struct fault f = {0};
    struct world w;
    (void)state;

    world_init(&w);
    assert_int_equal(registry_elements(w.g, out, 2), 0);
    ok(attach(&w, &f), &f);
    assert_int_equal(w.mode_set, -1);
    assert_int_equal(registry_elements(w.g, out, 2), 1);
    assert_ptr_equal(out[0].blob, &w.blob);
    assert_int_equal(out[0].mode, BLOB_EDIT);
    assert_int_equal(out[0].priority, 100);
    assert_ptr_equal(registry_element(w.g, "se-01"), &w.blob);
    assert_null(registry_element(w.g, "se-02"));

    ok(change(&w, "se-01", BLOB_RW, 7, &e, &f), &f);
    assert_int_equal(w.mode_set, BLOB_RW);
    assert_int_equal(e.mode, BLOB_RW);
    assert_int_equal(e.updated_at.ms, 2000);
    assert_int_equal(registry_elements(w.g, out, 0), 1);
    assert_int_equal(registry_elements(w.g, out, 1), 1);
    assert_int_equal(out[0].mode, BLOB_RW);
    assert_int_equal(out[0].priority, 7);
    assert_int_equal(change(&w, "se-01", BLOB_EDIT, 7, &e, &f),
                     ERR_CONFLICT); /* AMB-026 */
    assert_int_equal(change(&w, "se-01", BLOB_RW, -7, &e, &f), ERR_INVAL);
    assert_int_equal(change(&w, "se-09", BLOB_RW, 7, &e, &f), ERR_NOENT);
    w.meta.fail = (struct fail){.at = 1};
    assert_int_equal(change(&w, "se-01", BLOB_RO, 7, &e, &f), ERR_IO);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_int_equal(e.mode, BLOB_RW); /* nothing happened */
    assert_int_equal(w.mode_set, BLOB_RW);

    w.mode_set = -1;
    (void)snprintf(w.like.location, sizeof(w.like.location), "dc9");
    w.like.priority = 500;
    restart(&w); /* STO-007: what Admin knows is what holds */
    assert_int_equal(w.mode_set, BLOB_RW);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_int_equal(e.mode, BLOB_RW);
    assert_int_equal(e.priority, 7);
    assert_string_equal(e.location, "dc9"); /* the element's own affair */
    assert_int_equal(e.created_at.ms, 1000);
    w.like.mode = BLOB_AR; /* in a start that came to nothing */
    admin_close(&w.admin);
    ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
    ok(admin_attach(w.admin, &w.blob, &w.source, &w.like, &f), &f);
    w.like.mode = BLOB_RO; /* by configuration, forward */
    restart(&w);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_int_equal(e.mode, BLOB_RO);
    world_release(&w);
}

static enum err
add(struct admin *a, const char *id, uint8_t uuid, const char *url, int mode,
    struct fault *f)
{
    struct meta_element e = {.uuid = {{uuid}},
                             .mode = mode,
                             .priority = 100,
                             .created_at = {1000},
                             .updated_at = {1000},
                             .seen_at = {1000}};

    (void)snprintf(e.element_id, sizeof(e.element_id), "%s", id);
    (void)snprintf(e.name, sizeof(e.name), "%s", id);
    (void)snprintf(e.endpoint, sizeof(e.endpoint), "%s", url);
    *f = (struct fault){0};
    return admin_element_add(a, &e, f);
}

/* Two Admins over one database: what one has registered the other neither
 * overwrites nor registers again, and knows from then on. */
static void
test_two_admins(void **state)
{
    struct admin *b;
    struct meta_element e;
    struct fault f = {0};
    char text[UUID_TEXT];
    struct world w;
    (void)state;

    world_init(&w);
    ok(attach(&w, &f), &f);
    ok(admin_open(&b, &w.meta.meta, &f), &f);
    ok(add(w.admin, "se-09", 9, "http://a", BLOB_AR, &f), &f);
    ok(add(w.admin, "se-10", 10, "http://b", BLOB_EDIT, &f), &f);
    assert_int_equal(add(b, "se-11", 9, "http://c", BLOB_EDIT, &f), ERR_EXISTS);
    assert_string_equal(f.op, "uuid");
    assert_non_null(strstr(f.what, "se-09 (09000000-"));
    ok(admin_element_get(b, "se-09", &e), &f);
    assert_int_equal(e.mode, BLOB_AR);
    ok(admin_element_get(b, "se-10", &e), &f);
    assert_int_equal(admin_element_get(b, "se-11", &e), ERR_NOENT);
    ok(add(b, "se-11", 11, "http://c", BLOB_EDIT, &f), &f);
    assert_int_equal(add(w.admin, "se-12", 12, "http://c", BLOB_EDIT, &f),
                     ERR_EXISTS);
    assert_string_equal(f.op, "api_url");
    assert_non_null(strstr(f.what, "se-11"));
    assert_null(f.hint);
    /* One that no process serves any more, or another one. */
    assert_int_equal(add(b, "se-01", 13, "http://d", BLOB_EDIT, &f),
                     ERR_EXISTS);
    assert_string_equal(f.op, "element_id");
    assert_non_null(strstr(f.what, uuid_text(&se1, text)));
    assert_non_null(strstr(f.hint, "STORAGE_ELEMENTS"));
    admin_close(&b);
    world_release(&w);
}

static void
test_attach_refused(void **state)
{
    struct meta_element e;
    struct fault f = {0};
    char text[UUID_TEXT];
    struct world w;
    (void)state;

    world_init(&w);
    w.like.uuid = (struct uuid){0};
    assert_int_equal(attach(&w, &f), ERR_INVAL);
    w.like.uuid = se1;
    w.like.element_id[0] = ':';
    assert_int_equal(attach(&w, &f), ERR_INVAL);
    assert_string_equal(f.what, "element_id");
    w.like.element_id[0] = 's';
    ok(attach(&w, &f), &f);
    /* Another element with the same name (D31), now and after a restart: both
     * are told, with what helps, and Admin knows the first as before. */
    w.like.uuid.b[1] = 1;
    w.like.mode = BLOB_RO;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(attach(&w, &f), ERR_CONFLICT);
        assert_non_null(strstr(f.what, uuid_text(&se1, text)));
        assert_non_null(strstr(f.hint, "storage rename"));
        admin_close(&w.admin);
        ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
    }
    w.like.uuid = se1;
    w.like.mode = BLOB_EDIT;
    restart(&w);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_true(uuid_eq(&e.uuid, &se1));
    assert_int_equal(e.mode, BLOB_EDIT);
    /* Registered elsewhere: whether it was heard decides what helps. */
    for (int heard = 0; heard < 2; heard++) {
        struct meta_element far = {.uuid = {{9}}, .remote = true};

        far.seen_at.ms = heard;
        (void)snprintf(far.element_id, sizeof(far.element_id), "se-09");
        ok(w.meta.meta.ops->element_put(&w.meta.meta, &far, &f), &f);
        admin_close(&w.admin);
        ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
        (void)snprintf(w.like.element_id, sizeof(w.like.element_id), "se-09");
        assert_int_equal(attach(&w, &f), ERR_CONFLICT);
        assert_non_null(strstr(f.hint, heard ? "storage rename" : "DELETE"));
    }
    world_release(&w);
}

/* --- audit ---------------------------------------------------------------- */

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
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_two_admins),
        cmocka_unit_test(test_attach_refused),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_audit_strangers),
        cmocka_unit_test(test_stop_while_working),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
