/* fetch_tls.c - see fetch_tls.h. One function, pump(), does what can be done:
 * handshake, encrypt and send, decrypt. It tells at most one thing to the state
 * machine, as the last thing it does, and is posted again before that.
 *
 * Ciphertext comes in the loop's own buffers, or, for a large piece of a body,
 * in one of 64 KiB; plaintext goes straight to where it is wanted. Buffers
 * exist while there is something in them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/fetch_tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD      ((size_t)16 * 1024)
#define RECORD_ROOM (RECORD + 512)
#define RESERVE     ((size_t)4 * 1024) /* for what OpenSSL says by itself */
#define OUT_SIZE    (4 * RECORD_ROOM + RESERVE)
#define IN_SIZE     ((size_t)64 * 1024)
#define HELLO_MAX   ((size_t)64 * 1024) /* certificate chains are long */

enum wanted { NOTHING, SOME, INTO };

struct fetch_tls {
    struct tls_wire wire; /* first */
    struct fetch_conn *c;
    SSL *ssl;
    struct task task;
    bool posted, held; /* pump() is to come, or at work */
    bool up;
    bool dead;      /* no more calls of OpenSSL */
    bool receiving; /* c->in is in flight */
    bool sending;   /* op is in flight */
    size_t heard;
    uint8_t *in; /* what wire.in points into; NULL: the loop's, or nothing */
    size_t in_cap;
    struct net_op op;
    uint8_t *out; /* out[pos..n) has not left */
    size_t pos, n;
    struct iovec iov[3];
    int n_iov;
    bool writing;
    size_t did;
    enum wanted wanted;
    uint8_t *p;
    size_t want, got;
    bool all;
    uint8_t some[NET_POOL_BUF];
};

static void pump(struct fetch_tls *t);

static void
post(struct fetch_tls *t)
{
    if (t->posted)
        return;
    t->posted = true;
    loop_post(&fc_loop(t->c)->loop, &t->task);
}

static void
task_run(struct loop *l, struct task *task)
{
    struct fetch_tls *t = container_of(task, struct fetch_tls, task);

    (void)l;
    t->posted = false;
    pump(t);
}

static void
dies(struct fetch_tls *t, const char *op)
{
    t->dead = true;
    fc_fail(t->c, ERR_IO, 0, op);
}

/* ---- ciphertext out ---- */

static bool
wire_out(struct tls_wire *w, const void *p, size_t n)
{
    struct fetch_tls *t = (struct fetch_tls *)(void *)w;

    if (t->out == NULL)
        t->out = malloc(OUT_SIZE);
    if (t->out == NULL || n > OUT_SIZE - t->n)
        return false;
    memcpy(t->out + t->n, p, n);
    t->n += n;
    return true;
}

static void
flushed(struct ioloop *l, struct net_op *op, int res)
{
    struct fetch_tls *t = container_of(op, struct fetch_tls, op);
    struct fetch_conn *c = t->c;

    (void)l;
    t->sending = false;
    if (res < 0 && c->phase != FC_DEAD) {
        bool writing = t->writing;

        t->dead = true;
        t->writing = false;
        c->out_busy = false;
        if (writing)
            fc_sent(c, res);
        else if (t->heard == 0 && !t->receiving)
            fc_refused(c, -res); /* T is gone, perhaps */
        else
            fc_fail(c, ERR_IO, -res, "connect");
        return;
    }
    if (res > 0)
        t->pos += (size_t)res;
    if (t->pos == t->n)
        t->pos = t->n = 0;
    pump(t);
}

static void
flush(struct fetch_tls *t)
{
    struct fetch_conn *c = t->c;

    if (t->sending)
        return;
    if (t->pos == t->n) {
        t->pos = t->n = 0;
        free(t->out);
        t->out = NULL;
        return;
    }
    t->sending = true;
    t->op.iov[0] = (struct iovec){t->out + t->pos, t->n - t->pos};
    t->op.n_iov = 1;
    t->op.more = false;
    net_sendv(fc_loop(c), &t->op, c->fd, flushed);
}

static bool
encrypt_some(struct fetch_tls *t)
{
    while (t->n_iov && !t->sending &&
           OUT_SIZE - t->n >= RECORD_ROOM + RESERVE) {
        struct iovec *v = &t->iov[0];
        size_t n = size_min(v->iov_len, RECORD), did = 0;

        ERR_clear_error();
        if (SSL_write_ex(t->ssl, v->iov_base, n, &did) != 1 || did != n)
            return false;
        t->did += n;
        v->iov_base = (char *)v->iov_base + n;
        v->iov_len -= n;
        if (v->iov_len == 0) {
            t->n_iov--;
            memmove(v, v + 1, (size_t)t->n_iov * sizeof(*v));
        }
    }
    return true;
}

/* ---- ciphertext in ---- */

static void
arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct fetch_conn *c = container_of(op, struct fetch_conn, in);
    struct fetch_tls *t = c->tls;
    enum wanted was = t->wanted;

    (void)l;
    t->receiving = false;
    if (c->phase == FC_DEAD) {
        fc_check(c);
        return;
    }
    if (res <= 0) {
        t->dead = true;
        t->wanted = NOTHING;
        c->in_busy = false;
        if (!t->up)
            fc_fail(c, ERR_IO, -res, "TLS: the peer hung up");
        else if (was == INTO)
            fc_body_filled(c, res);
        else
            fc_got(c, NULL, res);
        return;
    }
    t->wire.in = t->in ? t->in : op->p;
    t->wire.in_n = (size_t)res;
    t->heard += (size_t)res;
    t->held = true;
    pump(t);
    t->held = false;
    if (c->phase == FC_DEAD) {
        fc_check(c);
        return;
    }
    if (t->in == NULL && t->wire.in_n) { /* the loop's buffer goes away */
        t->in = malloc(t->wire.in_n);
        if (t->in == NULL) {
            dies(t, "TLS: no memory");
            return;
        }
        t->in_cap = t->wire.in_n;
        memcpy(t->in, t->wire.in, t->wire.in_n);
        t->wire.in = t->in;
    }
}

static void
receive(struct fetch_tls *t)
{
    struct fetch_conn *c = t->c;
    bool large = t->wanted == INTO && t->want - t->got >= RECORD;

    if (t->receiving)
        return;
    assert(t->wire.in_n == 0);
    if (t->in && (!large || t->in_cap < IN_SIZE)) {
        free(t->in);
        t->in = NULL;
    }
    if (large && t->in == NULL && (t->in = malloc(IN_SIZE)) != NULL)
        t->in_cap = IN_SIZE;
    t->receiving = true;
    if (t->in)
        net_recv(fc_loop(c), &c->in, c->fd, t->in, IN_SIZE, false, arrived);
    else
        net_recv_pool(fc_loop(c), &c->in, c->fd, arrived);
}

/* The read is over with RES. */
static void
tell_read(struct fetch_tls *t, int res)
{
    struct fetch_conn *c = t->c;
    enum wanted was = t->wanted;

    t->wanted = NOTHING;
    c->in_busy = false;
    post(t);
    if (was == INTO)
        fc_body_filled(c, res);
    else
        fc_got(c, t->some, res);
}

static void
decrypt(struct fetch_tls *t)
{
    uint8_t *p = t->wanted == INTO ? t->p : t->some;
    size_t k;
    int why;

    while (t->got < t->want) {
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, p + t->got, t->want - t->got, &k) == 1) {
            t->got += k;
            continue;
        }
        why = SSL_get_error(t->ssl, 0);
        if (why != SSL_ERROR_WANT_READ) {
            t->dead = true;
            tell_read(t, why == SSL_ERROR_ZERO_RETURN ? (int)t->got : -EIO);
            return;
        }
        if (t->got && !t->all)
            break;
        receive(t);
        return;
    }
    tell_read(t, (int)t->got);
}

/* ---- what can be done ---- */

static const char *
hint_of(long cert, int reason)
{
    switch (cert) {
    case X509_V_OK:
        return reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION
                   ? "see STORAGE_ELEMENT_TLS_MIN_VERSION"
                   : NULL;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return NULL; /* the address is wrong: whose is it, the caller knows */
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate has ended or not begun; are the clocks right?";
    default:
        return "STORAGE_ELEMENT_CA_FILE must hold the certificate of who "
               "signed that one, of Admin too";
    }
}

/* By OpenSSL's queue of errors, which is emptied. */
static void
hello_failed(struct fetch_tls *t)
{
    long cert = SSL_get_verify_result(t->ssl);
    const char *hint = hint_of(cert, ERR_GET_REASON(ERR_peek_error()));
    const char *reason = tls_reason();
    struct fault f;
    char what[sizeof(f.what)];

    if (cert != X509_V_OK)
        reason = X509_verify_cert_error_string(cert);
    (void)snprintf(what, sizeof(what), "%.120s: %s", t->c->pool->peer->peer.url,
                   reason);
    (void)fault_set(&f, ERR_IO, "speak TLS with", what);
    (void)fault_hint(&f, hint);
    t->dead = true;
    fc_fail_as(t->c, &f);
}

static void
hello(struct fetch_tls *t)
{
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    if (r == 1) {
        t->up = true;
        flush(t);
        post(t);
        fc_up(t->c);
    } else if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ &&
               t->heard < HELLO_MAX) {
        flush(t);
        if (t->heard || !t->sending) /* once the connection stands */
            receive(t);
    } else {
        hello_failed(t);
    }
}

static void
pump(struct fetch_tls *t)
{
    struct fetch_conn *c = t->c;

    if (c->phase == FC_DEAD) {
        fc_check(c);
        return;
    }
    if (t->dead) {
        if (t->writing) {
            t->writing = false;
            c->out_busy = false;
            post(t);
            fc_sent(c, -EPIPE);
        } else if (t->wanted != NOTHING && !t->receiving) {
            tell_read(t, 0);
        }
        return;
    }
    if (!t->up) {
        hello(t);
        return;
    }
    if (!encrypt_some(t)) {
        dies(t, tls_reason());
        return;
    }
    flush(t);
    if (t->writing && t->n_iov == 0 && !t->sending) {
        t->writing = false;
        c->out_busy = false;
        post(t);
        fc_sent(c, (int)t->did);
    } else if (t->wanted != NOTHING && !t->receiving) {
        decrypt(t);
    }
}

/* ---- the link ---- */

void
fetch_tls_send(struct fetch_conn *c)
{
    struct fetch_tls *t = c->tls;

    memcpy(t->iov, c->out.iov, (size_t)c->out.n_iov * sizeof(t->iov[0]));
    t->n_iov = c->out.n_iov;
    t->did = 0;
    t->writing = true;
    c->out_busy = true;
    post(t);
}

void
fetch_tls_recv(struct fetch_conn *c, void *p, size_t n, bool all)
{
    struct fetch_tls *t = c->tls;

    t->wanted = p ? INTO : SOME;
    t->p = p;
    t->want = p ? n : sizeof(t->some);
    t->got = 0;
    t->all = all;
    c->in_busy = true;
    post(t);
}

void
fetch_tls_cancel(struct fetch_conn *c)
{
    struct fetch_tls *t = c->tls;

    if (t->receiving)
        net_cancel(fc_loop(c), &c->in);
    if (t->sending)
        net_cancel(fc_loop(c), &t->op);
}

bool
fetch_tls_busy(const struct fetch_conn *c)
{
    const struct fetch_tls *t = c->tls;

    if (t->receiving || t->sending || t->held)
        return true;
    return c->phase == FC_DEAD ? t->posted : c->in_busy || c->out_busy;
}

bool
fetch_tls_start(struct fetch_conn *c)
{
    struct peer_io *p = c->pool->peer;
    struct fetch_tls *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return false;
    t->c = c;
    t->wire.out = wire_out;
    t->task.run = task_run;
    t->ssl = tls_client_connect(p->io->conf.tls, &t->wire, p->host, "http/1.1");
    if (t->ssl == NULL) {
        free(t);
        return false;
    }
    c->tls = t;
    post(t);
    return true;
}

void
fetch_tls_free(struct fetch_conn *c)
{
    struct fetch_tls *t = c->tls;

    c->tls = NULL;
    SSL_free(t->ssl);
    free(t->in);
    free(t->out);
    free(t);
}
