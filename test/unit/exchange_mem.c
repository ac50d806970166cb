/* exchange_mem.c - see exchange_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "exchange_mem.h"
#include <stdio.h>

static struct exchange_mem *
self(struct exchange *x)
{
    return container_of(x, struct exchange_mem, exchange);
}

static void
read_run(struct loop *l, struct task *t)
{
    struct exchange_mem *m = container_of(t, struct exchange_mem, task);
    size_t n = size_min(m->want, m->body_in.n);

    (void)l;
    if (m->read_fail) {
        m->reading(&m->exchange, m->read_fail);
        return;
    }
    if (n)
        memcpy(m->at, m->body_in.p, n);
    m->body_in = slice_skip(m->body_in, n);
    m->exchange.body_left = m->body_in.n;
    m->reading(&m->exchange, (int64_t)n);
}

static void
m_read(struct exchange *x, void *p, size_t n, bool fill, exchange_read_fn *done)
{
    struct exchange_mem *m = self(x);

    (void)fill; /* all of it is here already */
    m->at = p;
    m->want = n;
    m->reading = done;
    m->task.run = read_run;
    loop_post(x->loop, &m->task);
}

static bool
m_peek(struct exchange *x, struct slice *body)
{
    struct exchange_mem *m = self(x);

    *body = m->body_in;
    return !m->no_peek && !m->head.chunked;
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
        .peek = m_peek,
        .header = m_header,
        .answer = m_answer,
        .fail = m_fail,
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
    x->exchange.began = l->now;
    (void)snprintf(x->exchange.client, sizeof(x->exchange.client), "127.0.0.1");
    (void)snprintf(x->exchange.request_id, sizeof(x->exchange.request_id),
                   "req-1");
    buf_init(&x->headers, 16 * KIB);
    buf_init(&x->body, MIB);
}

void
exchange_mem_release(struct exchange_mem *x)
{
    buf_release(&x->headers);
    buf_release(&x->body);
}
