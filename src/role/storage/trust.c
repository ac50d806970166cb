/* trust.c - see trust.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/trust.h"
#include "obs/log.h"
#include "obs/metric.h"
#include "role/common/body.h"
#include "role/common/reply.h"
#include "sec/keydoc.h"
#include <stdlib.h>

/* Nobody shows a token, so whoever is slow must neither keep others out nor
 * take much of our memory: of more bodies than so many on one loop the oldest
 * is given up. Whoever would keep a gateway out has to begin as many in the
 * moment that the gateway takes for its few KiB. */
#define READING_MAX 4
/* Nor may whoever has much to look at: what is there waits, the shortest is the
 * next, and of more than so many the longest is refused. Admin's text has a few
 * KiB for each of its keys; what keeps us busy is longer. */
#define WAITING_MAX 4
/* With the one that is looked at, and those that were given up and are about to
 * end. */
#define HANDINGS_MAX 12

struct trust_loop {
    struct list reading; /* oldest first */
    struct list waiting; /* shortest first; of the same length, oldest first */
    unsigned n_reading, n_waiting;
    /* One at a time: checking documents takes its time, and the workers are
     * there for files. */
    bool at_work;
    unsigned n; /* handings */
};

struct trust_api {
    struct keys *keys;
    struct log *log;
    struct metrics *metrics;
    _Atomic uint64_t refused; /* the version that the log was told of */
    struct trust_loop loop[];
};

struct handing {
    struct list item; /* of READING, of WAITING, or of nothing */
    struct work work;
    struct small_body body;
    struct wall now;
    uint64_t version; /* of the text */
    enum err err;
    struct fault fault;
};

static struct trust_loop *
loop_of(const struct call *c)
{
    struct trust_api *a = c->role;

    return &a->loop[c->x->loop->id];
}

/* Unless it was given up before. */
static void
reading_end(struct handing *h)
{
    if (list_empty(&h->item))
        return;
    list_remove(&h->item);
    loop_of(h->body.call)->n_reading--;
}

/* It is in no list. */
static void
handing_end(struct handing *h)
{
    loop_of(h->body.call)->n--;
    small_body_release(&h->body);
    free(h);
}

/* ---- taking ---- */

static void
hand_work(struct work *w)
{
    struct handing *h = container_of(w, struct handing, work);
    struct trust_api *a = h->body.call->role;

    h->err = keys_hand(a->keys, buf_slice(&h->body.buf), h->now, &h->version,
                       &h->fault);
}

static void
tell(struct trust_api *a, const struct handing *h)
{
    if (h->err == ERR_EXISTS)
        return;
    if (h->err == ERR_OK)
        log_info(a->log, "Keys of the Admin module taken over",
                 F_U64("version", keys_version(a->keys)));
    else if (atomic_exchange(&a->refused, h->version) != h->version ||
             h->version == 0)
        log_warning(a->log, "Keys that a gateway has brought are not taken",
                    F_U64("version", h->version), F_FAULT(&h->fault));
    metric_inc(a->metrics, metric_series(a->metrics, M_AUTH_KEY_RELOADS,
                                         h->err ? "failed" : "changed"));
}

static void
reply_taken(struct call *c, bool taken)
{
    struct trust_api *a = c->role;
    struct buf b;

    buf_init(&b, 256);
    buf_printf(&b, "{\"version\": %llu, \"taken\": %s}",
               (unsigned long long)keys_version(a->keys),
               taken ? "true" : "false");
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void look_at_next(struct loop *l, struct trust_loop *tl);

static void
hand_done(struct loop *l, struct work *w)
{
    struct handing *h = container_of(w, struct handing, work);
    struct call *c = h->body.call;
    struct trust_api *a = c->role;
    const enum err e = h->err;
    struct fault f = h->fault;

    tell(a, h);
    handing_end(h);
    a->loop[l->id].at_work = false;
    look_at_next(l, &a->loop[l->id]);
    switch (e) {
    case ERR_OK:
    case ERR_EXISTS:
        reply_taken(c, e == ERR_OK);
        break;
    case ERR_INVAL:
        reply_error(c, 400, "invalid_keys", "%s", f.what);
        break;
    case ERR_DENIED:
        reply_error(c, 403, "keys_not_trusted", "Nothing is taken: %s", f.what);
        break;
    default:
        reply_fault(c, &f, NULL);
        break;
    }
}

/* ---- waiting ---- */

static void
look_at_next(struct loop *l, struct trust_loop *tl)
{
    struct handing *h;

    if (tl->at_work || list_empty(&tl->waiting))
        return;
    h = container_of(list_pop(&tl->waiting), struct handing, item);
    tl->n_waiting--;
    tl->at_work = true;
    h->now = l->wall;
    loop_work(l, &h->work);
}

static void
refuse_longest(struct trust_loop *tl)
{
    struct handing *h = container_of(tl->waiting.prev, struct handing, item);
    struct call *c = h->body.call;

    list_remove(&h->item);
    tl->n_waiting--;
    handing_end(h);
    reply_error(c, 503, "overloaded", "Shorter ones are looked at first");
}

static void
body_done(struct small_body *b)
{
    struct handing *h = container_of(b, struct handing, body);
    struct trust_loop *tl = loop_of(b->call);
    struct list *at = tl->waiting.next;

    reading_end(h);
    while (at != &tl->waiting &&
           container_of(at, struct handing, item)->body.buf.n <= b->buf.n)
        at = at->next;
    list_insert_before(at, &h->item);
    tl->n_waiting++;
    look_at_next(b->call->x->loop, tl);
    if (tl->n_waiting > WAITING_MAX)
        refuse_longest(tl);
}

/* ---- reading ---- */

static void
body_failed(struct small_body *b)
{
    struct handing *h = container_of(b, struct handing, body);

    reading_end(h);
    handing_end(h);
}

/* The oldest that is still being read ends soon. */
static void
give_up_oldest(struct trust_loop *tl)
{
    struct handing *h = container_of(tl->reading.next, struct handing, item);
    struct exchange *x = h->body.call->x;

    reading_end(h);
    exchange_body_by(x, x->loop->now);
}

static void
trust_put(struct call *c)
{
    struct trust_loop *tl = loop_of(c);
    struct handing *h = tl->n < HANDINGS_MAX ? calloc(1, sizeof(*h)) : NULL;

    if (!h) {
        reply_error(c, 503, "overloaded", "Too many bring something at once");
        return;
    }
    if (tl->n_reading == READING_MAX)
        give_up_oldest(tl);
    tl->n++;
    tl->n_reading++;
    list_push(&tl->reading, &h->item);
    h->work = (struct work){.work = hand_work, .done = hand_done};
    h->body.done = body_done;
    h->body.failed = body_failed;
    small_body_read(&h->body, c, KEYDOCS_MAX);
}

/* ---- the table ---- */

static const struct route_doc trust_docs[] = {
    {"version", "body", "integer", "Of the documents"},
    {"documents", "body", "array",
     "As GET /.well-known/key-documents has them"},
    {"200", NULL, "TrustedKeys",
     "They hold, or these or newer ones did before"},
    {"400", NULL, "Error", "No documents"},
    {"403", NULL, "Error", "None is signed by a key that is trusted here"},
    {"408", NULL, "Error", "Not there in 10 s, or others have come meanwhile"},
    {"413", NULL, "Error", "Longer than 512 KiB"},
    {"503", NULL, "Error", "Others that are shorter wait already"},
    {0},
};

static const struct route routes[] = {
    {HTTP_PUT,
     "/api/v1/trusted-keys",
     0,
     trust_put,
     "trusted_keys_put",
     "Which keys verify tokens from now on, as Admin has signed it",
     {0},
     trust_docs},
};

struct route_table
trust_routes(struct trust_api *a)
{
    return (struct route_table){routes, countof(routes), a, "storage"};
}

struct trust_api *
trust_open(struct keys *keys, struct log *log, struct metrics *metrics,
           unsigned n_loops)
{
    struct trust_api *a = calloc(1, sizeof(*a) + n_loops * sizeof(a->loop[0]));

    if (!a)
        return NULL;
    a->keys = keys;
    a->log = log;
    a->metrics = metrics;
    for (unsigned i = 0; i < n_loops; i++) {
        list_init(&a->loop[i].reading);
        list_init(&a->loop[i].waiting);
    }
    return a;
}

void
trust_close(struct trust_api **a)
{
    free(*a);
    *a = NULL;
}
