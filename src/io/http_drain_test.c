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
    bool drained;
};

static void
begin(struct serve_app *app, struct exchange *x)
{
    (void)app;
    exchange_answer(x, 200, SLICE("text/plain"), SLICE("none"));
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
        .linger_timeout = dur_s(60),
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

int
main(void)
{
    static char uring[] = "uring", epoll[] = "epoll";
    const struct CMUnitTest tests[] = {
        {"late loop (uring)", test_late_loop, NULL, NULL, uring},
        {"late loop (epoll)", test_late_loop, NULL, NULL, epoll},
    };

    return cmocka_run_group_tests_name("http drain", tests, NULL, NULL);
}
