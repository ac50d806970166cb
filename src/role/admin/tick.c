/* tick.c - once a second: write the audit queue, feed what failed to be fed.
 *
 * A hole in an element's numbers is usually a batch that is still being
 * committed; one that stays for some ticks is a number that was never used, or
 * a feed that was lost, and the log tells which.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"
#include "sec/random.h"
#include <stdlib.h>

#define TICK_MS     1000
#define STUCK_TICKS 5
#define AUDIT_FIRST 64 /* places at first; doubles up to ADMIN_AUDIT_MAX */

/* --- audit ---------------------------------------------------------------- */

/* Under the lock. */
static bool
audit_room(struct admin_audit_queue *q)
{
    unsigned cap = q->cap ? q->cap * 2 : AUDIT_FIRST;
    struct meta_audit *a;

    if (q->n < q->cap)
        return true;
    if (cap > ADMIN_AUDIT_MAX)
        return false;
    a = realloc(q->a, cap * sizeof(*a));
    if (!a)
        return false;
    q->a = a;
    q->cap = cap;
    return true;
}

/* An id, by which a row is there once, also when nobody can tell whether it was
 * committed. */
static void
name(struct meta_audit *a)
{
    uint8_t random[10];

    if (!uuid_is_nil(&a->id))
        return;
    sec_random(random, sizeof(random));
    a->id = uuid_v7(a->at, random);
}

/* Under the lock. No more than MAX are queued. */
static void
queue_put(struct admin *a, const struct meta_audit *entry, unsigned max)
{
    if (a->queue.n < max && audit_room(&a->queue))
        a->queue.a[a->queue.n++] = *entry;
    else
        a->stats.audit_lost++;
}

struct meta_audit
admin_audit_named(const struct meta_audit *entry)
{
    struct meta_audit e = *entry;

    name(&e);
    return e;
}

static void
enqueue(struct admin *a, const struct meta_audit *entry)
{
    (void)pthread_mutex_lock(&a->lock);
    queue_put(a, entry, ADMIN_AUDIT_MAX);
    (void)pthread_mutex_unlock(&a->lock);
}

void
admin_audit_add(struct registry *g, const struct meta_audit *entry)
{
    struct meta_audit e = admin_audit_named(entry);

    enqueue(container_of(g, struct admin, registry), &e);
}

void
admin_audit_token(struct admin *a, const struct meta_audit *entry, bool refused,
                  const char *address, struct mono now)
{
    struct meta_audit e = admin_audit_named(entry);

    (void)pthread_mutex_lock(&a->lock);
    if (!refused || refusals_add(&a->refusals, &e, address, now))
        queue_put(a, &e, ADMIN_AUDIT_TOKENS);
    (void)pthread_mutex_unlock(&a->lock);
}

/* Under the lock: what was counted becomes entries. */
static void
refusals_queue(struct admin *a, struct mono now, bool all)
{
    struct meta_audit e;

    while (refusals_take(&a->refusals, now, all, &e)) {
        name(&e);
        queue_put(a, &e, ADMIN_AUDIT_TOKENS);
    }
}

void
admin_audit_last(struct admin *a)
{
    (void)pthread_mutex_lock(&a->lock);
    refusals_queue(a, (struct mono){0}, true);
    (void)pthread_mutex_unlock(&a->lock);
}

static void
count_written(struct admin *a, size_t n)
{
    (void)pthread_mutex_lock(&a->lock);
    a->stats.audit_written += n;
    (void)pthread_mutex_unlock(&a->lock);
}

enum err
admin_audit_with(struct admin *a, enum err e)
{
    if (!e)
        count_written(a, 1);
    return e;
}

void
admin_audit_now(struct admin *a, const struct meta_audit *entry)
{
    struct meta_audit e = admin_audit_named(entry);

    if (admin_audit_take(a, &e, 1, NULL) != ERR_OK)
        enqueue(a, &e);
}

enum err
admin_audit_take(struct admin *a, const struct meta_audit *entries, size_t n,
                 struct fault *f)
{
    enum err e = a->meta->ops->audit_add(a->meta, entries, n, f);

    if (!e)
        count_written(a, n);
    return e;
}

enum err
admin_audit_list(struct admin *a, const struct meta_audit_query *q,
                 meta_audit_fn *fn, void *arg, uint64_t *next,
                 struct audit_head *head, struct fault *f)
{
    enum err e = a->meta->ops->audit_list(a->meta, q, fn, arg, next, f);

    return e ? e : a->meta->ops->audit_head(a->meta, head, f);
}

/* What is being written stays in `batch` until it has been, so that a failure
 * loses nothing; the two queues change places. */
enum err
admin_audit_flush(struct admin *a, struct fault *f)
{
    struct admin_audit_queue q;
    enum err e = ERR_OK;

    (void)pthread_mutex_lock(&a->flushing);
    do {
        if (a->batch.n == 0) {
            (void)pthread_mutex_lock(&a->lock);
            q = a->queue;
            a->queue = a->batch;
            a->batch = q;
            (void)pthread_mutex_unlock(&a->lock);
        }
        if (a->batch.n == 0)
            break;
        e = a->meta->ops->audit_add(a->meta, a->batch.a, a->batch.n, f);
        (void)pthread_mutex_lock(&a->lock);
        if (!e) {
            a->stats.audit_written += a->batch.n;
            a->batch.n = 0;
        }
        (void)pthread_mutex_unlock(&a->lock);
    } while (!e);
    (void)pthread_mutex_unlock(&a->flushing);
    return e;
}

/* --- the tick ------------------------------------------------------------- */

/* Under the lock: does S need its log read? */
static bool
needs(struct admin_slot *s)
{
    if (!s->blob)
        return false; /* gateways see to it */
    if (s->feed.n == 0 || s->feed.position != s->stuck_at) {
        s->stuck_at = s->feed.position;
        s->stuck = 0;
    } else {
        s->stuck++;
    }
    return s->behind || s->stuck >= STUCK_TICKS;
}

static void
tick_work(struct work *w)
{
    struct admin *a = container_of(w, struct admin, work);
    bool need;

    if (a->keys_turn)
        admin_keys_turn(a, a->work_wall);
    (void)admin_audit_flush(a, NULL);
    if (a->seal.in_turn)
        admin_seal_turn(a, a->work_wall);
    /* The table may change meanwhile: then one is seen twice or the next time.
     * What NEED is true of lives until the end. */
    for (unsigned i = 0;; i++) {
        struct admin_slot *s;

        (void)pthread_mutex_lock(&a->lock);
        s = i < a->n ? a->slot[i] : NULL;
        if (!s) {
            (void)pthread_mutex_unlock(&a->lock);
            break;
        }
        need = needs(s);
        s->behind = false; /* a feed that fails from now on says so again */
        (void)pthread_mutex_unlock(&a->lock);
        if (need && admin_catch_up(a, s, NULL)) {
            (void)pthread_mutex_lock(&a->lock);
            a->stats.feed_errors++;
            s->behind = true;
            (void)pthread_mutex_unlock(&a->lock);
        }
    }
}

/* Under the lock. */
static bool
has_work(struct admin *a)
{
    if (a->queue.n || a->batch.n)
        return true;
    for (unsigned i = 0; i < a->n; i++)
        if (a->slot[i]->blob && (a->slot[i]->behind || a->slot[i]->feed.n))
            return true;
    return false;
}

static void tick(struct loop *l, struct timer *t);

static void
again(struct admin *a)
{
    if (a->stopped) {
        void (*done)(void *arg) = a->stopped;

        a->stopped = NULL;
        a->home = NULL;
        done(a->stopped_arg);
        return;
    }
    /* When the loop has no timer left the next start of one is as good. */
    (void)loop_timer(a->home, &a->timer,
                     mono_add(a->home->now, dur_ms(TICK_MS)));
}

static void
tick_done(struct loop *l, struct work *w)
{
    struct admin *a = container_of(w, struct admin, work);

    (void)l;
    a->working = false;
    again(a);
}

static void
submit(struct admin *a)
{
    a->working = true;
    a->work_wall = a->home->wall;
    a->work_mono = a->home->now;
    a->keys_turn = admin_keys_due(a);
    if (a->keys_turn)
        admin_keys_again(a);
    a->seal.in_turn = admin_seal_due(a) || (a->stopped && a->keys);
    if (a->seal.in_turn)
        admin_seal_again(a);
    a->work.work = tick_work;
    a->work.done = tick_done;
    loop_work(a->home, &a->work);
}

static void
tick(struct loop *l, struct timer *t)
{
    struct admin *a = container_of(t, struct admin, timer);
    bool work;

    (void)pthread_mutex_lock(&a->lock);
    if (refusals_due(&a->refusals, l->now))
        refusals_queue(a, l->now, false);
    work = has_work(a) || admin_keys_due(a) || admin_seal_due(a);
    (void)pthread_mutex_unlock(&a->lock);
    if (work)
        submit(a);
    else
        again(a);
}

void
admin_start(struct admin *a, struct loop *l)
{
    assert(!a->home);
    a->home = l;
    a->timer.fire = tick;
    again(a);
    if (a->announce)
        announce_start(a->announce, l);
}

/* The last tick writes what came until now. */
static void
last_tick(void *arg)
{
    struct admin *a = arg;

    a->stopped = a->stopping;
    if (a->working)
        return; /* what comes after it is written by admin_close() */
    loop_timer_stop(a->home, &a->timer);
    admin_audit_last(a);
    submit(a);
}

void
admin_stop(struct admin *a, void (*done)(void *arg), void *arg)
{
    assert(a->home && !a->stopped);
    a->stopping = done;
    a->stopped_arg = arg;
    if (a->announce)
        announce_stop(a->announce, last_tick, a);
    else
        last_tick(a);
}
