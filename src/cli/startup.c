/* startup.c - see startup.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/startup.h"
#include "base/base.h"
#include "obs/log.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 20 /* in the time that is allowed */

struct startup {
    struct dur limit;
    struct log *log;
    clockid_t clock; /* processor time of the thread that starts */
    _Atomic(const char *) step;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool over;
};

static int64_t
used_ns(const struct startup *s)
{
    struct timespec t = {0};

    clock_gettime(s->clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nothing is cleaned up: whatever would do that may be what hangs, and a start
 * promises nothing to anybody yet. */
_Noreturn static void
give_up(const struct startup *s)
{
    const char *step = atomic_load(&s->step);
    double seconds = (double)s->limit.ns / 1e9;

    log_critical(s->log, "the start stands still", F_STR("step", step),
                 F_MS("startup_timeout_ms", s->limit));
    fprintf(stderr,
            "artstore server: %s: nothing has moved for %g s "
            "(STARTUP_TIMEOUT)\n",
            step, seconds);
    _exit(1);
}

/* False: it is over. */
static bool
rest(struct startup *s, int64_t ns)
{
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec += ns % 1000000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&s->mu);
    while (!s->over && pthread_cond_timedwait(&s->cond, &s->mu, &until) == 0)
        ;
    go_on = !s->over;
    pthread_mutex_unlock(&s->mu);
    return go_on;
}

static void *
startup_main(void *arg)
{
    struct startup *s = arg;
    int64_t used = used_ns(s);
    unsigned still = 0;

    pthread_setname_np(pthread_self(), "startup");
    while (rest(s, s->limit.ns / LOOKS)) {
        int64_t now = used_ns(s);

        still = now == used ? still + 1 : 0;
        used = now;
        if (still == LOOKS)
            give_up(s);
    }
    return NULL;
}

struct startup *
startup_watch(struct dur limit, struct log *log)
{
    struct startup *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (s == NULL || pthread_getcpuclockid(pthread_self(), &s->clock) != 0) {
        free(s);
        return NULL;
    }
    s->limit = limit;
    s->log = log;
    atomic_init(&s->step, "starting");
    pthread_mutex_init(&s->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->cond, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&s->thread, NULL, startup_main, s) == 0)
        return s;
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mu);
    free(s);
    return NULL;
}

void
startup_step(struct startup *s, const char *what)
{
    if (s)
        atomic_store(&s->step, what);
}

void
startup_close(struct startup **sp)
{
    struct startup *s = *sp;

    *sp = NULL;
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mu);
    s->over = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mu);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mu);
    free(s);
}
