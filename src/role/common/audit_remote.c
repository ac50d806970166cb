/* audit_remote.c - see audit_remote.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/audit_remote.h"
#include "obs/log.h"
#include "sec/random.h"
#include "wire/json.h"
#include <pthread.h>
#include <stdlib.h>

#define TICK     dur_s(1)
#define BODY_MAX ((size_t)256 * KIB)

struct entry {
    struct list link;
    struct meta_audit a;
};

struct audit_remote {
    struct fetch_peer *peer;
    struct ask_auth auth;
    struct dur patience;
    struct log *log;
    struct loop *loop;
    struct timer timer;
    struct ask ask;
    struct buf body;
    struct list batch; /* being sent */
    unsigned n_batch;
    bool started, busy, stopping;
    bool late; /* the time of the stop is over */
    bool told;
    void (*done)(void *arg);
    void *done_arg;
    pthread_mutex_t lock; /* for all that follows */
    struct list queue;
    struct audit_remote_stats stats;
};

static void
batch_free(struct audit_remote *q)
{
    struct list *it;

    while ((it = list_pop(&q->batch)) != NULL)
        free(container_of(it, struct entry, link));
    q->n_batch = 0;
}

static void
batch_back(struct audit_remote *q)
{
    (void)pthread_mutex_lock(&q->lock);
    while (!list_empty(&q->batch)) {
        struct list *it = q->batch.prev;

        list_remove(it);
        list_push_front(&q->queue, it);
    }
    q->stats.queued += q->n_batch;
    q->n_batch = 0;
    (void)pthread_mutex_unlock(&q->lock);
}

static void
put_entry(struct json_writer *w, const struct meta_audit *a)
{
    char id[UUID_TEXT];

    json_put_object(w, NULL);
    json_put_text(w, "id", uuid_text(&a->id, id));
    json_put_time(w, "at", a->at);
    json_put_text(w, "actor", a->actor[0] ? a->actor : "anonymous");
    json_put_text(w, "action", a->action);
    json_put_text(w, "object", a->object);
    json_put_text(w, "element_id", a->element_id);
    json_put_text(w, "result", a->result);
    json_put_text(w, "request_id", a->request_id);
    json_end_object(w);
}

static void
batch_take(struct audit_remote *q)
{
    struct json_writer w;
    struct list *it;

    json_begin(&w, &q->body);
    json_put_object(&w, NULL);
    json_put_list(&w, "entries");
    (void)pthread_mutex_lock(&q->lock);
    while (q->n_batch < AUDIT_BATCH && (it = list_pop(&q->queue)) != NULL) {
        put_entry(&w, &container_of(it, struct entry, link)->a);
        list_push(&q->batch, it);
        q->n_batch++;
        q->stats.queued--;
    }
    (void)pthread_mutex_unlock(&q->lock);
    json_end_list(&w);
    json_end_object(&w);
}

static void
maybe_over(struct audit_remote *q)
{
    if (!q->stopping || q->busy || !q->started)
        return;
    q->started = false;
    loop_timer_stop(q->loop, &q->timer);
    q->done(q->done_arg);
}

static void send(struct audit_remote *q);

/* The status of an answer that it would get again. */
static bool
is_final(const struct ask *a)
{
    return a->status == 400 || a->status == 413 || a->status == 422;
}

static void
answered(struct ask *a)
{
    struct audit_remote *q = a->owner;
    bool good = a->err == ERR_OK, lost = !good && is_final(a);

    if (!good && (lost || !q->told))
        log_error(q->log, "Admin does not take audit entries",
                  F_U64("entries", q->n_batch), F_BOOL("lost", lost),
                  F_FAULT(&a->fault));
    q->told = !good;
    (void)pthread_mutex_lock(&q->lock);
    q->stats.written += good ? q->n_batch : 0;
    q->stats.lost += lost ? q->n_batch : 0;
    (void)pthread_mutex_unlock(&q->lock);
    ask_release(a);
    buf_release(&q->body);
    q->busy = false;
    if (good || lost)
        batch_free(q);
    else
        batch_back(q);
    if (good && !q->late)
        send(q); /* what has gathered meanwhile */
    maybe_over(q);
}

static void
send(struct audit_remote *q)
{
    bool any;

    (void)pthread_mutex_lock(&q->lock);
    any = q->stats.queued > 0;
    (void)pthread_mutex_unlock(&q->lock);
    if (q->busy || !any)
        return;
    buf_init(&q->body, BODY_MAX);
    batch_take(q);
    q->busy = true;
    ask_init(&q->ask, q->loop, q->peer, (size_t)16 * KIB);
    q->ask.method = HTTP_POST;
    q->ask.owner = q;
    q->ask.auth = q->auth.fields ? &q->auth : NULL;
    q->ask.type = "application/json";
    q->ask.patience = q->patience;
    q->ask.done = answered;
    q->ask.piece[q->ask.n_piece++] = buf_slice(&q->body);
    buf_add_str(&q->ask.target, "/api/v1/internal/audit");
    ask_send(&q->ask);
}

static void
tick(struct loop *l, struct timer *t)
{
    struct audit_remote *q = container_of(t, struct audit_remote, timer);

    send(q);
    if (!loop_timer(l, t, mono_add(l->now, TICK)))
        log_error(q->log, "audit entries: the loop has no timer left");
}

void
audit_remote_put(struct audit_remote *q, const struct meta_audit *a)
{
    struct entry *e = calloc(1, sizeof(*e));
    uint8_t random[16];

    if (e) {
        e->a = *a;
        if (uuid_is_nil(&e->a.id)) {
            sec_random(random, sizeof(random));
            e->a.id = uuid_v7(a->at, random);
        }
    }
    (void)pthread_mutex_lock(&q->lock);
    if (e && q->stats.queued < AUDIT_MAX) {
        list_push(&q->queue, &e->link);
        q->stats.queued++;
        e = NULL;
    } else {
        q->stats.lost++;
    }
    (void)pthread_mutex_unlock(&q->lock);
    free(e);
}

void
audit_remote_stats(struct audit_remote *q, struct audit_remote_stats *out)
{
    (void)pthread_mutex_lock(&q->lock);
    *out = q->stats;
    (void)pthread_mutex_unlock(&q->lock);
}

struct audit_remote *
audit_remote_open(struct fetch_peer *peer, const struct ask_auth *auth,
                  struct dur patience, struct log *log)
{
    struct audit_remote *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->peer = peer;
    q->auth = *auth;
    q->patience = patience;
    q->log = log;
    q->timer.fire = tick;
    list_init(&q->queue);
    list_init(&q->batch);
    (void)pthread_mutex_init(&q->lock, NULL);
    return q;
}

void
audit_remote_start(struct audit_remote *q, struct loop *l)
{
    q->loop = l;
    q->started = true;
    tick(l, &q->timer);
}

static void
stop_late(struct loop *l, struct timer *t)
{
    struct audit_remote *q = container_of(t, struct audit_remote, timer);

    (void)l;
    q->late = true;
    if (q->busy)
        ask_cancel(&q->ask);
}

void
audit_remote_stop(struct audit_remote *q, void (*done)(void *arg), void *arg)
{
    q->done = done;
    q->done_arg = arg;
    q->stopping = true;
    loop_timer_stop(q->loop, &q->timer);
    q->timer.fire = stop_late;
    q->late =
        !loop_timer(q->loop, &q->timer, mono_add(q->loop->now, AUDIT_STOP));
    if (!q->late)
        send(q);
    maybe_over(q);
}

void
audit_remote_close(struct audit_remote **qp)
{
    struct audit_remote *q = *qp;
    struct list *it;

    *qp = NULL;
    if (q == NULL)
        return;
    assert(!q->busy);
    while ((it = list_pop(&q->queue)) != NULL)
        free(container_of(it, struct entry, link));
    batch_free(q);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}
