/* registry_remote_test.c - the registry of another process: Admin's own routes
 * behind port/fetch, asked through port/registry (D25).
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_world.h"
#include "role/common/registry_remote.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct admin_world w;
static struct registry *g;
static unsigned holds;
static const struct uuid se9 = {{0xe9, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};
static unsigned done;

static void
fake_hold(struct blob *b)
{
    (void)b;
    holds++;
}

static void
fake_drop(struct blob *b)
{
    (void)b;
    assert_true(holds > 0);
    holds--;
}

static const struct blob_ops fake_ops = {.hold = fake_hold, .drop = fake_drop};
static struct blob blob = {.ops = &fake_ops, .element_id = "se-09"};

static void
put_auth(void *arg, struct buf *out)
{
    (void)arg;
    buf_add_str(out, "Authorization: Bearer t1\r\n");
}

static int
set_up(void **state)
{
    const struct registry_remote_conf c = {.url = ADMIN_URL,
                                           .auth = {put_auth, NULL},
                                           .breaker = {.failure_threshold = 3,
                                                       .success_threshold = 1,
                                                       .open_for = dur_s(10)},
                                           .pending_max = 2};
    const struct registry_remote_element e = {
        .uuid = se9, .blob = &blob, .mode = BLOB_RW, .priority = 7};
    struct fault f = {0};
    (void)state;

    admin_world_open(&w);
    json_decref(admin_world_ask(
        &w, "POST", "/api/v1/storage-elements?force=true",
        SLICE("{\"element_id\":\"se-09\",\"api_url\":\"http://far.test\"}"),
        201));
    admin_world_ok(registry_remote_open(&g, &w.fetch.fetch, &c, &f), &f);
    admin_world_ok(registry_remote_set(g, &e, 1, &f), &f);
    done = 0;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    registry_remote_close(&g);
    registry_remote_close(&g); /* harmless */
    assert_int_equal(holds, 0);
    admin_world_close(&w);
    return 0;
}

/* ---- asking ---- */

static void
push_done(struct registry_push *r)
{
    (void)r;
    done++;
}

static struct registry_push
push_at(const struct uuid *uuid, const char *id, uint64_t since,
        const char *rows)
{
    static struct index_change c[16];
    struct registry_push r = {.loop = &w.loop.loop,
                              .done = push_done,
                              .element_id = id,
                              .element_uuid = *uuid,
                              .since = since,
                              .c = c};
    unsigned before = done;

    r.n = admin_world_changes(c, since, rows);
    r.next = r.n ? c[r.n - 1].seq : since;
    registry_push(g, &r);
    assert_int_equal(done, before); /* never inside the call */
    loop_mem_settle(&w.loop);
    assert_int_equal(done, before + 1);
    return r;
}

static void
lookup_done(struct registry_lookup *r)
{
    (void)r;
    done++;
}

static struct registry_lookup
lookup(uint64_t file)
{
    struct registry_lookup r = {.loop = &w.loop.loop, .done = lookup_done};
    struct index_row row;
    unsigned before = done;

    index_sample(&row, file);
    r.file_id = row.attr.file_id;
    registry_lookup(g, &r);
    assert_int_equal(done, before);
    loop_mem_settle(&w.loop);
    assert_int_equal(done, before + 1);
    return r;
}

static enum err
lookup_err(uint64_t file)
{
    struct registry_lookup r = lookup(file);

    blob_drop(&r.blob);
    if (r.err == ERR_OK)
        meta_file_release(&r.file);
    return r.err;
}

static void
list_done(struct registry_list *r)
{
    (void)r;
    done++;
}

/* ---- tests ---- */

static void
test_push_and_lookup(void **state)
{
    struct registry_push p = push_at(&se9, "se-09", 0, "p1 p2 d1");
    struct registry_lookup r;
    struct index_row want;
    (void)state;

    assert_int_equal(p.err, ERR_OK);
    assert_int_equal(p.position, 3);
    assert_string_equal(w.last_auth, "Bearer t1\r");
    assert_int_equal(lookup_err(1), ERR_NOENT);
    r = lookup(2);
    assert_int_equal(r.err, ERR_OK);
    assert_ptr_equal(r.blob, &blob);
    blob_drop(&r.blob);
    index_sample(&want, 2);
    want.attr.seq = 2;
    want.attr.element_uuid = se9;
    (void)snprintf(want.attr.element_id, sizeof(want.attr.element_id), "se-09");
    want.bucket[0] = 0;
    index_rows_equal(&(struct index_row){.attr = r.file.attr}, &want);
    meta_file_release(&r.file);

    p = push_at(&se9, "se-09", 7, "d2"); /* ahead: told from where to go on */
    assert_int_equal(p.err, ERR_OK);
    assert_int_equal(p.position, 3);
    p = push_at(&se9, "se-77", 0, "p3");
    assert_int_equal(p.err, ERR_NOENT);
    p = push_at(&(struct uuid){{1}}, "se-09", 3, "p3");
    assert_int_equal(p.err, ERR_CONFLICT); /* D31 */
}

/* The element is not in the list (any more): known, but not to be reached. */
static void
test_elements(void **state)
{
    struct registry_element e[2];
    struct registry_lookup r;
    struct fault f = {0};
    struct blob *b;
    (void)state;

    assert_int_equal(registry_elements(g, e, 2), 1);
    assert_ptr_equal(e[0].blob, &blob);
    assert_int_equal(e[0].mode, BLOB_RW);
    assert_int_equal(e[0].priority, 7);
    blob_drop(&e[0].blob);
    b = registry_element(g, "se-09");
    assert_ptr_equal(b, &blob);
    assert_int_equal(holds, 2); /* the list's, and ours */
    blob_drop(&b);
    assert_null(registry_element(g, "se-01"));
    (void)push_at(&se9, "se-09", 0, "p1");
    admin_world_ok(registry_remote_set(g, NULL, 0, &f), &f);
    r = lookup(1);
    assert_int_equal(r.err, ERR_OK);
    assert_null(r.blob);
    meta_file_release(&r.file);
}

static void
test_list(void **state)
{
    struct meta_file rows[2];
    struct registry_list r = {.loop = &w.loop.loop,
                              .done = list_done,
                              .query = {.limit = 2, .retention = -1},
                              .rows = rows};
    unsigned files = 0, pages = 0;
    (void)state;

    (void)push_at(&se9, "se-09", 0, "p1 p2 p3 p4 p5");
    do {
        registry_list(g, &r);
        loop_mem_settle(&w.loop);
        assert_int_equal(r.err, ERR_OK);
        for (unsigned i = 0; i < r.n; i++)
            meta_file_release(&rows[i]);
        files += r.n;
        pages++;
        r.query.after = r.next;
    } while (!uuid_is_nil(&r.next));
    assert_int_equal(files, 5);
    assert_int_equal(pages, 3);

    /* Every condition arrives, with what has to be escaped. */
    r.query = (struct meta_query){.limit = 2,
                                  .retention = RETENTION_TEMPORARY,
                                  .name = "Report 2.pdf",
                                  .user = "user-2",
                                  .element_id = "se-09",
                                  .from = {1},
                                  .to = {1700000000000},
                                  .size_min = 2001,
                                  .size_max = 2001,
                                  .metadata_key = "name",
                                  .metadata_value = "caf\xc3\xa9"};
    registry_list(g, &r);
    loop_mem_settle(&w.loop);
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.n, 1);
    meta_file_release(&rows[0]);
    r.query.metadata_value = "caf&";
    registry_list(g, &r);
    loop_mem_settle(&w.loop);
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.n, 0);
}

/* An answer that is lost is asked for again, once; then it is an error. */
static void
test_lost(void **state)
{
    struct registry_push p;
    (void)state;

    w.fetch.lost = 1;
    p = push_at(&se9, "se-09", 0, "p1");
    assert_int_equal(p.err, ERR_OK);
    assert_int_equal(p.position, 1);
    assert_int_equal(w.asked, 2);
    w.fetch.away = 2;
    assert_int_equal(lookup_err(1), ERR_IO);
    assert_int_equal(lookup_err(1), ERR_OK);
}

/* A proxy that knows no such path does not say that there is no such file. */
static void
test_foreign_404(void **state)
{
    (void)state;
    (void)push_at(&se9, "se-09", 0, "p1");
    w.status = 404;
    assert_int_equal(lookup_err(1), ERR_IO);
    w.status = 403;
    assert_int_equal(lookup_err(1), ERR_DENIED);
    assert_int_equal(registry_remote_state(g, NULL), BREAKER_CLOSED);
}

static void
test_breaker(void **state)
{
    unsigned before;
    struct fault f;
    (void)state;

    (void)push_at(&se9, "se-09", 0, "p1");
    w.status = 500;
    for (int i = 0; i < 3; i++)
        assert_int_equal(lookup_err(1), ERR_IO);
    assert_int_equal(registry_remote_state(g, &f), BREAKER_OPEN);
    assert_non_null(strstr(f.what, ": 500 ")); /* it does answer */
    before = w.fetch.begun;
    assert_int_equal(lookup_err(1), ERR_AGAIN);
    assert_int_equal(push_at(&se9, "se-09", 1, "p2").err, ERR_AGAIN);
    assert_int_equal(w.fetch.begun, before); /* nobody was asked */
    w.status = 0;
    loop_mem_advance(&w.loop, dur_s(11));
    assert_int_equal(lookup_err(1), ERR_OK);
    assert_int_equal(registry_remote_state(g, &f), BREAKER_CLOSED);
    assert_int_equal(f.code, ERR_OK);
    assert_int_equal(push_at(&se9, "se-09", 1, "p2").err, ERR_OK);
}

/* More than two at a time: the third is told at once. */
static void
test_ceiling(void **state)
{
    struct registry_lookup r[3];
    struct index_row row;
    (void)state;

    index_sample(&row, 1);
    for (int i = 0; i < 3; i++) {
        r[i] = (struct registry_lookup){.loop = &w.loop.loop,
                                        .done = lookup_done,
                                        .file_id = row.attr.file_id};
        registry_lookup(g, &r[i]);
    }
    loop_mem_settle(&w.loop);
    assert_int_equal(done, 3);
    assert_int_equal(r[0].err, ERR_NOENT);
    assert_int_equal(r[1].err, ERR_NOENT);
    assert_int_equal(r[2].err, ERR_AGAIN);
    assert_int_equal(lookup_err(1), ERR_NOENT); /* and room again */
}

/* The same through the driver of this process. */
static void
test_local(void **state)
{
    struct registry *remote = g;
    struct registry_push p;
    (void)state;

    g = admin_registry(w.admin);
    p = push_at(&se9, "se-09", 0, "p1 p2");
    assert_int_equal(p.err, ERR_OK);
    assert_int_equal(p.position, 2);
    p = push_at(&se9, "se-09", 5, "d1");
    assert_int_equal(p.err, ERR_OK);
    assert_int_equal(p.position, 2);
    assert_int_equal(push_at(&se9, "se-77", 0, "p1").err, ERR_NOENT);
    g = remote;
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_push_and_lookup),
        T(test_elements),
        T(test_list),
        T(test_lost),
        T(test_foreign_404),
        T(test_breaker),
        T(test_ceiling),
        T(test_local),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
