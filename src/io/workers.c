/* workers.c - see workers.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/workers.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define WORKERS_MAX 256
#define QUEUE_MAX   65536 /* beyond what bounded loops can submit */

struct workers {
    pthread_mutex_t mu;
    pthread_cond_t more;
    struct work *first, **last;
    unsigned queued;
    unsigned idle;
    uint64_t taken;
    bool stopping;
    void (*finished)(struct work *w);
    unsigned n;
    pthread_t thread[WORKERS_MAX];
};

static struct work *
workers_take(struct workers *ws)
{
    struct work *w;

    pthread_mutex_lock(&ws->mu);
    while (ws->first == NULL && !ws->stopping) {
        ws->idle++;
        pthread_cond_wait(&ws->more, &ws->mu);
        ws->idle--;
    }
    w = ws->first;
    if (w) {
        ws->first = w->next;
        if (ws->first == NULL)
            ws->last = &ws->first;
        ws->queued--;
        ws->taken++;
        w->next = NULL;
    }
    pthread_mutex_unlock(&ws->mu);
    return w;
}

static void *
workers_main(void *arg)
{
    struct workers *ws = arg;
    struct work *w;

    pthread_setname_np(pthread_self(), "worker");
    while ((w = workers_take(ws)) != NULL) {
        w->work(w);
        ws->finished(w);
    }
    return NULL;
}

enum err
workers_open(struct workers **out, unsigned threads,
             void (*finished)(struct work *w), struct fault *f)
{
    struct workers *ws = calloc(1, sizeof(*ws));
    pthread_attr_t attr;
    sigset_t all, old;
    int r = 0;

    *out = NULL;
    if (ws == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "workers");
    assert(threads >= 1 && threads <= WORKERS_MAX);
    pthread_mutex_init(&ws->mu, NULL);
    pthread_cond_init(&ws->more, NULL);
    ws->last = &ws->first;
    ws->finished = finished;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 512 * KIB); /* SQLite and curl fit */
    /* Signals go to the main thread, which waits for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    for (; ws->n < threads && r == 0; ws->n += r == 0)
        r = pthread_create(&ws->thread[ws->n], &attr, workers_main, ws);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (r) {
        workers_close(&ws);
        return fault_sys(f, r, "start thread", "worker");
    }
    *out = ws;
    return ERR_OK;
}

void
workers_close(struct workers **wsp)
{
    struct workers *ws = *wsp;

    *wsp = NULL;
    if (ws == NULL)
        return;
    pthread_mutex_lock(&ws->mu);
    ws->stopping = true;
    pthread_cond_broadcast(&ws->more);
    pthread_mutex_unlock(&ws->mu);
    for (unsigned i = 0; i < ws->n; i++)
        pthread_join(ws->thread[i], NULL);
    assert(ws->first == NULL);
    pthread_cond_destroy(&ws->more);
    pthread_mutex_destroy(&ws->mu);
    free(ws);
}

void
workers_submit(struct workers *ws, struct work *w)
{
    bool wake;

    w->next = NULL;
    pthread_mutex_lock(&ws->mu);
    assert(ws->queued < QUEUE_MAX);
    *ws->last = w;
    ws->last = &w->next;
    ws->queued++;
    wake = ws->idle > 0;
    pthread_mutex_unlock(&ws->mu);
    if (wake)
        pthread_cond_signal(&ws->more);
}

void
workers_stats(struct workers *ws, struct workers_stats *out)
{
    pthread_mutex_lock(&ws->mu);
    *out = (struct workers_stats){.queued = ws->queued, .taken = ws->taken};
    pthread_mutex_unlock(&ws->mu);
}
