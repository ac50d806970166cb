/* http_test.c - requests and answers over real loops, plain and encrypted: what
 * goes in comes out, however it is cut. Deadlines and limits:
 * http_limit_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "io/http_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world *
open_world(void **state)
{
    const struct http_conf conf = world_conf();
    struct world *w = world_open(*state, &conf);

    if (w == NULL)
        skip();
    return w;
}

static void
expect_body(struct client *c, const void *body, size_t n)
{
    struct answer a;

    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 200);
    assert_true(a.whole);
    assert_int_equal(a.body_n, n);
    assert_memory_equal(a.body, body, n);
}

static void
expect_text(struct client *c, const char *text)
{
    expect_body(c, text, strlen(text));
}

static void
expect_pattern(const struct answer *a, size_t n)
{
    assert_true(a->whole);
    assert_int_equal(a->body_n, n);
    assert_true(pattern_is(a->body, 0, n));
}

/* ---- connections ---- */

static void
test_keep_alive(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct http_stats st;
    struct answer a;

    for (int i = 0; i < 50; i++) {
        client_say(c, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_true(client_hear(c, &a, false));
        assert_int_equal(a.status, 200);
        assert_true(a.keep);
    }
    client_say(c, "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_false(a.keep);
    assert_true(client_closed(c, WAIT_MS));
    world_stats(w, &st);
    assert_int_equal(st.accepted, 1);
    client_close(&c);
    world_close(&w);
}

static void
test_http10(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;

    client_say(c, "GET /none HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_non_null(strstr(a.head, "\r\nConnection: keep-alive\r\n"));
    client_say(c, "GET /none HTTP/1.0\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_false(a.keep);
    assert_true(client_closed(c, WAIT_MS));
    client_close(&c);
    world_close(&w);
}

static void
test_pipelining(void **state)
{
    static const char requests[] =
        "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: t\r\n\r\n"
        "GET /late?20 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /some HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nend";
    struct world *w = open_world(state);
    struct client *c = client_open(w);

    /* At once, and byte by byte: the answers are the same, in order. */
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        if (bytewise)
            for (size_t i = 0; i < sizeof(requests) - 1; i++)
                client_send(c, requests + i, 1);
        else
            client_send(c, requests, sizeof(requests) - 1);
        expect_text(c, "none");
        expect_text(c, "hello");
        expect_text(c, "abcde");
        expect_text(c, "late");
        expect_text(c, "end");
    }
    client_close(&c);
    world_close(&w);
}

static void
test_head(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;

    client_say(c, "HEAD /big?123456 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "HEAD /whole?1000 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_hear(c, &a, true));
    assert_int_equal(a.length, 123456);
    assert_true(client_hear(c, &a, true));
    assert_int_equal(a.length, 1000);
    expect_text(c, "none");
    client_close(&c);
    world_close(&w);
}

static void
test_expect_continue(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;
    char b[25];

    /* The role reads: then, and only then, the client is told to go on. */
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                  "Expect: 100-continue\r\n\r\n");
    assert_int_equal(client_read(c, b, 25), 25);
    assert_memory_equal(b, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    client_say(c, "body");
    expect_text(c, "body");
    /* The body came uncalled for: nobody waits for a 100. */
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                  "Expect: 100-continue\r\n\r\nbody");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.interim, 0);
    assert_memory_equal(a.body, "body", 4);
    /* No body at all: nothing to go on with. */
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                  "Expect: 100-continue\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.interim, 0);
    assert_true(a.keep);
    /* The role does not read: no 100, and since nobody can tell whether the
     * body will come, the end. */
    client_say(c, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                  "Expect: 100-continue\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.interim, 0);
    assert_int_equal(a.status, 200);
    assert_false(a.keep);
    assert_true(client_closed(c, WAIT_MS));
    client_close(&c);
    world_close(&w);
}

static void
test_continue_chunked(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;
    char b[25];

    client_say(c, "POST /some HTTP/1.1\r\nHost: a\r\n"
                  "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(client_read(c, b, 25), 25);
    client_say(c, "5\r\nhello\r\n");
    sleep_ms(5);
    client_say(c, "0\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.interim, 0); /* once is enough */
    assert_memory_equal(a.body, "hello", 5);
    client_close(&c);
    world_close(&w);
}

/* ---- bodies ---- */

/* What followed the body was told with its end, and is not told again. */
static void
expect_trailer(struct client *c, const char *body, bool there)
{
    struct answer a;

    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_n, strlen(body));
    assert_memory_equal(a.body, body, a.body_n);
    assert_int_equal(strstr(a.head, "\r\nX-T: 1\r\n") != NULL, there);
}

/* A chunked body, cut in two at each place, and one byte at a time; the request
 * behind it must not be touched. */
static void
test_chunked_cuts(void **state)
{
    static const char *const path[] = {"/echo", "/echo?1", "/echo?7", "/some",
                                       "/some?3"};
    static const char body[] = "4\r\nWiki\r\n6;a=\"b;c\"\r\npedia \r\n"
                               "1\r\n.\r\nA\r\n0123456789\r\n"
                               "0\r\nX-T: 1\r\n\r\n"
                               "POST /echo HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 3\r\n\r\nend";
    const size_t n = sizeof(body) - 1;
    struct world *w = open_world(state);
    struct client *c = client_open(w);

    for (size_t p = 0; p < countof(path); p++) {
        for (size_t cut = 0; cut < n; cut += p ? 3 : 1) {
            client_say(c,
                       "POST %s HTTP/1.1\r\nHost: a\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n",
                       path[p]);
            client_send(c, body, cut);
            if (cut % 2)
                sleep_ms(1);
            client_send(c, body + cut, n - cut);
            expect_trailer(c, "Wikipedia .0123456789", true);
            expect_trailer(c, "end", false);
        }
        client_say(c,
                   "POST %s HTTP/1.1\r\nHost: a\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n",
                   path[p]);
        for (size_t i = 0; i < n; i++)
            client_send(c, body + i, 1);
        expect_trailer(c, "Wikipedia .0123456789", true);
        expect_trailer(c, "end", false);
    }
    client_close(&c);
    world_close(&w);
}

static void
test_chunked_large(void **state)
{
    static const size_t chunk[] = {1, 13, 4095, 16384, 65536, 70001, 300000};
    const size_t n = MIB + 17;
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    uint8_t *p = malloc(n);
    struct answer a;

    assert_non_null(p);
    pattern_fill(p, 0, n);
    for (size_t k = 0; k < countof(chunk); k++) {
        size_t all = chunk[k] < 100 ? n / 16 : n;

        client_say(c,
                   "POST /echo?%d HTTP/1.1\r\nHost: a\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n",
                   k % 2 ? 262144 : 10000);
        for (size_t at = 0; at < all; at += chunk[k]) {
            size_t m = size_min(chunk[k], all - at);

            client_say(c, "%zx\r\n", m);
            client_send(c, p + at, m);
            client_say(c, "\r\n");
        }
        client_say(c, "0\r\n\r\n");
        assert_true(client_hear(c, &a, false));
        expect_pattern(&a, all);
    }
    free(p);
    client_close(&c);
    world_close(&w);
}

static void
test_chunked_refused(void **state)
{
    static const struct {
        const char *body;
        const char *why;
    } row[] = {
        {"x\r\n", "no number"},
        {"4\r\nWikix\r\n0\r\n\r\n", "data longer than it said"},
        {"4\nWiki\r\n0\r\n\r\n", "a bare LF"},
        {"11111111111111111\r\n", "more than 64 bits"},
        {"-1\r\n", "a sign"},
    };
    struct world *w = open_world(state);

    for (size_t i = 0; i < countof(row); i++) {
        for (int some = 0; some < 2; some++) {
            struct client *c = client_open(w);
            struct answer a;

            client_say(c,
                       "POST %s HTTP/1.1\r\nHost: a\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n",
                       some ? "/some" : "/echo");
            sleep_ms(2);
            client_say(c, "%s", row[i].body);
            if (!client_hear(c, &a, false) || a.status != 400 || a.keep)
                fail_msg("%s", row[i].why);
            assert_true(client_closed(c, WAIT_MS));
            client_close(&c);
        }
    }
    world_close(&w);
}

/* Bodies with a length, cut where it hurts: around the head, single bytes, just
 * before the end. */
static void
test_length_cuts(void **state)
{
    static const size_t cut[] = {0,     1,     2,     4095,  8191,  8192, 16383,
                                 16384, 16385, 65535, 65536, 99998, 99999};
    static const char *const path[] = {"/echo?100000", "/echo?65536",
                                       "/echo?4096",   "/some?65536",
                                       "/some?1000",   "/move?65536"};
    const size_t n = 100000;
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    uint8_t *p = malloc(n);
    struct answer a;

    assert_non_null(p);
    pattern_fill(p, 0, n);
    for (size_t k = 0; k < countof(path); k++) {
        for (size_t i = 0; i < countof(cut); i++) {
            client_say(c,
                       "POST %s HTTP/1.1\r\nHost: a\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       path[k], n);
            client_send(c, p, cut[i]);
            sleep_ms(1);
            client_send(c, p + cut[i], n - cut[i]);
            assert_true(client_hear(c, &a, false));
            assert_int_equal(a.status, 200);
            expect_pattern(&a, n);
        }
    }
    free(p);
    client_close(&c);
    world_close(&w);
}

/* Receives of blocks wake late (CONN_LOWAT) as long as enough is to follow:
 * whatever the length, and wherever the sender pauses, the end arrives, and
 * after it the next request. */
static void
test_late_wakes(void **state)
{
    static const size_t b = 262144, low = 131072;
    const size_t n[] = {b,           b + 1,           b + low - 1, b + low,
                        b + low + 1, 2 * b + low - 1, 3 * b};
    const size_t left[] = {1, low - 1, low, low + 1, b + 1};
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    uint8_t *p = malloc(3 * b);
    struct answer a;

    assert_non_null(p);
    pattern_fill(p, 0, 3 * b);
    for (size_t i = 0; i < countof(n) * countof(left); i++) {
        size_t all = n[i / countof(left)];
        size_t end = size_min(left[i % countof(left)], all);

        client_say(c,
                   "POST /echo?262144 HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   all);
        client_send(c, p, all - end);
        sleep_ms(1);
        client_send(c, p + all - end, end);
        assert_true(client_hear(c, &a, false));
        assert_int_equal(a.status, 200);
        expect_pattern(&a, all);
    }
    free(p);
    client_close(&c);
    world_close(&w);
}

static void
test_large_body(void **state)
{
    const size_t piece = MIB, n = TIMES(48, 8) * piece;
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    uint8_t *p = malloc(piece);
    char text[32];

    assert_non_null(p);
    memset(p, 'x', piece);
    snprintf(text, sizeof(text), "%zu", n);
    client_say(c,
               "POST /size?262144 HTTP/1.1\r\nHost: a\r\n"
               "Content-Length: %zu\r\n\r\n",
               n);
    for (size_t i = 0; i < n / piece; i++)
        assert_true(client_send(c, p, piece));
    expect_text(c, text);
    free(p);
    client_close(&c);
    world_close(&w);
}

static void
test_peek(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;

    client_say(c, "POST /peek HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
                  "body");
    expect_text(c, "body"); /* and what was looked at is drained */
    client_say(c, "POST /peek HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 4\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 404);
    assert_int_equal(world_bytes_in(w), 4); /* of the first, which has ended */
    client_say(c, "body");
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
                  "ok");
    expect_text(c, "ok");
    client_close(&c);
    world_close(&w);
}

/* ---- bodies that nobody reads ---- */

static void
test_unread_small(void **state)
{
    const size_t n = 50000; /* under drain_max */
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    uint8_t *p = calloc(1, n);
    struct answer a;

    assert_non_null(p);
    for (int late = 0; late < 2; late++) {
        client_say(c,
                   "POST /none HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   n);
        if (!late)
            client_send(c, p, n);
        assert_true(client_hear(c, &a, false));
        assert_true(a.keep);
        if (late)
            client_send(c, p, n);
    }
    client_say(c, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_text(c, "none");
    free(p);
    client_close(&c);
    world_close(&w);
}

/* ---- answers ---- */

static void
test_big_answers(void **state)
{
    static const char *const path[] = {"big", "whole", "file", "cold"};
    static const size_t size[] = {1,      100,    16384,   16385,
                                  262144, 262145, 5000000, FILE_SIZE};
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;

    for (size_t k = 0; k < countof(path); k++) {
        for (size_t i = 0; i < countof(size); i++) {
            client_say(c, "GET /%s?%zu HTTP/1.1\r\nHost: a\r\n\r\n", path[k],
                       size[i]);
            assert_true(client_hear(c, &a, false));
            assert_int_equal(a.status, 200);
            expect_pattern(&a, size[i]);
        }
    }
    client_close(&c);
    world_close(&w);
}

/* A reader with a small window that takes its time: the answer is far larger
 * than both socket buffers, and each send is finished in many steps. */
static void
test_slow_reader(void **state)
{
    static const char *const path[] = {"big", "file", "cold"};
    struct world *w = open_world(state);

    for (size_t k = 0; k < countof(path); k++) {
        struct client *c = client_try(w, 4096);
        size_t n = 0;
        uint8_t b[8192];
        char *end;

        client_say(c, "GET /%s?%zu HTTP/1.1\r\nHost: a\r\n\r\n", path[k],
                   FILE_SIZE);
        n = (size_t)client_read(c, b, 1000);
        end = memmem(b, n, "\r\n\r\n", 4);
        assert_non_null(end);
        n -= (size_t)(end + 4 - (char *)b);
        memmove(b, end + 4, n);
        for (size_t at = 0; at < FILE_SIZE;) {
            ssize_t r;

            assert_true(pattern_is(b, at, n));
            at += n;
            if (at == FILE_SIZE)
                break;
            if (at % 97 == 0)
                sleep_ms(1);
            r = client_read(c, b, sizeof(b));
            assert_true(r > 0);
            n = (size_t)r;
        }
        client_close(&c);
    }
    world_close(&w);
}

/* An answer that ends too early is cut, not pretended: over TLS without
 * close_notify. */
static void
test_short_answer(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;

    client_say(c, "GET /stub HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_false(a.whole);
    assert_int_equal(a.body_n, 10);
    assert_true(client_closed(c, WAIT_MS));
    client_close(&c);
    world_wait_open(w, 0);
    assert_int_equal(world_broken(w), 1);
    world_close(&w);
}

static void
test_move(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    int loop[2] = {0, 0};
    struct answer a;

    for (int i = 0; i < 20; i++) {
        client_say(c, "POST /move HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 5\r\n\r\nhello");
        assert_true(client_hear(c, &a, false));
        assert_memory_equal(a.body, "hello", 5);
        assert_non_null(strstr(a.head, "\r\nX-Loop: "));
        loop[strstr(a.head, "\r\nX-Loop: ")[10] - '0']++;
    }
    /* Each time to the other one. */
    assert_int_equal(loop[0], 10);
    assert_int_equal(loop[1], 10);
    client_close(&c);
    world_close(&w);
}

/* Refused heads: an answer, and the end. */
static void
test_refused(void **state)
{
    static const struct {
        const char *head;
        int status;
        const char *why;
    } row[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400, "no Host"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         400, "two lengths"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "a version"},
        {"\x16\x03\x01\x02\x05\x01", 400, "TLS inside"},
    };
    struct world *w = open_world(state);

    for (size_t i = 0; i < countof(row); i++) {
        struct client *c = client_open(w);
        struct answer a;

        client_say(c, "%s", row[i].head);
        if (!client_hear(c, &a, false) || a.status != row[i].status || a.keep)
            fail_msg("%s", row[i].why);
        assert_true(client_closed(c, WAIT_MS));
        client_close(&c);
    }
    world_close(&w);
}

static void
test_head_too_large(void **state)
{
    struct world *w = open_world(state);
    struct client *c = client_open(w);
    struct answer a;
    char pad[1000];

    memset(pad, 'x', sizeof(pad) - 1);
    pad[sizeof(pad) - 1] = '\0';
    client_say(c, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 20; i++)
        client_say(c, "X-%d: %s\r\n", i, pad);
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 431);
    assert_true(client_closed(c, WAIT_MS));
    client_close(&c);
    world_close(&w);
}

int
main(void)
{
    static const struct world_test tests[] = {
        {"keep-alive", test_keep_alive, false},
        {"HTTP/1.0", test_http10, false},
        {"pipelining", test_pipelining, false},
        {"HEAD", test_head, false},
        {"100-continue", test_expect_continue, false},
        {"100-continue, chunked", test_continue_chunked, false},
        {"chunked, cut everywhere", test_chunked_cuts, false},
        {"chunked, large", test_chunked_large, false},
        {"chunked, refused", test_chunked_refused, false},
        {"a length, cut", test_length_cuts, false},
        {"receives that wake late", test_late_wakes, false},
        {"a large body", test_large_body, false},
        {"peek", test_peek, false},
        {"unread, small", test_unread_small, false},
        {"big answers", test_big_answers, false},
        {"slow reader", test_slow_reader, false},
        {"short answer", test_short_answer, false},
        {"move", test_move, false},
        {"refused heads", test_refused, false},
        {"head too large", test_head_too_large, false},
    };

    return world_run("http", tests, countof(tests));
}
