/* exchange_mem.c - see exchange_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "exchange_mem.h"
#include <stdio.h>

/* So much of a body may be there with its head. */
#define HEAD_ROOM ((size_t)8 * 1024)

static struct exchange_mem *
self(struct exchange *x)
{
    return container_of(x, struct exchange_mem, exchange);
}

/* Counts one operation more. */
static bool
gone(struct exchange_mem *m)
{
    m->ops_done++;
    return m->gone_at && m->ops_done >= m->gone_at;
}

static void
read_run(struct loop *l, struct task *t)
{
    struct exchange_mem *m = container_of(t, struct exchange_mem, task);
    size_t n = size_min(m->want, m->body_in.n);

    (void)l;
    if (m->piece && !m->reading_fills)
        n = size_min(n, m->piece);
    if (m->read_fail || gone(m)) {
        m->reading(&m->exchange, m->read_fail ? m->read_fail : -ERR_IO);
        return;
    }
    if (n)
        memcpy(m->at, m->body_in.p, n);
    m->body_in = slice_skip(m->body_in, n);
    if (!m->head.chunked || m->body_in.n == 0)
        m->exchange.body_left = m->body_in.n;
    m->reading(&m->exchange, (int64_t)n);
}

static void
m_read(struct exchange *x, void *p, size_t n, bool fill, exchange_read_fn *done)
{
    struct exchange_mem *m = self(x);

    assert(!m->ended && n > 0);
    m->reading_fills = fill;
    m->at = p;
    m->want = n;
    m->reading = done;
    m->task.run = read_run;
    if (!m->silent)
        loop_post(x->loop, &m->task);
}

static void
by_fire(struct loop *l, struct timer *t)
{
    struct exchange_mem *m = container_of(t, struct exchange_mem, by);

    (void)l;
    m->reading(&m->exchange, -ERR_TIMEOUT);
}

static void
m_body_by(struct exchange *x, struct mono at)
{
    struct exchange_mem *m = self(x);

    assert(!m->ended);
    m->by.fire = by_fire;
    if (m->silent)
        (void)loop_timer(x->loop, &m->by, at);
}

static bool
m_peek(struct exchange *x, struct slice *body)
{
    struct exchange_mem *m = self(x);

    *body = m->body_in;
    return !m->no_peek && !m->head.chunked && m->body_in.n <= HEAD_ROOM;
}

static void
m_header(struct exchange *x, struct slice name, struct slice value)
{
    struct exchange_mem *m = self(x);

    assert(!m->ended);
    buf_printf(&m->headers, "%.*s: %.*s\n", SLICE_ARG(name), SLICE_ARG(value));
}

static void
m_answer(struct exchange *x, int status, struct slice content_type,
         struct slice body)
{
    struct exchange_mem *m = self(x);

    assert(!m->ended);
    m->ended = true;
    m->status = status;
    buf_printf(&m->headers, "Content-Type: %.*s\n", SLICE_ARG(content_type));
    buf_add_slice(&m->body, body);
}

static void
m_start(struct exchange *x, int status, struct slice content_type,
        uint64_t length)
{
    struct exchange_mem *m = self(x);

    assert(!m->ended && !m->started);
    m->started = true;
    m->status = status;
    m->promised = m->head.method == HTTP_HEAD ? 0 : length;
    buf_printf(&m->headers, "Content-Type: %.*s\nContent-Length: %llu\n",
               SLICE_ARG(content_type), (unsigned long long)length);
}

static void
sent_run(struct loop *l, struct task *t)
{
    struct exchange_mem *m = container_of(t, struct exchange_mem, sent_task);

    (void)l;
    m->sending(&m->exchange, gone(m) ? ERR_IO : ERR_OK);
}

static void
m_send(struct exchange *x, const void *p, size_t n, exchange_sent_fn *done)
{
    struct exchange_mem *m = self(x);

    assert(m->started && !m->ended && n > 0);
    buf_add(&m->body, p, n);
    m->sent += n;
    assert(m->sent <= m->promised);
    m->sending = done;
    m->sent_task.run = sent_run;
    loop_post(x->loop, &m->sent_task);
}

static void
m_end(struct exchange *x)
{
    struct exchange_mem *m = self(x);

    assert(m->started && !m->ended);
    m->ended = true;
    m->cut = m->sent < m->promised;
}

static void
move_run(struct loop *l, struct task *t)
{
    struct exchange_mem *m = container_of(t, struct exchange_mem, task);

    m->exchange.loop = l;
    m->arrived(&m->exchange);
}

static bool
m_move(struct exchange *x, struct loop *to, void (*arrived)(struct exchange *x))
{
    struct exchange_mem *m = self(x);

    if (to != m->to || to == x->loop)
        return false;
    m->arrived = arrived;
    m->task.run = move_run;
    loop_post(to, &m->task);
    return true;
}

static void
m_fail(struct exchange *x, int64_t n)
{
    struct exchange_mem *m = self(x);

    assert(!m->ended && n < 0);
    m->ended = m->failed = true;
}

void
exchange_mem_init(struct exchange_mem *x, struct loop *l, const char *request)
{
    static const struct exchange_ops ops = {
        .read = m_read,
        .body_by = m_body_by,
        .peek = m_peek,
        .header = m_header,
        .answer = m_answer,
        .start = m_start,
        .send = m_send,
        .end = m_end,
        .fail = m_fail,
        .move = m_move,
    };
    const struct http_limits limits = {8192, 4096, 64};
    struct http_scan scan = {0};
    enum http_parse parsed;

    memset(x, 0, sizeof(*x));
    parsed =
        http_head_parse(&x->head, &scan, &limits, request, strlen(request));
    assert(parsed == HTTP_OK); /* the test's request is one */
    (void)parsed;
    x->exchange.ops = &ops;
    x->exchange.loop = l;
    x->exchange.head = &x->head;
    x->body_in = slice_str(request + x->head.len);
    x->exchange.body_left = x->body_in.n;
    if (x->head.chunked)
        x->exchange.body_left = UINT64_MAX;
    else if (x->head.content_length > 0)
        x->exchange.body_left = (uint64_t)x->head.content_length;
    x->exchange.began = l->now;
    (void)snprintf(x->exchange.client, sizeof(x->exchange.client), "127.0.0.1");
    (void)snprintf(x->exchange.request_id, sizeof(x->exchange.request_id),
                   "req-1");
    buf_init(&x->headers, 16 * KIB);
    (void)snprintf(x->exchange.span_id, sizeof(x->exchange.span_id),
                   "0123456789abcdef");
    buf_init(&x->body, 64 * MIB);
}

void
exchange_mem_body(struct exchange_mem *x, struct slice body)
{
    x->body_in = body;
    if (!x->head.chunked)
        x->exchange.body_left = body.n;
}

void
exchange_mem_release(struct exchange_mem *x)
{
    buf_release(&x->headers);
    buf_release(&x->body);
}
