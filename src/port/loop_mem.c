/* loop_mem.c - see loop_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/loop_mem.h"
#include "base/sanitized.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if SANITIZED_ADDRESS
#include <sanitizer/asan_interface.h>
#endif

#define TIMERS_MAX 4096
#define BLOCKS_MAX 64
#define TURNS_MAX  1000000 /* a test that never settles is a failure */

static struct loop_mem *
self(struct loop *l)
{
    return container_of(l, struct loop_mem, loop);
}

static bool
m_timer_set(struct loop *l, struct timer *t, struct mono at)
{
    return heap_set(&self(l)->timers, &t->item, at);
}

static void
m_timer_stop(struct loop *l, struct timer *t)
{
    heap_remove(&self(l)->timers, &t->item);
}

static void
m_post(struct loop *l, struct task *t)
{
    struct loop_mem *m = self(l);

    t->next = NULL;
    *m->last_task = t;
    m->last_task = &t->next;
}

static void
m_work(struct loop *l, struct work *w)
{
    struct loop_mem *m = self(l);

    w->next = NULL;
    *m->last_work = w;
    m->last_work = &w->next;
}

static void
file_work(struct work *w)
{
    struct file_io *io = container_of(w, struct file_io, work);
    char *p = io->p;

    io->res = 0;
    for (io->did = 0; io->did < io->n;) {
        size_t n = io->n - io->did;
        off_t off = (off_t)(io->off + io->did);
        ssize_t k = io->write ? pwrite(io->fd, p + io->did, n, off)
                              : pread(io->fd, p + io->did, n, off);

        if (k < 0) {
            io->res = -errno;
            return;
        }
        if (k == 0)
            break;
        io->did += (size_t)k;
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
m_file(struct loop *l, struct file_io *io)
{
    io->work.work = file_work;
    io->work.done = file_done;
    loop_work(l, &io->work);
}

static void
m_hook_add(struct loop *l, struct hook *h)
{
    list_push(&self(l)->hooks, &h->item);
}

/* --- blocks --------------------------------------------------------------- */

/* AddressSanitizer reports who touches it. */
static void
forbid(uint8_t *data, bool on)
{
#if SANITIZED_ADDRESS
    if (on)
        __asan_poison_memory_region(data, BLOCK_SIZE);
    else
        __asan_unpoison_memory_region(data, BLOCK_SIZE);
#else
    (void)data;
    (void)on;
#endif
}

static uint8_t *
take_spare(struct loop_mem *m)
{
    uint8_t *data = m->spare[0];

    m->n_spare--;
    memmove(m->spare, m->spare + 1, m->n_spare * sizeof(*m->spare));
    forbid(data, false);
    return data;
}

static struct block *
block_new(struct loop_mem *m)
{
    struct block *b = calloc(1, sizeof(*b));

    assert(b);
    /* Some lie for a while, to see who uses them again. */
    b->data = m->n_spare > LOOP_MEM_SPARE / 2
                  ? take_spare(m)
                  : aligned_alloc(BLOCK_ALIGN, BLOCK_SIZE);
    assert(b->data);
    b->state = BLOCK_RECV;
    m->blocks++;
    return b;
}

static struct block *
m_block_get(struct loop *l)
{
    struct loop_mem *m = self(l);

    if (m->blocks >= m->blocks_max || !list_empty(&m->waiting))
        return NULL;
    return block_new(m);
}

static void
m_block_put(struct loop *l, struct block *b)
{
    struct loop_mem *m = self(l);

    assert(m->blocks > 0);
    m->blocks--;
    if (m->n_spare == LOOP_MEM_SPARE)
        free(take_spare(m));
    forbid(b->data, true);
    m->spare[m->n_spare++] = b->data;
    free(b);
}

static void
m_block_wait(struct loop *l, struct block_wait *w)
{
    list_push(&self(l)->waiting, &w->item);
}

static void
m_block_cancel(struct loop *l, struct block_wait *w)
{
    (void)l;
    if (w->item.next)
        list_remove(&w->item);
}

/* --- turns ---------------------------------------------------------------- */

static bool
run_timers(struct loop_mem *m)
{
    struct heap_item *it = heap_first(&m->timers);
    bool did = false;

    while (it && mono_reached(m->loop.now, it->at)) {
        struct timer *t = container_of(it, struct timer, item);

        heap_remove(&m->timers, it);
        t->fire(&m->loop, t);
        did = true;
        it = heap_first(&m->timers);
    }
    return did;
}

static bool
run_tasks(struct loop_mem *m)
{
    struct task *t = m->first_task;

    m->first_task = NULL;
    m->last_task = &m->first_task;
    if (!t)
        return false;
    while (t) {
        struct task *next = t->next; /* T is its owner's when it runs */

        t->run(&m->loop, t);
        t = next;
    }
    return true;
}

static bool
run_works(struct loop_mem *m)
{
    struct work *w = m->first_work;

    if (!w || m->hold_work)
        return false;
    m->first_work = NULL;
    m->last_work = &m->first_work;
    while (w) {
        struct work *next = w->next;

        m->works++;
        w->work(w);
        w->done(&m->loop, w);
        w = next;
    }
    return true;
}

static bool
run_waiting(struct loop_mem *m)
{
    struct list *it;
    bool did = false;

    while (m->blocks < m->blocks_max && (it = list_pop(&m->waiting))) {
        struct block_wait *w = container_of(it, struct block_wait, item);

        w->ready(&m->loop, w, block_new(m));
        did = true;
    }
    return did;
}

static bool
run_hooks(struct loop_mem *m, bool idle)
{
    bool more = false;

    LIST_FOREACH_SAFE (it, nx, &m->hooks) {
        struct hook *h = container_of(it, struct hook, item);

        more = h->run(&m->loop, h, idle) || more;
    }
    return more;
}

bool
loop_mem_turn(struct loop_mem *l)
{
    bool did = run_timers(l);

    did = run_tasks(l) || did;
    did = run_works(l) || did;
    did = run_waiting(l) || did;
    did = run_hooks(l, !did) || did;
    /* What a hook has posted or submitted is still to be done. */
    return did || l->first_task || (l->first_work && !l->hold_work);
}

void
loop_mem_settle(struct loop_mem *l)
{
    unsigned turns = 0;

    while (loop_mem_turn(l) || (l->pump && l->pump(l->pump_arg)))
        assert(++turns < TURNS_MAX);
}

void
loop_mem_advance(struct loop_mem *l, struct dur d)
{
    struct mono end = mono_add(l->loop.now, d);
    struct heap_item *it;

    loop_mem_settle(l);
    while ((it = heap_first(&l->timers)) && mono_reached(end, it->at)) {
        l->loop.wall.ms += (it->at.ns - l->loop.now.ns) / 1000000;
        l->loop.now = it->at;
        loop_mem_settle(l);
    }
    l->loop.wall.ms += (end.ns - l->loop.now.ns) / 1000000;
    l->loop.now = end;
    loop_mem_settle(l);
}

void
loop_mem_init(struct loop_mem *l)
{
    static const struct loop_ops ops = {
        .timer_set = m_timer_set,
        .timer_stop = m_timer_stop,
        .post = m_post,
        .work = m_work,
        .file = m_file,
        .hook_add = m_hook_add,
        .block_get = m_block_get,
        .block_put = m_block_put,
        .block_wait = m_block_wait,
        .block_cancel = m_block_cancel,
    };

    *l = (struct loop_mem){.blocks_max = BLOCKS_MAX};
    l->loop.ops = &ops;
    l->loop.now = (struct mono){1000000000};
    l->loop.wall = (struct wall){1700000000000};
    l->last_task = &l->first_task;
    l->last_work = &l->first_work;
    list_init(&l->hooks);
    list_init(&l->waiting);
    heap_init(&l->timers, TIMERS_MAX);
}

void
loop_mem_release(struct loop_mem *l)
{
    assert(!l->first_task && !l->first_work && l->blocks == 0);
    assert(list_empty(&l->waiting));
    while (l->n_spare)
        free(take_spare(l));
    heap_release(&l->timers);
}
