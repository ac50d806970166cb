/* http_conn.c - the life of a connection. States are in http_impl.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void conn_idle(struct conn *c);
static void conn_parse(struct conn *c);
static void idle_arrived(struct ioloop *l, struct net_op *op, int res);
static void head_arrived(struct ioloop *l, struct net_op *op, int res);

/* ---- birth and death ---- */

/* The address at the other end; IPv4 as ::ffff:a.b.c.d. */
static void
peer_address(int fd, uint8_t addr[16])
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);

    memset(addr, 0, 16);
    memset(&sa, 0, sizeof(sa));
    if (getpeername(fd, (struct sockaddr *)&sa, &n) != 0)
        return;
    if (sa.ss_family == AF_INET6) {
        memcpy(addr, &((struct sockaddr_in6 *)&sa)->sin6_addr, 16);
    } else {
        addr[10] = addr[11] = 0xff;
        memcpy(addr + 12, &((struct sockaddr_in *)&sa)->sin_addr, 4);
    }
}

static bool
is_ipv4(const uint8_t addr[16])
{
    return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)addr);
}

static const char *
peer_text(const struct conn *c, char out[INET6_ADDRSTRLEN])
{
    if (is_ipv4(c->addr))
        return inet_ntop(AF_INET, c->addr + 12, out, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, c->addr, out, INET6_ADDRSTRLEN);
}

static void
peer_sockaddr(const struct conn *c, struct sockaddr_in6 *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;

    memset(out, 0, sizeof(*out));
    if (is_ipv4(c->addr)) {
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, c->addr + 12, 4);
    } else {
        out->sin6_family = AF_INET6;
        memcpy(&out->sin6_addr, c->addr, 16);
    }
}

/* Counts one more connection of the address; NULL when it has enough. Of IPv6 a
 * network of 64 bits is one address: whoever has one has all of them. */
static struct peer *
peer_enter(struct http_server *s, const uint8_t addr[16])
{
    size_t n = is_ipv4(addr) ? 16 : 8;
    uint8_t key[16] = {0};
    uint64_t h = map_hash(s->peers.seed, memcpy(key, addr, n), 16);
    struct map_item *it;
    struct peer *p = NULL;

    pthread_mutex_lock(&s->mu);
    for (it = map_first(&s->peers, h); it; it = map_next(it))
        if (memcmp(container_of(it, struct peer, item)->addr, key, 16) == 0)
            break;
    if (it)
        p = container_of(it, struct peer, item);
    else if ((p = calloc(1, sizeof(*p))) != NULL) {
        memcpy(p->addr, key, 16);
        map_add(&s->peers, &p->item, h);
    }
    if (p && p->n < s->conf.connections_per_address)
        p->n++;
    else
        p = NULL;
    pthread_mutex_unlock(&s->mu);
    return p;
}

static void
peer_leave(struct http_server *s, struct peer *p)
{
    pthread_mutex_lock(&s->mu);
    if (--p->n == 0) {
        map_remove(&s->peers, &p->item);
        free(p);
    }
    pthread_mutex_unlock(&s->mu);
}

/* A client over a limit learns why, in one try without waiting; over TLS only
 * that it may not come in. */
static void
turn_away(const struct http_loop *hl, int fd)
{
    static const char body[] =
        "{\"error\":\"too_many_connections\","
        "\"message\":\"The server has no connection to spare\"}\n";
    char answer[400];
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                     "Content-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     sizeof(body) - 1, body);

    if (hl->s->conf.tls == NULL)
        (void)!send(fd, answer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)close(fd);
}

static bool
conn_admit(struct http_server *s, const uint8_t addr[16], struct peer **peer)
{
    uint64_t open = atomic_fetch_add(&s->open, 1);

    atomic_fetch_add_explicit(&s->accepted, 1, memory_order_relaxed);
    if (open >= s->conf.connections_max) {
        atomic_fetch_add(&s->refused_total, 1);
    } else if ((*peer = peer_enter(s, addr)) == NULL) {
        atomic_fetch_add(&s->refused_per_address, 1);
    } else {
        return true;
    }
    atomic_fetch_sub(&s->open, 1);
    return false;
}

static void
listener_gone(struct http_loop *hl, struct net_listener *ln)
{
    (void)close(ln->fd);
    ln->fd = -1;
    atomic_fetch_sub(&hl->s->listening, 1);
    http_server_check(hl->s);
}

/* Nobody was accepted: FD is why. */
static void
not_accepted(struct http_loop *hl, struct net_listener *ln, int fd)
{
    struct http_observer *o = hl->s->observer;

    if (ln->closing)
        listener_gone(hl, ln);
    else if (o && o->accept_failed)
        o->accept_failed(o, &hl->l->loop, -fd);
}

static struct http_loop *
loop_of(struct http_server *s, struct ioloop *l)
{
    return &s->loop[l->loop.id];
}

void
conn_accepted(struct ioloop *l, struct net_listener *ln, int fd)
{
    struct http_loop *hl = ln->owner;
    struct peer *peer = NULL;
    struct conn *c = NULL;
    uint8_t addr[16];
    int one = 1;

    if (fd < 0) {
        not_accepted(hl, ln, fd);
        return;
    }
    peer_address(fd, addr);
    if (!conn_admit(hl->s, addr, &peer)) {
        turn_away(hl, fd);
        return;
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        peer_leave(hl->s, peer);
        atomic_fetch_sub(&hl->s->open, 1);
        turn_away(hl, fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->hl = hl;
    c->fd = fd;
    c->peer = peer;
    memcpy(c->addr, addr, 16);
    c->timer.fire = conn_fire;
    c->deadline = MONO_NEVER;
    list_push(&hl->conns, &c->item);
    (void)l;
    if (hl->cut || (hl->s->conf.tls && !tls_start(c)))
        conn_close(c);
    else if (hl->s->conf.tls == NULL)
        conn_idle(c);
}

static void
conn_free(struct conn *c)
{
    struct http_loop *hl = c->hl;

    assert(!c->in_busy && !c->out_busy);
    if (c->tls) {
        /* An answer that was cut must not look like a whole one. */
        if (c->x == NULL || !c->x->broken)
            tls_bye(c);
        tls_free(c);
    }
    if (c->x)
        exim_put(c->x);
    loop_timer_stop(&hl->l->loop, &c->timer);
    hl->l->net->forget(hl->l, c->fd);
    (void)close(c->fd);
    list_remove(&c->item);
    peer_leave(hl->s, c->peer);
    atomic_fetch_sub(&hl->s->open, 1);
    free(c);
    http_server_check(hl->s);
}

/* Cuts the connection. A role that still has the exchange learns it from its
 * next read or send and ends the exchange; only then the connection goes. */
void
conn_close(struct conn *c)
{
    if (c->x && c->state == CONN_ROLE) {
        c->x->broken = true;
        c->x->keep = false;
    } else {
        c->state = CONN_CLOSING;
    }
    if (c->in_busy)
        conn_cancel_in(c);
    if (c->out_busy || (c->tls && tls_busy(c)))
        conn_cancel_out(c);
    conn_finish_check(c);
}

/* ---- idle and head ---- */

static void
conn_idle(struct conn *c)
{
    const struct http_conf *k = &c->hl->s->conf;

    if (c->hl->draining && c->used) {
        c->state = CONN_CLOSING;
        conn_finish_check(c);
        return;
    }
    c->state = CONN_IDLE;
    c->scan = (struct http_scan){0};
    conn_deadline(c, c->used ? k->idle_timeout : k->head_timeout);
    conn_recv_pool(c, idle_arrived);
}

void
conn_ready(struct conn *c)
{
    conn_idle(c);
}

void
conn_tls_failed(struct conn *c, const char *why)
{
    struct http_observer *o = c->hl->s->observer;
    char client[INET6_ADDRSTRLEN];

    atomic_fetch_add_explicit(&c->hl->s->tls_failed, 1, memory_order_relaxed);
    if (o && o->tls_failed)
        o->tls_failed(o, &c->hl->l->loop, peer_text(c, client), why);
}

/* A browser that was sent to http:// instead of https:// learns why. */
void
conn_plain(struct conn *c, uint8_t first)
{
    struct exim *x;

    conn_tls_failed(c, "no TLS handshake");
    x = http_is_token(slice_of(&first, 1)) ? exim_get(c) : NULL;
    if (x == NULL) {
        conn_close(c);
        return;
    }
    http_head_forget(&x->head);
    conn_refuse(c, 400, "plain_on_tls_port",
                "This port speaks HTTPS, and this is plain HTTP");
}

static void
idle_arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct conn *c = conn_of_in(op);
    struct exim *x;

    (void)l;
    c->in_busy = false;
    if (c->state == CONN_CLOSING || res <= 0) {
        c->state = CONN_CLOSING;
        conn_finish_check(c);
        return;
    }
    x = exim_get(c);
    if (x == NULL) {
        conn_close(c);
        return;
    }
    assert((size_t)res <= INBUF_SIZE);
    memcpy(x->inbuf, op->p, (size_t)res);
    x->in_n = (size_t)res;
    c->state = CONN_HEAD;
    conn_deadline(c, c->hl->s->conf.head_timeout);
    conn_parse(c);
}

static void
head_arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct conn *c = conn_of_in(op);

    (void)l;
    c->in_busy = false;
    if (c->state == CONN_CLOSING) {
        conn_finish_check(c);
    } else if (c->timed_out) {
        http_head_forget(&c->x->head); /* that of another request */
        conn_refuse(c, 408, "request_timeout",
                    "The request head did not arrive in time");
    } else if (res <= 0) {
        conn_close(c);
    } else {
        c->x->in_n += (size_t)res;
        conn_parse(c);
    }
}

static void
text_hex(char *out, uint64_t v)
{
    static const char digit[] = "0123456789abcdef";

    for (int i = 0; i < 16; i++)
        out[i] = digit[v >> (60 - 4 * i) & 15];
    out[16] = '\0';
}

/* Everything that a role may read in x->x. Identifiers come from outside only
 * when they are of the expected form. */
static void
exchange_fill(struct exim *x)
{
    struct conn *c = x->c;
    struct http_loop *hl = c->hl;
    struct sockaddr_in6 sa;

    x->x.ops = &exchange_ops;
    x->x.loop = &hl->l->loop;
    x->x.head = &x->head;
    x->x.tls = c->tls != NULL;
    x->x.began = hl->l->loop.now;
    x->x.route = NULL;
    x->x.error = NULL;
    x->x.user[0] = '\0';
    x->x.role = NULL;
    x->x.peer = c;
    text_hex(x->x.request_id, prng_next(&hl->rnd));
    text_hex(x->x.trace_id, prng_next(&hl->rnd));
    text_hex(x->x.trace_id + 16, prng_next(&hl->rnd));
    text_hex(x->x.span_id, prng_next(&hl->rnd));
    (void)peer_text(c, x->x.client);
    if (hl->s->conf.client) {
        peer_sockaddr(c, &sa);
        hl->s->conf.client(hl->s->conf.client_arg, &x->x,
                           (const struct sockaddr *)&sa);
    }
}

static void
exim_begin(struct exim *x)
{
    struct conn *c = x->c;

    c->state = CONN_ROLE;
    c->used = true;
    c->timed_out = false;
    c->deadline = MONO_NEVER;
    x->in_pos += x->head.len;
    buf_clear(&x->head_out);
    buf_clear(&x->extra);
    x->pull.busy = false;
    x->pull_due = x->sent_due = false;
    x->sent = NULL;
    x->body_out = x->promised = 0;
    x->status = 0;
    x->refusal = NULL;
    x->piece.fd = -1;
    x->piece.n = 0;
    x->continue_busy = x->started = x->head_left = x->ended = x->broken = false;
    x->send_due = false;
    x->keep = x->head.keep_alive && !c->hl->draining;
    body_init(x);
    exchange_fill(x);
    c->hl->s->app->begin(c->hl->s->app, &x->x);
}

static void
conn_parse(struct conn *c)
{
    struct exim *x = c->x;
    const struct http_limits *lim = &c->hl->s->conf.limits;

    switch (http_head_parse(&x->head, &c->scan, lim,
                            (const char *)x->inbuf + x->in_pos,
                            x->in_n - x->in_pos)) {
    case HTTP_OK:
        exim_begin(x);
        break;
    case HTTP_REFUSED:
        conn_refuse(c, http_refusal_status(x->head.refusal),
                    http_refusal_code(x->head.refusal),
                    http_refusal_text(x->head.refusal));
        break;
    case HTTP_MORE:
        if (x->in_pos) {
            memmove(x->inbuf, x->inbuf + x->in_pos, x->in_n - x->in_pos);
            x->in_n -= x->in_pos;
            x->in_pos = 0;
        }
        assert(x->in_n < INBUF_SIZE); /* head_max is not larger */
        conn_recv(c, x->inbuf + x->in_n, INBUF_SIZE - x->in_n, false,
                  head_arrived);
    }
}

/* An answer of the server itself, before any role has the exchange. */
void
conn_refuse(struct conn *c, int status, const char *code, const char *text)
{
    struct exim *x = c->x;
    struct http_refused_head {
        struct slice method, target;
    } seen = {x->head.method_name, x->head.target};
    enum problem_form form =
        problem_form_for(http_head_value(&x->head, SLICE("Accept")));

    http_head_forget(&x->head);
    x->head.method_name = seen.method;
    x->head.target = seen.target;
    x->head.method = HTTP_OTHER;
    x->head.content_length = -1;
    c->state = CONN_ROLE;
    c->used = true;
    c->timed_out = false;
    c->deadline = MONO_NEVER;
    buf_clear(&x->head_out);
    buf_clear(&x->extra);
    x->pull.busy = false;
    x->pull_due = x->sent_due = false;
    x->body_in = x->body_out = x->promised = x->left = 0;
    x->continue_due = x->continue_busy = x->started = x->head_left = false;
    x->ended = x->broken = x->send_due = x->is_chunked = false;
    x->peeked = false;
    x->body_done = false; /* nobody knows where the next request begins */
    x->keep = false;
    x->piece.fd = -1;
    x->piece.n = 0;
    exchange_fill(x);
    x->refusal = code;
    answer_error(x, form, status, code, text);
}

/* ---- the end of an exchange ---- */

static void
exim_report(struct exim *x)
{
    struct http_loop *hl = x->c->hl;
    struct http_record r = {
        .x = &x->x,
        .refusal = x->refusal,
        .method = x->head.method_name,
        .target = x->head.target,
        .client = x->x.client,
        .status = x->status,
        /* What was looked at where it lay counts as if it had been read. */
        .bytes_in = x->body_in + (x->peeked ? x->left : 0),
        .bytes_out = x->body_out,
        .took = mono_sub(hl->l->loop.now, x->x.began),
        .broken = x->broken,
    };

    if (hl->s->observer)
        hl->s->observer->finished(hl->s->observer, &hl->l->loop, &r);
}

static void linger_arrived(struct ioloop *l, struct net_op *op, int res);

static void
linger_more(struct conn *c)
{
    conn_deadline_by(c, c->hl->s->conf.linger_silence, c->linger_by);
    conn_recv_pool(c, linger_arrived);
}

/* Whoever looks for an answer only when all is sent needs all of it read, and
 * whoever looks earlier still has as much under way as two socket buffers hold.
 * It costs no more memory than a client between two requests. */
static void
conn_linger(struct conn *c)
{
    const struct http_conf *k = &c->hl->s->conf;

    c->state = CONN_LINGER;
    exim_put(c->x);
    if (c->tls)
        tls_bye(c);
    (void)shutdown(c->fd, SHUT_WR);
    c->linger_by = mono_add(c->hl->l->loop.now, k->linger_timeout);
    c->linger_left = k->linger_max;
    conn_lowat(c, false);
    linger_more(c);
}

static void
linger_arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct conn *c = conn_of_in(op);

    (void)l;
    c->in_busy = false;
    if (c->state != CONN_LINGER || res <= 0 || c->linger_left < (uint64_t)res) {
        c->state = CONN_CLOSING;
        conn_finish_check(c);
        return;
    }
    c->linger_left -= (uint64_t)res;
    linger_more(c);
}

/* A peer that did not ask for the end may have sent more, and closing on bytes
 * that nobody read resets the answer before it (RFC 9112 section 9.6). */
static bool
may_send_more(const struct exim *x)
{
    return !x->body_done || x->head.keep_alive;
}

/* The answer has left: the next request, or the end. */
static void
exim_finished(struct exim *x)
{
    struct conn *c = x->c;

    exim_report(x);
    c->timed_out = false;
    if (x->broken) {
        c->state = CONN_CLOSING;
        conn_free(c);
    } else if (!x->keep) {
        if (may_send_more(x)) {
            conn_linger(c);
        } else {
            c->state = CONN_CLOSING;
            conn_free(c);
        }
    } else if (!x->body_done) {
        c->state = CONN_DRAIN;
        conn_deadline(c, c->hl->s->conf.body_timeout);
        body_drain(c);
    } else {
        conn_next(c);
    }
}

void
conn_next(struct conn *c)
{
    struct exim *x = c->x;

    c->scan = (struct http_scan){0};
    if (x->in_pos == x->in_n) {
        exim_put(x);
        conn_idle(c);
        return;
    }
    /* Pipelined: the bytes of the next request are here already. */
    memmove(x->inbuf, x->inbuf + x->in_pos, x->in_n - x->in_pos);
    x->in_n -= x->in_pos;
    x->in_pos = 0;
    c->state = CONN_HEAD;
    conn_deadline(c, c->hl->s->conf.head_timeout);
    conn_parse(c);
}

void
conn_finish_check(struct conn *c)
{
    struct exim *x = c->x;

    if (c->in_busy || c->out_busy || (c->tls && tls_busy(c)))
        return;
    if (c->state == CONN_CLOSING) {
        conn_free(c);
    } else if (c->state == CONN_ROLE && x->ended && !x->send_due) {
        c->state = CONN_FINISH;
        exim_finished(x);
    }
}

/* The server drains: idle connections go, others answer with close. */
void
conn_drain_start(struct conn *c)
{
    if (c->state == CONN_IDLE || c->state == CONN_DRAIN ||
        c->state == CONN_LINGER || c->state == CONN_HANDSHAKE)
        conn_close(c);
    else if (c->x)
        c->x->keep = false;
}

/* ---- moving to another loop ---- */

static void
move_arrived(struct loop *l, struct task *t)
{
    struct exim *x = container_of(t, struct exim, move);
    struct conn *c = x->c;

    (void)l;
    c->hl = x->to;
    c->state = CONN_ROLE;
    list_push(&c->hl->conns, &c->item);
    x->x.loop = &c->hl->l->loop;
    if (c->hl->draining)
        x->keep = false;
    if (c->hl->cut) /* sent off by a loop that did not drain yet */
        x->broken = true;
    x->arrived(&x->x);
}

bool
conn_move(struct exchange *ex, struct loop *to,
          void (*arrived)(struct exchange *x))
{
    struct exim *x = exim_of(ex);
    struct conn *c = x->c;
    struct http_loop *hl = c->hl;

    if (c->in_busy || c->out_busy || x->started || x->pull.busy ||
        (c->tls && tls_busy(c)) || hl->draining ||
        hl->s->loop[to->id].l != ioloop_of(to))
        return false;
    if (to == ex->loop)
        return false;
    loop_timer_stop(&hl->l->loop, &c->timer);
    hl->l->net->forget(hl->l, c->fd);
    list_remove(&c->item);
    list_remove(&x->defer);
    c->state = CONN_MOVING;
    x->to = loop_of(hl->s, ioloop_of(to));
    x->arrived = arrived;
    x->move.run = move_arrived;
    loop_post(to, &x->move);
    return true;
}
