/* blobs.c - see blobs.h: the table of attempts, and the table of routes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/blobs_impl.h"
#include "obs/log.h"
#include "wire/query.h"
#include <stdio.h>
#include <stdlib.h>

#define ATTEMPTS_MAX 1024
#define LEASE_S      60
#define SWEEP_MS     1000

/* ---- attempts; those that end in _locked want a->mu ---- */

static uint64_t
hash_of(const struct blobs_api *a, const struct uuid *id)
{
    return map_hash(a->attempts.seed, id->b, sizeof(id->b));
}

static struct attempt *
find_locked(struct blobs_api *a, const struct uuid *id, uint64_t number)
{
    struct map_item *m = map_first(&a->attempts, hash_of(a, id));

    for (; m; m = map_next(m)) {
        struct attempt *t = container_of(m, struct attempt, item);

        if (t->number == number && uuid_eq(&t->file_id, id))
            return t;
    }
    return NULL;
}

enum err
attempt_enter(struct blobs_api *a, const struct uuid *id, uint64_t number,
              struct attempt **out, struct attempt_wait *w)
{
    enum err e = ERR_OK;
    struct attempt *t;

    *out = NULL;
    pthread_mutex_lock(&a->mu);
    t = find_locked(a, id, number);
    if (t == NULL) {
        e = ERR_NOENT;
    } else if (t->busy) {
        e = ERR_BUSY;
        if (w)
            list_push(&t->waiting, &w->item);
    } else {
        t->busy = true;
        *out = t;
    }
    pthread_mutex_unlock(&a->mu);
    return e;
}

static enum err
make_locked(struct blobs_api *a, const struct uuid *id, uint64_t number,
            struct attempt **out)
{
    struct attempt *t = find_locked(a, id, number);

    if (t && t->busy) /* a doomed one has its tombstone already */
        return t->doomed ? ERR_CONFLICT : ERR_BUSY;
    if (t) {
        t->busy = true;
        *out = t;
        return ERR_EXISTS;
    }
    if (a->attempts.n >= a->conf.attempts_max || a->stopping)
        return ERR_AGAIN;
    if ((t = calloc(1, sizeof(*t))) == NULL)
        return ERR_NOMEM;
    t->api = a;
    t->file_id = *id;
    t->number = number;
    t->busy = true;
    list_init(&t->waiting);
    list_push(&a->all, &t->link);
    map_add(&a->attempts, &t->item, hash_of(a, id));
    *out = t;
    return ERR_OK;
}

enum err
attempt_make(struct blobs_api *a, const struct uuid *id, uint64_t number,
             struct attempt **out)
{
    enum err e;

    *out = NULL;
    pthread_mutex_lock(&a->mu);
    e = make_locked(a, id, number, out);
    pthread_mutex_unlock(&a->mu);
    return e;
}

bool
attempt_doom(struct blobs_api *a, const struct uuid *id, uint64_t number,
             struct attempt **out)
{
    struct attempt *t;
    bool under_way = false;

    *out = NULL;
    pthread_mutex_lock(&a->mu);
    t = find_locked(a, id, number);
    if (t && t->busy) {
        t->doomed = under_way = true;
    } else if (t) {
        t->busy = true;
        *out = t;
    }
    pthread_mutex_unlock(&a->mu);
    return under_way;
}

void
attempt_leave(struct attempt *t, struct loop *l)
{
    struct blobs_api *a = t->api;
    bool doomed;

    pthread_mutex_lock(&a->mu);
    doomed = t->doomed;
    t->touched = l->now;
    t->busy = doomed;
    pthread_mutex_unlock(&a->mu);
    if (doomed)
        attempt_give_up(t, l);
}

void
attempt_remove(struct attempt *t)
{
    struct blobs_api *a = t->api;
    bool empty;
    struct list *at;

    pthread_mutex_lock(&a->mu);
    map_remove(&a->attempts, &t->item);
    list_remove(&t->link);
    while ((at = list_pop(&t->waiting))) {
        struct attempt_wait *w = container_of(at, struct attempt_wait, item);

        loop_post(w->loop, &w->task);
    }
    empty = a->stopping && a->attempts.n == 0; /* sweep() empties the list */
    pthread_mutex_unlock(&a->mu);
    free(t);
    if (empty)
        a->stopped(a->stopped_arg);
}

static void
given_up(struct blob_abort *r)
{
    attempt_remove(container_of(r, struct attempt, abort));
}

void
attempt_give_up(struct attempt *t, struct loop *l)
{
    t->abort =
        (struct blob_abort){.loop = l, .done = given_up, .ticket = t->ticket};
    t->api->blob->ops->abort(t->api->blob, &t->abort);
}

/* Those whose gateway has been silent for too long; all, when stopping. */
static void
sweep(struct blobs_api *a, bool all)
{
    struct mono now = a->loop->now;
    struct list due, *at;

    list_init(&due);
    pthread_mutex_lock(&a->mu);
    LIST_FOREACH_SAFE (it, nx, &a->all) {
        struct attempt *t = container_of(it, struct attempt, link);

        if (t->busy ||
            (!all && !mono_reached(now, mono_add(t->touched, a->conf.lease))))
            continue;
        t->busy = true;
        list_remove(&t->link);
        list_push(&due, &t->link);
    }
    pthread_mutex_unlock(&a->mu);
    while ((at = list_pop(&due))) {
        struct attempt *t = container_of(at, struct attempt, link);

        pthread_mutex_lock(&a->mu);
        list_push(&a->all, &t->link);
        pthread_mutex_unlock(&a->mu);
        attempt_give_up(t, a->loop);
    }
}

static void
sweep_fire(struct loop *l, struct timer *t)
{
    struct blobs_api *a = container_of(t, struct blobs_api, timer);

    sweep(a, false);
    loop_timer(l, t, mono_add(l->now, dur_ms(SWEEP_MS)));
}

void
blobs_start(struct blobs_api *a, struct loop *l)
{
    a->loop = l;
    a->timer.fire = sweep_fire;
    loop_timer(l, &a->timer, mono_add(l->now, dur_ms(SWEEP_MS)));
}

void
blobs_stop(struct blobs_api *a, void (*done)(void *arg), void *arg)
{
    bool empty;

    loop_timer_stop(a->loop, &a->timer);
    pthread_mutex_lock(&a->mu);
    empty = a->attempts.n == 0;
    a->stopped = done;
    a->stopped_arg = arg;
    a->stopping = true;
    pthread_mutex_unlock(&a->mu);
    if (empty)
        done(arg);
    else
        sweep(a, true);
}

unsigned
blobs_attempts(struct blobs_api *a)
{
    size_t n;

    pthread_mutex_lock(&a->mu);
    n = a->attempts.n;
    pthread_mutex_unlock(&a->mu);
    return (unsigned)n;
}

/* ---- what all handlers need ---- */

bool
blobs_id(struct call *c, struct uuid *id)
{
    if (uuid_parse(c->param[0], id))
        return true;
    reply_error(c, 400, err_name(ERR_INVAL), "A file id is a UUID");
    return false;
}

bool
blobs_ids(struct call *c, struct uuid *id, uint64_t *attempt)
{
    if (!blobs_id(c, id))
        return false;
    if (slice_u64(c->param[1], attempt) && *attempt > 0 &&
        *attempt <= INT64_MAX)
        return true;
    reply_error(c, 400, err_name(ERR_INVAL), "An attempt is a number from 1");
    return false;
}

bool
blobs_number(struct call *c, struct slice name, uint64_t max,
             uint64_t otherwise, uint64_t *out)
{
    char text[24];
    size_t n;
    enum query_result r =
        query_get(c->x->head->query, name, text, sizeof(text), &n);

    *out = otherwise;
    if (r == QUERY_END)
        return true;
    if (r == QUERY_OK && slice_u64(slice_of(text, n), out) && *out <= max)
        return true;
    reply_error(c, 400, err_name(ERR_INVAL), "%.*s is a number up to %llu",
                SLICE_ARG(name), (unsigned long long)max);
    return false;
}

void
blobs_refuse(struct call *c, enum err e, const struct fault *f)
{
    bool of_ours = e == ERR_IO || e == ERR_CORRUPT || e == ERR_NOMEM;
    bool said = f && f->code == e && f->what[0];

    if (of_ours && said) { /* of interest to whoever runs the element */
        log_error(c->router_log, "request failed", F_FAULT(f),
                  F_STR("request_id", c->x->request_id),
                  F_STR("route", c->route->name));
        reply_error(c, blobs_status(e), blobs_err_name(e), "%s", err_text(e));
        return;
    }
    if (blobs_status(e) == 503)
        exchange_header(c->x, SLICE("Retry-After"), SLICE("1"));
    reply_error(c, blobs_status(e), blobs_err_name(e), "%s%s%s", err_text(e),
                said ? ": " : "", said ? f->what : "");
}

void
blobs_no_memory(struct call *c)
{
    blobs_refuse(c, ERR_NOMEM, NULL);
}

void
blobs_put_stored(const struct blobs_api *a, struct json_writer *w,
                 const struct file_attr *attr)
{
    blobs_put_attr(w, "file", attr);
    if (a->conf.relaxed)
        json_put_text(w, "durability", "relaxed");
}

void
blobs_reply_file(struct call *c, const struct file_attr *a)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, BLOBS_HEAD_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    blobs_put_stored(c->role, &w, a);
    json_end_object(&w);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
looked(struct blob_open *r)
{
    struct look *k = container_of(r, struct look, open);
    struct blob *b = k->api->blob;
    struct blob_reader *rd = r->reader;
    struct blob_info info;
    enum err e = r->err;

    if (e != ERR_OK) {
        k->answered(k, e, NULL);
        return;
    }
    b->ops->info(rd, &info);
    if (!k->any && (info.attr->size != k->size ||
                    memcmp(info.attr->sha256, k->sha256, 32) != 0)) {
        fault_set(&r->fault, ERR_CONFLICT, "publish",
                  "stored already with other content");
        e = ERR_CONFLICT;
    }
    k->answered(k, e, info.attr); /* K may be gone */
    b->ops->close(rd);
}

void
look_up(struct blobs_api *a, struct look *k, struct loop *l)
{
    k->api = a;
    k->open =
        (struct blob_open){.loop = l, .done = looked, .file_id = k->file_id};
    a->blob->ops->open(a->blob, &k->open);
}

/* ---- the table ---- */

#define ANSWERS                                                      \
    {"400", NULL, "Error", "Malformed, or the footer does not fit"}, \
        {"403", NULL, "Error", "The element's mode forbids it"},     \
        {"409", NULL, "Error", "Another attempt, or other content"}, \
        {"503", NULL, "Error", "Not now; Retry-After"},              \
        {"507", NULL, "Error", "No room"},                           \
    {                                                                \
        0                                                            \
    }

static const struct route_doc admit_docs[] = {
    {"size", "body", "integer", "Bytes to come; null: not known"},
    {"200", NULL, "Object", "offset: where the next append begins"},
    ANSWERS,
};
static const struct route_doc append_docs[] = {
    {"off", "query", "integer", "Where these bytes begin"},
    {"bytes", "body", "string", "The bytes, then their footer"},
    {"200", NULL, "Object", "offset: where the next append begins"},
    ANSWERS,
};
static const struct route_doc publish_docs[] = {
    {"file", "body", "Object", "Attributes; length and crc32c of all bytes"},
    {"200", NULL, "Object", "file: as it is stored"},
    ANSWERS,
};
static const struct route_doc put_docs[] = {
    {"head", "query", "integer", "Bytes of the JSON object at the beginning"},
    {"bytes", "body", "string", "JSON, then the bytes, then the footer"},
    {"200", NULL, "Object", "file: as it is stored"},
    ANSWERS,
};
static const struct route_doc abort_docs[] = {
    {"withdraw", "query", "string", "SHA-256 of what goes if it is published"},
    {"200", NULL, "Object",
     "state: aborted; or published, it came too late, and file"},
    ANSWERS,
};
static const struct route_doc info_docs[] = {
    {"200", NULL, "Object", "file: as it is stored; size: of its bytes"},
    {"404", NULL, "Error", "No such file"},
    {0},
};
static const struct route_doc blocks_docs[] = {
    {"off", "query", "integer", "Where to begin; default 0"},
    {"n", "query", "integer", "How many bytes; default: to the end"},
    {"verify", "query", "integer", "0: without a look at the checksums"},
    {"200", NULL, "Binary", "Blocks of 256 KiB, each with its trailer"},
    {"404", NULL, "Error", "No such file"},
    {0},
};
static const struct route_doc list_docs[] = {
    {"after", "query", "string", "The last file id that is known"},
    {"limit", "query", "integer", "1 to 100, default 100"},
    {"200", NULL, "Object", "files in the order of their ids; more"},
    {0},
};
static const struct route_doc delete_docs[] = {
    {"epoch", "query", "integer", "Only this epoch; default: any"},
    {"204", NULL, NULL, "It is gone"},
    {"404", NULL, "Error", "No such file"},
    {"409", NULL, "Error", "Another epoch, or held by a transfer"},
    {0},
};

#define ATTEMPT_PATH BLOBS_PATH "/{file_id}/{attempt}/"

static const struct route routes[] = {
    {HTTP_POST,
     ATTEMPT_PATH "admit",
     SCOPE_GATEWAY,
     blobs_admit,
     "blob_admit",
     "Room for one attempt at a file",
     {0},
     admit_docs},
    {HTTP_PUT,
     ATTEMPT_PATH "append",
     SCOPE_GATEWAY,
     blobs_append,
     "blob_append",
     "Bytes at the end of an attempt",
     {0},
     append_docs},
    {HTTP_POST,
     ATTEMPT_PATH "publish",
     SCOPE_GATEWAY,
     blobs_publish,
     "blob_publish",
     "Make an attempt durable and visible",
     {0},
     publish_docs},
    {HTTP_PUT,
     ATTEMPT_PATH "put",
     SCOPE_GATEWAY,
     blobs_put,
     "blob_put",
     "All of a small file at once",
     {0},
     put_docs},
    {HTTP_POST,
     ATTEMPT_PATH "abort",
     SCOPE_GATEWAY,
     blobs_abort,
     "blob_abort",
     "Give an attempt up, in every mode",
     {0},
     abort_docs},
    {HTTP_GET,
     BLOBS_PATH "/{file_id}/info",
     SCOPE_GATEWAY,
     blobs_info,
     "blob_info",
     "What is known of a stored file",
     {0},
     info_docs},
    {HTTP_GET,
     BLOBS_PATH "/{file_id}/blocks",
     SCOPE_GATEWAY,
     blobs_blocks,
     "blob_blocks",
     "Stored bytes with their checksums",
     {0},
     blocks_docs},
    {HTTP_DELETE,
     BLOBS_PATH "/{file_id}",
     SCOPE_GATEWAY,
     blobs_delete,
     "blob_delete",
     "Remove a stored file",
     {0},
     delete_docs},
    {HTTP_GET,
     BLOBS_PATH,
     SCOPE_GATEWAY,
     blobs_list,
     "blob_list",
     "One page of what is stored",
     {0},
     list_docs},
};

struct route_table
blobs_routes(struct blobs_api *a)
{
    return (struct route_table){routes, countof(routes), a, "blobs"};
}

struct blobs_api *
blobs_open(struct element *e, const struct blobs_conf *conf)
{
    struct blobs_api *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->element = e;
    a->blob = element_blob(e);
    a->conf = *conf;
    if (a->conf.attempts_max == 0)
        a->conf.attempts_max = ATTEMPTS_MAX;
    if (a->conf.lease.ns == 0)
        a->conf.lease = dur_s(LEASE_S);
    list_init(&a->all);
    if (!map_init(&a->attempts, a->conf.attempts_max, conf->seed)) {
        free(a);
        return NULL;
    }
    pthread_mutex_init(&a->mu, NULL);
    return a;
}

void
blobs_close(struct blobs_api **ap)
{
    struct blobs_api *a = *ap;

    *ap = NULL;
    if (a == NULL)
        return;
    assert(a->attempts.n == 0);
    map_release(&a->attempts);
    pthread_mutex_destroy(&a->mu);
    free(a);
}
