/* storage_api_test.c - routes of storage elements, each request as text, over
 * an element in memory: what each answers, and what happens when many verify or
 * the server stops. SPDX-License-Identifier: Apache-2.0 */
#include "exchange_mem.h"
#include "role/storage/rig.h"
#include "role/storage/routes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FILES 3

static struct {
    struct rig rig;
    struct storage_api *api;
    struct router *router;
    struct uuid id[FILES];
} w;

static void
put_done(struct blob_put *r)
{
    *(bool *)r->priv = true;
}

static void
put(unsigned i)
{
    static const char text[] = "some bytes";
    struct file_attr a = {.size = sizeof(text), .retention = 0};
    bool done = false;
    struct blob_put r = {.loop = &w.rig.loop.loop,
                         .done = put_done,
                         .attempt = 1,
                         .attr = &a,
                         .data = text,
                         .priv = &done};
    struct hash_state s;
    struct hash_digests d;
    const struct hash_cpu portable = {0};
    const struct hash_kernels *k = hash_select(&portable, "c");

    hash_init(&s);
    hash_run(k, &(struct hash_job){&s, (const uint8_t *)text, sizeof(text)}, 1);
    hash_final(k, &s, &d);
    memcpy(a.md5, d.md5, sizeof(a.md5));
    memcpy(a.sha256, d.sha256, sizeof(a.sha256));
    w.id[i] = (struct uuid){{1, 2, 3, 4, 5, 6, 0x70, 0, 0x80, (uint8_t)i}};
    a.file_id = w.id[i];
    snprintf(a.original_filename, sizeof(a.original_filename), "f%u.bin", i);
    w.rig.story.blob->ops->put(w.rig.story.blob, &r);
    loop_mem_settle(&w.rig.loop);
    assert_true(done);
    assert_int_equal(r.err, ERR_OK);
}

static int
set_up(void **state)
{
    struct route_table table;
    (void)state;

    rig_init(&w.rig, NULL);
    for (unsigned i = 0; i < FILES; i++)
        put(i);
    w.api = storage_api_open(&w.rig.element, 1);
    assert_non_null(w.api);
    table = storage_routes(w.api);
    w.router = router_open(&table, 1, "admin", NULL, NULL, 1);
    assert_non_null(w.router);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    router_close(&w.router);
    storage_api_close(&w.api);
    rig_close(&w.rig);
    rig_release(&w.rig);
    return 0;
}

static void
begin(struct exchange_mem *x, const char *target)
{
    struct serve_app *app = router_app(w.router);
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
    exchange_mem_init(x, &w.rig.loop.loop, text);
    app->begin(app, &x->exchange);
}

static const char *
verify_path(unsigned i, char out[96])
{
    char id[UUID_TEXT];

    snprintf(out, 96, "/api/v1/files/%s/verify", uuid_text(&w.id[i], id));
    return out;
}

/* Each request, its status, and a piece of its answer. */
static void
answers(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *part;
        const char *why;
    } rows[] = {
        {"/api/v1/capacity", 200, "\"storage_id\":\"se-01\"",
         "the only one: flat (AMB-021)"},
        {"/api/v1/capacity", 200, "\"capacity\":{\"total\":", "and again"},
        {"/api/v1/capacity", 200, "\"files\":3", "what it holds"},
        {"/api/v1/capacity?element_id=se-01", 200, "\"seq\":3", "named (D25)"},
        {"/api/v1/capacity?element_id=se-02", 404, "element_not_found",
         "not here"},
        {"/api/v1/capacity?element_id=%zz", 404, "element_not_found",
         "a bad escape names nothing"},
        {"/api/v1/changes", 200, "\"first_seq\":1,\"seq\":3", "from the start"},
        {"/api/v1/changes?limit=1", 200, "\"next\":1,\"more\":true", "a page"},
        {"/api/v1/changes?since=2", 200, "\"next\":3,\"more\":false",
         "the last page"},
        {"/api/v1/changes?since=3", 200, "\"changes\":[]", "nothing new"},
        {"/api/v1/changes?since=4", 410, "\"seq\":3", "ahead of the element"},
        {"/api/v1/changes?since=x", 400, "invalid_query", "not a number"},
        {"/api/v1/changes?limit=0", 400, "invalid_query", "no page at all"},
        {"/api/v1/changes?limit=5000", 400, "invalid_query", "too large"},
        {"/api/v1/changes?limit=1&limit=2", 400, "invalid_query", "twice"},
        {"/api/v1/files/xyz/verify", 400, "invalid_file_id", "no uuid"},
        {"/api/v1/files/01020304-0506-7000-8000-999999999999/verify", 404,
         "file_not_found", "unknown"},
    };
    (void)state;

    for (size_t i = 0; i < countof(rows); i++) {
        struct exchange_mem x;

        begin(&x, rows[i].target);
        loop_mem_settle(&w.rig.loop);
        assert_true(x.ended);
        if (x.status != rows[i].status ||
            strstr(buf_str(&x.body), rows[i].part) == NULL)
            fail_msg("%s (%s): %d %s", rows[i].target, rows[i].why, x.status,
                     buf_str(&x.body));
        exchange_mem_release(&x);
    }
}

static void
one(const char *target, int status, const char *part)
{
    struct exchange_mem x;

    begin(&x, target);
    loop_mem_settle(&w.rig.loop);
    assert_true(x.ended);
    assert_int_equal(x.status, status);
    assert_non_null(strstr(buf_str(&x.body), part));
    exchange_mem_release(&x);
}

static void
verified(void **state)
{
    char path[96];
    (void)state;

    one(verify_path(0, path), 200, "\"verified\":true");
    /* A disk that gives an error is a fault, not a damaged file. */
    w.rig.disk.fail = (struct fail){.at = 1, .on = true};
    one(verify_path(0, path), 500, "internal");
    w.rig.disk.fail = (struct fail){0};
    one(verify_path(0, path), 200, "\"verified\":true");
}

/* More than VERIFY_MAX at a time are told to come again, and places are given
 * back. */
static void
places(void **state)
{
    struct exchange_mem x[VERIFY_MAX + 1];
    char path[96];
    (void)state;

    for (unsigned round = 0; round < 2; round++) {
        w.rig.loop.hold_work = true;
        for (unsigned i = 0; i <= VERIFY_MAX; i++)
            begin(&x[i], verify_path(0, path));
        assert_true(x[VERIFY_MAX].ended);
        assert_int_equal(x[VERIFY_MAX].status, 503);
        assert_non_null(strstr(buf_str(&x[VERIFY_MAX].headers), "Retry-After"));
        w.rig.loop.hold_work = false;
        loop_mem_settle(&w.rig.loop);
        for (unsigned i = 0; i <= VERIFY_MAX; i++) {
            assert_true(x[i].ended);
            if (i < VERIFY_MAX)
                assert_int_equal(x[i].status, 200);
            exchange_mem_release(&x[i]);
        }
    }
}

/* A drain ends what is being read and lets nothing begin. */
static void
drained(void **state)
{
    struct exchange_mem x;
    char path[96];
    (void)state;

    w.rig.loop.hold_work = true;
    begin(&x, verify_path(1, path));
    storage_api_drain(w.api);
    w.rig.loop.hold_work = false;
    loop_mem_settle(&w.rig.loop);
    assert_true(x.ended);
    assert_int_equal(x.status, 503);
    assert_non_null(strstr(buf_str(&x.body), "shutting_down"));
    exchange_mem_release(&x);
    one(verify_path(1, path), 503, "overloaded");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drained, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
