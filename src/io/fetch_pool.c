/* fetch_pool.c - peers and their pools; and the order in which a request is
 * told what became of it. SPDX-License-Identifier: Apache-2.0 */
#include "io/fetch_impl.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetch_http_conf
fetch_http_defaults(void)
{
    return (struct fetch_http_conf){
        .connections_max = 32,
        .waiting_max = 1024,
        .connect_timeout = dur_s(3),
        .first_byte_timeout = dur_s(60),
        .progress_timeout = dur_s(30),
        .idle_timeout = dur_s(15),
        .user_agent = "artstore",
    };
}

static struct fetch_io *
io_of(struct fetch *f)
{
    return container_of(f, struct fetch_io, fetch);
}

static struct peer_io *
peer_of(struct fetch_peer *p)
{
    return container_of(p, struct peer_io, peer);
}

struct fetch_pool *
pool_of(struct fetch_request *r)
{
    return &peer_of(r->peer)->pool[r->loop->id];
}

/* ---- telling a request ---- */

static void
deliver(struct loop *l, struct task *t)
{
    struct fetch_request *r = container_of(t, struct fetch_request, x.task);
    struct fetch_private *x = &r->x;

    (void)l;
    x->posted = false;
    if (x->due_ended) {
        x->ended(r);
        return;
    }
    if (x->due_answered && !x->ending) {
        x->due_answered = false;
        r->answered(r);
    }
    if (x->due_sent && !x->ending) {
        fetch_sent_fn *sent = x->sent;

        x->due_sent = false;
        x->sent = NULL;
        sent(r, x->sent_err);
    }
    if (x->due_got && !x->ending) {
        fetch_got_fn *got = x->got;

        x->due_got = false;
        x->got = NULL;
        got(r, x->res);
    }
}

void
fr_post(struct fetch_request *r)
{
    if (r->x.posted)
        return;
    r->x.posted = true;
    r->x.task.run = deliver;
    loop_post(r->loop, &r->x.task);
}

void
fr_answered(struct fetch_request *r)
{
    assert(!r->x.is_answered);
    r->x.is_answered = r->x.due_answered = true;
    fr_post(r);
}

void
fr_sent(struct fetch_request *r, enum err e)
{
    assert(r->x.sent && !r->x.due_sent);
    r->x.sent_err = e;
    r->x.send_failed |= e != ERR_OK;
    r->x.due_sent = true;
    fr_post(r);
}

void
fr_got(struct fetch_request *r, int64_t n)
{
    assert(r->x.got && !r->x.due_got);
    r->x.res = n;
    r->x.due_got = true;
    fr_post(r);
}

/* Whatever is still to be told is that it failed. */
void
fr_fail(struct fetch_request *r, const struct fault *f)
{
    r->x.conn = NULL;
    r->x.send_failed = true;
    if (!r->x.is_answered) {
        r->err = f->code;
        r->fault = *f;
        fr_answered(r);
    }
    if (r->x.sent && !r->x.due_sent)
        fr_sent(r, f->code);
    if (r->x.got && !r->x.due_got)
        fr_got(r, -(int64_t)f->code);
}

void
fr_ended(struct fetch_request *r)
{
    r->x.conn = NULL;
    r->x.due_ended = true;
    fr_post(r);
}

/* ---- pools ---- */

static void
waiting_leave(struct fetch_request *r)
{
    list_remove(&r->x.item);
    r->x.waiting = false;
    pool_of(r)->n_waiting--;
    loop_timer_stop(r->loop, &r->x.timer);
}

/* A connection for whoever waits longest, as far as there are any. */
static void
pool_turn(struct fetch_pool *p)
{
    while (!list_empty(&p->waiting)) {
        struct fetch_request *r =
            container_of(p->waiting.next, struct fetch_request, x.item);
        struct fetch_conn *c = NULL;

        if (!list_empty(&p->idle))
            c = container_of(list_pop(&p->idle), struct fetch_conn, item);
        else if (p->n_conns < p->peer->io->conf.connections_max)
            c = fc_new(p);
        if (c == NULL)
            return;
        waiting_leave(r);
        fc_take(c, r);
    }
}

static void
pool_gone(struct fetch_pool *p)
{
    struct peer_io *peer = p->peer;

    if (!p->closed || p->n_conns)
        return;
    p->closed = false; /* told once */
    if (atomic_fetch_sub(&peer->pools, 1) == 1) {
        atomic_fetch_sub(&peer->io->n_peers, 1);
        free(peer);
    }
}

void
pool_conn_free(struct fetch_conn *c)
{
    struct fetch_pool *p = c->pool;

    p->n_conns--;
    atomic_fetch_sub(&p->peer->io->n_conns, 1);
    free(c);
    pool_turn(p);
    pool_gone(p);
}

void
pool_conn_idle(struct fetch_conn *c)
{
    struct fetch_pool *p = c->pool;

    list_push_front(&p->idle, &c->item);
    pool_turn(p);
}

static void
pool_close(struct loop *l, struct task *t)
{
    struct fetch_pool *p = container_of(t, struct fetch_pool, close_task);

    (void)l;
    assert(list_empty(&p->waiting));
    p->closed = true;
    p->n_conns++; /* so that it does not go away meanwhile */
    while (!list_empty(&p->idle))
        fc_bye(container_of(list_pop(&p->idle), struct fetch_conn, item));
    p->n_conns--;
    pool_gone(p);
}

/* ---- the port ---- */

static bool
parse_port(struct slice s, char out[8])
{
    uint64_t v;

    return slice_u64(s, &v) && v > 0 && v < 65536 && slice_copy(s, out, 8);
}

/* HOST[:PORT], where HOST may be [V6]. */
static bool
parse_authority(struct peer_io *p, struct slice a)
{
    struct slice host = a, port = p->tls ? SLICE("443") : SLICE("80");
    size_t end = 0;

    if (!http_is_host(a) || !slice_copy(a, p->authority, sizeof(p->authority)))
        return false;
    if (a.p[0] == '[') {
        end = slice_find(a, ']');
        host = slice_of(a.p + 1, end - 1);
        end++;
    } else {
        end = slice_find(a, ':');
        host = slice_head(a, end);
    }
    if (end < a.n)
        port = slice_skip(a, end + 1);
    return host.n && slice_copy(host, p->host, sizeof(p->host)) &&
           parse_port(port, p->port);
}

static bool
parse_url(struct peer_io *p, const char *url)
{
    struct slice s = slice_str(url), prefix;
    size_t slash;

    p->tls = slice_starts(s, SLICE("https://"));
    if (!p->tls && !slice_starts(s, SLICE("http://")))
        return false;
    s = slice_skip(s, p->tls ? 8 : 7);
    slash = slice_find(s, '/');
    prefix = slice_skip(s, slash);
    while (prefix.n && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    for (size_t i = 0; i < prefix.n; i++)
        if (prefix.p[i] <= ' ' || prefix.p[i] >= 0x7f ||
            strchr("?#\\\"", prefix.p[i]))
            return false;
    return slice_copy(prefix, p->prefix, sizeof(p->prefix)) &&
           parse_authority(p, slice_head(s, slash));
}

static void
parse_literal(struct peer_io *p)
{
    struct sockaddr_in *v4 = (void *)&p->literal;
    struct sockaddr_in6 *v6 = (void *)&p->literal;
    uint16_t port = htons((uint16_t)atoi(p->port));

    if (inet_pton(AF_INET, p->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        p->literal_len = sizeof(*v4);
    } else if (inet_pton(AF_INET6, p->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        p->literal_len = sizeof(*v6);
    }
}

static enum err
op_open(struct fetch *f, const char *url, struct fetch_peer **out,
        struct fault *fault)
{
    struct fetch_io *io = io_of(f);
    struct peer_io *p =
        calloc(1, sizeof(*p) + io->n_loops * sizeof(p->pool[0]));

    *out = NULL;
    if (p == NULL)
        return fault_set(fault, ERR_NOMEM, "allocate", "peer");
    if (strlen(url) >= sizeof(p->peer.url) || !parse_url(p, url)) {
        free(p);
        return fault_set(fault, ERR_INVAL, "endpoint",
                         "not http(s)://host[:port][/prefix]");
    }
    if (p->tls && io->conf.tls == NULL) {
        free(p);
        return fault_set(fault, ERR_UNSUPPORTED, "endpoint",
                         "https, and there is no TLS client here");
    }
    parse_literal(p);
    p->io = io;
    p->peer.fetch = f;
    snprintf(p->peer.url, sizeof(p->peer.url), "%s", url);
    for (unsigned i = 0; i < io->n_loops; i++) {
        struct fetch_pool *pool = &p->pool[i];

        pool->peer = p;
        pool->l = io->loops[i];
        pool->close_task.run = pool_close;
        list_init(&pool->idle);
        list_init(&pool->waiting);
    }
    atomic_init(&p->pools, io->n_loops);
    atomic_fetch_add(&io->n_peers, 1);
    *out = &p->peer;
    return ERR_OK;
}

static void
op_close(struct fetch_peer *fp)
{
    struct peer_io *p = peer_of(fp);
    unsigned n = p->io->n_loops;

    for (unsigned i = 0; i < n; i++)
        loop_post(&p->pool[i].l->loop, &p->pool[i].close_task);
}

static void
wait_over(struct loop *l, struct timer *t)
{
    struct fetch_request *r = container_of(t, struct fetch_request, x.timer);
    struct fault f;

    (void)l;
    waiting_leave(r);
    fault_set(&f, ERR_TIMEOUT, "wait for a connection", r->peer->url);
    fr_fail(r, &f);
}

static void
op_begin(struct fetch_request *r)
{
    struct fetch_pool *p = pool_of(r);
    const struct fetch_http_conf *k = &p->peer->io->conf;
    struct fault f;

    r->x = (struct fetch_private){.begun = true, .left = r->length};
    r->err = ERR_OK;
    r->resp = NULL;
    list_init(&r->x.item);
    if (p->n_waiting >= k->waiting_max) {
        fault_set(&f, ERR_AGAIN, "too many requests wait", r->peer->url);
        fr_fail(r, &f);
        return;
    }
    list_push(&p->waiting, &r->x.item);
    r->x.waiting = true;
    p->n_waiting++;
    pool_turn(p);
    if (r->x.waiting) {
        r->x.timer.fire = wait_over;
        loop_timer(r->loop, &r->x.timer,
                   mono_add(r->loop->now, k->connect_timeout));
    }
}

static void
op_send(struct fetch_request *r, struct slice a, struct slice b,
        fetch_sent_fn *sent)
{
    struct fetch_private *x = &r->x;

    assert(x->begun && !x->ending && x->sent == NULL);
    assert(r->length == FETCH_CHUNKED || a.n + b.n <= x->left);
    x->sent = sent;
    x->piece[0] = a;
    x->piece[1] = b;
    if (x->send_failed)
        fr_sent(r, ERR_IO);
    else if (x->conn)
        fc_send(x->conn);
}

static void
op_read(struct fetch_request *r, void *p, size_t n, bool fill,
        fetch_got_fn *got)
{
    struct fetch_private *x = &r->x;

    assert(x->is_answered && r->err == ERR_OK && !x->ending && !x->got);
    assert(n);
    x->got = got;
    x->p = p;
    x->n = n;
    x->fill = fill;
    if (x->conn)
        fc_body_read(x->conn);
    else
        fr_got(r, -(int64_t)ERR_IO);
}

static void
op_end(struct fetch_request *r, fetch_fn *ended)
{
    assert(r->x.begun && !r->x.ending);
    r->x.ending = true;
    r->x.ended = ended;
    if (r->x.waiting)
        waiting_leave(r);
    if (r->x.conn)
        fc_end(r->x.conn);
    else
        fr_ended(r);
}

static const struct fetch_ops ops = {
    .open = op_open,
    .close = op_close,
    .begin = op_begin,
    .send = op_send,
    .read = op_read,
    .end = op_end,
};

enum err
fetch_http_open(struct fetch **out, const struct fetch_http_conf *c,
                struct ioloop **loops, unsigned n_loops, struct fault *f)
{
    struct fetch_io *io = calloc(1, sizeof(*io));

    assert(n_loops <= FETCH_LOOPS_MAX && c->connections_max > 0);
    *out = NULL;
    if (io == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "http client");
    io->fetch.ops = &ops;
    io->conf = *c;
    io->loops = loops;
    io->n_loops = n_loops;
    *out = &io->fetch;
    return ERR_OK;
}

unsigned
fetch_http_connections(struct fetch *f)
{
    return atomic_load(&io_of(f)->n_conns);
}

unsigned
fetch_http_peers(struct fetch *f)
{
    return atomic_load(&io_of(f)->n_peers);
}

void
fetch_http_close(struct fetch **f)
{
    if (*f == NULL)
        return;
    assert(fetch_http_peers(*f) == 0);
    free(io_of(*f));
    *f = NULL;
}
