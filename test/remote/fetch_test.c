/* fetch_test.c - the HTTP client against a server that says what it is told:
 * good answers and bad ones, silence, early refusals, full pools, strangers'
 * certificates. SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "io/free_port.h"
#include "remote_world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a server with a script ---- */

struct reply {
    const char *say; /* NULL: nothing */
    bool hang_up;    /* and then closes */
};

static struct {
    int listener;
    pthread_t thread;
    _Atomic(const struct reply *) reply; /* to the next heads */
    atomic_uint heads;                   /* requests seen */
} script;

static void
serve_one(int fd)
{
    const struct reply *reply;
    char b[4096] = "";
    size_t n = 0;
    ssize_t r;

    for (;;) {
        r = recv(fd, b + n, sizeof(b) - 1 - n, 0);
        if (r <= 0)
            break;
        n += (size_t)r;
        b[n] = 0;
        if (strstr(b, "\r\n\r\n") == NULL)
            continue;
        reply = atomic_load(&script.reply);
        atomic_fetch_add(&script.heads, 1);
        n = 0;
        if (reply->say)
            (void)!send(fd, reply->say, strlen(reply->say), MSG_NOSIGNAL);
        if (reply->hang_up)
            break;
    }
    (void)close(fd);
}

static void *
serve(void *arg)
{
    int fd;
    (void)arg;

    while ((fd = accept(script.listener, NULL, NULL)) != -1)
        serve_one(fd);
    return NULL;
}

static unsigned
server_start(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t n = sizeof(sa);

    script.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(script.listener, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(script.listener, 16), 0);
    assert_int_equal(getsockname(script.listener, (struct sockaddr *)&sa, &n),
                     0);
    assert_int_equal(pthread_create(&script.thread, NULL, serve, NULL), 0);
    return ntohs(sa.sin_port);
}

static void
server_stop(void)
{
    (void)shutdown(script.listener, SHUT_RDWR);
    pthread_join(script.thread, NULL);
    (void)close(script.listener);
}

/* ---- a client, turned by hand ---- */

static struct {
    struct blocks *blocks;
    struct workers *workers;
    struct ioloop *loop;
    struct fetch *fetch;
    struct fetch_peer *peer;
    struct timer tick;
} cl;

/* A turn waits for something to happen: what a task has done must not wait for
 * it. */
static void
tick(struct loop *l, struct timer *t)
{
    loop_timer(l, t, mono_add(l->now, dur_ms(5)));
}

static void
client_start(const char *kind, const struct fetch_http_conf *c, const char *url)
{
    struct fault f;

    assert_int_equal(blocks_open(&cl.blocks, 2 * MIB, &f), ERR_OK);
    assert_int_equal(workers_open(&cl.workers, 1, ioloop_work_finished, &f),
                     ERR_OK);
    assert_int_equal(ioloop_open(&cl.loop, kind, 0, cl.blocks, cl.workers, &f),
                     ERR_OK);
    cl.tick = (struct timer){.fire = tick};
    tick(&cl.loop->loop, &cl.tick);
    assert_int_equal(fetch_http_open(&cl.fetch, c, &cl.loop, 1, &f), ERR_OK);
    assert_int_equal(fetch_peer_open(cl.fetch, url, &cl.peer, &f), ERR_OK);
}

static void
client_finish(void)
{
    fetch_peer_close(&cl.peer);
    while (fetch_http_peers(cl.fetch))
        (void)ioloop_turn(cl.loop);
    assert_int_equal(fetch_http_connections(cl.fetch), 0);
    fetch_http_close(&cl.fetch);
    workers_close(&cl.workers);
    ioloop_close(&cl.loop);
    blocks_close(&cl.blocks);
}

struct get {
    struct fetch_request r;
    struct buf body;
    char mem[1000];
    enum err err;
    int status;
    bool ended;
    bool sent_failed;
};

static void
get_ended(struct fetch_request *r)
{
    ((struct get *)r->owner)->ended = true;
}

static void
get_got(struct fetch_request *r, int64_t n)
{
    struct get *g = r->owner;

    if (n > 0) {
        buf_add(&g->body, g->mem, (size_t)n);
        fetch_read(r, g->mem, sizeof(g->mem), false, get_got);
        return;
    }
    g->err = (enum err) - n;
    fetch_end(r, get_ended);
}

static void
get_answered(struct fetch_request *r)
{
    struct get *g = r->owner;

    g->err = r->err;
    if (r->err != ERR_OK) {
        fetch_end(r, get_ended);
        return;
    }
    g->status = r->resp->status;
    fetch_read(r, g->mem, sizeof(g->mem), false, get_got);
}

static void
get_begin(struct get *g, enum http_method method, uint64_t length)
{
    memset(g, 0, sizeof(*g));
    buf_init(&g->body, 64 * KIB);
    g->r = (struct fetch_request){.loop = &cl.loop->loop,
                                  .peer = cl.peer,
                                  .method = method,
                                  .target = SLICE("/x"),
                                  .length = length,
                                  .answered = get_answered,
                                  .owner = g};
    fetch_begin(&g->r);
}

static void
turn_until(bool *flag)
{
    while (!*flag)
        (void)ioloop_turn(cl.loop);
}

/* Deadlines that no machine meets by being slow. */
static struct fetch_http_conf
patient(void)
{
    struct fetch_http_conf c = fetch_http_defaults();

    c.first_byte_timeout = dur_s(60);
    c.progress_timeout = dur_s(60);
    c.connect_timeout = dur_s(60);
    return c;
}

/* ---- answers ---- */

#define LONG                                                     \
    "0123456789012345678901234567890123456789012345678901234567" \
    "890123456789012345678901234567890123456789"

static const struct {
    struct reply reply;
    enum err err;
    int status;
    const char *body;
    bool kept; /* the connection serves the next request */
    const char *why;
} rows[] = {
    {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
     ERR_OK,
     200,
     "hello",
     true,
     "the usual"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
     ERR_OK,
     200,
     "",
     true,
     "nothing"},
    {{"HTTP/1.1 204 No Content\r\n\r\n", false},
     ERR_OK,
     204,
     "",
     true,
     "no body by its status"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
      true},
     ERR_OK,
     200,
     "hello",
     false,
     "the last of its connection"},
    {{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
      "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
      false},
     ERR_OK,
     404,
     "no",
     true,
     "interim answers before it"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: t\r\n\r\n",
      false},
     ERR_OK,
     200,
     "hello",
     true,
     "chunks, as proxies make them"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhelXX", false},
     ERR_IO,
     200,
     "",
     false,
     "broken chunks"},
    {{"HTTP/1.1 200 OK\r\n\r\nhello", true},
     ERR_IO,
     200,
     "hello",
     false,
     "an end that cannot be trusted"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", true},
     ERR_IO,
     200,
     "hello",
     false,
     "cut short"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n",
      false},
     ERR_OK,
     200,
     "hello",
     false,
     "more than was asked for"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      false},
     ERR_IO,
     0,
     "",
     false,
     "two lengths"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
      "\r\n",
      false},
     ERR_IO,
     0,
     "",
     false,
     "a length and chunks"},
    {{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false},
     ERR_IO,
     0,
     "",
     false,
     "another protocol"},
    {{"SSH-2.0-OpenSSH_9.2\r\n\r\n", false},
     ERR_IO,
     0,
     "",
     false,
     "another server"},
    {{"", true}, ERR_IO, 0, "", false, "hung up"},
    {{NULL, false}, ERR_TIMEOUT, 0, "", false, "silence"},
    {{"HTTP/1.1 200 OK\r\nContent-Le", false},
     ERR_TIMEOUT,
     0,
     "",
     false,
     "half a head"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" LONG, false},
     ERR_TIMEOUT,
     200,
     LONG,
     false,
     "half a body"},
};

static void
expect_row(size_t i)
{
    struct get g;

    get_begin(&g, HTTP_GET, 0);
    turn_until(&g.ended);
    if (g.err != rows[i].err || g.status != rows[i].status ||
        strcmp(buf_str(&g.body), rows[i].body) != 0)
        fail_msg("%s: %s, %d, \"%s\"", rows[i].why, err_name(g.err), g.status,
                 buf_str(&g.body));
    if (fetch_http_connections(cl.fetch) != rows[i].kept)
        fail_msg("%s: %u connections", rows[i].why,
                 fetch_http_connections(cl.fetch));
    buf_release(&g.body);
}

/* Only what has to be waited for has a short deadline: on a busy machine the
 * rest may take its time. */
static struct fetch_http_conf
conf_of(size_t i)
{
    struct fetch_http_conf c = patient();

    if (rows[i].err == ERR_TIMEOUT && rows[i].status == 0)
        c.first_byte_timeout = dur_ms(150);
    else if (rows[i].err == ERR_TIMEOUT)
        c.progress_timeout = dur_ms(150);
    return c;
}

/* The server may be behind a client that has given up. */
static void
wait_heads(unsigned n)
{
    for (int ms = 0; ms < 20000 && atomic_load(&script.heads) < n; ms++)
        remote_sleep_ms(1);
    assert_int_equal(atomic_load(&script.heads), n);
}

static void
test_answers(void **state)
{
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/p", server_start());
    for (size_t i = 0; i < countof(rows); i++) {
        unsigned heads = atomic_load(&script.heads);
        struct fetch_http_conf c = conf_of(i);

        atomic_store(&script.reply, &rows[i].reply);
        client_start(*state, &c, url);
        expect_row(i);
        if (rows[i].kept)
            expect_row(i);
        wait_heads(heads + (rows[i].kept ? 2 : 1));
        client_finish();
    }
    server_stop();
}

/* ---- bodies ---- */

static char piece[200 * 1024];

static void
piece_sent(struct fetch_request *r, enum err e)
{
    struct get *g = r->owner;

    if (e != ERR_OK)
        g->sent_failed = true;
    else if (!g->ended)
        fetch_send(r, slice_of(piece, sizeof(piece)), SLICE_NULL, piece_sent);
}

/* A server that refuses in the middle of a body is heard. */
static void
test_early(void **state)
{
    static const struct reply full = {"HTTP/1.1 507 Insufficient Storage\r\n"
                                      "Content-Length: 4\r\n\r\nfull",
                                      true};
    struct fetch_http_conf c = patient();
    char url[64];
    struct get g;

    atomic_store(&script.reply, &full);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", server_start());
    client_start(*state, &c, url);
    get_begin(&g, HTTP_PUT, FETCH_CHUNKED);
    fetch_send(&g.r, slice_of(piece, 100), SLICE_NULL, piece_sent);
    turn_until(&g.ended);
    /* The reset may overtake the answer, but never pass for one. */
    if (g.err == ERR_OK)
        assert_int_equal(g.status, 507);
    else
        assert_int_equal(g.err, ERR_IO);
    buf_release(&g.body);
    client_finish();
    server_stop();
}

/* A full pool: one is served, one waits, one is told at once. */
static void
test_full(void **state)
{
    static const struct reply silence = {NULL, false};
    struct fetch_http_conf c = patient();
    struct get g[3];
    char url[64];

    c.connections_max = 1;
    c.waiting_max = 1;
    c.connect_timeout = dur_ms(500); /* for which the second one waits */
    atomic_store(&script.reply, &silence);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", server_start());
    client_start(*state, &c, url);
    for (int i = 0; i < 3; i++)
        get_begin(&g[i], HTTP_GET, 0);
    turn_until(&g[2].ended);
    assert_int_equal(g[2].err, ERR_AGAIN);
    turn_until(&g[1].ended);
    assert_int_equal(g[1].err, ERR_TIMEOUT); /* nothing of it was sent */
    assert_false(g[0].ended);
    fetch_end(&g[0].r, get_ended); /* given up in the middle */
    turn_until(&g[0].ended);
    client_finish();
    server_stop();
}

/* Nobody is there. */
static void
test_nobody(void **state)
{
    struct fetch_http_conf c = patient();
    struct get g;
    char url[64];

    snprintf(url, sizeof(url), "http://localhost:%u", free_port());
    client_start(*state, &c, url);
    get_begin(&g, HTTP_GET, 0);
    turn_until(&g.ended);
    assert_int_equal(g.err, ERR_IO);
    assert_string_equal(g.r.fault.op, "connect");
    client_finish();
}

static void
test_urls(void **state)
{
    static const struct {
        const char *url;
        enum err err;
        const char *why;
    } row[] = {
        {"http://h", ERR_OK, "the shortest"},
        {"http://h:8080/dc1/se-01/", ERR_OK, "a prefix"},
        {"http://[::1]:80/x", ERR_OK, "IPv6"},
        {"https://h", ERR_UNSUPPORTED, "this client has no TLS"},
        {"ftp://h", ERR_INVAL, "another scheme"},
        {"h:80", ERR_INVAL, "none"},
        {"http://", ERR_INVAL, "no host"},
        {"http://u@h/", ERR_INVAL, "a user"},
        {"http://h:0/", ERR_INVAL, "no port"},
        {"http://h:99999/", ERR_INVAL, "too large a port"},
        {"http://h/a b", ERR_INVAL, "a blank"},
        {"http://h/a?b", ERR_INVAL, "a query"},
        {"http://h/a\r\nX: y", ERR_INVAL, "a smuggled line"},
    };
    struct fetch_http_conf c = patient();
    struct fetch_peer *p;
    struct fault f;

    client_start(*state, &c, "http://h");
    for (size_t i = 0; i < countof(row); i++) {
        if (fetch_peer_open(cl.fetch, row[i].url, &p, &f) != row[i].err)
            fail_msg("%s", row[i].why);
        fetch_peer_close(&p);
    }
    client_finish();
}

/* A certificate that nobody vouches for, and one of another name. */
static void
test_stranger(void **state)
{
    struct remote_conf conf = {.loop = *state, .tls = true};
    struct fetch_http_conf c = patient();
    char other[320], key[320], url[64];
    struct remote_world *w;
    struct fault f;
    struct get g;

    snprintf(other, sizeof(other), "%s/other.pem", remote_base());
    snprintf(key, sizeof(key), "%s/other.key", remote_base());
    remote_cert(other, key, "localhost");
    w = remote_world_open(&conf);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(tls_client_open(&c.tls,
                                         round ? remote_world_cert(w) : other,
                                         false, &f),
                         ERR_OK);
        snprintf(url, sizeof(url), "https://%s:%u",
                 round ? "127.0.0.1" : "localhost", remote_world_port(w));
        client_start(*state, &c, url);
        get_begin(&g, HTTP_GET, 0);
        turn_until(&g.ended);
        assert_int_equal(g.err, ERR_IO);
        assert_non_null(
            strstr(g.r.fault.what, round ? "mismatch" : "certificate"));
        if (round == 0) /* what to do about the other, its caller knows */
            assert_non_null(strstr(g.r.fault.hint, "STORAGE_ELEMENT_CA_FILE"));
        client_finish();
        tls_client_close(&c.tls);
    }
    remote_world_close(&w);
}

int
main(void)
{
    char uring[] = "uring", epoll[] = "epoll";
#define T(f) \
    cmocka_unit_test_prestate(f, uring), cmocka_unit_test_prestate(f, epoll)
    const struct CMUnitTest tests[] = {
        T(test_answers), T(test_early), T(test_full),
        T(test_nobody),  T(test_urls),  T(test_stranger),
    };
    int failed;

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    remote_base_make();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remote_base_remove();
    return failed;
}
