/* redis_conn.c - see redis_conn.h.
 *
 *   CLOSED -open-> LOOKUP -address-> GREETING -up-> UP
 *                     |                 |            |
 *                     +------close------+------------+--> CLOSING -> CLOSED
 *
 * CLOSING ends when nothing of the connection is in flight any more: neither a
 * socket operation nor a posted task nor a look-up.
 *
 * The socket connects while the greeting waits to be sent: the send completes
 * when there is a connection, or says why there is none. Receiving begins then.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/redis_conn.h"
#include "io/redis_tls.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_ROOM (REDIS_OUT_MAX + REDIS_TLS_MORE)
#define ALERT    0x15 /* a record of TLS (RFC 8446 section 5.1) */

struct redis_moment
redis_conn_moment(const struct redis_conn *c)
{
    return (struct redis_moment){.sentinel = c->sentinel,
                                 .told = c->told,
                                 .tls = c->tls != NULL,
                                 .connected = c->connected,
                                 .spoke = c->spoke};
}

static void
fault_here(struct redis_conn *c, enum err e, int sys, const char *op)
{
    const struct redis_moment m = redis_conn_moment(c);

    if (sys)
        (void)fault_sys(&c->fault, sys, op, c->address);
    else
        (void)fault_set(&c->fault, e, op, c->address);
    (void)redis_fault_hint(&c->fault, &m);
}

/* ---- the end ---- */

static void
socket_close(struct redis_conn *c)
{
    if (c->fd == -1)
        return;
    c->loop->net->forget(c->loop, c->fd);
    (void)close(c->fd);
    c->fd = -1;
}

/* The last part of closing, when nothing is in flight. */
static void
finish(struct redis_conn *c)
{
    struct list *it;

    if (c->state != REDIS_CLOSING || c->receiving || c->sending || c->looking ||
        c->flush_posted || c->end_posted)
        return;
    socket_close(c);
    redisReaderFree(c->reader);
    c->reader = NULL;
    redis_tls_free(&c->tls);
    buf_clear(&c->waits);
    buf_clear(&c->leaves);
    /* Still closing, so that no answer() can send. */
    while ((it = list_pop(&c->calls)) != NULL) {
        struct redis_call *call = container_of(it, struct redis_call, item);

        call->answer(call, NULL);
    }
    c->state = REDIS_CLOSED;
    c->ops->closed(c);
}

static void
end_run(struct loop *l, struct task *t)
{
    struct redis_conn *c = container_of(t, struct redis_conn, end);

    (void)l;
    c->end_posted = false;
    finish(c);
}

/* With c->fault set. */
static void
shut(struct redis_conn *c)
{
    assert(c->state != REDIS_CLOSED && c->state != REDIS_CLOSING);
    c->state = REDIS_CLOSING;
    loop_timer_stop(&c->loop->loop, &c->timer);
    if (c->receiving)
        net_cancel(c->loop, &c->in);
    if (c->sending)
        net_cancel(c->loop, &c->out);
    c->end_posted = true;
    loop_post(&c->loop->loop, &c->end);
}

static bool
open_now(const struct redis_conn *c)
{
    return c->state == REDIS_GREETING || c->state == REDIS_UP;
}

void
redis_conn_close(struct redis_conn *c, const struct fault *why)
{
    if (c->state == REDIS_CLOSED || c->state == REDIS_CLOSING)
        return;
    c->fault = *why;
    shut(c);
}

/* ---- deadlines ---- */

static struct mono
deadline(const struct redis_conn *c)
{
    if (c->state == REDIS_GREETING)
        return mono_add(c->began, c->connect_timeout);
    return c->owed ? mono_add(c->owed_since, c->timeout)
                   : mono_add(c->heard, c->ping_every);
}

static void
timer_arm(struct redis_conn *c)
{
    /* Without a timer nobody would notice a dead peer. */
    if (!loop_timer(&c->loop->loop, &c->timer, deadline(c))) {
        fault_here(c, ERR_NOMEM, 0, "timer");
        shut(c);
    }
}

static void
pong(struct redis_call *call, const struct redisReply *r)
{
    (void)call;
    (void)r;
}

static void
timer_fired(struct loop *l, struct timer *t)
{
    struct redis_conn *c = container_of(t, struct redis_conn, timer);
    struct slice ping = SLICE("PING");
    /* With nobody to ask for messages there is no call for the answer. */
    struct redis_call *call = c->ops->push ? NULL : &c->ping;

    if (!mono_reached(l->now, deadline(c))) {
        timer_arm(c); /* something was heard since */
    } else if (c->owed || c->state == REDIS_GREETING) {
        fault_here(c, ERR_TIMEOUT, 0, c->connected ? "answer" : "connect");
        shut(c);
    } else if (redis_conn_send(c, call, 1, &ping)) {
        fault_here(c, ERR_NOMEM, 0, "ping");
        shut(c);
    } else {
        timer_arm(c);
    }
}

/* ---- receiving ---- */

/* As hiredis does it, with a ceiling: it would allocate what the peer says. */
static void *
array_limited(const redisReadTask *t, int elements)
{
    struct redis_conn *c = t->privdata;

    return elements > REDIS_ELEMENTS_MAX ? NULL
                                         : c->usual->createArray(t, elements);
}

static bool
reader_open(struct redis_conn *c)
{
    c->reader = redisReaderCreate();
    if (!c->reader)
        return false;
    c->usual = c->reader->fn;
    c->fn = *c->usual;
    c->fn.createArray = array_limited;
    c->reader->fn = &c->fn;
    c->reader->privdata = c;
    c->unparsed = 0;
    return true;
}

static void
hand_out(struct redis_conn *c, const struct redisReply *r)
{
    struct list *it = list_pop(&c->calls);

    if (it) {
        struct redis_call *call = container_of(it, struct redis_call, item);

        call->answer(call, r);
    } else if (c->ops->push) {
        c->ops->push(c, r);
    } else {
        fault_here(c, ERR_CORRUPT, 0, "answer nobody asked for");
        shut(c);
    }
}

static void
take_answers(struct redis_conn *c)
{
    while (open_now(c)) {
        void *r = NULL;

        if (redisReaderGetReply(c->reader, &r) != REDIS_OK) {
            fault_here(c, ERR_CORRUPT, 0, "protocol of");
            shut(c);
            return;
        }
        if (!r)
            break;
        c->unparsed = 0;
        hand_out(c, r);
        freeReplyObject(r);
    }
    if (open_now(c) && c->unparsed > REDIS_REPLY_MAX) {
        fault_here(c, ERR_TOOBIG, 0, "answer");
        shut(c);
    }
}

static void receive(struct redis_conn *c);
static void send_some(struct redis_conn *c);

/* Plaintext. False: the connection ends. */
static bool
take_bytes(void *arg, const void *p, size_t n)
{
    struct redis_conn *c = arg;

    c->unparsed += n;
    if (redisReaderFeed(c->reader, p, n) != REDIS_OK) {
        fault_here(c, ERR_NOMEM, 0, "answer");
        shut(c);
    }
    take_answers(c);
    return open_now(c);
}

static void
take_sealed(struct redis_conn *c, const void *p, size_t n)
{
    struct fault f;
    enum err e = redis_tls_take(c->tls, p, n, take_bytes, c, c->address, &f);

    if (!open_now(c))
        return;
    if (e == ERR_OK) {
        send_some(c);
        return;
    }
    if (e == ERR_END)
        fault_here(c, ERR_IO, ECONNRESET, "receive");
    else
        c->fault = f;
    shut(c);
}

/* A TLS server that hears plain commands answers an alert, or hangs up. */
static void
take(struct redis_conn *c, const void *p, size_t n)
{
    if (!c->tls && !c->spoke && *(const unsigned char *)p == ALERT) {
        fault_here(c, ERR_IO, 0, "no Redis answers at");
        shut(c);
        return;
    }
    c->spoke = true;
    if (c->tls)
        take_sealed(c, p, n);
    else
        (void)take_bytes(c, p, n);
}

static void
received(struct ioloop *l, struct net_op *op, int res)
{
    struct redis_conn *c = container_of(op, struct redis_conn, in);

    c->receiving = false;
    if (open_now(c) && res > 0) {
        c->heard = l->loop.now;
        take(c, op->p, (size_t)res);
        c->owed = !list_empty(&c->calls);
        c->owed_since = l->loop.now;
    } else if (open_now(c)) {
        fault_here(c, ERR_IO, res ? -res : ECONNRESET, "receive");
        shut(c);
    }
    if (open_now(c))
        receive(c);
    else
        finish(c);
}

static void
receive(struct redis_conn *c)
{
    c->receiving = true;
    net_recv_pool(c->loop, &c->in, c->fd, received);
}

/* ---- sending ---- */

static void
sent(struct ioloop *l, struct net_op *op, int res)
{
    struct redis_conn *c = container_of(op, struct redis_conn, out);

    (void)l;
    c->sending = false;
    buf_clear(&c->leaves);
    if (!open_now(c)) {
        finish(c);
        return;
    }
    if (res < 0) {
        fault_here(c, ERR_IO, -res, c->connected ? "send" : "connect");
        shut(c);
        return;
    }
    if (!c->connected) {
        c->connected = true;
        receive(c);
    }
    send_some(c);
}

/* What may leave now, into c->leaves. */
static bool
load(struct redis_conn *c)
{
    struct buf swap = c->leaves;
    struct fault f;

    if (c->tls == NULL) {
        c->leaves = c->waits;
        c->waits = swap;
    } else if (redis_tls_seal(c->tls, &c->waits, &c->leaves, c->address, &f)) {
        c->fault = f;
        shut(c);
        return false;
    }
    return c->leaves.n > 0;
}

static void
send_some(struct redis_conn *c)
{
    if (c->sending || !load(c))
        return;
    c->out.iov[0] =
        (struct iovec){.iov_base = c->leaves.p, .iov_len = c->leaves.n};
    c->out.n_iov = 1;
    c->sending = true;
    net_sendv(c->loop, &c->out, c->fd, sent);
}

static void
flush_run(struct loop *l, struct task *t)
{
    struct redis_conn *c = container_of(t, struct redis_conn, flush);

    (void)l;
    c->flush_posted = false;
    if (open_now(c))
        send_some(c);
    else
        finish(c);
}

enum err
redis_conn_send(struct redis_conn *c, struct redis_call *call, unsigned argc,
                const struct slice *argv)
{
    if (!open_now(c))
        return ERR_IO;
    if (!redis_command_add(&c->waits, REDIS_OUT_MAX, argc, argv))
        return ERR_NOMEM;
    if (call)
        list_push(&c->calls, &call->item);
    if (!c->owed) {
        c->owed = true;
        c->owed_since = c->loop->loop.now;
        timer_arm(c);
    }
    if (!c->flush_posted && !c->sending) {
        c->flush_posted = true;
        loop_post(&c->loop->loop, &c->flush);
    }
    return ERR_OK;
}

/* ---- opening ---- */

static bool
tls_start(struct redis_conn *c)
{
    const char *name = c->tls_name && c->tls_name[0] ? c->tls_name : c->host;

    if (c->trust)
        c->tls = redis_tls_new(c->trust, name, OUT_ROOM);
    return !c->trust || c->tls;
}

static void
connect_next(struct redis_conn *c)
{
    const struct addrinfo *ai = c->next;
    int one = 1, flags;

    c->next = ai->ai_next;
    c->fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    c->state = REDIS_GREETING;
    c->began = c->heard = c->loop->loop.now;
    c->owed = c->connected = c->spoke = false;
    if (c->fd == -1 || !reader_open(c) || !tls_start(c)) {
        fault_here(c, ERR_IO, c->fd == -1 ? errno : ENOMEM, "socket for");
        shut(c);
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, ai->ai_addr, ai->ai_addrlen) == -1 &&
        errno != EINPROGRESS) {
        fault_here(c, ERR_IO, errno, "connect");
        shut(c);
        return;
    }
    /* A ring answers EAGAIN for a socket that says it would not wait. */
    flags = fcntl(c->fd, F_GETFL);
    (void)fcntl(c->fd, F_SETFL, flags & ~O_NONBLOCK);
    timer_arm(c);
    c->ops->opened(c);
}

static void
looked_up(struct redis_conn *c)
{
    if (c->lookup_res || !c->found) {
        fault_here(c, ERR_IO, 0, REDIS_LOOK_UP);
        shut(c);
        return;
    }
    c->next = c->found;
    connect_next(c);
}

static int
look_up(struct redis_conn *c, int flags)
{
    struct addrinfo hint = {.ai_family = AF_UNSPEC,
                            .ai_socktype = SOCK_STREAM,
                            .ai_flags = flags | AI_NUMERICSERV};
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", c->port);
    return getaddrinfo(c->host, port, &hint, &c->found);
}

static void
lookup_work(struct work *w)
{
    struct redis_conn *c = container_of(w, struct redis_conn, lookup);

    c->lookup_res = look_up(c, 0);
}

static void
lookup_done(struct loop *l, struct work *w)
{
    struct redis_conn *c = container_of(w, struct redis_conn, lookup);

    (void)l;
    c->looking = false;
    if (c->state == REDIS_CLOSING)
        finish(c);
    else
        looked_up(c);
}

static void
forget_addresses(struct redis_conn *c)
{
    if (c->found)
        freeaddrinfo(c->found);
    c->found = c->next = NULL;
}

/* Opening has its own turn, so that nothing is called back inside the call. */
static void
open_run(struct redis_conn *c)
{
    if (c->next) {
        connect_next(c);
        return;
    }
    forget_addresses(c);
    c->lookup_res = look_up(c, AI_NUMERICHOST);
    if (c->lookup_res == 0) {
        looked_up(c);
        return;
    }
    c->looking = true; /* a name: that may take seconds */
    loop_work(&c->loop->loop, &c->lookup);
}

static void
begin_run(struct loop *l, struct task *t)
{
    struct redis_conn *c = container_of(t, struct redis_conn, flush);

    (void)l;
    c->flush_posted = false;
    c->flush.run = flush_run;
    if (c->state == REDIS_LOOKUP)
        open_run(c);
    else
        finish(c);
}

void
redis_conn_open(struct redis_conn *c, const char *host, uint16_t port)
{
    assert(c->state == REDIS_CLOSED);
    if (port != c->port || strcmp(host, c->host) != 0) {
        forget_addresses(c);
        (void)slice_copy(slice_str(host), c->host, sizeof(c->host));
        c->port = port;
        (void)snprintf(c->address, sizeof(c->address),
                       strchr(host, ':') ? "[%s]:%u" : "%s:%u", c->host, port);
    }
    c->fault = (struct fault){0};
    c->state = REDIS_LOOKUP;
    c->flush.run = begin_run;
    c->flush_posted = true;
    loop_post(&c->loop->loop, &c->flush);
}

bool
redis_conn_untried(const struct redis_conn *c)
{
    return c->next != NULL;
}

void
redis_conn_up(struct redis_conn *c)
{
    assert(c->state == REDIS_GREETING);
    c->state = REDIS_UP;
    forget_addresses(c); /* the next time they may have changed */
    timer_arm(c);
}

void
redis_conn_init(struct redis_conn *c, struct ioloop *l)
{
    *c = (struct redis_conn){.loop = l, .fd = -1};
    list_init(&c->calls);
    buf_init(&c->waits, OUT_ROOM);
    buf_init(&c->leaves, OUT_ROOM);
    c->flush.run = flush_run;
    c->end.run = end_run;
    c->timer.fire = timer_fired;
    c->lookup.work = lookup_work;
    c->lookup.done = lookup_done;
    c->ping.answer = pong;
}

void
redis_conn_release(struct redis_conn *c)
{
    assert(c->state == REDIS_CLOSED);
    forget_addresses(c);
    buf_release(&c->waits);
    buf_release(&c->leaves);
}
