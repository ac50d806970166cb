/* loop.h - the event loop as roles and drivers see it: time, timers, posted
 * tasks, blocking work, file reads and writes, blocks, and the batch hook.
 *
 * There is one loop per thread. What belongs to a loop is touched by its thread
 * alone; only loop_post() and the block pool may be used from elsewhere.
 * Whatever may wait is submitted and completes later on the loop that submitted
 * it, never inside the call that submitted it. Drivers: io/uring.c, io/epoll.c;
 * a simulator completes from its heap in virtual time.
 *
 * A turn of the loop:
 *
 *     read the clocks -> completions and timers -> posted tasks
 *        -> batch hooks (here the hash lanes run) -> submit -> wait
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_LOOP_H
#define PORT_LOOP_H

#include "base/block.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/mono.h"

struct loop;

/* A deadline. Embedded by its owner; zeroed before the first use. */
struct timer {
    struct heap_item item;
    void (*fire)(struct loop *l, struct timer *t);
};

/* Something to run on a loop's thread. The task is the loop's until it runs,
 * then the owner's again. */
struct task {
    void (*run)(struct loop *l, struct task *t);
    struct task *next;
};

/* Something that blocks. WORK runs on a worker thread, then DONE on the loop
 * that submitted it. Between the two calls nobody else may touch it. */
struct work {
    void (*work)(struct work *w);
    void (*done)(struct loop *l, struct work *w);
    struct loop *home; /* set by loop_work() */
    struct work *next;
};

/* One positioned read or write of a file. DONE gets the byte count, which may
 * be short at the end of a file only, or a negative errno. */
struct file_io {
    int fd;
    bool write;
    void *p;
    size_t n;
    uint64_t off;
    int64_t res;
    void (*done)(struct loop *l, struct file_io *io);
    /* the driver's */
    struct work work;
    size_t did;
};

/* Called once a turn, after input and before submission. Returns true when it
 * wants another turn at once instead of a wait (it holds work back to let more
 * lanes gather: the loop then polls without blocking). IDLE is true when this
 * turn brought no event: whatever is held back should go now. */
struct hook {
    bool (*run)(struct loop *l, struct hook *h, bool idle);
    bool late; /* after those that are not: takes what they hand on */
    struct list item;
};

/* Waits for a block when the budget is used up. First come, first served. */
struct block_wait {
    void (*ready)(struct loop *l, struct block_wait *w, struct block *b);
    struct list item; /* zero, or in a queue */
};

struct loop_ops {
    bool (*timer_set)(struct loop *l, struct timer *t, struct mono at);
    void (*timer_stop)(struct loop *l, struct timer *t);
    void (*post)(struct loop *l, struct task *t);
    void (*work)(struct loop *l, struct work *w);
    void (*file)(struct loop *l, struct file_io *io);
    void (*hook_add)(struct loop *l, struct hook *h);
    bool (*cached)(struct loop *l, int fd, uint64_t off, uint64_t n);
    struct block *(*block_get)(struct loop *l);
    void (*block_put)(struct loop *l, struct block *b);
    void (*block_wait)(struct loop *l, struct block_wait *w);
    void (*block_cancel)(struct loop *l, struct block_wait *w);
};

struct loop {
    const struct loop_ops *ops;
    unsigned id;      /* 0 .. number of loops - 1 */
    struct mono now;  /* CLOCK_BOOTTIME, read once a turn */
    struct wall wall; /* CLOCK_REALTIME, read once a turn */
};

/* Sets or moves T. False when the loop's timer ceiling is reached. */
static inline bool
loop_timer(struct loop *l, struct timer *t, struct mono at)
{
    return l->ops->timer_set(l, t, at);
}

static inline void
loop_timer_stop(struct loop *l, struct timer *t)
{
    l->ops->timer_stop(l, t);
}

/* From any thread: T runs on L's thread in its next turn. Order is kept among
 * posts of one thread. */
static inline void
loop_post(struct loop *l, struct task *t)
{
    l->ops->post(l, t);
}

static inline void
loop_work(struct loop *l, struct work *w)
{
    w->home = l;
    l->ops->work(l, w);
}

static inline void
loop_file(struct loop *l, struct file_io *io)
{
    l->ops->file(l, io);
}

/* Whether N bytes of FD from OFF lie in memory, as far as the kernel tells
 * without waiting: a sendfile of them will not block. */
static inline bool
loop_cached(struct loop *l, int fd, uint64_t off, uint64_t n)
{
    return l->ops->cached(l, fd, off, n);
}

/* Hooks are never removed: they live as long as the loop. */
static inline void
loop_hook(struct loop *l, struct hook *h)
{
    l->ops->hook_add(l, h);
}

/* A block in state RECV, or NULL when the budget is used up or others wait. */
static inline struct block *
loop_block_get(struct loop *l)
{
    return l->ops->block_get(l);
}

/* Gives B back, whatever its state; the first waiter gets it. */
static inline void
loop_block_put(struct loop *l, struct block *b)
{
    l->ops->block_put(l, b);
}

/* READY is called on L with a block in state RECV, never inside this call. */
static inline void
loop_block_wait(struct loop *l, struct block_wait *w)
{
    l->ops->block_wait(l, w);
}

/* Takes W out of the queue; harmless when it is not in. */
static inline void
loop_block_cancel(struct loop *l, struct block_wait *w)
{
    l->ops->block_cancel(l, w);
}

#endif
