/* fetch_conn.c - one connection of the HTTP client, from its birth over the
 * head of an answer to its end.
 *
 *     RESOLVE -> (HELLO) -> BUSY <-> IDLE
 *         \________\_________\_______\____ DEAD, until nothing is in flight
 *
 * A connection is made for a request and has it from the first moment. After
 * its head has left there is always a receive in flight until the answer's head
 * is there, so that an early answer, or the end of the peer, is seen while the
 * body is still being sent. A failed send does not end the request at once: a
 * server that refuses a body answers and closes, and the answer may be on its
 * way. SPDX-License-Identifier: Apache-2.0 */
#include "io/fetch_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERIM_MAX 8 /* answers with 1xx before the final one */

static const struct http_limits answer_limits = {FETCH_HEAD_MAX, 256,
                                                 HTTP_FIELDS_MAX};

/* ---- the end ---- */

void
fc_check(struct fetch_conn *c)
{
    struct fetch_request *r = c->r;

    if (c->phase != FC_DEAD || c->resolving || c->starting || link_busy(c))
        return;
    loop_timer_stop(&fc_loop(c)->loop, &c->timer);
    link_free(c);
    if (c->fd != -1) {
        fc_loop(c)->net->forget(fc_loop(c), c->fd);
        (void)close(c->fd);
    }
    buf_release(&c->head);
    free(c->inbuf);
    free(c->chunked);
    if (r && r->x.ending)
        fr_ended(r);
    else if (r)
        fr_fail(r, &c->fault);
    pool_conn_free(c);
}

static void
fc_die(struct fetch_conn *c)
{
    c->phase = FC_DEAD;
    loop_timer_stop(&fc_loop(c)->loop, &c->timer);
    link_cancel(c);
    fc_check(c);
}

void
fc_fail_as(struct fetch_conn *c, const struct fault *f)
{
    if (c->phase == FC_DEAD)
        return;
    c->fault = *f;
    fc_die(c);
}

void
fc_fail(struct fetch_conn *c, enum err e, int sys, const char *op)
{
    const char *url = c->pool->peer->peer.url;
    struct fault f;

    if (sys)
        (void)fault_sys(&f, sys, op, url);
    else
        (void)fault_set(&f, e, op, url);
    f.code = e; /* whatever errno says: the peer failed */
    fc_fail_as(c, &f);
}

void
fc_bye(struct fetch_conn *c)
{
    assert(c->phase == FC_IDLE);
    list_remove(&c->item);
    fc_die(c);
}

/* ---- deadlines ---- */

static void
fc_fire(struct loop *l, struct timer *t)
{
    struct fetch_conn *c = container_of(t, struct fetch_conn, timer);

    (void)l;
    if (c->phase == FC_IDLE)
        fc_bye(c);
    else if (!c->connected)
        fc_fail(c, ERR_TIMEOUT, 0, "connect");
    else if (c->send_error)
        fc_fail(c, ERR_IO, c->send_error, "send");
    else
        fc_fail(c, ERR_TIMEOUT, 0,
                c->out_busy   ? "send"
                : c->answered ? "read answer"
                              : "wait for answer");
}

static void
fc_deadline(struct fetch_conn *c, struct dur d)
{
    struct loop *l = &fc_loop(c)->loop;

    /* Without a timer it would go on without a deadline; the ceiling is far
     * above what pools may open. */
    (void)loop_timer(l, &c->timer, mono_add(l->now, d));
}

void
fc_watch(struct fetch_conn *c)
{
    const struct fetch_http_conf *k = fc_conf(c);
    struct fetch_request *r = c->r;

    if (c->phase == FC_DEAD || !c->connected)
        return;
    if (c->phase == FC_IDLE)
        fc_deadline(c, k->idle_timeout);
    else if (c->out_busy || (r->x.got && !r->x.due_got))
        fc_deadline(c, k->progress_timeout);
    else if (c->send_error && !c->answered)
        fc_deadline(c, dur_s(2));
    else if (c->all_sent && !c->answered)
        fc_deadline(c, r->patience.ns ? r->patience : k->first_byte_timeout);
    else
        loop_timer_stop(&fc_loop(c)->loop, &c->timer);
}

/* ---- sending ---- */

static bool
has_body(const struct fetch_request *r)
{
    return r->length || r->method == HTTP_POST || r->method == HTTP_PUT ||
           r->method == HTTP_PATCH;
}

static void
make_head(struct fetch_conn *c)
{
    const struct peer_io *p = c->pool->peer;
    const struct fetch_request *r = c->r;
    struct buf *b = &c->head;

    buf_clear(b);
    buf_printf(b, "%s %s", http_method_name(r->method), p->prefix);
    buf_add_slice(b, r->target);
    buf_printf(b, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n", p->authority,
               p->io->conf.user_agent);
    if (r->length == FETCH_CHUNKED)
        buf_add_str(b, "Transfer-Encoding: chunked\r\n");
    else if (has_body(r))
        buf_printf(b, "Content-Length: %llu\r\n",
                   (unsigned long long)r->length);
    buf_add_slice(b, r->fields);
    buf_add_str(b, "\r\n");
    c->head_due = true;
}

/* The line before a chunk of N bytes, with the end of the one before it. */
static size_t
chunk_line(struct fetch_conn *c, size_t n)
{
    const char *before = c->sent_body ? "\r\n" : "";
    int k = n ? snprintf(c->chunk, sizeof(c->chunk), "%s%zx\r\n", before, n)
              : snprintf(c->chunk, sizeof(c->chunk), "%s0\r\n\r\n", before);

    return (size_t)k;
}

static void
iov_add(struct net_op *op, const void *p, size_t n)
{
    if (n)
        op->iov[op->n_iov++] = (struct iovec){(void *)(uintptr_t)p, n};
}

static void
add_piece(struct fetch_conn *c)
{
    struct fetch_request *r = c->r;
    struct slice a = r->x.piece[0], b = r->x.piece[1];

    c->out_piece = true;
    if (r->length != FETCH_CHUNKED) {
        iov_add(&c->out, a.p, a.n);
        iov_add(&c->out, b.p, b.n);
        return;
    }
    if (c->head_due) { /* three places, so they share one */
        buf_add(&c->head, c->chunk, chunk_line(c, a.n + b.n));
        c->out.iov[0] = (struct iovec){c->head.p, c->head.n};
    } else {
        iov_add(&c->out, c->chunk, chunk_line(c, a.n + b.n));
    }
    iov_add(&c->out, a.p, a.n);
    iov_add(&c->out, b.p, b.n);
}

void
fc_send(struct fetch_conn *c)
{
    struct fetch_request *r = c->r;
    bool piece = r->x.sent && !r->x.due_sent;

    if (c->phase != FC_BUSY || c->out_busy || (!c->head_due && !piece))
        return;
    c->out.n_iov = 0;
    c->out.more = false;
    c->out_piece = false;
    if (c->head_due)
        iov_add(&c->out, c->head.p, c->head.n);
    if (piece)
        add_piece(c);
    if (c->out.n_iov == 0) { /* an empty piece of a body of known length */
        fr_sent(r, ERR_OK);
        return;
    }
    link_send(c);
    fc_watch(c);
}

static void
piece_sent(struct fetch_conn *c)
{
    struct fetch_request *r = c->r;
    uint64_t n = r->x.piece[0].n + r->x.piece[1].n;

    c->sent_body += n;
    if (r->length != FETCH_CHUNKED)
        r->x.left -= n;
    c->all_sent = r->length == FETCH_CHUNKED ? n == 0 : r->x.left == 0;
    fr_sent(r, ERR_OK);
}

void
fc_sent(struct fetch_conn *c, int res)
{
    struct fetch_request *r = c->r;

    if (c->phase == FC_DEAD) {
        fc_check(c);
        return;
    }
    if (res < 0 && !c->connected) {
        fc_refused(c, -res);
        return;
    }
    if (res < 0) {
        c->send_error = -res;
        if (c->out_piece)
            fr_sent(r, ERR_IO);
        r->x.send_failed = true;
        if (!link_receiving(c) && !c->answered)
            link_recv(c);
        fc_watch(c);
        return;
    }
    c->connected = true;
    if (c->head_due) {
        c->head_due = false;
        c->all_sent = r->length == 0;
    }
    if (c->out_piece)
        piece_sent(c);
    if (!c->answered && !link_receiving(c))
        link_recv(c);
    fc_watch(c);
}

/* ---- the answer's head ---- */

/* True when the final head is there. */
static bool
parse_answer(struct fetch_conn *c)
{
    for (;;) {
        const char *p = (const char *)c->inbuf + c->in_pos;
        enum http_parse r = http_resp_parse(&c->resp, &c->scan, &answer_limits,
                                            p, c->in_n - c->in_pos);

        if (r == HTTP_REFUSED || (r == HTTP_OK && c->resp.status == 101)) {
            fc_fail(c, ERR_IO, 0, http_refusal_code(c->resp.refusal));
            return false;
        }
        if (r == HTTP_MORE) {
            link_recv(c);
            return false;
        }
        c->in_pos += c->resp.len;
        if (c->resp.status >= 200)
            return true;
        c->scan = (struct http_scan){0};
        if (++c->interim > INTERIM_MAX) {
            fc_fail(c, ERR_IO, 0, "too many interim answers");
            return false;
        }
        /* What was an interim answer makes room. */
        memmove(c->inbuf, c->inbuf + c->in_pos, c->in_n - c->in_pos);
        c->in_n -= c->in_pos;
        c->in_pos = 0;
    }
}

static void
head_got(struct fetch_conn *c, const void *p, size_t n)
{
    if (c->inbuf == NULL)
        c->inbuf = malloc(FETCH_INBUF);
    if (c->inbuf == NULL) {
        fc_fail(c, ERR_NOMEM, 0, "allocate");
        return;
    }
    assert(c->in_n + n <= FETCH_INBUF);
    memcpy(c->inbuf + c->in_n, p, n);
    c->in_n += n;
    if (!parse_answer(c))
        return;
    c->answered = true;
    c->r->resp = &c->resp;
    fc_body_start(c);
    fr_answered(c->r);
    fc_watch(c);
}

void
fc_got(struct fetch_conn *c, const void *p, int n)
{
    if (c->phase == FC_DEAD) {
        fc_check(c);
    } else if (c->phase == FC_IDLE) { /* closed, or speaks unasked */
        fc_bye(c);
    } else if (c->answered) {
        fc_body_got(c, p, n);
    } else if (n <= 0) {
        fc_fail(c, ERR_IO, c->send_error ? c->send_error : -n,
                n == 0 ? "answer: the peer hung up" : "read answer");
    } else if (c->head_due && !c->out_busy) {
        fc_fail(c, ERR_IO, 0, "an answer before the request");
    } else {
        head_got(c, p, (size_t)n);
    }
}

/* ---- a request comes and goes ---- */

static void
fc_begin(struct fetch_conn *c)
{
    c->phase = FC_BUSY;
    fc_send(c);
}

static void
fc_connect(struct fetch_conn *c)
{
    struct sockaddr *sa = (struct sockaddr *)&c->addr;
    int one = 1, flags;

    c->fd =
        socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd == -1) {
        fc_fail(c, ERR_IO, errno, "socket");
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, sa, c->addr_len) == -1 && errno != EINPROGRESS) {
        fc_refused(c, errno);
        return;
    }
    /* The loops want blocking sockets (uring.c); the first send waits for the
     * connection to stand. */
    flags = fcntl(c->fd, F_GETFL);
    (void)fcntl(c->fd, F_SETFL, flags & ~O_NONBLOCK);
    if (!c->pool->peer->tls) {
        fc_begin(c);
    } else if (fc_link_start(c)) {
        c->phase = FC_HELLO;
    } else {
        fc_fail(c, ERR_NOMEM, 0, "TLS");
    }
}

void
fc_up(struct fetch_conn *c)
{
    fc_begin(c);
}

static void
resolve_work(struct work *w)
{
    struct fetch_conn *c = container_of(w, struct fetch_conn, work);
    struct peer_io *p = c->pool->peer;
    const struct addrinfo hint = {.ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *list, *a;
    unsigned n = 0, k;

    if (getaddrinfo(p->host, p->port, &hint, &list) != 0)
        return;
    for (a = list; a; a = a->ai_next)
        n++;
    c->n_addr = n;
    k = n ? atomic_load(&p->tries) % n : 0;
    for (a = list; a && k; a = a->ai_next)
        k--;
    if (a && a->ai_addrlen <= sizeof(c->addr)) {
        memcpy(&c->addr, a->ai_addr, a->ai_addrlen);
        c->addr_len = a->ai_addrlen;
    }
    freeaddrinfo(list);
}

static void
resolve_done(struct loop *l, struct work *w)
{
    struct fetch_conn *c = container_of(w, struct fetch_conn, work);

    (void)l;
    c->resolving = false;
    if (c->phase == FC_DEAD)
        fc_check(c);
    else if (c->addr_len == 0)
        fc_fail(c, ERR_IO, 0, "look up the host");
    else
        fc_connect(c);
}

static void
resolve(struct fetch_conn *c)
{
    c->phase = FC_RESOLVE;
    c->resolving = true;
    c->addr_len = 0;
    c->work.work = resolve_work;
    c->work.done = resolve_done;
    loop_work(&fc_loop(c)->loop, &c->work);
}

/* Nobody is there: a name may have another address, and all that come later
 * begin with that one. */
void
fc_refused(struct fetch_conn *c, int sys)
{
    struct peer_io *p = c->pool->peer;

    if (p->literal_len || ++c->tried >= c->n_addr) {
        fc_fail(c, ERR_IO, sys, "connect");
        return;
    }
    atomic_fetch_add(&p->tries, 1);
    link_free(c);
    fc_loop(c)->net->forget(fc_loop(c), c->fd);
    (void)close(c->fd);
    c->fd = -1;
    make_head(c); /* a chunk may stand behind it */
    resolve(c);
}

static void
fc_start(struct loop *l, struct task *t)
{
    struct fetch_conn *c = container_of(t, struct fetch_conn, start);
    const struct peer_io *p = c->pool->peer;

    (void)l;
    c->starting = false;
    if (c->phase == FC_DEAD) {
        fc_check(c);
    } else if (c->phase != FC_RESOLVE) {
        fc_send(c);
    } else if (p->literal_len) {
        c->addr = p->literal;
        c->addr_len = p->literal_len;
        fc_connect(c);
    } else {
        resolve(c);
    }
}

struct fetch_conn *
fc_new(struct fetch_pool *p)
{
    struct fetch_conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->pool = p;
    c->fd = -1;
    c->phase = FC_RESOLVE;
    c->timer.fire = fc_fire;
    c->start.run = fc_start;
    list_init(&c->item);
    buf_init(&c->head, FETCH_HEAD_MAX + 64);
    p->n_conns++;
    atomic_fetch_add(&p->peer->io->n_conns, 1);
    fc_deadline(c, fc_conf(c)->connect_timeout);
    return c;
}

/* Sent later in this turn: by then the caller has perhaps given the first piece
 * of the body, and it goes out in the same packet. */
void
fc_take(struct fetch_conn *c, struct fetch_request *r)
{
    c->r = r;
    r->x.conn = c;
    if (c->phase == FC_IDLE) {
        c->phase = FC_BUSY;
        loop_timer_stop(&fc_loop(c)->loop, &c->timer);
    }
    make_head(c);
    c->sent_body = 0;
    c->all_sent = c->out_piece = false;
    c->scan = (struct http_scan){0};
    c->in_pos = c->in_n = 0;
    c->dec_pos = c->dec_n = 0;
    c->interim = 0;
    c->answered = c->body_over = c->chunked_end = false;
    c->starting = true;
    loop_post(&fc_loop(c)->loop, &c->start);
}

static bool
reusable(const struct fetch_conn *c)
{
    return c->phase == FC_BUSY && c->answered && c->body_over && c->all_sent &&
           !c->send_error && !link_busy(c) && !c->starting &&
           c->resp.keep_alive && c->in_pos == c->in_n;
}

void
fc_end(struct fetch_conn *c)
{
    struct fetch_request *r = c->r;

    if (c->phase == FC_DEAD) {
        fc_check(c);
        return;
    }
    if (!reusable(c)) {
        fc_die(c);
        return;
    }
    free(c->inbuf);
    free(c->chunked);
    c->inbuf = NULL;
    c->chunked = NULL;
    c->in_pos = c->in_n = 0;
    c->r = NULL;
    buf_release(&c->head);
    c->phase = FC_IDLE;
    fr_ended(r);
    link_recv(c);
    fc_watch(c);
    pool_conn_idle(c);
}
