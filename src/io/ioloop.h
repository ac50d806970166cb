/* ioloop.h - the loop as io's own parts see it: sockets beside port/loop.h.
 *
 * Operations on sockets are submitted and complete later on the same thread,
 * never inside the call. The two drivers (uring.c, epoll.c) differ only in how
 * an operation is carried out; everything above is one state machine for both.
 *
 * An operation that is in flight owns its struct net_op and its memory until
 * DONE. net_cancel() asks for an early end; DONE still comes, with -ECANCELED
 * or with what happened first. A descriptor is closed only when none of its
 * operations is in flight. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_IOLOOP_H
#define IO_IOLOOP_H

#include "io/blocks.h"
#include "io/workers.h"
#include "port/loop.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define NET_POOL_BUF ((size_t)8 * 1024) /* what an idle connection reads into */

struct ioloop;
struct net_op;

/* RES: bytes, 0 at the end of the stream, or a negative errno. */
typedef void net_done_fn(struct ioloop *l, struct net_op *op, int res);

enum net_type {
    NET_IDLE,
    NET_RECV_POOL, /* into a buffer of the loop; op->p is valid in DONE only */
    NET_RECV,      /* some bytes */
    NET_RECV_ALL,  /* all N bytes, or the end of the stream, or an error */
    NET_SENDV,     /* all of iov[0..n_iov), or an error */
    NET_SENDFILE,  /* all N bytes of file fd from OFF, or an error */
};

struct net_op {
    net_done_fn *done;
    enum net_type type;
    int fd;
    void *p;
    size_t n;
    struct iovec iov[3];
    int n_iov;
    struct msghdr msg;
    int file;
    uint64_t off;
    size_t did;
    struct list item; /* the driver's queue of finished or waiting operations */
    int res;
    bool canceled;
    bool more; /* more will follow at once: MSG_MORE */
};

/* ACCEPTED gets connections; -ECANCELED last, when CLOSING; or the negative
 * errno for which none can be had now (no descriptor, no memory): accepting is
 * tried again after a moment, and goes on by itself. */
struct net_listener {
    int fd;
    void (*accepted)(struct ioloop *l, struct net_listener *ln, int fd);
    void *owner;
    struct ioloop *loop;
    bool armed;
    bool closing;
    bool paused; /* until AGAIN fires */
    struct timer again;
    struct list item;
};

struct ioloop_ops {
    void (*submit)(struct ioloop *l, struct net_op *op);
    void (*cancel)(struct ioloop *l, struct net_op *op);
    void (*forget)(struct ioloop *l, int fd); /* before close or hand-over */
    void (*listen)(struct ioloop *l, struct net_listener *ln);
    void (*unlisten)(struct ioloop *l, struct net_listener *ln);
    void (*file)(struct ioloop *l, struct file_io *io);
    /* One turn's waiting and collecting: at most until DEADLINE; returns how
     * many events there were. Must call the DONEs. */
    unsigned (*wait)(struct ioloop *l, struct mono until, bool poll);
    void (*close)(struct ioloop *l);
};

struct ioloop {
    struct loop loop; /* first: a loop is the head of an ioloop */
    const struct ioloop_ops *net;
    struct heap timers;
    struct list hooks;
    struct list waiting_blocks; /* struct block_wait */
    struct blocks *blocks;
    struct workers *workers;
    int wake_fd;             /* eventfd */
    _Atomic(bool) wake_sent; /* a wake-up is on its way */
    pthread_mutex_t mu;      /* guards the two queues below */
    struct task *posted, **posted_tail;
    struct work *finished, **finished_tail;
    struct task *own, **own_tail; /* posted by this thread to itself */
    bool stopping;
    bool hungry;  /* registered with the pool of blocks */
    bool starved; /* somebody waits because there was no block */
    struct task hungry_task;
    struct task stop_task;
    unsigned events;    /* of the last wait */
    unsigned in_flight; /* work and file operations of this loop */
    const char *kind;
    void *driver; /* the driver's own state */
    struct {      /* of this loop, for metrics; read by others without a lock */
        _Atomic(uint64_t) turns, events, block_waits;
    } stat;
};

static inline struct ioloop *
ioloop_of(struct loop *l)
{
    return container_of(l, struct ioloop, loop);
}

/* KIND: "uring", "epoll" or "auto" (uring where the kernel lets us). On failure
 * *F names the call. The loop is driven by ioloop_run() on one thread. */
enum err
ioloop_open(struct ioloop **out, const char *kind, unsigned id,
            struct blocks *blocks, struct workers *workers, struct fault *f);
void ioloop_close(struct ioloop **l);
const char *ioloop_kind(const struct ioloop *l); /* "uring", "epoll" */

/* Runs until ioloop_stop(). */
void ioloop_run(struct ioloop *l);
/* One turn; for tests. False when stopping. */
bool ioloop_turn(struct ioloop *l);
void ioloop_stop(struct ioloop *l); /* from any thread */

static inline void
net_recv_pool(struct ioloop *l, struct net_op *op, int fd, net_done_fn *done)
{
    op->type = NET_RECV_POOL;
    op->fd = fd;
    op->done = done;
    l->net->submit(l, op);
}

static inline void
net_recv(struct ioloop *l, struct net_op *op, int fd, void *p, size_t n,
         bool all, net_done_fn *done)
{
    op->type = all ? NET_RECV_ALL : NET_RECV;
    op->fd = fd;
    op->p = p;
    op->n = n;
    op->done = done;
    l->net->submit(l, op);
}

/* op->iov and op->n_iov are set by the caller. */
static inline void
net_sendv(struct ioloop *l, struct net_op *op, int fd, net_done_fn *done)
{
    op->type = NET_SENDV;
    op->fd = fd;
    op->done = done;
    l->net->submit(l, op);
}

static inline void
net_sendfile(struct ioloop *l, struct net_op *op, int fd, int file,
             uint64_t off, size_t n, net_done_fn *done)
{
    op->type = NET_SENDFILE;
    op->fd = fd;
    op->file = file;
    op->off = off;
    op->n = n;
    op->done = done;
    l->net->submit(l, op);
}

static inline void
net_cancel(struct ioloop *l, struct net_op *op)
{
    l->net->cancel(l, op);
}

/* Ends the wait of L, from any thread. */
void ioloop_wake(struct ioloop *l);

/* Given to workers_open(): hands finished work to its loop. */
void ioloop_work_finished(struct work *w);

#endif
