/* http_limit_test.c - deadlines that a byte now and then cannot put off,
 * limits, drain, and peers that vanish at every point, on both loops, plain and
 * encrypted. SPDX-License-Identifier: Apache-2.0 */
#include "io/http_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For a busy machine and for sanitizers. A loop that was stopped in the middle
 * of a turn counts from its beginning: deadlines may seem early, too. */
#define SLACK_MS 15000

static struct world *
open_world(void **state, const struct http_conf *conf)
{
    struct world *w = world_open(*state, conf);

    if (w == NULL)
        skip();
    return w;
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sends TEXT again and again, GAP_MS apart, until the server answers or hangs
 * up; how long after START that is. */
static int
drip(struct client *c, const char *text, int gap_ms, int64_t start,
     int limit_ms)
{
    while (now_ms() - start < limit_ms) {
        if (!client_say(c, "%s", text) || !client_silent(c, gap_ms))
            return (int)(now_ms() - start);
    }
    fail_msg("still listening after %d ms", limit_ms);
    return 0;
}

/* client_silent() has eaten the first byte of what it heard. While BYTES may
 * still be under way a reset may overtake the answer. */
static void
expect_timeout(struct client *c, bool bytes)
{
    char b[400] = "";
    ssize_t n = client_read(c, b, sizeof(b) - 1);

    if (!bytes || n > 0)
        assert_non_null(strstr(b, "TTP/1.1 408 Request Timeout\r\n"));
}

/* ---- deadlines ---- */

#define HEAD_MS 500

/* A client that has said so in time, which was at START: handshake, first byte
 * and head have HEAD_MS each, and whoever was stopped meanwhile tries again. */
static struct client *
say_in_time(struct world *w, const char *text, int64_t *start)
{
    for (int tries = 0; tries < 50; tries++) {
        struct client *c = client_try(w, 0);

        if (c == NULL)
            continue;
        *start = now_ms();
        client_say(c, "%s", text);
        if (now_ms() - *start < HEAD_MS / 2)
            return c;
        client_close(&c);
    }
    fail_msg("no handshake within %d ms", HEAD_MS);
    return NULL;
}

static void
test_head_deadline(void **state)
{
    struct http_conf conf = world_conf();
    struct world *w;
    struct client *c;
    int64_t start;

    conf.head_timeout = dur_ms(HEAD_MS);
    w = open_world(state, &conf);
    c = say_in_time(w, "GET / HTTP/1.1\r\nHost: a\r\nX: ", &start);
    assert_true(drip(c, "x", 40, start, HEAD_MS + SLACK_MS) > HEAD_MS / 2);
    expect_timeout(c, true);
    client_close(&c);
    /* A head that stops: the answer is whole. */
    c = say_in_time(w, "GET / HT", &start);
    {
        struct answer a;

        assert_true(client_hear(c, &a, false));
        assert_int_equal(a.status, 408);
        assert_false(a.keep);
    }
    assert_true(client_closed(c, WAIT_MS));
    client_close(&c);
    /* Nothing at all: no answer to nobody. */
    c = say_in_time(w, "", &start);
    assert_true(client_closed(c, HEAD_MS + SLACK_MS));
    client_close(&c);
    /* Empty lines before a request are no request. */
    c = say_in_time(w, "\r\n", &start);
    assert_false(client_silent(c, HEAD_MS + SLACK_MS));
    client_close(&c);
    world_close(&w);
}

#define IDLE_MS 400

/* Requests with pauses, longer in all than the deadline; then START is when the
 * last one was sent. False: one of the pauses was as long as the deadline,
 * since the machine had other things to do. */
static bool
ask_with_pauses(struct client *c, int64_t *start)
{
    struct answer a;

    for (int i = 0; i < 6; i++) {
        int64_t before = i ? *start : now_ms();

        *start = now_ms();
        if (!client_say(c, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n") ||
            !client_hear(c, &a, false) || (i < 5 && !client_silent(c, 120))) {
            assert_true(now_ms() - before >= IDLE_MS);
            return false;
        }
    }
    return true;
}

static void
test_idle_deadline(void **state)
{
    struct http_conf conf = world_conf();
    struct world *w;
    struct client *c;
    int64_t start = 0;

    conf.idle_timeout = dur_ms(IDLE_MS);
    w = open_world(state, &conf);
    c = client_open(w);
    for (int tries = 0; !ask_with_pauses(c, &start); tries++) {
        assert_true(tries < 20);
        client_close(&c);
        c = client_open(w);
    }
    assert_true(client_closed(c, IDLE_MS + SLACK_MS));
    assert_true(now_ms() - start > IDLE_MS / 2);
    client_close(&c);
    world_close(&w);
}

/* A body of a byte now and then, whichever way it is framed and read. */
static void
test_body_deadline(void **state)
{
    static const struct {
        const char *path, *framing, *piece;
        const char *why;
    } row[] = {
        {"/echo", "Content-Length: 100000", "x", "filled"},
        {"/some", "Content-Length: 100000", "x", "some"},
        {"/size?1", "Content-Length: 100000", "x", "reads of one byte"},
        {"/echo", "Transfer-Encoding: chunked", "1\r\nx\r\n", "tiny chunks"},
        {"/some", "Transfer-Encoding: chunked", "1\r\nx\r\n", "and some"},
        {"/echo", "Transfer-Encoding: chunked", "0", "an endless size"},
        {"/move", "Content-Length: 100000", "x", "on another loop"},
    };
    struct http_conf conf = world_conf();
    struct world *w;

    conf.body_timeout = dur_ms(200);
    conf.body_min_rate = 200000;
    w = open_world(state, &conf);
    for (size_t i = 0; i < countof(row); i++) {
        struct client *c = client_open(w);
        struct http_stats st;
        int64_t start = now_ms();
        char b[64] = "";

        client_say(c, "POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", row[i].path,
                   row[i].framing);
        while (client_say(c, "%s", row[i].piece) && client_silent(c, 30))
            if (now_ms() - start > 700 + SLACK_MS)
                fail_msg("%s: still listening", row[i].why);
        if (strcmp(row[i].piece, "0") != 0 && now_ms() - start < 100)
            fail_msg("%s: too early", row[i].why);
        (void)client_read(c, b, sizeof(b) - 1);
        client_close(&c);
        world_stats(w, &st);
        if (strcmp(row[i].piece, "0") != 0 && st.timeouts == 0)
            fail_msg("%s: no timeout was counted", row[i].why);
    }
    world_close(&w);
}

/* A role has no time for more of it, however steadily it comes, or stays away.
 */
static void
test_body_by(void **state)
{
    static const struct {
        const char *path, *framing, *piece;
    } row[] = {
        {"/by?100", "Content-Length: 100000", "x"},
        {"/by?100", "Transfer-Encoding: chunked", "1\r\nx\r\n"},
        {"/by?100", "Content-Length: 100000", ""},
        {"/cut?100", "Content-Length: 100000", "x"},
        {"/cut?100", "Content-Length: 100000", ""},
        {"/put-off?100", "Content-Length: 100000", "x"},
    };
    struct http_conf conf = world_conf(); /* allow it for long */
    struct world *w = open_world(state, &conf);

    for (size_t i = 0; i < countof(row); i++) {
        struct client *c = client_open(w);
        int64_t start = now_ms();

        client_say(c, "POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", row[i].path,
                   row[i].framing);
        (void)drip(c, row[i].piece, 30, start, 100 + SLACK_MS);
        expect_timeout(c, row[i].piece[0]);
        client_close(&c);
    }
    world_close(&w);
}

static void
expect_echo(struct client *c, const char *text)
{
    struct answer a;

    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_n, strlen(text));
    assert_memory_equal(a.body, text, a.body_n);
}

/* It comes in time, also if that is no time, since it is there already. */
static void
test_body_in_time(void **state)
{
    struct http_conf conf = world_conf();
    struct world *w = open_world(state, &conf);
    struct client *c = client_open(w);

    client_say(c,
               "POST /by?%d HTTP/1.1\r\nHost: a\r\n"
               "Content-Length: 5\r\n\r\n",
               SLACK_MS);
    sleep_ms(50); /* so that it is waited for */
    client_say(c, "hello");
    expect_echo(c, "hello");
    client_say(c, "POST /by?0 HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 5\r\n\r\nhello");
    expect_echo(c, "hello");
    /* The next request has nothing to do with that. */
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 5\r\n\r\n");
    for (const char *p = "hello"; *p; p++) {
        assert_true(client_silent(c, 50));
        client_say(c, "%c", *p);
    }
    expect_echo(c, "hello");
    client_close(&c);
    world_close(&w);
}

/* Slow, but faster than the minimum: there is no limit on the whole. */
static void
test_steady_body(void **state)
{
    struct http_conf conf = world_conf();
    char piece[201], text[32];
    struct world *w;

    memset(piece, 'y', 200);
    piece[200] = '\0';
    conf.body_timeout = dur_ms(800);
    conf.body_min_rate = 500;
    w = open_world(state, &conf);
    for (int rate = 1; rate >= 0; rate--) {
        struct client *c = client_open(w);
        struct answer a;

        client_say(c,
                   "POST %s HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: 4000\r\n\r\n",
                   rate ? "/size?4000" : "/some");
        for (int i = 0; i < 20; i++) { /* 1 s, over the deadline */
            client_say(c, "%s", piece);
            sleep_ms(50);
        }
        assert_true(client_hear(c, &a, false));
        assert_int_equal(a.status, 200);
        snprintf(text, sizeof(text), "%d", 4000);
        if (rate)
            assert_memory_equal(a.body, text, strlen(text));
        client_close(&c);
    }
    world_close(&w);
}

/* While nobody reads no peer is late: a disk may be slow, or memory short. */
static void
test_pause_between_reads(void **state)
{
    struct http_conf conf = world_conf();
    struct http_stats st;
    struct client *c;
    struct answer a;
    struct world *w;

    conf.body_timeout = dur_ms(900);
    w = open_world(state, &conf);
    c = client_open(w);
    client_say(c, "POST /pause?1000 HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 5\r\n\r\n");
    sleep_ms(50); /* so that the first byte is waited for */
    client_say(c, "h");
    sleep_ms(1050);
    client_say(c, "ello");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 200);
    assert_memory_equal(a.body, "hello", 5);
    assert_true(a.keep);
    world_stats(w, &st);
    assert_int_equal(st.timeouts, 0);
    client_close(&c);
    world_close(&w);
}

/* A piece that comes in drops, fast enough for the minimum rate, is waited for
 * as long as there are blocks for others; then it has its timeout. */
static void
test_drops_while_blocks_are_out(void **state)
{
    struct http_conf conf = world_conf();
    struct world *w;

    conf.body_timeout = dur_ms(800);
    conf.body_min_rate = 1;
    w = open_world(state, &conf);
    for (int full = 0; full < 2; full++) {
        struct client *c = client_open(w);
        int64_t start = now_ms();
        bool open = true;

        if (full)
            world_take_blocks(w);
        client_say(c, "POST /echo?100000 HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 100000\r\n\r\n");
        while (open && now_ms() - start < (full ? 800 + SLACK_MS : 1500))
            open = client_say(c, "x") && client_silent(c, 30);
        assert_int_equal(open, !full);
        if (full) {
            assert_true(now_ms() - start > 400);
            expect_timeout(c, true);
            world_give_blocks(w);
        }
        client_close(&c);
    }
    world_close(&w);
}

/* Without a minimum rate a deadline is one of silence. */
static void
test_no_minimum(void **state)
{
    struct http_conf conf = world_conf();
    struct client *c;
    struct answer a;
    struct world *w;
    int64_t start;

    conf.body_timeout = dur_ms(800);
    conf.body_min_rate = 0;
    w = open_world(state, &conf);
    c = client_open(w);
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 20\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        client_say(c, "z");
        sleep_ms(50);
    }
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_n, 20);
    start = now_ms();
    client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 20\r\n\r\nzzz");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.status, 408);
    assert_true(now_ms() - start > 400);
    client_close(&c);
    world_close(&w);
}

/* Told to go on, and then nothing: the deadline is that of the body. */
static void
test_continue_and_silence(void **state)
{
    struct http_conf conf = world_conf();
    struct client *c;
    struct answer a;
    struct world *w;

    conf.body_timeout = dur_ms(300);
    w = open_world(state, &conf);
    c = client_open(w);
    client_say(c, "POST /some HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n"
                  "Expect: 100-continue\r\n\r\n");
    assert_true(client_hear(c, &a, false));
    assert_int_equal(a.interim, 1);
    assert_int_equal(a.status, 408);
    client_close(&c);
    world_close(&w);
}

/* An answer of which nothing is taken; with a minimum and without. */
static void
test_write_deadline(void **state)
{
    static const char *const path[] = {"/big", "/whole", "/file", "/cold"};

    for (int rate = 0; rate < 2; rate++) {
        struct http_conf conf = world_conf();
        struct world *w;

        conf.write_timeout = dur_ms(300);
        conf.write_min_rate = rate ? 50000000 : 0;
        w = open_world(state, &conf);
        for (size_t i = 0; i < countof(path); i++) {
            struct client *c = client_try(w, 4096);
            unsigned begun = world_begun(w);

            client_say(c, "GET %s?%zu HTTP/1.1\r\nHost: a\r\n\r\n", path[i],
                       FILE_SIZE);
            world_wait_begun(w, begun + 1);
            world_wait_live(w, 0);
            world_wait_open(w, 0);
            assert_int_equal(world_broken(w), i + 1);
            client_reset(&c);
        }
        world_close(&w);
    }
}

/* A reader that takes a little now and then: too slow for a minimum, welcome
 * without one. */
static void
test_slow_taker(void **state)
{
    for (int rate = 0; rate < 2; rate++) {
        struct http_conf conf = world_conf();
        struct client *c;
        struct world *w;
        size_t got = 0;
        ssize_t r = 1;
        char b[16384];

        conf.write_timeout = dur_ms(1000);
        conf.write_min_rate = rate ? 2000000 : 0;
        w = open_world(state, &conf);
        c = client_try(w, 4096);
        client_say(c, "GET /big?%zu HTTP/1.1\r\nHost: a\r\n\r\n", FILE_SIZE);
        for (int64_t start = now_ms(); now_ms() - start < 1500 && r > 0;) {
            r = client_read(c, b, sizeof(b)); /* some 300 KB a second */
            got += r > 0 ? (size_t)r : 0;
            sleep_ms(40);
        }
        if (rate) { /* the server has given up, whatever still lies around */
            world_wait_open(w, 0);
            assert_int_equal(world_broken(w), 1);
        } else {
            assert_int_equal(world_broken(w), 0);
            while (got < FILE_SIZE && (r = client_read(c, b, sizeof(b))) > 0)
                got += (size_t)r;
            assert_true(got > FILE_SIZE); /* with its head */
        }
        client_close(&c);
        world_close(&w);
    }
}

/* ---- limits ---- */

static void
test_limit(void **state, bool total)
{
    const struct variant *v = *state;
    struct http_conf conf = world_conf();
    struct client *c[3], *extra;
    struct http_stats st;
    struct answer a;
    struct world *w;

    if (total)
        conf.connections_max = 3;
    else
        conf.connections_per_address = 3;
    w = open_world(state, &conf);
    for (int i = 0; i < 3; i++) {
        c[i] = client_open(w);
        client_say(c[i], "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_true(client_hear(c[i], &a, false));
    }
    extra = client_try(w, 0);
    if (v->tls) {
        assert_null(extra);
    } else {
        assert_true(client_hear(extra, &a, false));
        assert_int_equal(a.status, 503);
        assert_false(a.keep);
        assert_true(a.whole);
        assert_non_null(strstr(a.head, "\r\nRetry-After: 1\r\n"));
        assert_true(client_closed(extra, WAIT_MS));
        client_close(&extra);
    }
    world_stats(w, &st);
    assert_int_equal(st.refused_total, total ? 1 : 0);
    assert_int_equal(st.refused_per_address, total ? 0 : 1);
    assert_int_equal(st.open, 3);
    client_close(&c[0]);
    world_wait_open(w, 2);
    c[0] = client_open(w);
    client_say(c[0], "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_hear(c[0], &a, false));
    assert_int_equal(a.status, 200);
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    world_close(&w);
}

static void
test_limit_total(void **state)
{
    test_limit(state, true);
}

static void
test_limit_address(void **state)
{
    test_limit(state, false);
}

/* ---- drain ---- */

static void
test_drain(void **state)
{
    const struct http_conf conf = world_conf();
    struct world *w = open_world(state, &conf);
    struct client *idle = client_open(w), *busy = client_open(w),
                  *body = client_open(w);
    struct answer a;

    client_say(idle, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_hear(idle, &a, false));
    client_say(busy, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    client_say(body, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                     "Content-Length: 4\r\n\r\nbo");
    world_wait_live(w, 2);
    world_drain_begin(w, dur_s(20));
    assert_true(client_closed(idle, WAIT_MS));
    assert_false(world_drained(w, 100));
    client_say(body, "dy");
    assert_true(client_hear(body, &a, false));
    assert_memory_equal(a.body, "body", 4);
    assert_false(a.keep);
    assert_true(client_closed(body, WAIT_MS));
    world_release(w);
    assert_true(client_hear(busy, &a, false));
    assert_int_equal(a.status, 200);
    assert_false(a.keep);
    assert_true(client_closed(busy, WAIT_MS));
    assert_true(world_drained(w, WAIT_MS));
    client_close(&idle);
    client_close(&busy);
    client_close(&body);
    world_close(&w);
}

/* Whoever does not come to an end within the grace is cut off. */
static void
test_drain_grace(void **state)
{
    const struct http_conf conf = world_conf();
    struct world *w = open_world(state, &conf);
    struct client *c[4];
    int64_t start;

    c[0] = client_try(w, 4096);
    client_say(c[0], "GET /big?%zu HTTP/1.1\r\nHost: a\r\n\r\n", FILE_SIZE);
    c[1] = client_open(w);
    client_say(c[1], "POST /echo HTTP/1.1\r\nHost: a\r\n"
                     "Content-Length: 4\r\n\r\nbo");
    c[2] = client_open(w);
    client_say(c[2], "GET /none HTT");
    c[3] = client_open_plain(w);
    world_wait_live(w, 2);
    sleep_ms(20);
    start = now_ms();
    world_drain(w, dur_ms(800));
    assert_true(now_ms() - start > 400);
    for (int i = 0; i < 4; i++)
        client_close(&c[i]);
    world_close(&w);
}

struct hammer {
    struct world *w;
    atomic_int whole;
    bool wrong;
};

/* Requests until the server ends it: each answer is whole, or there is none. */
static void *
hammer_main(void *arg)
{
    struct hammer *h = arg;
    struct client *c = client_try(h->w, 0);
    struct answer a;

    while (c) {
        client_say(c, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                      "Content-Length: 5\r\n\r\nhello");
        if (!client_hear(c, &a, false))
            break;
        if (a.status != 200 || !a.whole || a.body_n != 5)
            h->wrong = true;
        atomic_fetch_add(&h->whole, 1);
        if (!a.keep)
            break;
    }
    if (c)
        client_close(&c);
    return NULL;
}

static void
test_drain_under_load(void **state)
{
    const struct http_conf conf = world_conf();
    struct world *w = open_world(state, &conf);
    struct hammer h[6] = {0};
    pthread_t t[6];

    for (int i = 0; i < 6; i++) {
        h[i].w = w;
        assert_int_equal(pthread_create(&t[i], NULL, hammer_main, &h[i]), 0);
    }
    for (int i = 0; i < 6; i++) /* a handshake may take its time */
        for (int ms = 0; atomic_load(&h[i].whole) < 3 && ms < 20000; ms += 2)
            sleep_ms(2);
    world_drain(w, dur_s(10));
    for (int i = 0; i < 6; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 6; i++) {
        assert_false(h[i].wrong);
        assert_true(atomic_load(&h[i].whole) >= 3);
    }
    world_close(&w);
}

/* ---- peers that vanish ---- */

static const struct {
    const char *say;
    int wait; /* for so many exchanges of the role before it vanishes */
    const char *why;
} vanish[] = {
    {"", 0, "without a word"},
    {"GET / HT", 0, "in the head"},
    {"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 0, "with its answer"},
    {"GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET", 0, "in the next head"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab", 1,
     "in a body"},
    {"POST /some HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nab", 1,
     "in a body that is taken as it comes"},
    {"POST /echo?262144 HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n",
     1, "before a large body"},
    {"POST /move HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab", 1,
     "after moving"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n5\r\n",
     1, "in a chunk"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
     "Expect: 100-continue\r\n\r\n",
     1, "when told to go on"},
    {"GET /late?100 HTTP/1.1\r\nHost: a\r\n\r\n", 1, "while the role thinks"},
    {"POST /late?100 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab", 1,
     "while the role thinks, in a body"},
    {"GET /big?6000000 HTTP/1.1\r\nHost: a\r\n\r\n", 1, "in an answer"},
    {"GET /whole?6000000 HTTP/1.1\r\nHost: a\r\n\r\n", 0, "in one piece"},
    {"GET /file?6000000 HTTP/1.1\r\nHost: a\r\n\r\n", 1, "in a file"},
    {"GET /cold?6000000 HTTP/1.1\r\nHost: a\r\n\r\n", 1, "in a cold file"},
    {"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab", 0,
     "while the rest is drained"},
    {"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nab", 0,
     "while it lingers"},
    {"GET / HTTP/1.1\r\n\r\n", 0, "when refused"},
};

static void
test_vanish(void **state)
{
    const struct http_conf conf = world_conf();
    struct world *w = open_world(state, &conf);

    for (size_t i = 0; i < countof(vanish); i++) {
        for (int how = 0; how < 6; how++) {
            struct client *c = client_try(w, 4096);
            unsigned begun = world_begun(w);

            client_say(c, "%s", vanish[i].say);
            if (how >= 4 && vanish[i].wait)
                world_wait_begun(w, begun + 1);
            else if (how >= 2)
                sleep_ms(2);
            if (how % 2)
                client_reset(&c);
            else
                client_close(&c);
            world_wait_live(w, 0);
        }
        world_wait_open(w, 0);
    }
    world_close(&w);
}

/* The same at once, and the server stops in the middle of it. */
static void
test_vanish_together(void **state)
{
    const struct http_conf conf = world_conf();
    struct world *w = open_world(state, &conf);
    struct client *c[countof(vanish) * 3];

    for (size_t i = 0; i < countof(c); i++) {
        c[i] = client_try(w, 4096);
        client_say(c[i], "%s", vanish[i % countof(vanish)].say);
    }
    for (size_t i = 0; i < countof(c); i += 2)
        client_reset(&c[i]);
    world_drain(w, dur_ms(50));
    for (size_t i = 1; i < countof(c); i += 2)
        client_close(&c[i]);
    world_close(&w);
}

int
main(void)
{
    static const struct world_test tests[] = {
        {"head deadline", test_head_deadline, false},
        {"idle deadline", test_idle_deadline, false},
        {"body deadline", test_body_deadline, false},
        {"body of a role in a hurry", test_body_by, false},
        {"body in time", test_body_in_time, false},
        {"steady body", test_steady_body, false},
        {"pause between reads", test_pause_between_reads, false},
        {"drops while blocks are out", test_drops_while_blocks_are_out, false},
        {"no minimum rate", test_no_minimum, false},
        {"100-continue and silence", test_continue_and_silence, false},
        {"write deadline", test_write_deadline, false},
        {"slow taker", test_slow_taker, false},
        {"connections", test_limit_total, false},
        {"connections of one address", test_limit_address, false},
        {"drain", test_drain, false},
        {"drain, grace", test_drain_grace, false},
        {"drain under load", test_drain_under_load, false},
        {"vanish", test_vanish, false},
        {"vanish together", test_vanish_together, false},
    };

    return world_run("http limits", tests, countof(tests));
}
