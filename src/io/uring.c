/* uring.c - the loop on io_uring.
 *
 * One ring per loop, touched by one thread (SINGLE_ISSUER, DEFER_TASKRUN: no
 * interrupts of the thread, completions are taken when we ask). An idle
 * connection holds no buffer: its receive picks one from the ring of provided
 * buffers when bytes arrive. Large receives ask for all their bytes at once
 * (MSG_WAITALL), so that a 256 KiB block costs one completion.
 *
 * Sockets are in blocking mode here, because io_uring answers EAGAIN for
 * non-blocking ones instead of waiting for us; sendfile(), which is not an
 * io_uring operation, flips the mode around its calls.
 *
 * What an entry of the completion queue is about stands in the low three bits
 * of its user data; everything it may point to is aligned to eight bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/ioloop_impl.h"
#include <errno.h>
#include <string.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 16384
#define POOL_BUFS  128 /* a power of two */
#define POOL_GROUP 0

enum tag { TAG_NET, TAG_FILE, TAG_LISTEN, TAG_WAKE, TAG_IGNORE };
#define TAG_MASK 7ull

struct uring {
    struct io_uring ring;
    struct io_uring_buf_ring *pool;
    uint8_t *pool_mem;
    struct list ready; /* net_op whose result is known already */
    uint64_t wake_value;
    bool wake_armed;
    bool enabled; /* the ring belongs to the thread that runs it */
};

static struct io_uring_sqe *
sqe_get(struct uring *u)
{
    struct io_uring_sqe *s;

    /* A full queue is submitted; the kernel takes all of it or we try again. */
    while ((s = io_uring_get_sqe(&u->ring)) == NULL)
        (void)io_uring_submit(&u->ring);
    return s;
}

static void
sqe_tag(struct io_uring_sqe *s, void *p, enum tag tag)
{
    assert(((uintptr_t)p & TAG_MASK) == 0);
    io_uring_sqe_set_data64(s, (uint64_t)(uintptr_t)p | tag);
}

static void
pool_give(struct uring *u, unsigned id)
{
    io_uring_buf_ring_add(u->pool, u->pool_mem + id * NET_POOL_BUF,
                          NET_POOL_BUF, (unsigned short)id,
                          io_uring_buf_ring_mask(POOL_BUFS), 0);
    io_uring_buf_ring_advance(u->pool, 1);
}

/* ---- submitting ---- */

static void
submit_sendv(struct uring *u, struct net_op *op)
{
    struct io_uring_sqe *s = sqe_get(u);

    op->msg =
        (struct msghdr){.msg_iov = op->iov, .msg_iovlen = (size_t)op->n_iov};
    io_uring_prep_sendmsg(
        s, op->fd, &op->msg,
        (unsigned)(MSG_NOSIGNAL | MSG_WAITALL | (op->more ? MSG_MORE : 0)));
    sqe_tag(s, op, TAG_NET);
}

static void
uring_submit(struct ioloop *l, struct net_op *op)
{
    struct uring *u = l->driver;
    struct io_uring_sqe *s;

    op->did = 0;
    op->canceled = false;
    switch (op->type) {
    case NET_RECV_POOL:
        s = sqe_get(u);
        io_uring_prep_recv(s, op->fd, NULL, NET_POOL_BUF, 0);
        s->flags |= IOSQE_BUFFER_SELECT;
        s->buf_group = POOL_GROUP;
        sqe_tag(s, op, TAG_NET);
        break;
    case NET_RECV:
    case NET_RECV_ALL:
        s = sqe_get(u);
        io_uring_prep_recv(s, op->fd, op->p, op->n,
                           op->type == NET_RECV_ALL ? MSG_WAITALL : 0);
        sqe_tag(s, op, TAG_NET);
        break;
    case NET_SENDV:
        submit_sendv(u, op);
        break;
    case NET_SENDFILE:
        list_push(&u->ready, &op->item);
        break;
    case NET_IDLE:
        assert(!"an operation without a type");
    }
}

static void
uring_cancel(struct ioloop *l, struct net_op *op)
{
    struct uring *u = l->driver;
    struct io_uring_sqe *s;

    op->canceled = true;
    s = sqe_get(u);
    io_uring_prep_cancel64(s, (uint64_t)(uintptr_t)op | TAG_NET, 0);
    sqe_tag(s, NULL, TAG_IGNORE);
}

static void
uring_forget(struct ioloop *l, int fd)
{
    (void)l;
    (void)fd;
}

static void
listen_arm(struct uring *u, struct net_listener *ln)
{
    struct io_uring_sqe *s = sqe_get(u);

    io_uring_prep_multishot_accept(s, ln->fd, NULL, NULL, SOCK_CLOEXEC);
    sqe_tag(s, ln, TAG_LISTEN);
    ln->armed = true;
}

static void
uring_listen(struct ioloop *l, struct net_listener *ln)
{
    listen_arm(l->driver, ln);
}

static void
uring_unlisten(struct ioloop *l, struct net_listener *ln)
{
    struct uring *u = l->driver;
    struct io_uring_sqe *s;

    ln->closing = true;
    if (listener_unpause(l, ln)) { /* nothing is in flight */
        ln->accepted(l, ln, -ECANCELED);
        return;
    }
    s = sqe_get(u);
    io_uring_prep_cancel64(s, (uint64_t)(uintptr_t)ln | TAG_LISTEN, 0);
    sqe_tag(s, NULL, TAG_IGNORE);
}

static void
file_submit(struct uring *u, struct file_io *io)
{
    struct io_uring_sqe *s = sqe_get(u);
    char *p = (char *)io->p + io->did;
    unsigned n = (unsigned)(io->n - io->did);

    if (io->write)
        io_uring_prep_write(s, io->fd, p, n, io->off + io->did);
    else
        io_uring_prep_read(s, io->fd, p, n, io->off + io->did);
    sqe_tag(s, io, TAG_FILE);
}

static void
uring_file(struct ioloop *l, struct file_io *io)
{
    file_submit(l->driver, io);
}

/* ---- completing ---- */

static void
wait_writable(struct uring *u, struct net_op *op)
{
    struct io_uring_sqe *s = sqe_get(u);

    io_uring_prep_poll_add(s, op->fd, POLLOUT);
    sqe_tag(s, op, TAG_NET);
}

/* A short send: what is left goes again. True when OP is finished. */
static bool
sendv_step(struct uring *u, struct net_op *op, int res)
{
    size_t n;

    if (res <= 0) {
        op->res = res ? res : -EPIPE;
        return true;
    }
    op->did += (size_t)res;
    n = (size_t)res;
    while (op->n_iov && n >= op->iov[0].iov_len) {
        n -= op->iov[0].iov_len;
        op->n_iov--;
        memmove(op->iov, op->iov + 1, (size_t)op->n_iov * sizeof(op->iov[0]));
    }
    if (op->n_iov == 0) {
        op->res = (int)op->did;
        return true;
    }
    if (op->canceled) { /* a cancel ends a send with what has left so far */
        op->res = -ECANCELED;
        return true;
    }
    op->iov[0].iov_base = (char *)op->iov[0].iov_base + n;
    op->iov[0].iov_len -= n;
    submit_sendv(u, op);
    return false;
}

static void
complete_net(struct ioloop *l, struct net_op *op, int res, unsigned flags)
{
    struct uring *u = l->driver;
    int buf = -1;

    if (flags & IORING_CQE_F_BUFFER)
        buf = (int)(flags >> IORING_CQE_BUFFER_SHIFT);
    switch (op->type) {
    case NET_RECV_POOL:
        if (res == -ENOBUFS && !op->canceled) {
            /* all are in use for a moment: try again */
            uring_submit(l, op);
            return;
        }
        op->p = buf >= 0 ? u->pool_mem + (size_t)buf * NET_POOL_BUF : NULL;
        op->res = res;
        break;
    case NET_SENDV:
        if (!sendv_step(u, op, res))
            return;
        break;
    case NET_SENDFILE: /* the poll has ended */
        if (res < 0 || op->canceled) {
            op->res = res < 0 ? res : -ECANCELED;
        } else if (!net_sendfile_step(op)) {
            wait_writable(u, op);
            return;
        }
        break;
    default:
        op->res = res;
    }
    op->type = NET_IDLE;
    op->done(l, op, op->res);
    if (buf >= 0)
        pool_give(u, (unsigned)buf);
}

static void
complete_file(struct ioloop *l, struct file_io *io, int res)
{
    if (res > 0 && io->did + (size_t)res < io->n) {
        io->did += (size_t)res; /* short: the rest, or the end of the file */
        file_submit(l->driver, io);
        return;
    }
    io->res = res < 0 ? res : (int64_t)(io->did + (size_t)res);
    l->in_flight--;
    io->done(&l->loop, io);
}

static void
complete_listen(struct ioloop *l, struct net_listener *ln, int res,
                unsigned flags)
{
    if (res >= 0)
        ln->accepted(l, ln, res);
    if (flags & IORING_CQE_F_MORE)
        return;
    ln->armed = false;
    if (ln->closing)
        ln->accepted(l, ln, -ECANCELED);
    else if (!listener_pause(l, ln, -res))
        listen_arm(l->driver, ln);
}

static void
wake_arm(struct ioloop *l)
{
    struct uring *u = l->driver;
    struct io_uring_sqe *s = sqe_get(u);

    io_uring_prep_read(s, l->wake_fd, &u->wake_value, sizeof(u->wake_value), 0);
    sqe_tag(s, NULL, TAG_WAKE);
    u->wake_armed = true;
}

static void
complete(struct ioloop *l, uint64_t data, int res, unsigned flags)
{
    void *p = (void *)(uintptr_t)(data & ~TAG_MASK);

    switch (data & TAG_MASK) {
    case TAG_NET:
        complete_net(l, p, res, flags);
        break;
    case TAG_FILE:
        complete_file(l, p, res);
        break;
    case TAG_LISTEN:
        complete_listen(l, p, res, flags);
        break;
    case TAG_WAKE:
        ((struct uring *)l->driver)->wake_armed = false;
        break;
    default: /* the answer to a cancel */
        break;
    }
}

static unsigned
run_ready(struct ioloop *l)
{
    struct uring *u = l->driver;
    struct list batch, *it;
    unsigned n = 0;

    list_init(&batch);
    while ((it = list_pop(&u->ready)) != NULL)
        list_push(&batch, it);
    while ((it = list_pop(&batch)) != NULL) {
        struct net_op *op = container_of(it, struct net_op, item);

        n++;
        if (!op->canceled && !net_sendfile_step(op)) {
            wait_writable(u, op);
            continue;
        }
        if (op->canceled)
            op->res = -ECANCELED;
        op->type = NET_IDLE;
        op->done(l, op, op->res);
    }
    return n;
}

/* Takes all completions that are there; each is copied before its handler runs,
 * since handlers submit. */
static unsigned
run_completions(struct ioloop *l)
{
    struct uring *u = l->driver;
    struct io_uring_cqe *c;
    unsigned n = 0;

    while (n < CQ_ENTRIES && io_uring_peek_cqe(&u->ring, &c) == 0) {
        uint64_t data = c->user_data;
        int res = c->res;
        unsigned flags = c->flags;

        io_uring_cqe_seen(&u->ring, c);
        complete(l, data, res, flags);
        n++;
    }
    return n;
}

static unsigned
uring_wait(struct ioloop *l, struct mono until, bool poll)
{
    struct uring *u = l->driver;
    struct io_uring_cqe *c;
    unsigned n = 0;

    if (!u->enabled) {
        /* liburing 2.3 declares io_uring_enable_rings() and does not export
         * it, so this is the system call itself. */
        (void)syscall(__NR_io_uring_register, u->ring.ring_fd,
                      IORING_REGISTER_ENABLE_RINGS, NULL, 0);
        u->enabled = true;
    }
    if (!u->wake_armed)
        wake_arm(l);
    n += run_ready(l);
    if (n || poll) {
        (void)io_uring_submit_and_get_events(&u->ring);
    } else if (until.ns == INT64_MAX) {
        (void)io_uring_submit_and_wait(&u->ring, 1);
    } else {
        int64_t ns = until.ns - l->loop.now.ns;
        struct __kernel_timespec ts;

        if (ns < 0)
            ns = 0;
        ts.tv_sec = ns / 1000000000;
        ts.tv_nsec = ns % 1000000000;
        (void)io_uring_submit_and_wait_timeout(&u->ring, &c, 1, &ts, NULL);
    }
    ioloop_clock(l);
    return n + run_completions(l);
}

static void
uring_close(struct ioloop *l)
{
    struct uring *u = l->driver;

    if (u == NULL)
        return;
    if (u->ring.ring_fd > 0)
        io_uring_queue_exit(&u->ring);
    if (u->pool)
        (void)munmap(u->pool, POOL_BUFS * sizeof(struct io_uring_buf));
    free(u->pool_mem);
    free(u);
    l->driver = NULL;
}

static const struct ioloop_ops uring_ops = {
    .submit = uring_submit,
    .cancel = uring_cancel,
    .forget = uring_forget,
    .listen = uring_listen,
    .unlisten = uring_unlisten,
    .file = uring_file,
    .wait = uring_wait,
    .close = uring_close,
};

static enum err
pool_open(struct uring *u, struct fault *f)
{
    struct io_uring_buf_reg reg = {.ring_entries = POOL_BUFS,
                                   .bgid = POOL_GROUP};
    int r;

    u->pool = mmap(NULL, POOL_BUFS * sizeof(struct io_uring_buf),
                   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    u->pool_mem = aligned_alloc(4096, POOL_BUFS * NET_POOL_BUF);
    if (u->pool == MAP_FAILED || u->pool_mem == NULL) {
        u->pool = u->pool == MAP_FAILED ? NULL : u->pool;
        return fault_set(f, ERR_NOMEM, "allocate", "buffer ring");
    }
    reg.ring_addr = (uint64_t)(uintptr_t)u->pool;
    r = io_uring_register_buf_ring(&u->ring, &reg, 0);
    if (r < 0)
        return fault_sys(f, -r, "io_uring_register", "buffer ring");
    io_uring_buf_ring_init(u->pool);
    for (unsigned i = 0; i < POOL_BUFS; i++)
        pool_give(u, i);
    return ERR_OK;
}

enum err
uring_open(struct ioloop *l, struct fault *f)
{
    struct io_uring_params p = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP,
        .cq_entries = CQ_ENTRIES,
    };
    struct uring *u = calloc(1, sizeof(*u));
    enum err e;
    int r;

    if (u == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "ring");
    list_init(&u->ready);
    l->driver = u;
    l->net = &uring_ops;
    l->kind = "uring";
    r = io_uring_queue_init_params(SQ_ENTRIES, &u->ring, &p);
    if (r < 0) {
        memset(&u->ring, 0, sizeof(u->ring));
        e = fault_sys(f, -r, "io_uring_setup", "loop");
    } else {
        e = pool_open(u, f);
    }
    if (e != ERR_OK) {
        uring_close(l);
        l->net = NULL;
    }
    return e;
}
