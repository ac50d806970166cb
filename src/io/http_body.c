/* http_body.c - the body on its way in: pulled by the role, straight into the
 * role's memory.
 *
 * What came with the head is copied out of inbuf; the rest is received where
 * the role wants it. A chunked body is decoded where it was received: its
 * framing shrinks away and the free room at the end is filled again. So that
 * nothing of the next request is swallowed in large amounts, a chunked read
 * asks for no more than the rest of the chunk and the few bytes that must
 * follow it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include <string.h>

/* Between chunks: room for the next size line; what is read too much goes back
 * to inbuf, which is empty by then. */
#define BETWEEN_CHUNKS ((size_t)4 * 1024)

void
body_init(struct exim *x)
{
    const struct http_head *h = &x->head;
    struct chunked_limits limits = CHUNKED_LIMITS_DEFAULT;

    limits.body_max = x->c->hl->s->conf.body_max;
    x->is_chunked = h->chunked;
    x->left = h->content_length > 0 ? (uint64_t)h->content_length : 0;
    x->body_done = !h->chunked && x->left == 0;
    x->body_in = 0;
    x->peeked = false;
    x->x.trailer = NULL;
    x->x.n_trailers = 0;
    x->pull.waited = (struct dur){0};
    x->pull.by = MONO_NEVER;
    x->continue_due = h->expect_continue && !x->body_done;
    if (h->chunked)
        chunked_init(&x->chunked, &limits);
    x->x.body_left = h->chunked ? UINT64_MAX : x->left;
}

/* A chunked body is over, and what it said at its end may be read. */
static void
chunked_over(struct exim *x)
{
    x->body_done = true;
    x->x.trailer = x->chunked.trailer;
    x->x.n_trailers = x->chunked.ntrailers;
}

/* The read is over with RES; inside the role's own call it is told later. */
static void
pull_end(struct exim *x, int64_t res, bool later)
{
    x->x.body_left = x->is_chunked && !x->body_done ? UINT64_MAX : x->left;
    if (later) {
        x->pull.res = res;
        x->pull_due = true;
        exim_defer(x);
        return;
    }
    x->pull.waited.ns += mono_sub(x->x.loop->now, x->pull.began).ns;
    x->pull.busy = false;
    /* From here to the next read it is us that the peer waits for. */
    if (x->c->state == CONN_ROLE && !x->c->out_busy)
        x->c->deadline = MONO_NEVER;
    x->pull.done(&x->x, res);
}

/* One deadline for the whole read, in however many pieces it comes. */
static void
pull_deadline(struct exim *x)
{
    const struct http_conf *k = &x->c->hl->s->conf;

    if (x->c->state == CONN_DRAIN)
        return; /* has one for all of it */
    conn_watch(x->c, k->body_timeout, k->body_min_rate, x->body_in,
               x->pull.waited);
    conn_by(x->c);
}

/* A sender's pieces are often small (a proxy sends 16 KiB), and without this
 * the loop would be woken for each. So many bytes are not there to wait for at
 * the end of a body, nor when the role wants any. */
static bool
wakes_late(const struct exim *x, size_t n, bool all)
{
    return all && !x->is_chunked && x->left - n >= CONN_LOWAT;
}

static void
pull_receive(struct exim *x, size_t n, bool all)
{
    conn_lowat(x->c, wakes_late(x, n, all));
    conn_recv(x->c, x->pull.p + x->pull.got, n, all, body_arrived);
}

/* N raw bytes stand at p[got..]: decodes them in place and gives what is behind
 * the body back to inbuf. False: refused. */
static bool
chunked_take(struct exim *x, size_t n)
{
    uint8_t *raw = x->pull.p + x->pull.got;
    size_t used, data;
    enum chunked_result r = chunked_decode(&x->chunked, raw, n, &used, &data);

    x->pull.got += data;
    x->body_in += data;
    if (r == CHUNKED_REFUSED) {
        x->refusal = http_refusal_code(x->chunked.refusal);
        return false;
    }
    if (r == CHUNKED_DONE) {
        size_t over = n - used;

        chunked_over(x);
        /* inbuf was used up before anything was received. */
        assert(over == 0 || x->in_pos == x->in_n);
        if (over) {
            assert(over <= INBUF_SIZE);
            memcpy(x->inbuf, raw + used, over);
            x->in_pos = 0;
            x->in_n = over;
        }
    }
    return true;
}

static bool
pull_full(const struct exim *x)
{
    return x->pull.got == x->pull.n || x->body_done ||
           (x->pull.got && !x->pull.fill);
}

/* Works on what is in memory; true when the read is over, with *RES. */
static bool
pull_memory(struct exim *x, int64_t *res)
{
    while (x->in_pos < x->in_n && !pull_full(x)) {
        size_t k = size_min(x->in_n - x->in_pos, x->pull.n - x->pull.got);

        if (!x->is_chunked)
            k = size_min(k, x->left);
        memcpy(x->pull.p + x->pull.got, x->inbuf + x->in_pos, k);
        if (x->is_chunked) {
            /* What is behind the end must stay in inbuf: decode a copy and ask
             * the decoder how much of it was the body's. */
            size_t used, data;
            enum chunked_result r = chunked_decode(
                &x->chunked, x->pull.p + x->pull.got, k, &used, &data);

            x->in_pos += used;
            x->pull.got += data;
            x->body_in += data;
            if (r == CHUNKED_REFUSED) {
                x->refusal = http_refusal_code(x->chunked.refusal);
                *res = -ERR_INVAL;
                return true;
            }
            if (r == CHUNKED_DONE)
                chunked_over(x);
        } else {
            x->in_pos += k;
            x->pull.got += k;
            x->left -= k;
            x->body_in += k;
            x->body_done = x->left == 0;
        }
    }
    *res = (int64_t)x->pull.got;
    return pull_full(x);
}

static void
pull_go(struct exim *x)
{
    size_t room = x->pull.n - x->pull.got;

    if (!x->is_chunked) {
        pull_receive(x, size_min(room, x->left), x->pull.fill);
    } else if (x->chunked.state == CHUNKED_DATA) {
        /* data, CR LF, and at least "0 CR LF CR LF" must follow */
        pull_receive(x, size_min(room, x->chunked.left + 7), x->pull.fill);
    } else {
        pull_receive(x, size_min(room, BETWEEN_CHUNKS), false);
    }
}

void
body_read(struct exchange *ex, void *p, size_t n, bool fill,
          exchange_read_fn *done)
{
    struct exim *x = exim_of(ex);
    int64_t res = 0;

    assert(!x->pull.busy && !x->ended && n > 0);
    x->pull.p = p;
    x->pull.n = n;
    x->pull.got = 0;
    x->pull.fill = fill;
    x->pull.done = done;
    x->pull.busy = true;
    if (x->broken) {
        pull_end(x, -ERR_IO, true);
    } else if (pull_memory(x, &res)) {
        pull_end(x, res, true);
    } else {
        if (x->continue_due)
            answer_continue(x);
        x->pull.began = ex->loop->now;
        pull_deadline(x);
        pull_go(x);
    }
}

void
body_arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct conn *c = conn_of_in(op);
    struct exim *x = c->x;

    (void)l;
    c->in_busy = false;
    if (x->broken) {
        pull_end(x, -ERR_IO, false);
    } else if (c->timed_out) {
        c->timed_out = false;
        x->keep = false;
        pull_end(x, -ERR_TIMEOUT, false);
    } else if (res <= 0) {
        x->broken = true; /* gone in the middle of a body */
        pull_end(x, -ERR_IO, false);
    } else if (!x->is_chunked) {
        x->pull.got += (size_t)res;
        x->body_in += (uint64_t)res;
        x->left -= (uint64_t)res;
        x->body_done = x->left == 0;
        if (pull_full(x))
            pull_end(x, (int64_t)x->pull.got, false);
        else
            pull_go(x);
    } else if (!chunked_take(x, (size_t)res)) {
        x->keep = false;
        pull_end(x, -ERR_INVAL, false);
    } else if (pull_full(x)) {
        pull_end(x, (int64_t)x->pull.got, false);
    } else {
        pull_go(x);
    }
}

void
body_by(struct exchange *ex, struct mono at)
{
    struct exim *x = exim_of(ex);

    if (mono_before(at, x->pull.by))
        x->pull.by = at;
    if (x->pull.busy && x->c->in_busy)
        conn_by(x->c);
}

bool
body_peek(struct exchange *ex, struct slice *body)
{
    struct exim *x = exim_of(ex);

    if (x->is_chunked || x->pull.busy || x->in_n - x->in_pos < x->left)
        return false;
    x->peeked = true;
    *body = slice_of(x->inbuf + x->in_pos, x->left);
    return true;
}

/* ---- reading away what the role left ---- */

static void
drain_done(struct exchange *ex, int64_t n)
{
    struct exim *x = exim_of(ex);
    struct conn *c = x->c;

    if (c->state != CONN_DRAIN) {
        conn_finish_check(c); /* closed meanwhile */
        return;
    }
    if (n < 0 || x->body_in > c->hl->s->conf.drain_max * 2) {
        conn_close(c);
    } else if (x->body_done) {
        conn_next(c);
    } else {
        body_drain(c);
    }
}

void
body_drain(struct conn *c)
{
    struct exim *x = c->x;

    x->ended = false; /* the server is the reader now */
    x->refusal = NULL;
    /* The bytes go behind those of inbuf that belong to the body and are thrown
     * away: the head buffer is free by now. */
    if (buf_reserve(&x->extra, 16 * KIB) == NULL) {
        conn_close(c);
        return;
    }
    body_read(&x->x, x->extra.p, 16 * KIB, false, drain_done);
}
