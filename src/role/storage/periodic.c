/* periodic.c - what an element does by itself, on one timer of one loop: it
 * measures the file system every 5 s (STO-026), and every minute expires what
 * is past its time (STO-043) and makes a clean point.
 *
 * Expiry goes through the queue of commit.c like any delete, at most SWEEP_MAX
 * files at a time. The wall clock decides what is due, so it is watched: when
 * it has jumped forward against the monotonic clock by more than five minutes,
 * nothing expires for an hour, in which somebody may notice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/periodic.h"
#include "role/storage/impl.h"
#include <stdlib.h>

#define TICK_MS      5000
#define MINUTE_MS    60000
#define SWEEP_MAX    256
#define JUMP_MS      ((int64_t)300000)
#define JUMP_HOLD_MS ((int64_t)3600000)

struct sweep {
    struct periodic *periodic;
};

struct due {
    struct uuid file_id;
    uint64_t epoch;
};

struct periodic {
    struct element *element;
    struct loop *loop;
    struct timer timer;
    struct work work;
    struct task ended;
    struct sweep sweep;
    bool busy; /* the work is out */
    bool stopping;
    void (*done)(void *arg);
    void *arg;
    struct mono last; /* both clocks at the last tick */
    struct wall last_wall;
    struct mono minute;     /* next slow work */
    struct mono hold_until; /* after a jump of the clock */
    bool slow;              /* this time with the slow work */
    struct wall now;
    struct due due[SWEEP_MAX];
    size_t n_due;
    pthread_mutex_t mu;
    size_t expiring; /* under mu */
};

enum err
periodic_new(struct periodic **out, struct element *e, struct fault *f)
{
    struct periodic *p = calloc(1, sizeof(*p));

    if (!p)
        return fault_set(f, ERR_NOMEM, "open", "periodic");
    p->element = e;
    p->sweep.periodic = p;
    pthread_mutex_init(&p->mu, NULL);
    *out = p;
    return ERR_OK;
}

void
periodic_free(struct periodic **p)
{
    if (*p) {
        assert(!(*p)->busy && (*p)->expiring == 0);
        pthread_mutex_destroy(&(*p)->mu);
        free(*p);
    }
    *p = NULL;
}

static bool
add_due(void *arg, const struct index_row *row)
{
    struct periodic *p = arg;

    p->due[p->n_due++] = (struct due){row->attr.file_id, row->attr.epoch};
    return p->n_due < SWEEP_MAX;
}

static void
tick_work(struct work *w)
{
    struct periodic *p = container_of(w, struct periodic, work);
    struct element *e = p->element;

    (void)account_measure(e, NULL);
    p->n_due = 0;
    if (!p->slow)
        return;
    (void)clean_point(e, NULL);
    if (atomic_load(&e->mode) == BLOB_EDIT && !atomic_load(&e->poisoned) &&
        mono_reached(p->last, p->hold_until))
        (void)e->index->ops->expired(e->index, p->now, SWEEP_MAX, add_due, p,
                                     NULL);
}

static void
ended(struct loop *l, struct task *t)
{
    struct periodic *p = container_of(t, struct periodic, ended);

    (void)l;
    p->loop = NULL; /* it may be started again */
    p->done(p->arg);
}

/* On the loop, or on a worker when the last expiry is answered. */
static void
maybe_end(struct periodic *p)
{
    bool end;

    pthread_mutex_lock(&p->mu);
    end = p->stopping && !p->busy && p->expiring == 0;
    if (end)
        p->stopping = false; /* told once */
    pthread_mutex_unlock(&p->mu);
    if (end) {
        p->ended.run = ended;
        loop_post(p->loop, &p->ended);
    }
}

bool
sweep_still_due(const struct commit_item *it, const struct file_attr *a)
{
    const struct periodic *p = it->req.sweep->periodic;

    return a->retention == RETENTION_TEMPORARY && a->expires_at.ms > 0 &&
           a->expires_at.ms <= p->now.ms;
}

void
sweep_answer(struct sweep *s, enum err err)
{
    struct periodic *p = s->periodic;

    (void)err; /* what did not go is found again in a minute */
    pthread_mutex_lock(&p->mu);
    p->expiring--;
    pthread_mutex_unlock(&p->mu);
    maybe_end(p);
}

static void
expire(struct periodic *p, const struct due *d)
{
    struct commit_item *it = commit_item_new(COMMIT_EXPIRE, &d->file_id);

    if (!it)
        return;
    it->req.sweep = &p->sweep;
    it->epoch = d->epoch;
    pthread_mutex_lock(&p->mu);
    p->expiring++;
    pthread_mutex_unlock(&p->mu);
    if (!commit_submit(p->element, p->loop, it)) {
        commit_item_free(p->element, it);
        sweep_answer(&p->sweep, ERR_AGAIN);
    }
}

static void
tick_done(struct loop *l, struct work *w)
{
    struct periodic *p = container_of(w, struct periodic, work);

    for (size_t i = 0; i < p->n_due && !p->stopping; i++)
        expire(p, &p->due[i]);
    pthread_mutex_lock(&p->mu);
    p->busy = false;
    pthread_mutex_unlock(&p->mu);
    if (p->stopping)
        maybe_end(p);
    else
        (void)loop_timer(l, &p->timer, mono_add(l->now, dur_ms(TICK_MS)));
}

static void
watch_clock(struct periodic *p, const struct loop *l)
{
    int64_t passed = mono_sub(l->now, p->last).ns / 1000000;
    int64_t jump = l->wall.ms - p->last_wall.ms - passed;

    if (jump > JUMP_MS)
        p->hold_until = mono_add(l->now, dur_ms(JUMP_HOLD_MS));
    p->last = l->now;
    p->last_wall = l->wall;
}

static void
tick(struct loop *l, struct timer *t)
{
    struct periodic *p = container_of(t, struct periodic, timer);

    element_saw(p->element, l);
    watch_clock(p, l);
    p->now = l->wall;
    pthread_mutex_lock(&p->mu);
    p->slow = mono_reached(l->now, p->minute) && p->expiring == 0;
    p->busy = true;
    pthread_mutex_unlock(&p->mu);
    if (p->slow)
        p->minute = mono_add(l->now, dur_ms(MINUTE_MS));
    p->work = (struct work){.work = tick_work, .done = tick_done};
    loop_work(l, &p->work);
}

void
local_start(struct element *e, struct loop *l)
{
    struct periodic *p = e->periodic;

    assert(!p->loop);
    p->loop = l;
    p->last = l->now;
    p->last_wall = l->wall;
    p->minute = mono_add(l->now, dur_ms(MINUTE_MS));
    p->timer.fire = tick;
    element_saw(e, l);
    (void)loop_timer(l, &p->timer, mono_add(l->now, dur_ms(TICK_MS)));
}

void
local_stop(struct element *e, void (*done)(void *arg), void *arg)
{
    struct periodic *p = e->periodic;

    assert(p->loop && !p->stopping);
    loop_timer_stop(p->loop, &p->timer);
    p->done = done;
    p->arg = arg;
    pthread_mutex_lock(&p->mu);
    p->stopping = true;
    pthread_mutex_unlock(&p->mu);
    maybe_end(p);
}
