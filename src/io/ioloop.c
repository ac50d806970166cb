/* ioloop.c - what both loops share: clocks, timers, posts, work, blocks, hooks
 * and the turn. See ioloop.h and port/loop.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/ioloop.h"
#include "io/ioloop_impl.h"
#include <errno.h>
#include <string.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TIMERS_MAX (1 << 20)
#define PAUSE_MS   100 /* of accepting, when there is no descriptor left */

void
ioloop_clock(struct ioloop *l)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    l->loop.now.ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    clock_gettime(CLOCK_REALTIME, &t);
    l->loop.wall.ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- timers ---- */

static bool
op_timer_set(struct loop *l, struct timer *t, struct mono at)
{
    return heap_set(&ioloop_of(l)->timers, &t->item, at);
}

static void
op_timer_stop(struct loop *l, struct timer *t)
{
    heap_remove(&ioloop_of(l)->timers, &t->item);
}

static unsigned
run_timers(struct ioloop *l)
{
    struct heap_item *it;
    unsigned n = 0;

    while ((it = heap_first(&l->timers)) != NULL &&
           mono_reached(l->loop.now, it->at)) {
        struct timer *t = container_of(it, struct timer, item);

        heap_remove(&l->timers, it);
        t->fire(&l->loop, t);
        n++;
    }
    return n;
}

/* ---- listeners that cannot accept ---- */

static void
pause_over(struct loop *loop, struct timer *t)
{
    struct ioloop *l = ioloop_of(loop);
    struct net_listener *ln = container_of(t, struct net_listener, again);

    ln->paused = false;
    l->net->listen(l, ln);
}

/* The connection that could not be accepted is still there, so that trying at
 * once would be all that the loop does until a descriptor is free. */
bool
listener_pause(struct ioloop *l, struct net_listener *ln, int sys)
{
    if (sys != EMFILE && sys != ENFILE && sys != ENOBUFS && sys != ENOMEM)
        return false;
    ln->again.fire = pause_over;
    ln->paused = loop_timer(&l->loop, &ln->again,
                            mono_add(l->loop.now, dur_ms(PAUSE_MS)));
    ln->accepted(l, ln, -sys);
    return ln->paused;
}

bool
listener_unpause(struct ioloop *l, struct net_listener *ln)
{
    bool was = ln->paused;

    loop_timer_stop(&l->loop, &ln->again);
    ln->paused = false;
    return was;
}

/* ---- posts and finished work ---- */

void
ioloop_wake(struct ioloop *l)
{
    static const uint64_t one = 1;

    if (!atomic_exchange(&l->wake_sent, true))
        (void)!write(l->wake_fd, &one, sizeof(one));
}

/* The loop that this thread runs: a post to oneself needs no lock and no
 * wake-up, and they are the most frequent ones. */
static _Thread_local struct ioloop *running;

static void
op_post(struct loop *loop, struct task *t)
{
    struct ioloop *l = ioloop_of(loop);

    t->next = NULL;
    if (running == l) {
        *l->own_tail = t;
        l->own_tail = &t->next;
        return;
    }
    pthread_mutex_lock(&l->mu);
    *l->posted_tail = t;
    l->posted_tail = &t->next;
    pthread_mutex_unlock(&l->mu);
    ioloop_wake(l);
}

void
ioloop_work_finished(struct work *w)
{
    struct ioloop *l = ioloop_of(w->home);

    w->next = NULL;
    pthread_mutex_lock(&l->mu);
    *l->finished_tail = w;
    l->finished_tail = &w->next;
    pthread_mutex_unlock(&l->mu);
    ioloop_wake(l);
}

static void
op_work(struct loop *loop, struct work *w)
{
    struct ioloop *l = ioloop_of(loop);

    l->in_flight++;
    workers_submit(l->workers, w);
}

static unsigned
run_tasks(struct ioloop *l, struct task *t)
{
    unsigned n = 0;

    while (t) {
        struct task *next = t->next;

        t->run(&l->loop, t);
        t = next;
        n++;
    }
    return n;
}

static unsigned
run_queues(struct ioloop *l)
{
    struct task *t;
    struct work *w;
    unsigned n = 0;

    /* Cleared first: a post after this wakes again, a post before it is seen.
     * */
    atomic_store(&l->wake_sent, false);
    pthread_mutex_lock(&l->mu);
    t = l->posted;
    l->posted = NULL;
    l->posted_tail = &l->posted;
    w = l->finished;
    l->finished = NULL;
    l->finished_tail = &l->finished;
    pthread_mutex_unlock(&l->mu);
    while (w) {
        struct work *next = w->next;

        l->in_flight--;
        w->done(&l->loop, w);
        w = next;
        n++;
    }
    n += run_tasks(l, t);
    t = l->own;
    l->own = NULL;
    l->own_tail = &l->own;
    return n + run_tasks(l, t);
}

/* ---- blocks ---- */

static void
blocks_arrived(struct loop *loop, struct task *t)
{
    struct ioloop *l = ioloop_of(loop);
    struct block *k;

    (void)t;
    l->hungry = false;
    while (!list_empty(&l->waiting_blocks) &&
           (k = blocks_get(l->blocks)) != NULL) {
        struct block_wait *w =
            container_of(list_pop(&l->waiting_blocks), struct block_wait, item);

        w->ready(loop, w, k);
    }
    l->starved = !list_empty(&l->waiting_blocks);
    if (l->starved && !l->hungry) {
        l->hungry = true;
        blocks_hungry(l->blocks, loop, &l->hungry_task);
    }
}

/* Nobody passes those who wait because there was nothing. Others only wait for
 * the next turn: what is there is enough for them. */
static struct block *
op_block_get(struct loop *loop)
{
    struct ioloop *l = ioloop_of(loop);

    return l->starved ? NULL : blocks_get(l->blocks);
}

static void
op_block_put(struct loop *loop, struct block *k)
{
    blocks_put(ioloop_of(loop)->blocks, k);
}

static void
op_block_wait(struct loop *loop, struct block_wait *w)
{
    struct ioloop *l = ioloop_of(loop);

    atomic_fetch_add_explicit(&l->stat.block_waits, 1, memory_order_relaxed);
    list_push(&l->waiting_blocks, &w->item);
    l->starved |= blocks_used(l->blocks) >= blocks_total(l->blocks);
    if (!l->hungry) {
        l->hungry = true;
        blocks_hungry(l->blocks, loop, &l->hungry_task);
    }
}

static void
op_block_cancel(struct loop *loop, struct block_wait *w)
{
    struct ioloop *l = ioloop_of(loop);

    if (w->item.next)
        list_remove(&w->item);
    l->starved &= !list_empty(&l->waiting_blocks);
}

/* ---- files and hooks ---- */

static void
op_file(struct loop *loop, struct file_io *io)
{
    struct ioloop *l = ioloop_of(loop);

    l->in_flight++;
    io->did = 0;
    l->net->file(l, io);
}

static bool
op_cached(struct loop *l, int fd, uint64_t off, uint64_t n)
{
    (void)l;
    return file_cached(fd, off, n);
}

static void
op_hook_add(struct loop *l, struct hook *h)
{
    if (h->late)
        list_push(&ioloop_of(l)->hooks, &h->item);
    else
        list_push_front(&ioloop_of(l)->hooks, &h->item);
}

static bool
run_hooks(struct ioloop *l, bool idle)
{
    bool more = false;

    LIST_FOREACH (it, &l->hooks) {
        struct hook *h = container_of(it, struct hook, item);

        more |= h->run(&l->loop, h, idle);
    }
    return more;
}

static const struct loop_ops loop_ops = {
    .timer_set = op_timer_set,
    .timer_stop = op_timer_stop,
    .post = op_post,
    .work = op_work,
    .file = op_file,
    .hook_add = op_hook_add,
    .cached = op_cached,
    .block_get = op_block_get,
    .block_put = op_block_put,
    .block_wait = op_block_wait,
    .block_cancel = op_block_cancel,
};

/* ---- the turn ---- */

bool
ioloop_turn(struct ioloop *l)
{
    unsigned n = l->events; /* what the last wait brought */
    bool more;

    n += run_timers(l);
    n += run_queues(l);
    more = run_hooks(l, n == 0);
    if (l->stopping && l->in_flight == 0)
        return false;
    l->events = l->net->wait(
        l, heap_first(&l->timers) ? heap_first(&l->timers)->at : MONO_NEVER,
        more || l->own != NULL);
    atomic_fetch_add_explicit(&l->stat.turns, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->stat.events, l->events, memory_order_relaxed);
    return true;
}

void
ioloop_run(struct ioloop *l)
{
    running = l;
    ioloop_clock(l);
    while (ioloop_turn(l)) {
    }
    running = NULL;
}

static void
stop_run(struct loop *loop, struct task *t)
{
    (void)t;
    ioloop_of(loop)->stopping = true;
}

void
ioloop_stop(struct ioloop *l)
{
    loop_post(&l->loop, &l->stop_task);
}

static enum err
open_driver(struct ioloop *l, const char *kind, struct fault *f)
{
    enum err e;

    if (strcmp(kind, "epoll") == 0)
        return epoll_open(l, f);
    e = uring_open(l, f);
    if (e != ERR_OK && strcmp(kind, "auto") == 0)
        e = epoll_open(l, f);
    return e;
}

enum err
ioloop_open(struct ioloop **out, const char *kind, unsigned id,
            struct blocks *blocks, struct workers *workers, struct fault *f)
{
    struct ioloop *l = calloc(1, sizeof(*l));
    enum err e;

    *out = NULL;
    if (l == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "loop");
    l->loop.ops = &loop_ops;
    l->loop.id = id;
    l->blocks = blocks;
    l->workers = workers;
    heap_init(&l->timers, TIMERS_MAX);
    list_init(&l->hooks);
    list_init(&l->waiting_blocks);
    l->posted_tail = &l->posted;
    l->own_tail = &l->own;
    l->finished_tail = &l->finished;
    l->hungry_task.run = blocks_arrived;
    l->stop_task.run = stop_run;
    pthread_mutex_init(&l->mu, NULL);
    ioloop_clock(l);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd == -1) {
        e = fault_sys(f, errno, "eventfd", "loop");
    } else {
        e = open_driver(l, kind, f);
    }
    if (e != ERR_OK)
        ioloop_close(&l);
    *out = l;
    return e;
}

void
ioloop_close(struct ioloop **lp)
{
    struct ioloop *l = *lp;

    *lp = NULL;
    if (l == NULL)
        return;
    if (l->net)
        l->net->close(l);
    if (l->wake_fd != -1)
        (void)close(l->wake_fd);
    heap_release(&l->timers);
    pthread_mutex_destroy(&l->mu);
    free(l);
}

const char *
ioloop_kind(const struct ioloop *l)
{
    return l->kind;
}
