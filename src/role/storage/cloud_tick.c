/* cloud_tick.c - what an element in a bucket does by itself, on one timer of
 * one loop: every 5 s it pays debts, every 30 s it looks whether the bucket is
 * still its own (which is also how it finds out that the store is back), every
 * minute it expires what is past its time (STO-043), forgets old tombstones and
 * makes a clean point.
 *
 * The wall clock decides what is due, so it is watched: when it has jumped
 * forward against the monotonic clock by more than five minutes, nothing
 * expires for an hour. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdlib.h>

#define TICK_MS      5000
#define OWNER_MS     30000
#define MINUTE_MS    60000
#define SWEEP_MAX    256
#define JUMP_MS      ((int64_t)300000)
#define JUMP_HOLD_MS ((int64_t)3600000)

struct due {
    struct uuid file_id;
    uint64_t epoch;
};

struct cloud_tick {
    struct loop *loop;
    struct timer timer;
    struct work work;
    struct task ended;
    bool busy;
    bool stopping;
    void (*done)(void *arg);
    void *arg;
    struct mono last;
    struct wall last_wall;
    struct mono owner, minute, hold_until;
    bool see_owner, slow;
    struct wall now;
    struct due due[SWEEP_MAX];
    size_t n_due;
    pthread_mutex_t mu;
    size_t expiring; /* under mu */
    struct cloud *cloud;
};

bool
cloud_tick_new(struct cloud *c)
{
    c->tick = calloc(1, sizeof(*c->tick));
    if (!c->tick)
        return false;
    c->tick->cloud = c;
    pthread_mutex_init(&c->tick->mu, NULL);
    return true;
}

void
cloud_tick_free(struct cloud *c)
{
    if (c->tick) {
        assert(!c->tick->busy && c->tick->expiring == 0);
        pthread_mutex_destroy(&c->tick->mu);
    }
    free(c->tick);
    c->tick = NULL;
}

static bool
add_due(void *arg, const struct index_row *row)
{
    struct cloud_tick *p = arg;

    p->due[p->n_due++] = (struct due){row->attr.file_id, row->attr.epoch};
    return p->n_due < SWEEP_MAX;
}

static void
tick_work(struct work *w)
{
    struct cloud_tick *p = container_of(w, struct cloud_tick, work);
    struct cloud *c = p->cloud;

    p->n_due = 0;
    cloud_memory_trim(&c->memory);
    if (atomic_load(&c->fenced))
        return;
    if (p->see_owner || atomic_load(&c->away))
        (void)cloud_check_owner(c, NULL);
    if (atomic_load(&c->fenced) || atomic_load(&c->away))
        return;
    cloud_pay_all(c);
    if (!p->slow)
        return;
    cloud_sweep_strays(c);
    (void)cloud_clean_point(c, false, NULL);
    cloud_expire_tombs(c, p->now);
    if (atomic_load(&c->mode) == BLOB_EDIT &&
        mono_reached(p->last, p->hold_until))
        (void)c->index->ops->expired(c->index, p->now, SWEEP_MAX, add_due, p,
                                     NULL);
}

static void
ended(struct loop *l, struct task *t)
{
    struct cloud_tick *p = container_of(t, struct cloud_tick, ended);

    (void)l;
    p->loop = NULL; /* it may be started again */
    p->done(p->arg);
}

static void
maybe_end(struct cloud_tick *p)
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
cloud_still_due(struct cloud *c, const struct file_attr *a)
{
    return a->retention == RETENTION_TEMPORARY && a->expires_at.ms > 0 &&
           a->expires_at.ms <= cloud_now(c).ms;
}

void
cloud_expired(struct cloud *c, enum err err)
{
    struct cloud_tick *p = c->tick;

    (void)err; /* what did not go is found again in a minute */
    pthread_mutex_lock(&p->mu);
    p->expiring--;
    pthread_mutex_unlock(&p->mu);
    maybe_end(p);
}

static void
expire(struct cloud_tick *p, const struct due *d)
{
    struct cloud *c = p->cloud;
    struct cloud_item *it =
        cloud_item_new(c, p->loop, COMMIT_EXPIRE, &d->file_id);

    if (!it)
        return;
    it->epoch = d->epoch;
    pthread_mutex_lock(&p->mu);
    p->expiring++;
    pthread_mutex_unlock(&p->mu);
    if (!cloud_submit(it)) {
        cloud_item_free(it);
        cloud_expired(c, ERR_AGAIN);
    }
}

static void
tick_done(struct loop *l, struct work *w)
{
    struct cloud_tick *p = container_of(w, struct cloud_tick, work);

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
watch_clock(struct cloud_tick *p, const struct loop *l)
{
    int64_t passed = mono_sub(l->now, p->last).ns / 1000000;
    int64_t jump = l->wall.ms - p->last_wall.ms - passed;

    if (jump > JUMP_MS)
        p->hold_until = mono_add(l->now, dur_ms(JUMP_HOLD_MS));
    p->last = l->now;
    p->last_wall = l->wall;
}

static bool
is_due(const struct loop *l, struct mono *at, int64_t every_ms)
{
    if (!mono_reached(l->now, *at))
        return false;
    *at = mono_add(l->now, dur_ms(every_ms));
    return true;
}

static void
tick(struct loop *l, struct timer *t)
{
    struct cloud_tick *p = container_of(t, struct cloud_tick, timer);

    cloud_saw(p->cloud, l);
    watch_clock(p, l);
    p->now = l->wall;
    p->see_owner = is_due(l, &p->owner, OWNER_MS);
    pthread_mutex_lock(&p->mu);
    p->slow = p->expiring == 0 && is_due(l, &p->minute, MINUTE_MS);
    p->busy = true;
    pthread_mutex_unlock(&p->mu);
    p->work = (struct work){.work = tick_work, .done = tick_done};
    loop_work(l, &p->work);
}

void
cloud_start(struct element *e, struct loop *l)
{
    struct cloud *c = cloud_self(e);
    struct cloud_tick *p = c->tick;

    assert(!p->loop);
    p->loop = l;
    p->last = l->now;
    p->last_wall = l->wall;
    p->owner = mono_add(l->now, dur_ms(OWNER_MS));
    p->minute = mono_add(l->now, dur_ms(MINUTE_MS));
    p->timer.fire = tick;
    cloud_saw(c, l);
    (void)loop_timer(l, &p->timer, mono_add(l->now, dur_ms(TICK_MS)));
}

void
cloud_stop(struct element *e, void (*done)(void *arg), void *arg)
{
    struct cloud_tick *p = cloud_self(e)->tick;

    assert(p->loop && !p->stopping);
    loop_timer_stop(p->loop, &p->timer);
    p->done = done;
    p->arg = arg;
    pthread_mutex_lock(&p->mu);
    p->stopping = true;
    pthread_mutex_unlock(&p->mu);
    maybe_end(p);
}
