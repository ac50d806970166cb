/* trust_test.c - keys that are brought to a storage element by whoever likes
 * to: what he can hold, and what he cannot keep from others.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exchange_mem.h"
#include "port/loop_mem.h"
#include "role/storage/trust.h"
#include "sec/keydoc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

#define MANY 16
#define HEAD "PUT /api/v1/trusted-keys HTTP/1.1\r\nHost: h\r\n"

/* No document is newer than what is trusted, so it is an answer of 200. */
#define NOTHING_NEW "{\"version\": 1, \"documents\": []}"

static struct {
    struct loop_mem loop;
    struct keys *keys;
    struct trust_api *api;
    struct router *router;
    char dir[64];
} w;

static int
set_up(void **state)
{
    struct keys_conf conf = {.create = true, .bits = 2048};
    char keys[80];
    struct route_table table;
    struct fault f;
    (void)state;

    strcpy(w.dir, "/tmp/trust_test.XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    snprintf(keys, sizeof(keys), "%s/keys", w.dir);
    conf.dir = keys;
    conf.hand_dir = w.dir;
    assert_int_equal(keys_open(&w.keys, &conf, &f), ERR_OK);
    loop_mem_init(&w.loop);
    w.api = trust_open(w.keys, NULL, NULL, 1);
    assert_non_null(w.api);
    table = trust_routes(w.api);
    w.router = router_open(&table, 1, "storage", NULL, NULL, 1);
    assert_non_null(w.router);
    return 0;
}

static int
tear_down(void **state)
{
    char command[96];
    (void)state;

    router_close(&w.router);
    trust_close(&w.api);
    keys_close(&w.keys);
    loop_mem_release(&w.loop);
    snprintf(command, sizeof(command), "rm -r %s", w.dir);
    return system(command); /* NOLINT(cert-env33-c): our own folder */
}

static void
begin(struct exchange_mem *x, const char *request)
{
    struct serve_app *app = router_app(w.router);

    exchange_mem_init(x, &w.loop.loop, request);
    app->begin(app, &x->exchange);
}

static void
begin_silent(struct exchange_mem *x)
{
    exchange_mem_init(x, &w.loop.loop, HEAD "Content-Length: 9000\r\n\r\n");
    x->silent = true;
    router_app(w.router)->begin(router_app(w.router), &x->exchange);
}

static void
bring(int status)
{
    struct exchange_mem x;

    begin(&x, HEAD "\r\n" NOTHING_NEW);
    loop_mem_settle(&w.loop);
    assert_true(x.ended);
    assert_int_equal(x.status, status);
    exchange_mem_release(&x);
}

/* ---- what is read ---- */

static void
test_sizes(void **state)
{
    static const struct {
        size_t n;
        bool chunked;
        int status;
        const char *why;
    } row[] = {
        {sizeof(NOTHING_NEW) - 1, false, 200, "one read"},
        {sizeof(NOTHING_NEW) - 1, true, 200, "that does not say how long"},
        {(size_t)64 * KIB, true, 200, "just one piece"},
        {(size_t)200 * KIB, false, 200, "several"},
        {(size_t)200 * KIB, true, 200, "and nobody knows how many"},
        {KEYDOCS_MAX, false, 200, "the longest"},
        {KEYDOCS_MAX, true, 200, "the same"},
        {KEYDOCS_MAX + 1, false, 413, "refused before it is read"},
        {KEYDOCS_MAX + 1, true, 413, "shows when it is"},
    };
    char *text = malloc(KEYDOCS_MAX + 1);
    (void)state;

    assert_non_null(text);
    memset(text, ' ', KEYDOCS_MAX + 1);
    memcpy(text, NOTHING_NEW, sizeof(NOTHING_NEW) - 1);
    for (size_t i = 0; i < countof(row); i++) {
        struct exchange_mem x;

        exchange_mem_init(&x, &w.loop.loop,
                          row[i].chunked ? HEAD
                              "Transfer-Encoding: chunked\r\n\r\n"
                                         : HEAD "\r\n");
        exchange_mem_body(&x, slice_of(text, row[i].n));
        router_app(w.router)->begin(router_app(w.router), &x.exchange);
        loop_mem_settle(&w.loop);
        if (x.status != row[i].status)
            fail_msg("%s: %d", row[i].why, x.status);
        exchange_mem_release(&x);
    }
    free(text);
}

/* ---- who is slow ---- */

static unsigned
failed_of(const struct exchange_mem *x, unsigned n)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < n; i++)
        failed += x[i].failed;
    return failed;
}

/* The oldest of them make room; the others have their time. */
static void
test_slow(void **state)
{
    struct exchange_mem x[MANY];
    unsigned failed;
    (void)state;

    for (unsigned i = 0; i < MANY; i++) {
        begin_silent(&x[i]);
        loop_mem_settle(&w.loop);
    }
    failed = failed_of(x, MANY);
    assert_in_range(failed, 1, MANY - 1);
    bring(200);
    assert_int_equal(failed_of(x, MANY), failed + 1);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(x[i].failed, i <= failed);
    loop_mem_advance(&w.loop, dur_s(9));
    bring(200);
    assert_int_equal(failed_of(x, MANY), failed + 1); /* there was room */
    loop_mem_advance(&w.loop, dur_s(1));
    assert_int_equal(failed_of(x, MANY), MANY);
    for (unsigned i = 0; i < MANY; i++)
        exchange_mem_release(&x[i]);
    bring(200);
}

/* All in one moment: there is a ceiling on those that are about to end, too. */
static void
test_burst(void **state)
{
    struct exchange_mem x[MANY];
    unsigned refused = 0;
    (void)state;

    for (unsigned i = 0; i < MANY; i++) {
        begin_silent(&x[i]);
        refused += x[i].status == 503;
    }
    assert_in_range(refused, 1, MANY - 1);
    loop_mem_settle(&w.loop);
    bring(200);
    loop_mem_advance(&w.loop, dur_s(10));
    assert_int_equal(failed_of(x, MANY) + refused, MANY);
    for (unsigned i = 0; i < MANY; i++)
        exchange_mem_release(&x[i]);
}

/* ---- who is looked at ---- */

/* Who waits while another is at work, and how long his text is; in which place
 * he comes then, or that there is none for him. */
static void
test_turns(void **state)
{
    static const struct {
        size_t n;
        unsigned place;
        const char *why;
    } row[] = {
        {KEYDOCS_MAX, 1, "was looked at already"},
        {9000, 5, "the longest that has a place"},
        {KEYDOCS_MAX, 0, "longer than all"},
        {5000, 3, "in between"},
        {KEYDOCS_MAX, 0, "comes again"},
        {5000, 4, "of the same length: behind who was there before"},
        {9000, 0, "of the same length, and there is no room for both"},
        {sizeof(NOTHING_NEW) - 1, 2, "Admin's, the last to come"},
    };
    char *text = malloc(KEYDOCS_MAX);
    struct exchange_mem x[countof(row)];
    unsigned order[countof(row)] = {0}, n = 0;
    (void)state;

    assert_non_null(text);
    memset(text, ' ', KEYDOCS_MAX);
    memcpy(text, NOTHING_NEW, sizeof(NOTHING_NEW) - 1);
    w.loop.hold_work = true;
    for (unsigned i = 0; i < countof(row); i++) {
        exchange_mem_init(&x[i], &w.loop.loop, HEAD "\r\n");
        exchange_mem_body(&x[i], slice_of(text, row[i].n));
        router_app(w.router)->begin(router_app(w.router), &x[i].exchange);
        loop_mem_settle(&w.loop);
    }
    w.loop.hold_work = false;
    do
        for (unsigned i = 0; i < countof(row); i++)
            if (x[i].ended && x[i].status == 200 && !order[i])
                order[i] = ++n;
    while (loop_mem_turn(&w.loop));
    for (unsigned i = 0; i < countof(row); i++) {
        if (!x[i].ended || order[i] != row[i].place)
            fail_msg("%s: %d, as number %u", row[i].why, x[i].status, order[i]);
        if (row[i].place)
            continue;
        assert_int_equal(x[i].status, 503);
        assert_non_null(strstr(buf_str(&x[i].headers), "Retry-After: "));
    }
    for (unsigned i = 0; i < countof(row); i++)
        exchange_mem_release(&x[i]);
    free(text);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_sizes),
        T(test_slow),
        T(test_burst),
        T(test_turns),
    };

    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
