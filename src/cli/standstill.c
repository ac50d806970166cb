/* standstill.c - see standstill.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/standstill.h"
#include "base/base.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct stop {
    struct task task;
    struct standstill *of;
    struct loop *loop;
};

struct standstill {
    pthread_mutex_t mu;
    pthread_cond_t cond; /* on CLOCK_MONOTONIC; for both directions */
    unsigned waiting;    /* loops that stand still */
    unsigned posted;     /* tasks that have not ended */
    bool go;
    unsigned n;
    struct stop stop[];
};

static void
stop_here(struct loop *l, struct task *t)
{
    struct standstill *s = container_of(t, struct stop, task)->of;

    (void)l;
    pthread_mutex_lock(&s->mu);
    s->waiting++;
    pthread_cond_broadcast(&s->cond);
    while (!s->go) /* it is set already for a loop that comes too late */
        pthread_cond_wait(&s->cond, &s->mu);
    s->waiting--;
    s->posted--;
    pthread_mutex_unlock(&s->mu);
}

static bool
gathered(struct standstill *s)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STANDSTILL_WAIT.ns / 1000000000;
    while (s->waiting < s->n)
        if (pthread_cond_timedwait(&s->cond, &s->mu, &until) != 0)
            return s->waiting == s->n;
    return true;
}

bool
standstill_run(struct standstill *s, void (*fn)(void *arg), void *arg)
{
    bool all = false;

    pthread_mutex_lock(&s->mu);
    if (s->posted == 0) {
        s->go = false;
        s->posted = s->n;
        for (unsigned i = 0; i < s->n; i++)
            loop_post(s->stop[i].loop, &s->stop[i].task);
        all = gathered(s);
        if (all)
            fn(arg);
        s->go = true;
        pthread_cond_broadcast(&s->cond);
    }
    pthread_mutex_unlock(&s->mu);
    return all;
}

struct standstill *
standstill_open(struct loop *const *loops, unsigned n)
{
    struct standstill *s = calloc(1, sizeof(*s) + n * sizeof(s->stop[0]));
    pthread_condattr_t attr;

    if (s == NULL)
        return NULL;
    s->n = n;
    for (unsigned i = 0; i < n; i++)
        s->stop[i] = (struct stop){{stop_here, NULL}, s, loops[i]};
    pthread_mutex_init(&s->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->cond, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

void
standstill_close(struct standstill **sp)
{
    struct standstill *s = *sp;

    *sp = NULL;
    if (s == NULL)
        return;
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mu);
    free(s);
}
