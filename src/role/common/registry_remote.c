/* registry_remote.c - see registry_remote.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/registry_remote.h"
#include "role/common/audit_remote.h"
#include "role/common/file_query.h"
#include "wire/changes.h"
#include <pthread.h>
#include <stdlib.h>

#define PENDING_MAX 256
#define SMALL_MAX   ((size_t)64 * KIB)

struct remote {
    struct registry registry;
    struct fetch_peer *peer;
    struct registry_remote_conf conf;
    pthread_mutex_t lock; /* for all that follows */
    struct breaker breaker;
    struct fault why;                        /* the last failure that counted */
    struct registry_remote_element *element; /* by id */
    unsigned n;
    unsigned pending;
    struct registry_stats stats;
};

/* One question. */
struct asked {
    struct ask ask;
    struct remote *remote;
    uint32_t period;
    void *request; /* one of the three */
    struct buf body;
};

static struct remote *
self(struct registry *g)
{
    return container_of(g, struct remote, registry);
}

/* ---- asking ---- */

/* NULL with *E: not now. */
static struct asked *
asked_new(struct remote *m, struct loop *l, size_t answer_max, enum err *e)
{
    unsigned max = m->conf.pending_max ? m->conf.pending_max : PENDING_MAX;
    struct asked *k = calloc(1, sizeof(*k));
    bool may;

    *e = k ? ERR_AGAIN : ERR_NOMEM;
    if (!k)
        return NULL;
    (void)pthread_mutex_lock(&m->lock);
    may = m->pending < max &&
          breaker_ask(&m->breaker, &m->conf.breaker, l->now, &k->period);
    m->pending += may;
    (void)pthread_mutex_unlock(&m->lock);
    if (!may) {
        free(k);
        return NULL;
    }
    k->remote = m;
    ask_init(&k->ask, l, m->peer, answer_max);
    k->ask.auth = m->conf.auth.fields ? &m->conf.auth : NULL;
    k->ask.patience = m->conf.patience;
    k->ask.again = true;
    k->ask.owner = k;
    return k;
}

/* How it ended, for the breaker. What was not sent says nothing of Admin. */
static enum breaker_outcome
outcome(const struct ask *a)
{
    if (a->status)
        return breaker_judge(BREAKER_ANSWERED, a->status);
    if (a->err == ERR_AGAIN)
        return BREAKER_NEUTRAL;
    return breaker_judge(
        a->err == ERR_TIMEOUT ? BREAKER_TIMED_OUT : BREAKER_BROKEN, 0);
}

static void
asked_free(struct asked *k)
{
    struct remote *m = k->remote;
    const enum breaker_outcome o = outcome(&k->ask);

    (void)pthread_mutex_lock(&m->lock);
    m->pending--;
    if (o == BREAKER_FAILURE)
        m->why = k->ask.fault;
    (void)breaker_report(&m->breaker, &m->conf.breaker, k->ask.loop->now,
                         k->period, o);
    (void)pthread_mutex_unlock(&m->lock);
    ask_release(&k->ask);
    buf_release(&k->body);
    free(k);
}

/* A 404 counts only in Admin's own words: a proxy's says nothing of a file. */
static bool
says_not_found(const struct ask *a, const char *code)
{
    struct json_error e = {0};
    json_t *o;
    bool yes;

    if (a->status != 404)
        return false;
    o = json_read(buf_slice(&a->answer), &e);
    yes =
        slice_eq(json_get_str(o, "error", JSON_OPTIONAL, &e), slice_str(code));
    json_decref(o);
    return yes;
}

static enum err
malformed(struct fault *f, const struct json_error *e)
{
    return fault_set(f, ERR_IO, "answer of admin", e->text);
}

static void
nothing(struct work *w)
{
    (void)w;
}

/* ---- elements ---- */

static struct blob *
blob_of(struct remote *m, const struct file_attr *a)
{
    struct blob *b = NULL;

    (void)pthread_mutex_lock(&m->lock);
    for (unsigned i = 0; i < m->n && !b; i++) {
        const struct registry_remote_element *e = &m->element[i];

        if (uuid_is_nil(&e->uuid)
                ? strcmp(e->blob->element_id, a->element_id) == 0
                : uuid_eq(&e->uuid, &a->element_uuid))
            b = blob_hold(e->blob);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return b;
}

static unsigned
r_elements(struct registry *g, struct registry_element *out, unsigned max)
{
    struct remote *m = self(g);
    unsigned n;

    (void)pthread_mutex_lock(&m->lock);
    n = m->n;
    for (unsigned i = 0; i < n && i < max; i++)
        out[i] = (struct registry_element){blob_hold(m->element[i].blob),
                                           m->element[i].mode,
                                           m->element[i].priority};
    (void)pthread_mutex_unlock(&m->lock);
    return n;
}

static struct blob *
r_element(struct registry *g, const char *element_id)
{
    struct remote *m = self(g);
    struct blob *b = NULL;

    (void)pthread_mutex_lock(&m->lock);
    for (unsigned i = 0; i < m->n && !b; i++)
        if (strcmp(m->element[i].blob->element_id, element_id) == 0)
            b = blob_hold(m->element[i].blob);
    (void)pthread_mutex_unlock(&m->lock);
    return b;
}

static int
by_id(const void *a, const void *b)
{
    const struct registry_remote_element *x = a, *y = b;

    return strcmp(x->blob->element_id, y->blob->element_id);
}

static void
list_drop(struct registry_remote_element *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        blob_drop(&e[i].blob);
    free(e);
}

enum err
registry_remote_set(struct registry *g, const struct registry_remote_element *e,
                    unsigned n, struct fault *f)
{
    struct registry_remote_element *copy = calloc(n ? n : 1, sizeof(*copy));
    struct registry_remote_element *before;
    struct remote *m = self(g);
    unsigned n_before;

    if (!copy)
        return fault_set(f, ERR_NOMEM, "set", "elements");
    for (unsigned i = 0; i < n; i++) {
        copy[i] = e[i];
        (void)blob_hold(copy[i].blob);
    }
    qsort(copy, n, sizeof(*copy), by_id);
    (void)pthread_mutex_lock(&m->lock);
    before = m->element;
    n_before = m->n;
    m->element = copy;
    m->n = n;
    (void)pthread_mutex_unlock(&m->lock);
    list_drop(before, n_before);
    return ERR_OK;
}

/* ---- lookup ---- */

static void
lookup_now(struct loop *l, struct work *w)
{
    struct registry_lookup *r = container_of(w, struct registry_lookup, work);

    (void)l;
    r->done(r);
}

static void
lookup_read(struct asked *k, struct registry_lookup *r)
{
    struct json_error e = {0};
    json_t *o = ask_json(&k->ask, &JSON_LIMITS_DEFAULT);

    r->err = k->ask.err;
    r->fault = k->ask.fault;
    if (!o) {
        if (says_not_found(&k->ask, "file_not_found"))
            r->err = ERR_NOENT;
        else if (r->err == ERR_NOENT) /* not in those words */
            r->err = ERR_IO;
        return;
    }
    if (!blobs_get_attr(json_get_obj(o, "file", JSON_REQUIRED, &e),
                        &r->file.attr, &e))
        r->err = malformed(&r->fault, &e);
    else if (!uuid_eq(&r->file.attr.file_id, &r->file_id)) {
        meta_file_release(&r->file);
        r->err = fault_set(&r->fault, ERR_IO, "answer of admin", "other file");
    }
    json_decref(o);
}

static void
lookup_done(struct ask *a)
{
    struct asked *k = a->owner;
    struct registry_lookup *r = k->request;

    lookup_read(k, r);
    if (r->err == ERR_OK)
        r->blob = blob_of(k->remote, &r->file.attr);
    asked_free(k);
    r->done(r);
}

static void
r_lookup(struct registry *g, struct registry_lookup *r)
{
    struct asked *k;
    char id[UUID_TEXT];

    r->registry = g;
    r->blob = NULL;
    r->fault = (struct fault){0};
    k = asked_new(self(g), r->loop, SMALL_MAX, &r->err);
    if (!k) {
        (void)fault_set(&r->fault, r->err, "lookup", "admin");
        r->work = (struct work){.work = nothing, .done = lookup_now};
        loop_work(r->loop, &r->work);
        return;
    }
    k->request = r;
    k->ask.method = HTTP_GET;
    k->ask.done = lookup_done;
    buf_printf(&k->ask.target, "/api/v1/internal/files/%s",
               uuid_text(&r->file_id, id));
    ask_send(&k->ask);
}

/* ---- list ---- */

static void
list_now(struct loop *l, struct work *w)
{
    struct registry_list *r = container_of(w, struct registry_list, work);

    (void)l;
    r->done(r);
}

static void
list_read(struct asked *k, struct registry_list *r)
{
    struct json_error e = {0};
    struct files_page p;

    r->err = k->ask.err;
    r->fault = k->ask.fault;
    if (r->err == ERR_NOENT)
        r->err = ERR_IO; /* a list is there or Admin is not */
    if (r->err)
        return;
    if (!files_open(&p, buf_slice(&k->ask.answer), r->query.limit, &e)) {
        r->err = malformed(&r->fault, &e);
        return;
    }
    r->next = p.next;
    while (r->n < p.n && files_row(&p, &r->rows[r->n].attr, &e))
        r->n++;
    if (r->n < p.n) {
        r->err = malformed(&r->fault, &e);
        while (r->n > 0)
            meta_file_release(&r->rows[--r->n]);
    }
    files_release(&p);
}

static void
list_done(struct ask *a)
{
    struct asked *k = a->owner;
    struct registry_list *r = k->request;

    list_read(k, r);
    asked_free(k);
    r->done(r);
}

static void
r_list(struct registry *g, struct registry_list *r)
{
    struct asked *k;

    r->registry = g;
    r->n = 0;
    r->next = (struct uuid){{0}};
    r->fault = (struct fault){0};
    k = asked_new(self(g), r->loop, CHANGES_TEXT, &r->err);
    if (!k) {
        (void)fault_set(&r->fault, r->err, "list", "admin");
        r->work = (struct work){.work = nothing, .done = list_now};
        loop_work(r->loop, &r->work);
        return;
    }
    k->request = r;
    k->ask.method = HTTP_GET;
    k->ask.done = list_done;
    buf_release(&k->ask.target); /* conditions are longer than a path */
    buf_init(&k->ask.target, FILE_QUERY_MAX);
    buf_add_str(&k->ask.target, "/api/v1/internal/files");
    (void)file_query_put(&k->ask.target, &r->query);
    ask_send(&k->ask);
}

/* ---- push ---- */

static void
push_now(struct loop *l, struct work *w)
{
    struct registry_push *r = container_of(w, struct registry_push, work);

    (void)l;
    r->done(r);
}

static void
push_read(struct asked *k, struct registry_push *r)
{
    struct json_error e = {0};
    json_t *o = ask_json(&k->ask, &JSON_LIMITS_DEFAULT);

    r->err = k->ask.err;
    r->fault = k->ask.fault;
    if (!o) {
        if (says_not_found(&k->ask, "element_not_found"))
            r->err = ERR_NOENT;
        else if (r->err == ERR_NOENT)
            r->err = ERR_IO;
        return;
    }
    r->position = (uint64_t)json_get_int(o, "position", JSON_REQUIRED, 0,
                                         INT64_MAX, 0, &e);
    r->anew = json_get_bool(o, "anew", JSON_REQUIRED, false, &e);
    if (e.text[0])
        r->err = malformed(&r->fault, &e);
    json_decref(o);
}

static void
push_done(struct ask *a)
{
    struct asked *k = a->owner;
    struct registry_push *r = k->request;
    struct remote *m = k->remote;

    push_read(k, r);
    (void)pthread_mutex_lock(&m->lock);
    if (r->err)
        m->stats.feed_errors++;
    else if (r->position >= r->next)
        m->stats.fed += r->n;
    else
        m->stats.feed_behind++;
    (void)pthread_mutex_unlock(&m->lock);
    asked_free(k);
    r->done(r);
}

static bool
push_body(struct buf *b, const struct registry_push *r)
{
    struct changes_head h = {
        .element_uuid = r->element_uuid, .since = r->since, .next = r->next};
    struct json_writer w;

    (void)slice_copy(slice_str(r->element_id), h.element_id,
                     sizeof(h.element_id));
    json_begin(&w, b);
    json_put_object(&w, NULL);
    json_put_list(&w, "changes");
    for (size_t i = 0; i < r->n; i++) {
        const struct change c = {r->c[i].seq, (enum change_op)r->c[i].op,
                                 r->c[i].at, r->c[i].row.attr};

        changes_put_row(&w, &c);
    }
    json_end_list(&w);
    changes_put_head(&w, &h);
    json_end_object(&w);
    return !b->failed;
}

static void
r_push(struct registry *g, struct registry_push *r)
{
    struct buf body;
    struct asked *k = NULL;

    r->registry = g;
    r->position = 0;
    r->anew = false;
    r->fault = (struct fault){0};
    buf_init(&body, CHANGES_BYTES);
    r->err = ERR_TOOBIG;
    if (r->n <= CHANGES_MAX && push_body(&body, r))
        k = asked_new(self(g), r->loop, SMALL_MAX, &r->err);
    if (!k) {
        buf_release(&body);
        (void)fault_set(&r->fault, r->err, "push", "admin");
        r->work = (struct work){.work = nothing, .done = push_now};
        loop_work(r->loop, &r->work);
        return;
    }
    k->request = r;
    k->body = body;
    k->ask.method = HTTP_POST;
    k->ask.done = push_done;
    k->ask.piece[k->ask.n_piece++] = buf_slice(&k->body);
    /* Ids need no escapes. */
    buf_printf(&k->ask.target, "/api/v1/internal/storage-elements/%s/changes",
               r->element_id);
    ask_send(&k->ask);
}

/* ---- the rest ---- */

static enum err
r_feed(struct registry *g, const struct uuid *element_uuid,
       const struct index_change *c, size_t n, struct fault *f)
{
    (void)g;
    (void)element_uuid;
    (void)c;
    (void)n;
    return fault_set(f, ERR_UNSUPPORTED, "feed", "admin is elsewhere");
}

static void
r_audit(struct registry *g, const struct meta_audit *a)
{
    struct remote *m = self(g);

    if (m->conf.audit) {
        audit_remote_put(m->conf.audit, a);
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    m->stats.audit_lost++;
    (void)pthread_mutex_unlock(&m->lock);
}

static void
r_stats(struct registry *g, struct registry_stats *out)
{
    struct audit_remote_stats audit;
    struct remote *m = self(g);

    (void)pthread_mutex_lock(&m->lock);
    *out = m->stats;
    (void)pthread_mutex_unlock(&m->lock);
    if (m->conf.audit) {
        audit_remote_stats(m->conf.audit, &audit);
        out->audit_written = audit.written;
        out->audit_lost = audit.lost;
        out->audit_queued = audit.queued;
    }
}

enum breaker_state
registry_remote_state(struct registry *g, struct fault *why)
{
    struct remote *m = self(g);
    enum breaker_state s;

    (void)pthread_mutex_lock(&m->lock);
    s = m->breaker.state;
    if (why)
        *why = s == BREAKER_CLOSED ? (struct fault){0} : m->why;
    (void)pthread_mutex_unlock(&m->lock);
    return s;
}

enum err
registry_remote_open(struct registry **out, struct fetch *f,
                     const struct registry_remote_conf *conf,
                     struct fault *fault)
{
    static const struct registry_ops ops = {
        .lookup = r_lookup,
        .list = r_list,
        .elements = r_elements,
        .element = r_element,
        .feed = r_feed,
        .push = r_push,
        .audit = r_audit,
        .stats = r_stats,
    };
    struct remote *m = calloc(1, sizeof(*m));
    enum err e;

    *out = NULL;
    if (!m)
        return fault_set(fault, ERR_NOMEM, "open registry", conf->url);
    m->registry.ops = &ops;
    m->conf = *conf;
    breaker_init(&m->breaker);
    (void)pthread_mutex_init(&m->lock, NULL);
    e = fetch_peer_open(f, conf->url, &m->peer, fault);
    if (e) {
        (void)pthread_mutex_destroy(&m->lock);
        free(m);
        return e;
    }
    *out = &m->registry;
    return ERR_OK;
}

void
registry_remote_close(struct registry **g)
{
    struct remote *m;

    if (!*g)
        return;
    m = self(*g);
    *g = NULL;
    assert(m->pending == 0);
    list_drop(m->element, m->n);
    fetch_peer_close(&m->peer);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}
