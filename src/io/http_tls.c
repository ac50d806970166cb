/* http_tls.c - the seam of http_conn.c over TLS.
 *
 * The states above do not know of it: a read that they ask for is filled by
 * SSL_read() where they want the bytes, a send is encrypted in pieces. What an
 * encrypted connection holds:
 *
 *   idle             the SSL object; bytes arrive in the loop's own buffers
 *   a large read     a buffer for ciphertext, TLS_IN_SIZE
 *   sending          a buffer for ciphertext, TLS_OUT_SIZE
 *
 * There is at most one send in flight on the socket. Whatever OpenSSL has to
 * say by itself (tickets, key updates, alerts) joins the same buffer, in which
 * a reserve is kept for it; a peer that makes it say more than fits is cut off.
 *
 * Completions never come inside the call that asked: what is known at once is
 * posted to the loop. SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include "io/tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* A record: plaintext (RFC 8446 section 5.1), and what it takes encrypted. */
#define RECORD      ((size_t)16 * 1024)
#define RECORD_ROOM (RECORD + 512)
/* For what OpenSSL says by itself. */
#define RESERVE      ((size_t)4 * 1024)
#define TLS_OUT_SIZE (4 * RECORD_ROOM + RESERVE)
#define TLS_IN_SIZE  ((size_t)64 * 1024)
#define FILE_PIECE   (4 * RECORD)
#define SPARE        16 /* buffers of each kind kept by a loop */
/* Ciphertext of a whole handshake. */
#define HELLO_MAX          ((size_t)32 * 1024)
#define TLS_HANDSHAKE_BYTE 0x16

struct tls_in {
    struct tls_in *next;
    size_t cap; /* TLS_IN_SIZE, or just what was left of the loop's buffer */
    uint8_t b[];
};

struct tls_out {
    struct tls_out *next;
    struct tls *t;
    struct net_op op;
    size_t pos, n; /* b[pos..n) has not left */
    uint8_t b[TLS_OUT_SIZE];
};

/* A piece of a file that was not in memory and is being read. */
struct tls_file {
    struct file_io io;
    struct tls *t;
    uint8_t b[FILE_PIECE];
};

struct tls_loop {
    struct tls_in *in;
    struct tls_out *out;
    unsigned n_in, n_out;
    uint8_t plain[FILE_PIECE]; /* for the length of one call */
};

struct tls {
    struct tls_wire wire; /* first */
    struct conn *c;
    SSL *ssl;          /* NULL until the peer has said something */
    struct tls_in *in; /* what wire.in points into */
    struct tls_out *out;
    const char *why; /* what failed */
    size_t heard;    /* of the handshake */
    bool up;         /* the handshake is over */
    bool dead;       /* no more calls of OpenSSL */
    bool sending;    /* out->op is in flight */
    bool receiving;  /* c->in is in flight */
    struct {         /* the read that is asked for */
        net_done_fn *done;
        uint8_t *p; /* NULL: as much as is there, into the loop's memory */
        size_t n;
        size_t got;
        int res;
        bool all;
        bool canceled;
        struct task task;
    } r;
    struct { /* the send that is asked for */
        net_done_fn *done;
        struct net_op *op; /* NULL: none */
        struct iovec iov[3];
        int n_iov;
        int file;
        uint64_t off;
        size_t file_left;
        size_t did; /* plaintext encrypted */
        int res;
        bool later; /* the next send takes the bytes along */
        bool canceled;
        bool told; /* the end of it is posted */
        struct tls_file *reading;
        struct task task;
    } w;
};

static bool read_step(struct tls *t);
static void read_more(struct tls *t);
static void read_task(struct loop *l, struct task *task);
static void write_go(struct tls *t);
static void write_task(struct loop *l, struct task *task);
static void hello_arrived(struct ioloop *l, struct net_op *op, int res);

/* ---- buffers ---- */

static struct tls_in *
in_get(struct tls_loop *tl)
{
    struct tls_in *in = tl->in;

    if (in) {
        tl->in = in->next;
        tl->n_in--;
        return in;
    }
    in = malloc(sizeof(*in) + TLS_IN_SIZE);
    if (in)
        in->cap = TLS_IN_SIZE;
    return in;
}

static void
in_put(struct tls *t)
{
    struct tls_loop *tl = t->c->hl->tls;
    struct tls_in *in = t->in;

    t->in = NULL;
    if (in && in->cap == TLS_IN_SIZE && tl->n_in < SPARE) {
        in->next = tl->in;
        tl->in = in;
        tl->n_in++;
    } else {
        free(in);
    }
}

/* Ciphertext that nobody wanted yet must outlive the loop's buffer. */
static void
in_keep(struct tls *t)
{
    struct tls_in *in;

    if (t->wire.in_n == 0) {
        in_put(t);
    } else if (t->in == NULL) {
        in = malloc(sizeof(*in) + t->wire.in_n);
        if (in == NULL) {
            t->dead = true;
            t->wire.in_n = 0;
            return;
        }
        in->cap = t->wire.in_n;
        memcpy(in->b, t->wire.in, t->wire.in_n);
        t->wire.in = in->b;
        t->in = in;
    }
}

static struct tls_out *
out_get(struct tls *t)
{
    struct tls_loop *tl = t->c->hl->tls;
    struct tls_out *o = tl->out;

    if (o) {
        tl->out = o->next;
        tl->n_out--;
    } else {
        o = malloc(sizeof(*o));
        if (o == NULL)
            return NULL;
        memset(&o->op, 0, sizeof(o->op));
    }
    o->t = t;
    o->pos = o->n = 0;
    t->out = o;
    return o;
}

static void
out_put(struct tls *t)
{
    struct tls_loop *tl = t->c->hl->tls;
    struct tls_out *o = t->out;

    t->out = NULL;
    if (o && tl->n_out < SPARE) {
        o->next = tl->out;
        tl->out = o;
        tl->n_out++;
    } else {
        free(o);
    }
}

/* What OpenSSL wants to send. */
static bool
wire_out(struct tls_wire *w, const void *p, size_t n)
{
    struct tls *t = (struct tls *)(void *)w;
    struct tls_out *o = t->out ? t->out : out_get(t);

    if (o == NULL || n > TLS_OUT_SIZE - o->n)
        return false;
    memcpy(o->b + o->n, p, n);
    o->n += n;
    return true;
}

/* ---- sending ciphertext ---- */

static void
flushed(struct ioloop *l, struct net_op *op, int res)
{
    struct tls_out *o = container_of(op, struct tls_out, op);
    struct tls *t = o->t;

    (void)l;
    t->sending = false;
    if (res < 0) {
        t->dead = true;
        t->w.res = res;
        o->pos = o->n = 0;
    } else {
        o->pos += (size_t)res;
    }
    if (o->pos == o->n)
        o->pos = o->n = 0;
    write_go(t);
}

static bool
flush(struct tls *t)
{
    struct tls_out *o = t->out;

    if (t->sending)
        return true;
    if (o == NULL || o->pos == o->n)
        return false;
    t->sending = true;
    o->op.iov[0] = (struct iovec){o->b + o->pos, o->n - o->pos};
    o->op.n_iov = 1;
    o->op.more = false;
    net_sendv(t->c->hl->l, &o->op, t->c->fd, flushed);
    return true;
}

static void
fail(struct tls *t)
{
    if (!t->dead)
        t->why = tls_reason();
    t->dead = true;
}

/* ---- reading ---- */

/* Decrypts what is there. True: the read is over, with r.res. */
static bool
read_step(struct tls *t)
{
    uint8_t *p = t->r.p ? t->r.p : t->c->hl->tls->plain;
    size_t k;
    int why;

    while (!t->dead && t->r.got < t->r.n) {
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, p + t->r.got, t->r.n - t->r.got, &k) == 1) {
            t->r.got += k;
            continue;
        }
        why = SSL_get_error(t->ssl, 0);
        if (why == SSL_ERROR_WANT_READ) {
            if (t->r.all || t->r.got == 0)
                return false;
        } else if (why != SSL_ERROR_ZERO_RETURN) {
            fail(t);
        }
        break;
    }
    t->r.res = t->dead && t->r.got == 0 ? -EIO : (int)t->r.got;
    return true;
}

/* The read is over: nothing of T may be touched behind this. */
static void
read_tell(struct tls *t)
{
    struct conn *c = t->c;

    in_keep(t);
    (void)flush(t);
    c->in.p = t->r.p ? t->r.p : c->hl->tls->plain;
    t->r.done(c->hl->l, &c->in, t->r.res);
}

static void
read_arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct conn *c = conn_of_in(op);
    struct tls *t = c->tls;

    (void)l;
    t->receiving = false;
    if (res <= 0) {
        t->r.res = res == 0 ? (int)t->r.got : res;
        read_tell(t);
        return;
    }
    t->wire.in = t->in ? t->in->b : op->p;
    t->wire.in_n = (size_t)res;
    if (read_step(t)) {
        read_tell(t);
        return;
    }
    (void)flush(t);
    read_more(t);
}

/* OpenSSL has used up what came: some more of it. */
static void
read_more(struct tls *t)
{
    struct conn *c = t->c;
    bool large = t->r.all && t->r.n - t->r.got >= RECORD;

    assert(t->wire.in_n == 0 && !t->receiving);
    if (t->r.canceled) {
        t->r.res = -ECANCELED;
        read_tell(t);
        return;
    }
    if (t->in && !(large && t->in->cap == TLS_IN_SIZE))
        in_put(t);
    if (large && t->in == NULL)
        t->in = in_get(c->hl->tls);
    t->receiving = true;
    if (t->in)
        net_recv(c->hl->l, &c->in, c->fd, t->in->b, TLS_IN_SIZE, false,
                 read_arrived);
    else
        net_recv_pool(c->hl->l, &c->in, c->fd, read_arrived);
}

static void
read_task(struct loop *l, struct task *task)
{
    struct tls *t = container_of(task, struct tls, r.task);

    (void)l;
    if (read_step(t)) {
        read_tell(t);
        return;
    }
    (void)flush(t);
    read_more(t);
}

void
tls_recv(struct conn *c, void *p, size_t n, bool all, net_done_fn *done)
{
    struct tls *t = c->tls;

    t->r.done = done;
    t->r.p = p;
    t->r.n = p ? n : RECORD;
    t->r.got = 0;
    t->r.all = all;
    t->r.canceled = false;
    if (t->dead || t->wire.in_n || SSL_has_pending(t->ssl))
        loop_post(&c->hl->l->loop, &t->r.task);
    else
        read_more(t);
}

/* ---- writing ---- */

static bool
encrypt(struct tls *t, const void *p, size_t n)
{
    size_t did = 0;

    ERR_clear_error();
    if (SSL_write_ex(t->ssl, p, n, &did) != 1 || did != n) {
        fail(t);
        return false;
    }
    t->w.did += n;
    return true;
}

static void
iov_take(struct tls *t, size_t n)
{
    struct iovec *v = &t->w.iov[0];

    v->iov_base = (char *)v->iov_base + n;
    v->iov_len -= n;
    if (v->iov_len == 0) {
        t->w.n_iov--;
        memmove(v, v + 1, (size_t)t->w.n_iov * sizeof(*v));
    }
}

/* One record of memory; a short head and what follows share one. */
static bool
encrypt_iov(struct tls *t)
{
    uint8_t *mem = t->c->hl->tls->plain;
    const void *p = t->w.iov[0].iov_base;
    size_t n = size_min(t->w.iov[0].iov_len, RECORD);

    if (n < RECORD && t->w.n_iov > 1) {
        size_t k = size_min(t->w.iov[1].iov_len, RECORD - n);

        memcpy(mem, p, n);
        memcpy(mem + n, t->w.iov[1].iov_base, k);
        iov_take(t, n);
        iov_take(t, k);
        return encrypt(t, mem, n + k);
    }
    iov_take(t, n);
    return encrypt(t, p, n);
}

/* Some of the file, as far as that needs no waiting. False: it does, or the
 * connection is dead. */
static bool
encrypt_file(struct tls *t, size_t room)
{
    uint8_t *mem = t->c->hl->tls->plain;
    struct iovec v = {mem, size_min(room / RECORD_ROOM * RECORD,
                                    size_min(t->w.file_left, FILE_PIECE))};
    ssize_t r = preadv2(t->w.file, &v, 1, (off_t)t->w.off, RWF_NOWAIT);

    if (r == -1 && (errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR))
        return false;
    if (r <= 0) { /* 0: the file is shorter than it was */
        t->dead = true;
        t->w.res = r == 0 ? -EIO : -errno;
        return false;
    }
    t->w.off += (uint64_t)r;
    t->w.file_left -= (size_t)r;
    return encrypt(t, mem, (size_t)r);
}

/* Fills the buffer as far as there is plaintext at hand. */
static void
encrypt_some(struct tls *t)
{
    for (;;) {
        size_t used = t->out ? t->out->n : 0;
        size_t room =
            TLS_OUT_SIZE - RESERVE - size_min(used, TLS_OUT_SIZE - RESERVE);

        if (t->dead || room < RECORD_ROOM)
            return;
        if (t->w.n_iov) {
            if (!encrypt_iov(t))
                return;
        } else if (t->w.file_left == 0 || !encrypt_file(t, room)) {
            return;
        }
    }
}

static void
file_arrived(struct loop *l, struct file_io *io)
{
    struct tls_file *tf = container_of(io, struct tls_file, io);
    struct tls *t = tf->t;

    (void)l;
    t->w.reading = NULL;
    if (io->res <= 0) {
        t->dead = true;
        t->w.res = io->res == 0 ? -EIO : (int)io->res;
    } else if (!t->dead && !t->w.canceled) {
        t->w.off += (uint64_t)io->res;
        t->w.file_left -= (size_t)io->res;
        (void)encrypt(t, tf->b, (size_t)io->res);
    }
    free(tf);
    if (!t->sending)
        write_go(t);
}

/* Not in memory: the loop does not wait for it. */
static bool
file_read(struct tls *t)
{
    struct tls_file *tf = malloc(sizeof(*tf));

    if (tf == NULL)
        return false;
    memset(&tf->io, 0, sizeof(tf->io));
    tf->t = t;
    tf->io.fd = t->w.file;
    tf->io.p = tf->b;
    tf->io.n = size_min(t->w.file_left, FILE_PIECE);
    tf->io.off = t->w.off;
    tf->io.done = file_arrived;
    t->w.reading = tf;
    loop_file(&t->c->hl->l->loop, &tf->io);
    return true;
}

/* Goes on with the send, as far as possible. True: it is over, with w.res. */
static bool
write_step(struct tls *t)
{
    if (t->sending || t->w.reading)
        return false;
    if (!t->dead && !t->w.canceled)
        encrypt_some(t);
    if (t->dead || t->w.canceled) {
        if (t->w.res == 0)
            t->w.res = t->dead ? -EIO : -ECANCELED;
        t->dead = true; /* a record is missing in the middle */
        return true;
    }
    if (t->w.later && t->w.n_iov == 0) {
        t->w.res = (int)t->w.did;
        return true;
    }
    if (flush(t))
        return false;
    if (t->w.file_left) {
        if (file_read(t))
            return false;
        t->dead = true;
        t->w.res = -ENOMEM;
        return true;
    }
    t->w.res = (int)t->w.did;
    return true;
}

static void
write_tell(struct tls *t)
{
    struct net_op *op = t->w.op;

    t->w.op = NULL;
    t->w.told = false;
    if (t->out && t->out->pos == t->out->n)
        out_put(t);
    t->w.done(t->c->hl->l, op, t->w.res);
}

/* Something has left or has come: on with the send that waits, if one does. */
static void
write_go(struct tls *t)
{
    struct conn *c = t->c;

    if (t->w.op) {
        if (!t->w.told && write_step(t))
            write_tell(t);
        return;
    }
    if (flush(t))
        return;
    if (t->out)
        out_put(t);
    conn_finish_check(c);
}

static void
write_task(struct loop *l, struct task *task)
{
    (void)l;
    write_tell(container_of(task, struct tls, w.task));
}

static void
write_start(struct tls *t, struct net_op *op, net_done_fn *done)
{
    t->w.op = op;
    t->w.done = done;
    t->w.did = 0;
    t->w.res = 0;
    t->w.canceled = false;
    t->w.told = write_step(t);
    if (t->w.told)
        loop_post(&t->c->hl->l->loop, &t->w.task);
}

void
tls_sendv(struct conn *c, struct net_op *op, net_done_fn *done)
{
    struct tls *t = c->tls;

    memcpy(t->w.iov, op->iov, (size_t)op->n_iov * sizeof(op->iov[0]));
    t->w.n_iov = op->n_iov;
    t->w.file_left = 0;
    t->w.later = op->more;
    write_start(t, op, done);
}

void
tls_sendfile(struct conn *c, struct net_op *op, int file, uint64_t off,
             size_t n, net_done_fn *done)
{
    struct tls *t = c->tls;

    t->w.n_iov = 0;
    t->w.file = file;
    t->w.off = off;
    t->w.file_left = n;
    t->w.later = false;
    write_start(t, op, done);
}

/* ---- ends ---- */

void
tls_cancel_in(struct conn *c)
{
    c->tls->r.canceled = true;
    if (c->tls->receiving || !c->tls->up)
        net_cancel(c->hl->l, &c->in);
}

void
tls_cancel_out(struct conn *c)
{
    struct tls *t = c->tls;

    t->w.canceled = true;
    if (t->sending)
        net_cancel(c->hl->l, &t->out->op);
}

bool
tls_busy(const struct conn *c)
{
    return c->tls->sending;
}

/* close_notify, one try: it matters to peers that cannot tell a short answer
 * from a whole one, and our answers have lengths. */
void
tls_bye(struct conn *c)
{
    struct tls *t = c->tls;
    struct tls_out *o;

    assert(!t->sending);
    if (!t->up || t->dead)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
    o = t->out;
    if (o && o->pos < o->n)
        (void)!send(c->fd, o->b + o->pos, o->n - o->pos,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    if (o)
        out_put(t);
}

void
tls_free(struct conn *c)
{
    struct tls *t = c->tls;

    assert(!t->sending && !t->receiving && !t->w.op && !t->w.reading);
    if (!t->up && t->ssl)
        conn_tls_failed(c, t->why         ? t->why
                           : c->timed_out ? "the peer took too long"
                                          : "the peer hung up");
    SSL_free(t->ssl);
    in_put(t);
    out_put(t);
    free(t);
    c->tls = NULL;
}

bool
tls_loop_open(struct http_loop *hl)
{
    hl->tls = calloc(1, sizeof(*hl->tls));
    return hl->tls != NULL;
}

void
tls_loop_close(struct http_loop *hl)
{
    struct tls_loop *tl = hl->tls;

    hl->tls = NULL;
    if (tl == NULL)
        return;
    while (tl->in) {
        struct tls_in *in = tl->in;

        tl->in = in->next;
        free(in);
    }
    while (tl->out) {
        struct tls_out *o = tl->out;

        tl->out = o->next;
        free(o);
    }
    free(tl);
}

/* ---- handshake ---- */

bool
tls_start(struct conn *c)
{
    struct tls *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return false;
    t->wire.out = wire_out;
    t->c = c;
    t->r.task.run = read_task;
    t->w.task.run = write_task;
    c->tls = t;
    c->state = CONN_HANDSHAKE;
    c->in_busy = true;
    conn_deadline(c, c->hl->s->conf.head_timeout);
    net_recv_pool(c->hl->l, &c->in, c->fd, hello_arrived);
    return true;
}

static void
hello_over(struct tls *t)
{
    struct conn *c = t->c;

    t->up = true;
    in_keep(t);
    (void)flush(t);
    conn_ready(c);
}

static void
hello_failed(struct tls *t)
{
    struct conn *c = t->c;

    fail(t);
    c->state = CONN_CLOSING;
    if (!flush(t)) /* the alert; what follows it closes */
        conn_finish_check(c);
}

static void
hello_step(struct tls *t)
{
    struct conn *c = t->c;
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    if (r == 1) {
        hello_over(t);
    } else if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ &&
               t->heard < HELLO_MAX) {
        (void)flush(t);
        c->in_busy = true;
        net_recv_pool(c->hl->l, &c->in, c->fd, hello_arrived);
    } else {
        hello_failed(t);
    }
}

static void
hello_arrived(struct ioloop *l, struct net_op *op, int res)
{
    struct conn *c = conn_of_in(op);
    struct tls *t = c->tls;
    const uint8_t *p = op->p;

    (void)l;
    c->in_busy = false;
    if (c->state != CONN_HANDSHAKE || res <= 0) {
        c->state = CONN_CLOSING;
        conn_finish_check(c);
        return;
    }
    t->heard += (size_t)res;
    if (t->ssl == NULL && p[0] != TLS_HANDSHAKE_BYTE) {
        tls_free(c);
        conn_plain(c, p[0]);
        return;
    }
    if (t->ssl == NULL)
        t->ssl = tls_context_accept(c->hl->s->conf.tls, &t->wire);
    if (t->ssl == NULL) {
        conn_close(c);
        return;
    }
    t->wire.in = p;
    t->wire.in_n = (size_t)res;
    hello_step(t);
}
