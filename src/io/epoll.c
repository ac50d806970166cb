/* epoll.c - the same loop where io_uring is not allowed (many container
 * profiles forbid it) and for tools that cannot see into a ring.
 *
 * Sockets are non-blocking and registered once, edge-triggered, for both
 * directions. An operation is tried when it is submitted (in the next wait, not
 * inside the call) and again at each edge; a receive that brought less than it
 * asked for has emptied the socket and waits for the edge at once. Files go to
 * the workers. SPDX-License-Identifier: Apache-2.0 */
#include "io/ioloop_impl.h"
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS  256
#define FDS_MAX (1 << 20)

/* What waits on one descriptor. */
struct ep_fd {
    struct net_op *in;
    struct net_op *out;
    struct net_listener *listener;
    bool known;   /* registered with epoll */
    bool blocked; /* reading said EAGAIN since the last edge */
};

struct ep {
    int fd;
    struct ep_fd *fds;
    size_t n_fds;
    struct list ready; /* net_op to try */
    uint8_t pool[NET_POOL_BUF];
};

static struct ep_fd *
ep_at(struct ep *e, int fd)
{
    size_t want = (size_t)fd + 1, n = e->n_fds ? e->n_fds : 64;
    struct ep_fd *a;

    if (want <= e->n_fds)
        return &e->fds[fd];
    assert(want <= FDS_MAX);
    while (n < want)
        n *= 2;
    a = realloc(e->fds, n * sizeof(a[0]));
    if (a == NULL)
        return NULL;
    memset(a + e->n_fds, 0, (n - e->n_fds) * sizeof(a[0]));
    e->fds = a;
    e->n_fds = n;
    return &a[fd];
}

static bool
ep_register(struct ep *e, int fd, uint32_t events)
{
    struct ep_fd *s = ep_at(e, fd);
    struct epoll_event ev = {.events = events, .data.fd = fd};

    if (s == NULL)
        return false;
    if (!s->known) {
        if (epoll_ctl(e->fd, EPOLL_CTL_ADD, fd, &ev) == -1)
            return false;
        s->known = true;
        s->blocked = false;
    }
    return true;
}

static bool
is_send(const struct net_op *op)
{
    return op->type == NET_SENDV || op->type == NET_SENDFILE;
}

static void
epoll_submit(struct ioloop *l, struct net_op *op)
{
    struct ep *e = l->driver;
    struct ep_fd *s;

    op->did = 0;
    op->res = 0;
    op->canceled = false;
    list_init(&op->item);
    if (!ep_register(e, op->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
        op->res = -ENOMEM;
        list_push(&e->ready, &op->item);
        return;
    }
    s = ep_at(e, op->fd);
    if (is_send(op)) {
        assert(s->out == NULL);
        s->out = op;
    } else {
        assert(s->in == NULL);
        s->in = op;
        if (s->blocked)
            return; /* the next edge will try it */
    }
    list_push(&e->ready, &op->item);
}

static void
epoll_cancel(struct ioloop *l, struct net_op *op)
{
    struct ep *e = l->driver;

    op->canceled = true;
    list_remove(&op->item);
    list_push(&e->ready, &op->item);
}

static void
epoll_forget(struct ioloop *l, int fd)
{
    struct ep *e = l->driver;

    if ((size_t)fd < e->n_fds && e->fds[fd].known) {
        assert(e->fds[fd].in == NULL && e->fds[fd].out == NULL);
        (void)epoll_ctl(e->fd, EPOLL_CTL_DEL, fd, NULL);
        e->fds[fd] = (struct ep_fd){0};
    }
}

/* ---- trying an operation: true when it is finished, op->res set ---- */

static bool
try_recv(struct ep *e, struct ep_fd *s, struct net_op *op)
{
    bool all = op->type == NET_RECV_ALL;

    if (op->type == NET_RECV_POOL) {
        op->p = e->pool;
        op->n = sizeof(e->pool);
    }
    for (;;) {
        ssize_t r = recv(op->fd, (char *)op->p + op->did, op->n - op->did,
                         MSG_DONTWAIT);

        if (r == -1 && errno == EINTR)
            continue;
        if (r == -1 && errno == EAGAIN) {
            s->blocked = true;
            return false;
        }
        if (r <= 0) {
            op->res = op->did ? (int)op->did : r == 0 ? 0 : -errno;
            return true;
        }
        op->did += (size_t)r;
        if (!all || op->did == op->n) {
            op->res = (int)op->did;
            return true;
        }
    }
}

static bool
try_sendv(struct net_op *op)
{
    while (op->n_iov) {
        struct msghdr m = {.msg_iov = op->iov, .msg_iovlen = (size_t)op->n_iov};
        ssize_t r =
            sendmsg(op->fd, &m,
                    MSG_NOSIGNAL | MSG_DONTWAIT | (op->more ? MSG_MORE : 0));
        size_t n = r > 0 ? (size_t)r : 0;

        if (r == -1 && errno == EINTR)
            continue;
        if (r == -1 && errno == EAGAIN)
            return false;
        if (r == -1) {
            op->res = -errno;
            return true;
        }
        op->did += n;
        while (op->n_iov && n >= op->iov[0].iov_len) {
            n -= op->iov[0].iov_len;
            op->n_iov--;
            memmove(op->iov, op->iov + 1,
                    (size_t)op->n_iov * sizeof(op->iov[0]));
        }
        if (op->n_iov) {
            op->iov[0].iov_base = (char *)op->iov[0].iov_base + n;
            op->iov[0].iov_len -= n;
        }
    }
    op->res = (int)op->did;
    return true;
}

static void
try_op(struct ioloop *l, struct net_op *op)
{
    struct ep *e = l->driver;
    struct ep_fd *s = ep_at(e, op->fd);
    bool finished;

    if (op->canceled) {
        op->res = op->did && !is_send(op) ? (int)op->did : -ECANCELED;
        finished = true;
    } else if (op->res < 0) {
        finished = true; /* failed at submission */
    } else if (op->type == NET_SENDV) {
        finished = try_sendv(op);
    } else if (op->type == NET_SENDFILE) {
        finished = net_sendfile_step(op);
    } else {
        finished = try_recv(e, s, op);
    }
    if (!finished)
        return;
    if (s && s->in == op)
        s->in = NULL;
    if (s && s->out == op)
        s->out = NULL;
    op->type = NET_IDLE;
    op->done(l, op, op->res);
}

static unsigned
run_ready(struct ioloop *l)
{
    struct ep *e = l->driver;
    struct list batch, *it;
    unsigned n = 0;

    list_init(&batch);
    while ((it = list_pop(&e->ready)) != NULL)
        list_push(&batch, it);
    while ((it = list_pop(&batch)) != NULL) {
        try_op(l, container_of(it, struct net_op, item));
        n++;
    }
    return n;
}

/* ---- listening ---- */

static void
listener_forget(struct ep *e, struct net_listener *ln)
{
    (void)epoll_ctl(e->fd, EPOLL_CTL_DEL, ln->fd, NULL);
    e->fds[ln->fd] = (struct ep_fd){0};
    ln->armed = false;
}

static void
accept_all(struct ioloop *l, struct net_listener *ln)
{
    for (int i = 0; i < 1024 && !ln->closing; i++) {
        int fd = accept4(ln->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            ln->accepted(l, ln, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /* EAGAIN; or EMFILE, of which epoll would tell us without end */
            if (listener_pause(l, ln, errno))
                listener_forget(l->driver, ln);
            return;
        }
    }
}

static void
epoll_listen(struct ioloop *l, struct net_listener *ln)
{
    struct ep *e = l->driver;

    if (ep_register(e, ln->fd, EPOLLIN)) {
        ep_at(e, ln->fd)->listener = ln;
        ln->armed = true;
    }
}

static void
epoll_unlisten(struct ioloop *l, struct net_listener *ln)
{
    struct ep *e = l->driver;

    accept_all(l, ln);
    ln->closing = true;
    (void)listener_unpause(l, ln);
    listener_forget(e, ln);
    ln->accepted(l, ln, -ECANCELED);
}

/* ---- files: by the workers ---- */

static void
file_work(struct work *w)
{
    struct file_io *io = container_of(w, struct file_io, work);

    while (io->did < io->n) {
        char *p = (char *)io->p + io->did;
        size_t n = io->n - io->did;
        off_t off = (off_t)(io->off + io->did);
        ssize_t r =
            io->write ? pwrite(io->fd, p, n, off) : pread(io->fd, p, n, off);

        if (r == -1 && errno == EINTR)
            continue;
        if (r == -1) {
            io->res = -errno;
            return;
        }
        if (r == 0)
            break;
        io->did += (size_t)r;
    }
    io->res = (int64_t)io->did;
}

static void
file_done(struct loop *l, struct work *w)
{
    struct file_io *io = container_of(w, struct file_io, work);

    io->done(l, io);
}

static void
epoll_file(struct ioloop *l, struct file_io *io)
{
    io->work.work = file_work;
    io->work.done = file_done;
    io->work.home = &l->loop;
    workers_submit(l->workers, &io->work);
}

/* ---- waiting ---- */

static void
edge(struct ioloop *l, const struct epoll_event *ev)
{
    struct ep *e = l->driver;
    struct ep_fd *s;
    uint64_t v;

    if (ev->data.fd == l->wake_fd) {
        (void)!read(l->wake_fd, &v, sizeof(v));
        return;
    }
    s = ep_at(e, ev->data.fd);
    if (s->listener) {
        accept_all(l, s->listener);
        return;
    }
    if (ev->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        s->blocked = false;
        if (s->in && list_empty(&s->in->item))
            list_push(&e->ready, &s->in->item);
    }
    if (ev->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        if (s->out && list_empty(&s->out->item))
            list_push(&e->ready, &s->out->item);
}

static unsigned
epoll_wait_turn(struct ioloop *l, struct mono until, bool poll)
{
    struct ep *e = l->driver;
    struct epoll_event ev[EVENTS];
    unsigned done = run_ready(l);
    int timeout = -1, n;

    if (poll || done || !list_empty(&e->ready)) {
        timeout = 0;
    } else if (until.ns != INT64_MAX) {
        int64_t ms = (until.ns - l->loop.now.ns + 999999) / 1000000;

        timeout = ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
    }
    n = epoll_wait(e->fd, ev, EVENTS, timeout);
    ioloop_clock(l);
    for (int i = 0; i < n; i++)
        edge(l, &ev[i]);
    return done + (n > 0 ? (unsigned)n : 0);
}

static void
epoll_close(struct ioloop *l)
{
    struct ep *e = l->driver;

    if (e == NULL)
        return;
    if (e->fd != -1)
        (void)close(e->fd);
    free(e->fds);
    free(e);
    l->driver = NULL;
}

static const struct ioloop_ops epoll_ops = {
    .submit = epoll_submit,
    .cancel = epoll_cancel,
    .forget = epoll_forget,
    .listen = epoll_listen,
    .unlisten = epoll_unlisten,
    .file = epoll_file,
    .wait = epoll_wait_turn,
    .close = epoll_close,
};

enum err
epoll_open(struct ioloop *l, struct fault *f)
{
    struct ep *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "epoll");
    list_init(&e->ready);
    l->driver = e;
    l->net = &epoll_ops;
    l->kind = "epoll";
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->fd == -1 || !ep_register(e, l->wake_fd, EPOLLIN)) {
        enum err err = fault_sys(f, errno, "epoll_create", "loop");

        epoll_close(l);
        l->net = NULL;
        return err;
    }
    return ERR_OK;
}
