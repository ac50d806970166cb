/* pull.c - see pull.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/pull.h"
#include "role/ingest/pull_anew.h"
#include "base/map.h"
#include "obs/log.h"
#include "obs/metric.h"
#include "wire/changes.h"
#include <pthread.h>
#include <stdlib.h>

#define WAIT_MAX  dur_s(2)
#define RETRY_MIN dur_s(1)
#define RETRY_MAX dur_s(60)

enum pull_state { PULL_IDLE, PULL_QUEUED, PULL_BUSY };

struct pull_element {
    struct pull *p;
    char id[65];
    char url[256];
    struct uuid uuid;
    struct blob *blob;
    struct fetch_peer *peer; /* NULL until the first page */
    enum pull_state state;
    bool idle; /* queued, but of no news */
    bool listed;
    bool told;      /* that it fails */
    uint64_t seen;  /* Admin has its log up to there */
    struct mono at; /* when Admin said so */
    uint64_t shown; /* where it was said to be, when last looked at */
    bool doubt;     /* it may be before SEEN: a copy of an older day */
    bool back;      /* it said so, once */
    uint64_t since; /* of the page that is asked for */
    uint64_t round; /* number of its last pull that is over */
    bool again;     /* somebody wants another one, begun later */
    bool forced;    /* somebody waits for the one of now */
    struct mono not_before;
    struct dur retry;
    struct list item; /* of one of the queues */
    struct ask ask;
    struct registry_push push;
    struct index_change *rows;
    size_t n_rows;
    bool more;
    bool asking;       /* for a page */
    struct anew *anew; /* NULL: not being told anew */
    uint64_t anew_at;
};

struct pull {
    struct pull_conf conf;
    struct loop *loop;
    struct timer timer;
    struct pull_element **e; /* by id */
    unsigned n;
    unsigned busy;
    struct list queue; /* those that have news */
    struct list asks;  /* of the others: when there is nobody in that */
    struct list waits;
    bool started, stopping;
    void (*done)(void *arg);
    void *done_arg;
    struct task wake;
    pthread_mutex_t lock; /* for the next two */
    struct list inbox;
    bool woken;
};

static void pull_turn(struct pull *p);

/* ---- elements ---- */

static int
by_id(const void *a, const void *b)
{
    const struct pull_element *x = *(struct pull_element *const *)a;
    const struct pull_element *y = *(struct pull_element *const *)b;

    return strcmp(x->id, y->id);
}

static struct pull_element *
find(struct pull *p, const char *id)
{
    unsigned from = 0, to = p->n;

    while (from < to) {
        unsigned at = (from + to) / 2;
        int c = strcmp(p->e[at]->id, id);

        if (c == 0)
            return p->e[at];
        if (c < 0)
            from = at + 1;
        else
            to = at;
    }
    return NULL;
}

static void
element_free(struct pull_element *e)
{
    assert(e->state != PULL_BUSY);
    list_remove(&e->item);
    fetch_peer_close(&e->peer);
    blob_drop(&e->blob);
    free(e);
}

static struct pull_element *
element_new(struct pull *p, const char *id)
{
    struct pull_element *e = calloc(1, sizeof(*e));

    if (e == NULL || !slice_copy(slice_str(id), e->id, sizeof(e->id))) {
        free(e);
        return NULL;
    }
    e->p = p;
    e->doubt = true;
    e->retry = RETRY_MIN;
    list_init(&e->item);
    return e;
}

static void
element_set(struct pull_element *e, const struct monitor_element *m)
{
    struct blob *before = e->blob;

    e->listed = true;
    e->blob = blob_hold(m->blob);
    blob_drop(&before);
    if (!uuid_eq(&e->uuid, &m->uuid)) { /* another element under that name */
        e->seen = 0;
        e->doubt = true;
    }
    e->uuid = m->uuid;
    if (strcmp(e->url, m->endpoint) != 0) {
        if (e->state != PULL_BUSY)
            fetch_peer_close(&e->peer); /* else it ends with what it has */
        (void)slice_copy(slice_str(m->endpoint), e->url, sizeof(e->url));
    }
}

void
pull_elements(struct pull *p, const struct monitor_element *m, unsigned n)
{
    struct pull_element **list = calloc(p->n + n + 1, sizeof(list[0]));
    unsigned k = 0;

    if (list == NULL)
        return; /* the list before stays */
    for (unsigned i = 0; i < p->n; i++)
        p->e[i]->listed = false;
    for (unsigned i = 0; i < n; i++) {
        struct pull_element *e = find(p, m[i].element_id);

        if (e == NULL)
            e = list[k] = element_new(p, m[i].element_id);
        else
            list[k] = e;
        if (e) {
            element_set(e, &m[i]);
            k++;
        }
    }
    for (unsigned i = 0; i < p->n; i++) {
        if (p->e[i]->listed)
            continue;
        if (p->e[i]->state == PULL_BUSY)
            list[k++] = p->e[i]; /* goes with the next list */
        else
            element_free(p->e[i]);
    }
    qsort((void *)list, k, sizeof(list[0]), by_id);
    free((void *)p->e);
    p->e = list;
    p->n = k;
}

/* ---- who waits ---- */

static void
wait_run(struct loop *l, struct task *t)
{
    struct pull_wait *w = container_of(t, struct pull_wait, task);

    (void)l;
    w->ready(w);
}

static void
wait_end(struct pull_wait *w)
{
    list_remove(&w->item);
    w->task.run = wait_run;
    loop_post(w->loop, &w->task);
}

static void
waits_look(struct pull *p)
{
    LIST_FOREACH_SAFE (it, next, &p->waits) {
        struct pull_wait *w = container_of(it, struct pull_wait, item);
        const struct pull_element *e = find(p, w->element_id);

        if (p->stopping || e == NULL || e->round >= w->after ||
            mono_reached(p->loop->now, w->until))
            wait_end(w);
    }
}

/* ---- one pull ---- */

static void
rows_free(struct pull_element *e)
{
    for (size_t i = 0; i < e->n_rows; i++)
        free((void *)(uintptr_t)e->rows[i].row.attr.metadata);
    free(e->rows);
    e->rows = NULL;
    e->n_rows = 0;
}

/* Of many elements nearly all have nothing new: those that have, or that
 * somebody waits for, do not stand behind them. */
static void
queue(struct pull_element *e, bool idle)
{
    if (e->state == PULL_BUSY ||
        (e->state == PULL_QUEUED && (idle || !e->idle)))
        return;
    list_remove(&e->item);
    e->state = PULL_QUEUED;
    e->idle = idle;
    list_push(idle ? &e->p->asks : &e->p->queue, &e->item);
}

static void
pull_end(struct pull_element *e)
{
    struct pull *p = e->p;

    e->state = PULL_IDLE;
    e->forced = false;
    e->round++;
    p->busy--;
    if (e->again && e->listed) {
        e->again = false;
        e->forced = true;
        queue(e, false);
    }
    pull_turn(p);
}

static void
pull_failed(struct pull_element *e, const struct fault *f)
{
    if (!e->told && !e->p->stopping)
        log_warning(e->p->conf.log,
                    "what a storage element has logged does not come to Admin; "
                    "tried again",
                    F_STR("se_id", e->id), F_FAULT(f));
    e->told = true;
    e->not_before = mono_add(e->p->loop->now, e->retry);
    e->retry.ns =
        e->retry.ns * 2 < RETRY_MAX.ns ? e->retry.ns * 2 : RETRY_MAX.ns;
    pull_end(e);
}

static void
pull_good(struct pull_element *e)
{
    e->told = e->doubt = e->back = false;
    e->retry = RETRY_MIN;
    pull_end(e);
}

static void page_ask(struct pull_element *e, uint64_t since);

/* Has it logged more than Admin has? What we have of its number may be old, so
 * whoever waits wants to have it asked; and only asking tells whether it is
 * old, or the element, which was restored from a copy. */
static bool
wanted(struct pull_element *e)
{
    struct blob_capacity cap;

    if (e->forced)
        return true;
    e->blob->ops->capacity(e->blob, &cap);
    return cap.seq > e->seen || (e->doubt && cap.seq < e->seen);
}

static void
pushed(struct registry_push *r)
{
    struct pull_element *e = container_of(r, struct pull_element, push);
    bool first = e->rows == NULL;

    rows_free(e);
    if (r->err != ERR_OK) {
        pull_failed(e, &r->fault);
        return;
    }
    if (!first && r->position < r->next && r->position <= r->since) {
        /* Not taken, and from there we have just come. */
        pull_failed(e, &(struct fault){.code = ERR_AGAIN,
                                       .op = "push",
                                       .what = "Admin is elsewhere in it"});
        return;
    }
    e->seen = r->position;
    e->at = e->p->loop->now;
    /* Somebody has begun to tell it anew, and pages are not taken. If he still
     * does he will lose to us; nobody knows whether he does. No log reaches to
     * this number, so the element says where it is. */
    if (r->anew && !e->p->stopping)
        page_ask(e, INT64_MAX);
    else if (e->p->stopping || (first && !wanted(e)))
        pull_good(e);
    else if (first || r->position < r->next || e->more)
        page_ask(e, r->position);
    else
        pull_good(e);
}

static void
push_rows(struct pull_element *e, uint64_t since, uint64_t next)
{
    e->push = (struct registry_push){.loop = e->p->loop,
                                     .done = pushed,
                                     .element_id = e->id,
                                     .element_uuid = e->uuid,
                                     .since = since,
                                     .next = next,
                                     .c = e->rows,
                                     .n = e->n_rows};
    registry_push(e->p->conf.registry, &e->push);
}

static bool
rows_read(struct pull_element *e, struct changes_page *page,
          struct json_error *why)
{
    struct change c;

    e->rows = calloc(page->n ? page->n : 1, sizeof(e->rows[0]));
    if (e->rows == NULL) {
        (void)snprintf(why->text, sizeof(why->text), "no memory");
        return false;
    }
    for (; e->n_rows < page->n; e->n_rows++) {
        if (!changes_row(page, &c, why))
            return false;
        e->rows[e->n_rows] = (struct index_change){.seq = c.seq,
                                                   .op = (enum index_op)c.op,
                                                   .at = c.at,
                                                   .row = {.attr = c.attr}};
    }
    return true;
}

static void
page_taken(struct pull_element *e, struct changes_page *page)
{
    struct json_error why = {0};
    struct fault f = {0};

    if (!uuid_is_nil(&e->uuid) && !uuid_eq(&page->head.element_uuid, &e->uuid))
        (void)snprintf(why.text, sizeof(why.text), "of another element");
    else if (rows_read(e, page, &why) && page->n == 0) {
        rows_free(e);
        e->seen = page->head.seq;
        pull_good(e);
        return;
    }
    if (why.text[0]) {
        rows_free(e);
        (void)fault_set(&f, ERR_IO, "change log", why.text);
        pull_failed(e, &f);
        return;
    }
    e->more = page->head.more;
    push_rows(e, page->head.since, page->head.next);
}

static void
anew_over(void *arg, enum err err, const struct fault *f, uint64_t rows)
{
    struct pull_element *e = arg;

    e->anew = NULL;
    if (err != ERR_OK) {
        pull_failed(e, f);
        return;
    }
    log_info(e->p->conf.log, "all files of a storage element are told to Admin",
             F_STR("se_id", e->id), F_U64("files", rows));
    e->seen = e->anew_at;
    pull_good(e);
}

static void
anew_start(struct pull_element *e, uint64_t seq, const char *reason)
{
    struct pull *p = e->p;

    log_warning(p->conf.log,
                "the change log of a storage element does not lead on from "
                "where Admin is: all its files are told anew",
                F_STR("se_id", e->id), F_STR("reason", reason),
                F_U64("position", e->seen), F_U64("seq", seq));
    metric_add(p->conf.metrics,
               metric_series(p->conf.metrics, M_LOG_ANEW, reason), 1);
    e->anew_at = seq;
    e->anew = anew_begin(
        &(struct anew_conf){.admin = p->conf.admin,
                            .auth = p->conf.auth.fields ? &p->conf.auth : NULL,
                            .patience = p->conf.patience,
                            .loop = p->loop,
                            .element_id = e->id,
                            .uuid = e->uuid,
                            .blob = e->blob,
                            .position = e->anew_at,
                            .done = anew_over,
                            .arg = e});
    if (e->anew == NULL)
        pull_failed(e, &(struct fault){.code = ERR_NOMEM,
                                       .op = "tell anew",
                                       .what = "memory"});
}

/* The log does not lead on from where we asked: it says itself where it is. An
 * element that is before what Admin has of it was restored from a copy; since
 * an answer may also overtake the log's own count, it must say so twice. */
static void
log_gone(struct pull_element *e, struct slice answer)
{
    struct json_error why = {0};
    json_t *o = json_read(answer, &why);
    int64_t seq = json_get_int(json_get_obj(o, "details", JSON_REQUIRED, &why),
                               "seq", JSON_REQUIRED, 0, INT64_MAX, 0, &why);
    bool behind = (uint64_t)seq < e->since && e->since != INT64_MAX;
    struct fault f = {0};

    json_decref(o);
    if (why.text[0] || uuid_is_nil(&e->uuid)) {
        (void)fault_set(&f, ERR_IO, "change log",
                        why.text[0] ? why.text : "whose it is");
        pull_failed(e, &f);
    } else if (behind && !e->back) {
        e->back = true;
        (void)fault_set(&f, ERR_AGAIN, "change log",
                        "it has gone back behind what Admin has of it");
        pull_failed(e, &f);
    } else {
        anew_start(e, (uint64_t)seq, behind ? "back" : "gap");
    }
}

static void
page_got(struct ask *a)
{
    struct pull_element *e = a->owner;
    struct changes_page page;
    struct json_error why = {0};
    struct fault f = a->fault;

    e->asking = false;
    if (e->p->stopping) {
        ask_release(a);
        pull_good(e);
    } else if (a->status == 410 && e->p->conf.admin) {
        log_gone(e, buf_slice(&a->answer));
        ask_release(a);
    } else if (a->err != ERR_OK) {
        ask_release(a);
        pull_failed(e, &f);
    } else if (!changes_open(&page, buf_slice(&a->answer), &why)) {
        ask_release(a);
        (void)fault_set(&f, ERR_IO, "change log", why.text);
        pull_failed(e, &f);
    } else {
        ask_release(a);
        page_taken(e, &page);
        changes_release(&page);
    }
}

static void
page_ask(struct pull_element *e, uint64_t since)
{
    struct pull *p = e->p;
    struct fault f = {0};

    if (e->peer && strcmp(e->peer->url, e->url) != 0)
        fetch_peer_close(&e->peer);
    if (e->peer == NULL &&
        fetch_peer_open(p->conf.fetch, e->url, &e->peer, &f) != ERR_OK) {
        pull_failed(e, &f);
        return;
    }
    ask_init(&e->ask, p->loop, e->peer, CHANGES_TEXT);
    e->ask.method = HTTP_GET;
    e->ask.owner = e;
    e->ask.auth = p->conf.auth.fields ? &p->conf.auth : NULL;
    e->ask.again = true;
    e->ask.patience = p->conf.patience;
    e->ask.done = page_got;
    /* Ids need no escapes. */
    buf_printf(&e->ask.target,
               "/api/v1/changes?element_id=%s&since=%llu"
               "&limit=%d",
               e->id, (unsigned long long)since, PULL_ROWS);
    e->asking = true;
    e->since = since;
    ask_send(&e->ask);
}

/* Admin knows up to where it has had the log: a push of nothing tells. */
static void
pull_begin(struct pull_element *e)
{
    e->state = PULL_BUSY;
    e->p->busy++;
    push_rows(e, 0, 0);
}

/* ---- when ---- */

static void
look(struct pull_element *e)
{
    struct mono now = e->p->loop->now;
    struct blob_capacity cap;
    bool old = mono_reached(now, mono_add(e->at, PULL_ASK));

    if (e->state == PULL_BUSY || !e->listed || uuid_is_nil(&e->uuid) ||
        !mono_reached(now, e->not_before))
        return;
    e->blob->ops->capacity(e->blob, &cap);
    e->doubt |= cap.seq < e->shown;
    e->shown = cap.seq;
    if (cap.seq > e->seen)
        queue(e, false);
    else if ((e->doubt || old) && cap.boot)
        queue(e, true);
}

static void
pull_turn(struct pull *p)
{
    struct list *it;

    while (!p->stopping && p->busy < PULL_AT_ONCE &&
           ((it = list_pop(&p->queue)) || (it = list_pop(&p->asks))))
        pull_begin(container_of(it, struct pull_element, item));
    waits_look(p);
    if (p->stopping && p->busy == 0 && p->started) {
        p->started = false;
        p->done(p->done_arg);
    }
}

static void
tick(struct loop *l, struct timer *t)
{
    struct pull *p = container_of(t, struct pull, timer);
    bool ours = p->conf.ours == NULL || p->conf.ours(p->conf.arg);

    for (unsigned i = 0; ours && i < p->n; i++)
        look(p->e[i]);
    pull_turn(p);
    if (p->started && !p->stopping &&
        !loop_timer(l, t, mono_add(l->now, PULL_EVERY)))
        log_error(p->conf.log, "change logs: the loop has no timer left");
}

/* A wait is over when a pull has ended that began after it: of one that is
 * under way nobody knows what it has seen. */
static void
woken(struct loop *l, struct task *t)
{
    struct pull *p = container_of(t, struct pull, wake);
    struct list *it;

    (void)pthread_mutex_lock(&p->lock);
    p->woken = false;
    while ((it = list_pop(&p->inbox)) != NULL) {
        struct pull_wait *w = container_of(it, struct pull_wait, item);
        struct pull_element *e = find(p, w->element_id);

        w->until = mono_add(l->now, WAIT_MAX);
        w->after = 0;
        if (e && p->started && !p->stopping) {
            e->again = e->state == PULL_BUSY;
            e->forced |= !e->again;
            w->after = e->round + (e->again ? 2 : 1);
            queue(e, false);
        }
        list_push(&p->waits, &w->item);
    }
    (void)pthread_mutex_unlock(&p->lock);
    pull_turn(p);
}

void
pull_now(struct pull *p, struct pull_wait *w)
{
    list_init(&w->item);
    (void)pthread_mutex_lock(&p->lock);
    list_push(&p->inbox, &w->item);
    if (!p->woken) {
        p->woken = true;
        loop_post(p->loop, &p->wake);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- birth and end ---- */

struct pull *
pull_open(const struct pull_conf *c)
{
    struct pull *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->conf = *c;
    p->timer.fire = tick;
    p->wake.run = woken;
    list_init(&p->queue);
    list_init(&p->asks);
    list_init(&p->waits);
    list_init(&p->inbox);
    (void)pthread_mutex_init(&p->lock, NULL);
    return p;
}

void
pull_start(struct pull *p, struct loop *l)
{
    p->loop = l;
    p->started = true;
    tick(l, &p->timer);
}

void
pull_stop(struct pull *p, void (*done)(void *arg), void *arg)
{
    p->done = done;
    p->done_arg = arg;
    p->stopping = true;
    loop_timer_stop(p->loop, &p->timer);
    for (unsigned i = 0; i < p->n; i++) {
        p->e[i]->again = false;
        if (p->e[i]->asking)
            ask_cancel(&p->e[i]->ask);
        if (p->e[i]->anew)
            anew_cancel(p->e[i]->anew);
    }
    pull_turn(p);
}

void
pull_close(struct pull **pp)
{
    struct pull *p = *pp;

    *pp = NULL;
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n; i++)
        element_free(p->e[i]);
    free((void *)p->e);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
