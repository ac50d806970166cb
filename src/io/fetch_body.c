/* fetch_body.c - the body of an answer, pulled by the caller, straight into the
 * caller's memory but for what came with the head. A chunked one (our own
 * servers send none, a proxy may) goes through the connection's buffer. A body
 * that ends where the connection does has no end that could be trusted, so
 * reading it to its end is an error. SPDX-License-Identifier: Apache-2.0 */
#include "io/fetch_impl.h"
#include <stdlib.h>
#include <string.h>

void
fc_body_start(struct fetch_conn *c)
{
    c->framing = http_resp_body(&c->resp, c->r->method);
    c->left = 0;
    if (c->framing == HTTP_BODY_LENGTH)
        c->left = (uint64_t)c->resp.content_length;
    else if (c->framing == HTTP_BODY_CLOSE)
        c->left = UINT64_MAX;
    c->body_over = c->framing == HTTP_BODY_NONE ||
                   (c->framing == HTTP_BODY_LENGTH && c->left == 0);
}

static void
read_over(struct fetch_conn *c)
{
    fr_got(c->r, (int64_t)c->got);
    fc_watch(c);
}

static bool
read_full(const struct fetch_conn *c)
{
    const struct fetch_private *x = &c->r->x;

    return c->got == x->n || c->body_over || (c->got && !x->fill);
}

static void
take(struct fetch_conn *c, size_t *from, size_t to)
{
    struct fetch_private *x = &c->r->x;
    size_t n = size_min(to - *from, x->n - c->got);

    memcpy((uint8_t *)x->p + c->got, c->inbuf + *from, n);
    *from += n;
    c->got += n;
}

static void
step_length(struct fetch_conn *c)
{
    struct fetch_private *x = &c->r->x;
    size_t n = (size_t)u64_min(c->in_n - c->in_pos, c->left);

    n = size_min(n, x->n - c->got);
    if (n) {
        take(c, &c->in_pos, c->in_pos + n);
        c->left -= n;
        c->body_over = c->left == 0;
    }
    if (read_full(c)) {
        read_over(c);
        return;
    }
    n = (size_t)u64_min(x->n - c->got, c->left);
    link_recv_into(c, (uint8_t *)x->p + c->got, n, x->fill);
    fc_watch(c);
}

/* Decodes what is there and has not been. False: it is malformed. */
static bool
decode(struct fetch_conn *c)
{
    size_t used, data;
    enum chunked_result r;

    if (c->chunked == NULL) {
        c->chunked = malloc(sizeof(*c->chunked));
        if (c->chunked == NULL)
            return false;
        chunked_init(c->chunked, &CHUNKED_LIMITS_DEFAULT);
    }
    r = chunked_decode(c->chunked, c->inbuf + c->in_pos, c->in_n - c->in_pos,
                       &used, &data);
    c->dec_pos = c->in_pos;
    c->dec_n = c->in_pos + data;
    c->in_pos += used;
    c->chunked_end = r == CHUNKED_DONE;
    return r != CHUNKED_REFUSED;
}

static void
step_chunked(struct fetch_conn *c)
{
    for (;;) {
        if (c->dec_pos < c->dec_n)
            take(c, &c->dec_pos, c->dec_n);
        if (c->dec_pos == c->dec_n && c->chunked_end)
            c->body_over = true;
        if (read_full(c)) {
            read_over(c);
            return;
        }
        if (c->in_pos == c->in_n)
            break;
        if (!decode(c)) {
            fc_fail(c, ERR_IO, 0, "answer: broken chunks");
            return;
        }
    }
    c->in_pos = c->in_n = c->resp.len; /* behind the head, which stays */
    link_recv(c);
    fc_watch(c);
}

static void
step(struct fetch_conn *c)
{
    if (c->body_over)
        read_over(c);
    else if (c->framing == HTTP_BODY_CHUNKED)
        step_chunked(c);
    else
        step_length(c);
}

void
fc_body_read(struct fetch_conn *c)
{
    if (c->phase == FC_DEAD)
        return; /* its end will tell */
    c->got = 0;
    step(c);
}

void
fc_body_filled(struct fetch_conn *c, int res)
{
    if (c->phase == FC_DEAD) {
        fc_check(c);
        return;
    }
    if (res <= 0) {
        fc_fail(c, ERR_IO, -res, "answer: cut short");
        return;
    }
    c->got += (size_t)res;
    c->left -= (size_t)res;
    c->body_over = c->left == 0;
    step(c);
}

void
fc_body_got(struct fetch_conn *c, const void *p, int n)
{
    if (n <= 0) {
        fc_fail(c, ERR_IO, -n, "answer: cut short");
        return;
    }
    assert(c->in_n + (size_t)n <= FETCH_INBUF);
    memcpy(c->inbuf + c->in_n, p, (size_t)n);
    c->in_n += (size_t)n;
    step(c);
}
