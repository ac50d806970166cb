/* vitals.c - see vitals.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/vitals.h"
#include "base/base.h"
#include "cli/clock.h"
#include "cli/memory.h"
#include "obs/metric.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PERIOD     dur_ms(1000)
#define DISK_TICKS 5
#define STALE      dur_ms(20000)

struct beat {
    struct vitals *vitals;
    struct loop *loop;
    struct task task;
    struct timer timer;
    struct mono due;
    _Atomic(int64_t) at; /* ns; 0: none is expected */
};

struct vitals {
    struct vitals_conf conf;
    int loops, disk, memory; /* checks */
    struct series delay;
    pthread_t thread;
    bool running;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool stopping;
    unsigned ticks;
    struct beat beat[];
};

/* ---- loops ---- */

static void
beat_again(struct loop *l, struct beat *b)
{
    atomic_store_explicit(&b->at, l->now.ns, memory_order_relaxed);
    b->due = mono_add(l->now, PERIOD);
    loop_timer(l, &b->timer, b->due);
}

static void
beat_fire(struct loop *l, struct timer *t)
{
    struct beat *b = container_of(t, struct beat, timer);
    struct vitals *v = b->vitals;

    metric_observe(v->conf.metrics, v->delay, mono_sub(l->now, b->due).ns);
    beat_again(l, b);
}

static void
beat_begin(struct loop *l, struct task *t)
{
    beat_again(l, container_of(t, struct beat, task));
}

void
vitals_leave(struct vitals *v, struct loop *l)
{
    struct beat *b = &v->beat[l->id];

    loop_timer_stop(l, &b->timer);
    atomic_store(&b->at, 0);
}

static void
look_at_loops(struct vitals *v)
{
    struct mono now = mono_now();
    int64_t worst = 0;
    unsigned which = 0;
    enum health_status s = HEALTH_HEALTHY;
    char text[VITALS_TEXT];

    for (unsigned i = 0; i < v->conf.n_loops; i++) {
        int64_t at = atomic_load_explicit(&v->beat[i].at, memory_order_relaxed);

        if (at && now.ns - at > worst) {
            worst = now.ns - at;
            which = i;
        }
    }
    snprintf(text, sizeof(text), "%u of %u answer", v->conf.n_loops,
             v->conf.n_loops);
    if (worst > VITALS_LATE.ns) {
        s = worst > VITALS_STUCK.ns ? HEALTH_UNHEALTHY : HEALTH_DEGRADED;
        snprintf(text, sizeof(text), "loop %u has been silent for %lld ms",
                 which, (long long)(worst / 1000000));
    }
    health_stuck(v->conf.health, worst > VITALS_STUCK.ns);
    health_set(v->conf.health, v->loops, s, text, mono_sub(mono_now(), now),
               now);
}

/* ---- disk ---- */

enum health_status
vitals_disk(const struct vitals_room *r, const struct vitals_limits *l,
            char text[VITALS_TEXT])
{
    double percent = r->total ? 100.0 * (double)r->free / (double)r->total : 0;

    if (!r->writable) {
        snprintf(text, VITALS_TEXT, "DATA_DIR cannot be written to");
        return HEALTH_UNHEALTHY;
    }
    snprintf(text, VITALS_TEXT, "%.1f %% free (%llu MiB)", percent,
             (unsigned long long)(r->free / MIB));
    if (percent < l->disk_min && !r->shared)
        return HEALTH_UNHEALTHY;
    return percent < l->disk_low || percent < l->disk_min ? HEALTH_DEGRADED
                                                          : HEALTH_HEALTHY;
}

static void
look_at_disk(struct vitals *v, const struct vitals_limits *limits)
{
    struct mono began = mono_now();
    enum health_status s = HEALTH_UNHEALTHY;
    char text[VITALS_TEXT];
    struct statvfs st;

    if (statvfs(v->conf.data_dir, &st) != 0) {
        snprintf(text, sizeof(text), "DATA_DIR cannot be asked: %s",
                 strerrorname_np(errno));
    } else {
        const struct vitals_room r = {
            .total = (uint64_t)st.f_blocks * st.f_frsize,
            .free = (uint64_t)st.f_bavail * st.f_frsize,
            .writable =
                !(st.f_flag & ST_RDONLY) && access(v->conf.data_dir, W_OK) == 0,
            .shared = v->conf.shared,
        };

        s = vitals_disk(&r, limits, text);
    }
    health_set(v->conf.health, v->disk, s, text, mono_sub(mono_now(), began),
               began);
}

/* ---- memory ---- */

enum health_status
vitals_memory(uint64_t limit, uint64_t used, char text[VITALS_TEXT])
{
    double percent = limit ? 100.0 * (double)used / (double)limit : 0;

    if (limit == 0) {
        snprintf(text, VITALS_TEXT, "memory information unavailable");
        return HEALTH_HEALTHY;
    }
    snprintf(text, VITALS_TEXT, "%.1f %% of %llu MiB in use", percent,
             (unsigned long long)(limit / MIB));
    return percent > 95   ? HEALTH_UNHEALTHY
           : percent > 85 ? HEALTH_DEGRADED
                          : HEALTH_HEALTHY;
}

static void
look_at_memory(struct vitals *v)
{
    struct mono began = mono_now();
    enum health_status s;
    char text[VITALS_TEXT];
    struct memory_use m;

    memory_read(&m);
    s = vitals_memory(m.limit, m.used, text);
    health_set(v->conf.health, v->memory, s, text, mono_sub(mono_now(), began),
               began);
}

/* ---- the thread ---- */

static void
look(struct vitals *v)
{
    struct vitals_limits limits;

    look_at_loops(v);
    if (v->ticks++ % DISK_TICKS)
        return;
    pthread_mutex_lock(&v->mu);
    limits = v->conf.limits;
    pthread_mutex_unlock(&v->mu);
    look_at_disk(v, &limits);
    look_at_memory(v);
}

void
vitals_limit(struct vitals *v, const struct vitals_limits *l)
{
    pthread_mutex_lock(&v->mu);
    v->conf.limits = *l;
    pthread_mutex_unlock(&v->mu);
    health_critical(v->conf.health, v->memory, l->memory_critical);
}

/* False: it is time to go. */
static bool
rest(struct vitals *v)
{
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PERIOD.ns / 1000000000;
    pthread_mutex_lock(&v->mu);
    while (!v->stopping &&
           pthread_cond_timedwait(&v->cond, &v->mu, &until) == 0)
        ;
    go_on = !v->stopping;
    pthread_mutex_unlock(&v->mu);
    return go_on;
}

static void *
vitals_main(void *arg)
{
    struct vitals *v = arg;

    pthread_setname_np(pthread_self(), "vitals");
    while (rest(v))
        look(v);
    return NULL;
}

bool
vitals_start(struct vitals *v)
{
    for (unsigned i = 0; i < v->conf.n_loops; i++)
        loop_post(v->conf.loops[i], &v->beat[i].task);
    look(v);
    v->running = pthread_create(&v->thread, NULL, vitals_main, v) == 0;
    return v->running;
}

void
vitals_stop(struct vitals *v)
{
    if (!v->running)
        return;
    pthread_mutex_lock(&v->mu);
    v->stopping = true;
    pthread_cond_signal(&v->cond);
    pthread_mutex_unlock(&v->mu);
    pthread_join(v->thread, NULL);
    v->running = false;
}

struct vitals *
vitals_open(const struct vitals_conf *conf)
{
    struct vitals *v =
        calloc(1, sizeof(*v) + conf->n_loops * sizeof(v->beat[0]));
    pthread_condattr_t attr;

    if (v == NULL)
        return NULL;
    v->conf = *conf;
    v->delay = metric_plain(conf->metrics, M_LOOP_DELAY);
    v->loops = health_add(conf->health, "loops", false, STALE);
    v->disk = health_add(conf->health, "disk", true, STALE);
    v->memory =
        health_add(conf->health, "memory", conf->limits.memory_critical, STALE);
    for (unsigned i = 0; i < conf->n_loops; i++) {
        v->beat[i].vitals = v;
        v->beat[i].loop = conf->loops[i];
        v->beat[i].task.run = beat_begin;
        v->beat[i].timer.fire = beat_fire;
    }
    pthread_mutex_init(&v->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&v->cond, &attr);
    pthread_condattr_destroy(&attr);
    return v;
}

void
vitals_close(struct vitals **vp)
{
    struct vitals *v = *vp;

    *vp = NULL;
    if (v == NULL)
        return;
    vitals_stop(v);
    pthread_cond_destroy(&v->cond);
    pthread_mutex_destroy(&v->mu);
    free(v);
}
