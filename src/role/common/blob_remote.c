/* blob_remote.c - see blob_remote.h: opening, capacity, put, delete, list.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/blob_remote_impl.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- what all calls need ---- */

void
remote_path(struct buf *b, const struct uuid *id, uint64_t number,
            const char *verb)
{
    char text[UUID_TEXT];

    buf_printf(b, BLOBS_PATH "/%s", uuid_text(id, text));
    if (number)
        buf_printf(b, "/%llu", (unsigned long long)number);
    if (verb)
        buf_printf(b, "/%s", verb);
}

void
remote_ask(struct remote *m, struct ask *a, struct loop *l,
           enum http_method method, size_t answer_max)
{
    ask_init(a, l, m->peer, answer_max);
    a->method = method;
    a->auth = m->conf.auth.fields ? &m->conf.auth : NULL;
    a->patience = m->conf.patience;
    a->again = true;
}

enum err
remote_take_file(struct ask *a, struct file_attr *to, bool *relaxed)
{
    const char *metadata = to->metadata;
    struct json_error je = {0};
    struct file_attr got;
    json_t *o = ask_json(a, &JSON_LIMITS_DEFAULT);

    if (o == NULL)
        return a->err;
    if (blobs_get_attr(json_get_obj(o, "file", JSON_REQUIRED, &je), &got,
                       &je)) {
        free((void *)(uintptr_t)got.metadata);
        *to = got;
        to->metadata = metadata;
        *relaxed = slice_eq(json_get_str(o, "durability", JSON_OPTIONAL, &je),
                            SLICE("relaxed"));
    } else {
        a->err = fault_set(&a->fault, ERR_IO, "answer", je.text);
    }
    json_decref(o);
    return a->err;
}

/* ---- giving up ---- */

struct farewell {
    struct ask ask;
    struct remote *remote;
};

static void
farewell_done(struct ask *a)
{
    struct farewell *w = container_of(a, struct farewell, ask);

    ask_release(a);
    remote_unref(w->remote);
    free(w);
}

void
remote_forget(struct remote *m, struct loop *l, const struct uuid *id,
              uint64_t number)
{
    struct farewell *w = malloc(sizeof(*w));

    if (w == NULL)
        return; /* its lease ends it */
    atomic_fetch_add(&m->refs, 1);
    w->remote = m;
    remote_ask(m, &w->ask, l, HTTP_POST, REMOTE_ANSWER_MAX);
    w->ask.done = farewell_done;
    remote_path(&w->ask.target, id, number, "abort");
    ask_send(&w->ask);
}

/* ---- put ---- */

struct put {
    struct ask ask;
    struct remote *remote;
    struct blob_put *req;
    struct buf head;
    uint8_t foot[FOOTER_SIZE];
};

static void
put_run(struct loop *l, struct task *t)
{
    struct blob_put *r = container_of(t, struct blob_put, task);

    (void)l;
    r->done(r);
}

static void
put_over(struct put *q)
{
    struct blob_put *r = q->req;

    ask_release(&q->ask);
    buf_release(&q->head);
    free(q);
    r->done(r);
}

static void
put_settled(struct ask *a)
{
    struct put *q = container_of(a, struct put, ask);
    struct blob_put *r = q->req;

    r->err = remote_verdict(q->remote, a, r->attr, r->attempt, &r->fault,
                            &r->unsure, &r->relaxed);
    put_over(q);
}

static void
put_done(struct ask *a)
{
    struct put *q = container_of(a, struct put, ask);
    struct blob_put *r = q->req;

    r->err = remote_take_file(a, r->attr, &r->relaxed);
    r->fault = a->fault;
    r->fault.code = r->err;
    if (remote_in_doubt(a))
        remote_doubt(q->remote, a, r->loop, &r->attr->file_id, r->attempt,
                     put_settled);
    else
        put_over(q);
}

static void
put_pieces(struct put *q)
{
    const struct hash_kernels *k = q->remote->conf.hash;
    struct blob_put *r = q->req;
    struct ask *a = &q->ask;
    struct footer f;

    a->piece[a->n_piece++] = buf_slice(&q->head);
    for (unsigned i = 0; i < r->n_blocks; i++)
        a->piece[a->n_piece++] =
            slice_of(r->blocks[i]->data, r->blocks[i]->len);
    if (r->n_blocks == 0 && r->attr->size)
        a->piece[a->n_piece++] = slice_of(r->data, (size_t)r->attr->size);
    f = (struct footer){0};
    for (unsigned i = 0; i < a->n_piece; i++) {
        f.crc = hash_crc32c(k, f.crc, a->piece[i].p, a->piece[i].n);
        f.length += a->piece[i].n;
    }
    footer_encode(&f, q->foot);
    a->piece[a->n_piece++] = slice_of(q->foot, sizeof(q->foot));
}

static void
op_put(struct blob *b, struct blob_put *r)
{
    struct remote *m = remote_of(b);
    struct put *q = malloc(sizeof(*q));
    struct json_writer w;

    assert(r->n_blocks <= BLOB_PUT_BLOCKS);
    r->err = ERR_OK;
    r->unsure = r->relaxed = false;
    r->task.run = put_run;
    if (q == NULL) {
        r->err = fault_set(&r->fault, ERR_NOMEM, "put", m->peer->url);
        loop_post(r->loop, &r->task);
        return;
    }
    q->remote = m;
    q->req = r;
    buf_init(&q->head, BLOBS_HEAD_MAX);
    json_begin(&w, &q->head);
    json_put_object(&w, NULL);
    blobs_put_attr(&w, "file", r->attr);
    json_end_object(&w);
    remote_ask(m, &q->ask, r->loop, HTTP_PUT, REMOTE_ANSWER_MAX);
    q->ask.done = put_done;
    remote_path(&q->ask.target, &r->attr->file_id, r->attempt, "put");
    buf_printf(&q->ask.target, "?head=%zu", q->head.n);
    put_pieces(q);
    if (q->head.failed) {
        ask_release(&q->ask);
        buf_release(&q->head);
        free(q);
        r->err = fault_set(&r->fault, ERR_TOOBIG, "put", "attributes");
        loop_post(r->loop, &r->task);
        return;
    }
    ask_send(&q->ask);
}

/* ---- delete ---- */

struct removal {
    struct ask ask;
    struct remote *remote;
    struct blob_delete *req;
};

static void
removal_run(struct loop *l, struct task *t)
{
    struct blob_delete *r = container_of(t, struct blob_delete, task);

    (void)l;
    r->done(r);
}

static void
removal_done(struct ask *a)
{
    struct removal *q = container_of(a, struct removal, ask);
    struct blob_delete *r = q->req;

    r->err = a->err;
    r->fault = a->fault;
    /* Also when it is not known: a reader that is opened anew costs little. */
    atomic_fetch_add(&q->remote->generation, 1);
    ask_release(a);
    free(q);
    r->done(r);
}

static void
op_delete(struct blob *b, struct blob_delete *r)
{
    struct remote *m = remote_of(b);
    struct removal *q = malloc(sizeof(*q));

    if (q == NULL) {
        r->err = fault_set(&r->fault, ERR_NOMEM, "delete", m->peer->url);
        r->task.run = removal_run;
        loop_post(r->loop, &r->task);
        return;
    }
    q->remote = m;
    q->req = r;
    remote_ask(m, &q->ask, r->loop, HTTP_DELETE, REMOTE_ANSWER_MAX);
    /* Asked twice it would answer that there is no such file: a lie. */
    q->ask.again = false;
    q->ask.patience = REMOTE_PATIENCE;
    q->ask.done = removal_done;
    remote_path(&q->ask.target, &r->file_id, 0, NULL);
    if (r->epoch)
        buf_printf(&q->ask.target, "?epoch=%llu", (unsigned long long)r->epoch);
    ask_send(&q->ask);
}

/* ---- list ---- */

struct listing {
    struct ask ask;
    struct remote *remote;
    struct blob_list *req;
};

static const struct json_limits page_limits = {BLOBS_PAGE_BYTES, 8,
                                               BLOBS_PAGE_MAX * 64, false};

static void listing_ask(struct listing *q);

static void
nothing(struct work *w)
{
    (void)w;
}

static void
listing_run(struct loop *l, struct work *w)
{
    struct blob_list *r = container_of(w, struct blob_list, work);

    (void)l;
    r->done(r);
}

static void
listing_over(struct listing *q)
{
    struct blob_list *r = q->req;

    free(q);
    r->done(r);
}

/* The rows of one page. *MORE: there are others behind it. */
static enum err
take_page(struct listing *q, bool *more)
{
    struct blob_list *r = q->req;
    struct ask *a = &q->ask;
    struct json_error je = {0};
    json_t *o = ask_json(a, &page_limits);
    const json_t *files = json_get_list(o, "files", JSON_REQUIRED, &je);
    size_t n = json_array_size(files);

    *more = json_get_bool(o, "more", JSON_REQUIRED, false, &je);
    for (size_t i = 0; i < n && r->n < r->max && !je.text[0]; i++)
        if (blobs_get_attr(json_array_get(files, i), &r->rows[r->n], &je))
            r->n++;
    *more = *more && n && r->n < r->max;
    json_decref(o);
    if (a->err == ERR_OK && je.text[0])
        a->err = fault_set(&a->fault, ERR_IO, "answer", je.text);
    return a->err;
}

static void
listing_done(struct ask *a)
{
    struct listing *q = container_of(a, struct listing, ask);
    struct blob_list *r = q->req;
    bool more;

    r->err = take_page(q, &more);
    r->fault = a->fault;
    ask_release(a);
    if (r->err == ERR_OK && more) {
        listing_ask(q);
        return;
    }
    if (r->err != ERR_OK)
        while (r->n) {
            struct file_attr *row = &r->rows[--r->n];

            free((void *)(uintptr_t)row->metadata);
        }
    listing_over(q);
}

static void
listing_ask(struct listing *q)
{
    struct blob_list *r = q->req;
    struct uuid after = r->n ? r->rows[r->n - 1].file_id : r->after;
    unsigned left = r->max - r->n;
    char text[UUID_TEXT];

    remote_ask(q->remote, &q->ask, r->loop, HTTP_GET, BLOBS_PAGE_BYTES);
    q->ask.patience = REMOTE_PATIENCE;
    q->ask.done = listing_done;
    buf_printf(&q->ask.target, BLOBS_PATH "?limit=%u",
               left < BLOBS_PAGE_MAX ? left : BLOBS_PAGE_MAX);
    if (!uuid_is_nil(&after))
        buf_printf(&q->ask.target, "&after=%s", uuid_text(&after, text));
    ask_send(&q->ask);
}

static void
op_list(struct blob *b, struct blob_list *r)
{
    struct listing *q = malloc(sizeof(*q));

    r->n = 0;
    if (q == NULL || r->max == 0) {
        free(q);
        r->err = r->max ? fault_set(&r->fault, ERR_NOMEM, "list", "") : ERR_OK;
        r->work = (struct work){.work = nothing, .done = listing_run};
        loop_work(r->loop, &r->work);
        return;
    }
    q->remote = remote_of(b);
    q->req = r;
    listing_ask(q);
}

/* ---- capacity ---- */

static void
op_capacity(struct blob *b, struct blob_capacity *out)
{
    struct remote *m = remote_of(b);

    pthread_mutex_lock(&m->mu);
    *out = m->capacity;
    out->alone_until = m->alone_until;
    pthread_mutex_unlock(&m->mu);
}

static uint64_t
op_generation(struct blob *b)
{
    return atomic_load(&remote_of(b)->generation);
}

void
blob_remote_set_capacity(struct blob *b, const struct blob_capacity *c)
{
    struct remote *m = remote_of(b);
    bool moved;

    pthread_mutex_lock(&m->mu);
    moved = m->capacity.seq != c->seq || m->capacity.boot != c->boot;
    m->capacity = *c;
    pthread_mutex_unlock(&m->mu);
    if (moved) /* something may have been deleted, by whomever */
        atomic_fetch_add(&m->generation, 1);
    blob_remote_settle(b);
}

void
blob_remote_leave_alone(struct blob *b, struct mono until)
{
    struct remote *m = remote_of(b);

    pthread_mutex_lock(&m->mu);
    m->alone_until = until;
    pthread_mutex_unlock(&m->mu);
}

/* ---- life ---- */

static void
op_hold(struct blob *b)
{
    atomic_fetch_add(&remote_of(b)->refs, 1);
}

static void
op_drop(struct blob *b)
{
    remote_unref(remote_of(b));
}

static const struct blob_ops ops = {
    .admit = remote_admit,
    .append = remote_append,
    .publish = remote_publish,
    .put = op_put,
    .abort = remote_abort,
    .open = remote_open,
    .info = remote_info,
    .read = remote_read,
    .close = remote_close,
    .del = op_delete,
    .list = op_list,
    .capacity = op_capacity,
    .generation = op_generation,
    .hold = op_hold,
    .drop = op_drop,
};

void
remote_unref(struct remote *m)
{
    if (atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    remote_owed_free(m);
    fetch_peer_close(&m->peer);
    pthread_mutex_destroy(&m->mu);
    free(m);
}

enum err
blob_remote_open(struct blob **out, struct fetch *f,
                 const struct blob_remote_conf *conf, struct fault *fault)
{
    struct remote *m = calloc(1, sizeof(*m));
    enum err e;

    *out = NULL;
    if (m == NULL)
        return fault_set(fault, ERR_NOMEM, "allocate", "element");
    e = fetch_peer_open(f, conf->url, &m->peer, fault);
    if (e != ERR_OK) {
        free(m);
        return e;
    }
    m->blob.ops = &ops;
    m->conf = *conf;
    m->conf.url = m->peer->url;
    if (m->conf.segment_max == 0)
        m->conf.segment_max = BLOBS_SEGMENT_MAX;
    assert(m->conf.segment_max % BLOCK_SIZE == 0);
    pthread_mutex_init(&m->mu, NULL);
    list_init(&m->owed);
    atomic_init(&m->refs, 1);
    snprintf(m->blob.element_id, sizeof(m->blob.element_id), "%s",
             conf->element_id);
    snprintf(m->capacity.element_id, sizeof(m->capacity.element_id), "%s",
             conf->element_id);
    snprintf(m->capacity.endpoint, sizeof(m->capacity.endpoint), "%s",
             m->peer->url);
    m->conf.element_id = m->blob.element_id;
    *out = &m->blob;
    return ERR_OK;
}

void
blob_remote_close(struct blob **b)
{
    if (*b)
        remote_unref(remote_of(*b));
    *b = NULL;
}
