/* http_linger_test.c - clients that still send when they are answered: they get
 * the answer and no reset, and hold the server for no longer than it says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define LARGE (16 * MIB) /* more than two sockets take unread */

static struct world *
open_world(void **state, const struct http_conf *conf)
{
    struct world *w = world_open(*state, conf);

    if (w == NULL)
        skip();
    return w;
}

/* Its body is refused while it sends. */
static struct client *
refused(struct world *w, bool chunked)
{
    struct client *c = client_open(w);

    client_say(c,
               chunked ? "POST /none HTTP/1.1\r\nHost: a\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
                       : "POST /none HTTP/1.1\r\nHost: a\r\n"
                         "Content-Length: %zu\r\n\r\n",
               (size_t)LARGE);
    return c;
}

static void
expect_answer(struct client *c)
{
    struct answer a;

    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 200);
    assert_false(a.keep);
    assert_true(a.whole);
    assert_true(client_closed(c, WAIT_MS));
}

static bool
send_large(struct client *c)
{
    void *p = calloc(1, LARGE);
    bool sent;

    assert_non_null(p);
    sent = client_send(c, p, LARGE);
    free(p);
    return sent;
}

/* Such as Python's http.client: all is sent before anything is read. */
static void
test_looks_late(void **state)
{
    struct http_conf conf = world_conf();
    struct world *w;

    conf.linger_silence = conf.linger_timeout = dur_s(3600);
    w = open_world(state, &conf);
    for (int chunked = 0; chunked < 2; chunked++) {
        struct client *c = refused(w, chunked);

        assert_true(send_large(c));
        expect_answer(c);
        client_close(&c);
    }
    world_close(&w);
}

static void
test_bytes(void **state)
{
    struct http_conf conf = world_conf();
    struct client *c;
    struct world *w;

    conf.linger_silence = conf.linger_timeout = dur_s(3600);
    conf.linger_max = MIB;
    w = open_world(state, &conf);
    c = refused(w, true);
    assert_false(send_large(c));
    world_wait_open(w, 0);
    client_close(&c);
    world_close(&w);
}

static void
test_silence(void **state)
{
    struct http_conf conf = world_conf();
    struct client *c;
    struct world *w;

    conf.linger_silence = dur_ms(100);
    conf.linger_timeout = dur_s(3600);
    w = open_world(state, &conf);
    c = refused(w, true);
    expect_answer(c);
    world_wait_open(w, 0);
    client_close(&c);
    world_close(&w);
}

/* A byte now and then puts the end off, but not for long. */
static void
test_drip(void **state)
{
    struct http_conf conf = world_conf();
    struct client *c;
    struct world *w;
    int n = 0;

    conf.linger_silence = dur_s(3600);
    conf.linger_timeout = dur_ms(300);
    w = open_world(state, &conf);
    c = refused(w, true);
    expect_answer(c);
    while (n < 1000 && client_send(c, "x", 1)) {
        sleep_ms(20);
        n++;
    }
    assert_true(n < 1000);
    world_wait_open(w, 0);
    client_close(&c);
    world_close(&w);
}

/* A connection that lingers is one of those that are admitted. */
static void
test_counts(void **state)
{
    const struct variant *v = *state;
    struct http_conf conf = world_conf();
    struct client *c, *extra;
    struct answer a;
    struct world *w;

    conf.connections_max = 1;
    conf.linger_silence = conf.linger_timeout = dur_s(3600);
    w = open_world(state, &conf);
    c = refused(w, true);
    expect_answer(c);
    extra = client_try(w, 0);
    if (v->tls) {
        assert_null(extra);
    } else {
        assert_true(client_hear(extra, &a, false));
        assert_int_equal(a.status, 503);
        client_close(&extra);
    }
    client_close(&c);
    world_wait_open(w, 0);
    world_close(&w);
}

int
main(void)
{
    static const struct world_test tests[] = {
        {"looks late", test_looks_late, false}, {"bytes", test_bytes, false},
        {"silence", test_silence, false},       {"drip", test_drip, false},
        {"counts", test_counts, false},
    };

    return world_run("http linger", tests, countof(tests));
}
