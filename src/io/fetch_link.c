/* fetch_link.c - the bytes of a client's connection: plain, or through TLS
 * (fetch_tls.c). SPDX-License-Identifier: Apache-2.0 */
#include "io/fetch_tls.h"

static struct fetch_conn *
conn_of_in(struct net_op *op)
{
    return container_of(op, struct fetch_conn, in);
}

static void
plain_sent(struct ioloop *l, struct net_op *op, int res)
{
    struct fetch_conn *c = container_of(op, struct fetch_conn, out);

    (void)l;
    c->out_busy = false;
    fc_sent(c, res);
}

static void
plain_got(struct ioloop *l, struct net_op *op, int res)
{
    struct fetch_conn *c = conn_of_in(op);

    (void)l;
    c->in_busy = false;
    fc_got(c, op->p, res);
}

static void
plain_filled(struct ioloop *l, struct net_op *op, int res)
{
    struct fetch_conn *c = conn_of_in(op);

    (void)l;
    c->in_busy = false;
    fc_body_filled(c, res);
}

void
link_send(struct fetch_conn *c)
{
    assert(!c->out_busy);
    if (c->tls) {
        fetch_tls_send(c);
        return;
    }
    c->out_busy = true;
    net_sendv(fc_loop(c), &c->out, c->fd, plain_sent);
}

void
link_recv(struct fetch_conn *c)
{
    assert(!c->in_busy);
    if (c->tls) {
        fetch_tls_recv(c, NULL, 0, false);
        return;
    }
    c->in_busy = true;
    net_recv_pool(fc_loop(c), &c->in, c->fd, plain_got);
}

void
link_recv_into(struct fetch_conn *c, void *p, size_t n, bool all)
{
    assert(!c->in_busy);
    if (c->tls) {
        fetch_tls_recv(c, p, n, all);
        return;
    }
    c->in_busy = true;
    net_recv(fc_loop(c), &c->in, c->fd, p, n, all, plain_filled);
}

void
link_cancel(struct fetch_conn *c)
{
    if (c->tls) {
        fetch_tls_cancel(c);
        return;
    }
    if (c->in_busy)
        net_cancel(fc_loop(c), &c->in);
    if (c->out_busy)
        net_cancel(fc_loop(c), &c->out);
}

bool
link_busy(const struct fetch_conn *c)
{
    return c->tls ? fetch_tls_busy(c) : c->in_busy || c->out_busy;
}

bool
link_receiving(const struct fetch_conn *c)
{
    return c->in_busy;
}

bool
fc_link_start(struct fetch_conn *c)
{
    return fetch_tls_start(c);
}

void
link_free(struct fetch_conn *c)
{
    if (c->tls)
        fetch_tls_free(c);
}
