/* http_answer.c - the answer on its way out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Reasons of RFC 9110 section 15 that we send; others have none, which is
 * allowed (RFC 9112 section 4). */
static const char *
reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } row[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < countof(row); i++)
        if (row[i].status == status)
            return row[i].text;
    return "";
}

/* RFC 9110 section 5.6.7, made once a second for each loop. */
static const char *
date_now(struct http_loop *hl)
{
    static const char day[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                   "Thu", "Fri", "Sat"};
    static const char month[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t s = hl->l->loop.wall.ms / 1000;
    time_t t = (time_t)s;
    struct tm tm;

    if (s != hl->date_s) {
        gmtime_r(&t, &tm);
        snprintf(hl->date, sizeof(hl->date),
                 "%s, %02d %s %04d %02d:%02d:%02d GMT", day[tm.tm_wday],
                 tm.tm_mday, month[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
        hl->date_s = s;
    }
    return hl->date;
}

static void
out_header(struct exchange *ex, struct slice name, struct slice value)
{
    struct exim *x = exim_of(ex);
    char *p = buf_reserve(&x->extra, name.n + value.n + 4);

    assert(!x->started && http_is_token(name));
    if (p == NULL)
        return; /* over 32 KiB of headers: made short, counted as failed */
    memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = ':';
    *p++ = ' ';
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        *p++ = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    *p++ = '\r';
    *p++ = '\n';
    x->extra.n += name.n + value.n + 4;
}

/* Whether the connection can go on after this answer. A client that waits for
 * 100 Continue may or may not send its body now, so it cannot. */
static bool
may_keep(const struct exim *x)
{
    if (!x->keep || x->c->hl->draining)
        return false;
    if (x->body_done)
        return true;
    if (x->continue_due || x->is_chunked)
        return false;
    return x->left <= x->c->hl->s->conf.drain_max;
}

static void
head_make(struct exim *x, int status, struct slice type, uint64_t length)
{
    struct buf *b = &x->head_out;
    bool bodyless = status == 204 || status == 304 || status < 200;

    assert(!x->started);
    x->started = x->head_left = true;
    x->sending = (struct dur){0};
    x->status = status;
    x->promised = bodyless || x->head.method == HTTP_HEAD ? 0 : length;
    x->keep = may_keep(x);
    buf_clear(b);
    buf_add_str(b, "HTTP/1.1 ");
    buf_add_u64(b, (uint64_t)status);
    buf_add_char(b, ' ');
    buf_add_str(b, reason(status));
    buf_add_str(b, "\r\nDate: ");
    buf_add_str(b, date_now(x->c->hl));
    if (!bodyless) {
        buf_add_str(b, "\r\nContent-Length: ");
        buf_add_u64(b, length);
    }
    if (type.n) {
        buf_add_str(b, "\r\nContent-Type: ");
        buf_add_slice(b, type);
    }
    buf_add_str(b, "\r\nX-Request-ID: ");
    buf_add_str(b, x->x.request_id);
    buf_add_str(b, "\r\ntraceparent: 00-");
    buf_add_str(b, x->x.trace_id);
    buf_add_char(b, '-');
    buf_add_str(b, x->x.span_id);
    buf_add_str(b, "-01");
    if (!x->keep)
        buf_add_str(b, "\r\nConnection: close");
    else if (x->head.minor == 0)
        buf_add_str(b, "\r\nConnection: keep-alive");
    buf_add_str(b, "\r\n");
    buf_add_slice(b, buf_slice(&x->extra));
    buf_add_str(b, "\r\n");
}

static void
write_deadline(struct exim *x)
{
    const struct http_conf *k = &x->c->hl->s->conf;

    x->sending_since = x->x.loop->now;
    conn_watch(x->c, k->write_timeout, k->write_min_rate, x->body_out,
               x->sending);
}

/* Sends the head, if it has not left, and the piece that is set. */
static void
out_go(struct exim *x)
{
    struct net_op *op = &x->out;

    if (x->continue_busy) { /* its operation is in flight; then again */
        x->send_due = true;
        return;
    }
    x->send_due = false;
    op->n_iov = 0;
    op->more = false;
    if (x->head_left) {
        op->iov[op->n_iov++] = (struct iovec){x->head_out.p, x->head_out.n};
        x->head_left = false;
        op->more = x->piece.fd != -1;
    }
    if (x->piece.fd == -1 && x->piece.n) {
        op->iov[op->n_iov++] =
            (struct iovec){(void *)(uintptr_t)x->piece.p, x->piece.n};
    }
    if (op->n_iov) {
        write_deadline(x);
        if (x->piece.fd == -1) {
            x->body_out += x->piece.n;
            x->piece.n = 0;
        }
        conn_sendv(x->c, op, answer_sent);
    } else {
        size_t n = x->piece.n;

        write_deadline(x);
        x->body_out += n;
        x->piece.n = 0;
        conn_sendfile(x->c, op, x->piece.fd, x->piece.off, n, answer_sent);
    }
}

static void
out_told(struct exim *x, enum err e)
{
    exchange_sent_fn *sent = x->sent;

    x->sent = NULL;
    if (sent)
        sent(&x->x, e);
    else
        conn_finish_check(x->c);
}

void
answer_sent(struct ioloop *l, struct net_op *op, int res)
{
    struct exim *x = container_of(op, struct exim, out);
    struct conn *c = x->c;
    enum err e = ERR_OK;

    (void)l;
    c->out_busy = false;
    if (!c->in_busy) /* a read behind 100 Continue has its own */
        c->deadline = MONO_NEVER;
    x->sending.ns += mono_sub(x->x.loop->now, x->sending_since).ns;
    if (res < 0) {
        e = c->timed_out ? ERR_TIMEOUT : ERR_IO;
        c->timed_out = false;
        x->broken = true;
        x->keep = false;
    }
    if (x->continue_busy) {
        x->continue_busy = false;
        if (x->send_due && !x->broken) {
            out_go(x);
            return;
        }
        if (!x->send_due) {
            conn_finish_check(c);
            return;
        }
        x->send_due = false;
    }
    if (x->broken) {
        /* Whatever waited behind this piece cannot leave any more. */
        x->piece.n = 0;
        x->head_left = false;
        if (c->in_busy)
            conn_cancel_in(c);
        out_told(x, e == ERR_OK ? ERR_IO : e);
    } else if (x->piece.n) {
        out_go(x); /* the file behind its head */
    } else {
        out_told(x, ERR_OK);
    }
}

void
answer_continue(struct exim *x)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    x->continue_due = false;
    if (x->in_pos < x->in_n || x->body_in)
        return; /* the client did not wait */
    x->continue_busy = true;
    x->out.iov[0] = (struct iovec){(void *)(uintptr_t)text, sizeof(text) - 1};
    x->out.n_iov = 1;
    x->out.more = false;
    write_deadline(x);
    conn_sendv(x->c, &x->out, answer_sent);
}

static void
out_start(struct exchange *ex, int status, struct slice type, uint64_t length)
{
    head_make(exim_of(ex), status, type, length);
}

static void
out_send_any(struct exim *x, exchange_sent_fn *done)
{
    assert(x->started && !x->ended && x->sent == NULL && !x->sent_due);
    x->sent = done;
    if (x->broken) {
        x->sent_due = true;
        x->sent_res = ERR_IO;
        exim_defer(x);
        return;
    }
    out_go(x);
}

static void
out_send(struct exchange *ex, const void *p, size_t n, exchange_sent_fn *done)
{
    struct exim *x = exim_of(ex);

    assert(n > 0);
    x->piece.fd = -1;
    x->piece.p = p;
    x->piece.n = n;
    out_send_any(x, done);
}

static void
out_send_file(struct exchange *ex, int fd, uint64_t off, uint64_t n,
              exchange_sent_fn *done)
{
    struct exim *x = exim_of(ex);

    assert(n > 0 && fd >= 0);
    x->piece.fd = fd;
    x->piece.off = off;
    x->piece.n = n;
    out_send_any(x, done);
}

static void
out_end(struct exchange *ex)
{
    struct exim *x = exim_of(ex);

    assert(x->started && !x->ended);
    x->ended = true;
    if (x->broken) {
        conn_finish_check(x->c);
        return;
    }
    if (x->body_out < x->promised && x->piece.n == 0)
        x->broken = true; /* less than was promised: cut, do not pretend */
    if (x->head_left && !x->broken && !x->c->out_busy)
        out_go(x);
    else if (x->head_left && x->continue_busy)
        x->send_due = true;
    else
        conn_finish_check(x->c);
}

static void
out_answer(struct exchange *ex, int status, struct slice type,
           struct slice body)
{
    struct exim *x = exim_of(ex);

    assert(!x->ended);
    head_make(x, status, body.n ? type : SLICE_NULL, body.n);
    if (x->promised) {
        if (buf_add_slice(&x->head_out, body))
            x->body_out = body.n;
        else
            x->broken = true;
    }
    x->ended = true;
    if (x->broken) {
        conn_finish_check(x->c);
        return;
    }
    x->piece.fd = -1;
    x->piece.n = 0;
    out_go(x);
}

void
answer_error(struct exim *x, enum problem_form form, int status,
             const char *code, const char *text)
{
    const struct problem p = {
        .status = status,
        .code = code,
        .message = slice_str(text),
        .request_id = slice_str(x->x.request_id),
    };
    struct buf b;

    buf_init(&b, 4 * KIB);
    (void)problem_body(&b, &p, form);
    exchange_answer(&x->x, status, slice_str(problem_content_type(form)),
                    buf_slice(&b));
    buf_release(&b);
}

static void
out_fail(struct exchange *ex, int64_t n)
{
    struct exim *x = exim_of(ex);
    enum problem_form form =
        problem_form_for(http_head_value(&x->head, SLICE("Accept")));

    x->keep = false;
    if (n == -ERR_TIMEOUT) {
        answer_error(x, form, 408, "request_timeout",
                     "The body did not arrive in time");
    } else if (n == -ERR_INVAL) {
        enum http_refusal r = x->chunked.refusal;

        answer_error(x, form, http_refusal_status(r), http_refusal_code(r),
                     http_refusal_text(r));
    } else {
        x->started = x->ended = x->broken = true;
        conn_finish_check(x->c);
    }
}

const struct exchange_ops exchange_ops = {
    .read = body_read,
    .body_by = body_by,
    .peek = body_peek,
    .header = out_header,
    .answer = out_answer,
    .start = out_start,
    .send = out_send,
    .send_file = out_send_file,
    .end = out_end,
    .fail = out_fail,
    .move = conn_move,
};
