/* http_drain_test.c - the end of a server step by step: its loops are turned by
 * hand on one thread, so that what has happened on one and not on the other is
 * ours to say. SPDX-License-Identifier: Apache-2.0 */
#include "io/http.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_LOOPS 2

struct bench {
    struct serve_app app;
    struct blocks *blocks;
    struct workers *workers;
    struct ioloop *loop[N_LOOPS];
    struct http_server *http;
    struct sockaddr_in at;
    struct exchange *held; /* the request that waits for its answer */
    bool drained;
};

static void
begin(struct serve_app *app, struct exchange *x)
{
    container_of(app, struct bench, app)->held = x;
}

static void
bench_close(struct bench *t)
{
    http_server_close(&t->http);
    workers_close(&t->workers);
    for (unsigned i = 0; i < N_LOOPS; i++)
        ioloop_close(&t->loop[i]);
    blocks_close(&t->blocks);
}

/* N of the loops are the server's. */
static void
bench_open(struct bench *t, const char *kind, unsigned n)
{
    const struct http_conf conf = {
        .limits = HTTP_LIMITS_DEFAULT,
        .head_timeout = dur_s(60),
        .idle_timeout = dur_s(60),
        .body_timeout = dur_s(60),
        .write_timeout = dur_s(60),
        .linger_silence = dur_s(60),
        .linger_timeout = dur_s(60),
        .linger_max = MIB,
        .body_max = MIB,
        .connections_max = 100,
        .connections_per_address = 100,
        .answer_max = MIB,
    };
    struct fault f;
    char url[64];

    (void)signal(SIGPIPE, SIG_IGN);
    memset(t, 0, sizeof(*t));
    t->app.begin = begin;
    assert_int_equal(blocks_open(&t->blocks, 2 * MIB, &f), ERR_OK);
    assert_int_equal(workers_open(&t->workers, 1, ioloop_work_finished, &f),
                     ERR_OK);
    for (unsigned i = 0; i < N_LOOPS; i++) {
        if (ioloop_open(&t->loop[i], kind, i, t->blocks, t->workers, &f) !=
            ERR_OK) {
            bench_close(t);
            skip(); /* this kernel does not allow it */
        }
    }
    assert_int_equal(
        http_server_open(&t->http, &conf, t->loop, n, &t->app, NULL, &f),
        ERR_OK);
    assert_int_equal(
        http_server_listen(t->http, "127.0.0.1:0", url, sizeof(url), &f),
        ERR_OK);
    t->at = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1)),
    };
    http_server_start(t->http);
}

static void
alarm_fire(struct loop *l, struct timer *t)
{
    (void)l;
    (void)t;
}

static void
turn(struct ioloop *l)
{
    struct timer t = {.fire = alarm_fire}; /* ends the wait */

    loop_timer(&l->loop, &t, mono_add(l->loop.now, dur_ms(5)));
    assert_true(ioloop_turn(l));
    loop_timer_stop(&l->loop, &t);
}

static void
drained(void *arg)
{
    ((struct bench *)arg)->drained = true;
}

/* One loop has drained when the other has not even begun to listen: it will, so
 * that nothing is over yet. */
static void
test_late_loop(void **state)
{
    struct bench t;

    bench_open(&t, *state, N_LOOPS);
    http_server_drain(t.http, dur_s(60), drained, &t);
    for (int i = 0; i < 20; i++)
        turn(t.loop[0]);
    assert_false(t.drained);
    for (int i = 0; i < 4000 && !t.drained; i++)
        turn(t.loop[1]);
    assert_true(t.drained);
    bench_close(&t);
}

static int
client_open(const struct bench *t)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_not_equal(fd, -1);
    assert_int_equal(connect(fd, (const void *)&t->at, sizeof(t->at)), 0);
    return fd;
}

/* What the only loop sends until the end of the stream, which must not be a
 * reset. */
static void
hear(struct bench *t, int fd, char *text, size_t cap)
{
    size_t n = 0;
    ssize_t r = -1;

    for (int i = 0; i < 4000 && r != 0 && n < cap - 1; i++) {
        turn(t->loop[0]);
        r = recv(fd, text + n, cap - 1 - n, MSG_DONTWAIT);
        if (r == -1 && errno != EAGAIN)
            fail_msg("%s instead of the end", strerror(errno));
        n += r > 0 ? (size_t)r : 0;
    }
    assert_int_equal(r, 0);
    text[n] = '\0';
}

/* A client that sends ahead, more than anybody reads, while the server drains:
 * its answer and the end, no reset. */
static void
test_sends_ahead(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static char ahead[40000];
    char text[1000];
    struct bench t;
    int fd;

    bench_open(&t, *state, 1);
    fd = client_open(&t);
    memset(ahead, '\n', sizeof(ahead));
    memcpy(ahead, get, sizeof(get) - 1);
    assert_int_equal(send(fd, ahead, sizeof(ahead), 0), sizeof(ahead));
    for (int i = 0; i < 4000 && t.held == NULL; i++)
        turn(t.loop[0]);
    assert_non_null(t.held);
    http_server_drain(t.http, dur_s(60), drained, &t);
    for (int i = 0; i < 5; i++)
        turn(t.loop[0]);
    exchange_answer(t.held, 201, SLICE("text/plain"), SLICE("kept"));
    hear(&t, fd, text, sizeof(text));
    assert_non_null(strstr(text, "HTTP/1.1 201 "));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nkept"));
    (void)close(fd);
    for (int i = 0; i < 4000 && !t.drained; i++)
        turn(t.loop[0]);
    assert_true(t.drained);
    bench_close(&t);
}

/* Whoever asks for the end gets it with the answer: nothing is waited for. */
static void
test_asks_for_the_end(void **state)
{
    static const char get[] =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct http_stats st;
    char text[1000];
    struct bench t;
    int fd;

    bench_open(&t, *state, 1);
    fd = client_open(&t);
    assert_int_equal(send(fd, get, sizeof(get) - 1, 0), sizeof(get) - 1);
    for (int i = 0; i < 4000 && t.held == NULL; i++)
        turn(t.loop[0]);
    assert_non_null(t.held);
    exchange_answer(t.held, 200, SLICE("text/plain"), SLICE("kept"));
    hear(&t, fd, text, sizeof(text));
    http_server_stats(t.http, &st);
    assert_int_equal(st.open, 0); /* and our side is still open */
    (void)close(fd);
    http_server_drain(t.http, dur_s(60), drained, &t);
    for (int i = 0; i < 4000 && !t.drained; i++)
        turn(t.loop[0]);
    assert_true(t.drained);
    bench_close(&t);
}

int
main(void)
{
    static char uring[] = "uring", epoll[] = "epoll";
    const struct CMUnitTest tests[] = {
        {"late loop (uring)", test_late_loop, NULL, NULL, uring},
        {"late loop (epoll)", test_late_loop, NULL, NULL, epoll},
        {"sends ahead (uring)", test_sends_ahead, NULL, NULL, uring},
        {"sends ahead (epoll)", test_sends_ahead, NULL, NULL, epoll},
        {"asks for the end (uring)", test_asks_for_the_end, NULL, NULL, uring},
        {"asks for the end (epoll)", test_asks_for_the_end, NULL, NULL, epoll},
    };

    return cmocka_run_group_tests_name("http drain", tests, NULL, NULL);
}
