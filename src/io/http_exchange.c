/* http_exchange.c - exchanges: kept for the next request of their loop; their
 * results, delivered when nobody is inside them; their bytes, through TLS or
 * straight to the socket. SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include <stdlib.h>
#include <string.h>

struct exim *
exim_get(struct conn *c)
{
    struct http_loop *hl = c->hl;
    struct exim *x = hl->spare;

    if (x) {
        hl->spare = x->next;
        hl->n_spare--;
    } else {
        x = malloc(sizeof(*x));
        if (x == NULL)
            return NULL;
        /* A page of inbuf that no head needs is never touched. */
        memset(x, 0, offsetof(struct exim, inbuf));
        buf_init(&x->head_out, 64 * KIB + hl->s->conf.answer_max);
        buf_init(&x->extra, 32 * KIB);
    }
    x->c = c;
    x->in_pos = x->in_n = 0;
    list_init(&x->defer);
    c->x = x;
    return x;
}

void
exim_put(struct exim *x)
{
    struct http_loop *hl = x->c->hl;

    x->c->x = NULL;
    x->c = NULL;
    list_remove(&x->defer);
    if (x->head_out.cap > 64 * KIB)
        buf_release(&x->head_out);
    if (hl->n_spare < SPARE_MAX) {
        x->next = hl->spare;
        hl->spare = x;
        hl->n_spare++;
        return;
    }
    buf_release(&x->head_out);
    buf_release(&x->extra);
    free(x);
}

void
exim_defer(struct exim *x)
{
    if (list_empty(&x->defer))
        list_push(&x->c->hl->deferred, &x->defer);
}

void
exim_deliver(struct http_loop *hl)
{
    struct list batch, *it;

    list_init(&batch);
    while ((it = list_pop(&hl->deferred)) != NULL)
        list_push(&batch, it);
    while ((it = list_pop(&batch)) != NULL) {
        struct exim *x = container_of(it, struct exim, defer);

        if (x->sent_due) {
            x->sent_due = false;
            x->sent(&x->x, x->sent_res);
        } else if (x->pull_due) {
            x->pull_due = false;
            x->pull.busy = false;
            x->pull.done(&x->x, x->pull.res);
        }
    }
}

/* ---- through TLS, or straight to the socket ---- */

void
conn_recv(struct conn *c, void *p, size_t n, bool all, net_done_fn *done)
{
    assert(!c->in_busy);
    c->in_busy = true;
    if (c->tls)
        tls_recv(c, p, n, all, done);
    else
        net_recv(c->hl->l, &c->in, c->fd, p, n, all, done);
}

void
conn_lowat(struct conn *c, bool high)
{
    int n = high ? CONN_LOWAT : 1;

    if (c->lowat == high || c->tls)
        return;
    c->lowat = high;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n));
}

void
conn_recv_pool(struct conn *c, net_done_fn *done)
{
    assert(!c->in_busy);
    c->in_busy = true;
    if (c->tls)
        tls_recv(c, NULL, 0, false, done);
    else
        net_recv_pool(c->hl->l, &c->in, c->fd, done);
}

void
conn_sendv(struct conn *c, struct net_op *op, net_done_fn *done)
{
    assert(!c->out_busy);
    c->out_busy = true;
    if (c->tls)
        tls_sendv(c, op, done);
    else
        net_sendv(c->hl->l, op, c->fd, done);
}

void
conn_sendfile(struct conn *c, struct net_op *op, int file, uint64_t off,
              size_t n, net_done_fn *done)
{
    assert(!c->out_busy);
    c->out_busy = true;
    if (c->tls)
        tls_sendfile(c, op, file, off, n, done);
    else
        net_sendfile(c->hl->l, op, c->fd, file, off, n, done);
}

void
conn_cancel_in(struct conn *c)
{
    if (c->tls)
        tls_cancel_in(c);
    else
        net_cancel(c->hl->l, &c->in);
}

void
conn_cancel_out(struct conn *c)
{
    if (c->tls)
        tls_cancel_out(c);
    else
        net_cancel(c->hl->l, &c->x->out);
}
