/* blob_remote_ticket.c - bodies in blocks to an element far away: admission,
 * segments, publication, giving up.
 *
 *     no segment --append--> open --footer--> ending --answer--> no segment
 *
 * One append is on its way at a time; the others wait in their order. The first
 * of a segment begins its request. If the size at admission was a promise, the
 * request has a length: proxies take chunks apart and make new ones of whatever
 * their buffers hold, and an element that receives a body of known length does
 * so by the block. Else it is chunked, since nobody knows where the body ends.
 * When the segment is full or the block is the last, the footer follows and the
 * append waits for the element's answer. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/blob_remote_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define REFUSAL_MAX ((size_t)8 * 1024)

struct blob_ticket {
    struct remote *remote;
    struct loop *loop;
    struct uuid file_id;
    uint64_t attempt;
    uint64_t promised; /* BLOB_SIZE_UNKNOWN: nothing was */
    uint64_t size;     /* of the segments that were answered */
    uint32_t crc;
    enum err err; /* not ERR_OK: nothing can come of it */
    struct fault fault;

    struct list queue; /* struct blob_append */
    struct blob_append *now;

    /* the segment */
    bool open;    /* its request has begun */
    bool closing; /* its footer is being sent, or has been */
    bool ending;  /* the request is being ended */
    uint64_t seg_max;
    uint64_t seg_size;
    uint32_t seg_crc;
    struct fetch_request req;
    struct buf target, fields, answer;
    uint8_t foot[FOOTER_SIZE];

    struct ask ask; /* admit, publish, abort: one at a time */
    bool asking;    /* for the last of these */
    struct buf body;
    struct blob_admit *admit;
    struct blob_publish *publish;
    struct blob_abort *abort;
};

static void step(struct blob_ticket *t);

static void
ticket_free(struct blob_ticket *t)
{
    assert(!t->open && !t->now && list_empty(&t->queue));
    remote_unref(t->remote);
    if (t->fields.p)
        explicit_bzero(t->fields.p, t->fields.n); /* holds a token */
    buf_release(&t->target);
    buf_release(&t->fields);
    buf_release(&t->answer);
    buf_release(&t->body);
    free(t);
}

static void
nothing(struct work *w)
{
    (void)w;
}

/* A question about the attempt with t->body, if there is one. */
static void
ticket_ask(struct blob_ticket *t, const char *verb, void (*done)(struct ask *a))
{
    remote_ask(t->remote, &t->ask, t->loop, HTTP_POST, REMOTE_ANSWER_MAX);
    remote_path(&t->ask.target, &t->file_id, t->attempt, verb);
    t->ask.done = done;
    if (t->body.n)
        t->ask.piece[t->ask.n_piece++] = buf_slice(&t->body);
    ask_send(&t->ask);
}

/* ---- admit ---- */

static void
admit_failed(struct loop *l, struct work *w)
{
    struct blob_admit *r = container_of(w, struct blob_admit, work);

    (void)l;
    r->done(r);
}

/* An attempt that has bytes already is somebody else's. */
static enum err
take_admission(struct ask *a)
{
    struct json_error je = {0};
    json_t *o = ask_json(a, &JSON_LIMITS_DEFAULT);

    if (o && json_get_int(o, "offset", JSON_REQUIRED, 0, INT64_MAX, 0, &je))
        a->err = fault_set(&a->fault, ERR_CONFLICT, "admit",
                           "the attempt has begun already");
    if (o && je.text[0])
        a->err = fault_set(&a->fault, ERR_IO, "answer", je.text);
    json_decref(o);
    return a->err;
}

static void
admit_done(struct ask *a)
{
    struct blob_ticket *t = container_of(a, struct blob_ticket, ask);
    struct blob_admit *r = t->admit;

    r->err = take_admission(a);
    r->fault = a->fault;
    if (a->lost)
        remote_forget(t->remote, t->loop, &t->file_id, t->attempt);
    ask_release(a);
    t->admit = NULL;
    buf_clear(&t->body);
    if (r->err == ERR_OK)
        r->ticket = t;
    else
        ticket_free(t);
    r->done(r);
}

void
remote_admit(struct blob *b, struct blob_admit *r)
{
    struct blob_ticket *t = calloc(1, sizeof(*t));

    r->ticket = NULL;
    if (t == NULL) {
        r->err = fault_set(&r->fault, ERR_NOMEM, "admit", "");
        r->work = (struct work){.work = nothing, .done = admit_failed};
        loop_work(r->loop, &r->work);
        return;
    }
    t->remote = remote_of(b);
    atomic_fetch_add(&t->remote->refs, 1);
    t->loop = r->loop;
    t->file_id = r->file_id;
    t->attempt = r->attempt;
    t->promised = r->exact ? r->size : BLOB_SIZE_UNKNOWN;
    t->admit = r;
    list_init(&t->queue);
    buf_init(&t->target, 512);
    buf_init(&t->fields, 8 * KIB);
    buf_init(&t->answer, REFUSAL_MAX);
    buf_init(&t->body, BLOBS_HEAD_MAX);
    if (r->size == BLOB_SIZE_UNKNOWN)
        buf_add_str(&t->body, "{\"size\":null}");
    else
        buf_printf(&t->body, "{\"size\":%llu}", (unsigned long long)r->size);
    ticket_ask(t, "admit", admit_done);
}

/* ---- the segment's request ---- */

/* DONE may append, publish or abort in its turn: what those begin ends later,
 * so T is still there when it returns. */
static void
append_over(struct blob_ticket *t, struct blob_append *r)
{
    r->err = t->err;
    if (t->err != ERR_OK)
        r->fault = t->fault;
    r->done(r);
}

static void
segment_ended(struct fetch_request *req)
{
    struct blob_ticket *t = req->owner;
    struct blob_append *r = t->now;

    t->open = t->ending = t->closing = false;
    t->now = NULL;
    if (t->err == ERR_OK) {
        t->crc = hash_crc32c_combine(t->crc, t->seg_crc, t->seg_size);
        t->size += t->seg_size;
    }
    t->seg_size = 0;
    if (r)
        append_over(t, r);
    step(t);
}

static void
segment_end(struct blob_ticket *t)
{
    if (t->ending)
        return;
    t->ending = true;
    fetch_end(&t->req, segment_ended);
}

static void
segment_fail(struct blob_ticket *t, enum err e, const struct fault *f)
{
    if (t->err == ERR_OK) {
        t->err = e;
        t->fault = *f;
    }
    segment_end(t);
}

static void
segment_protest(struct blob_ticket *t, const char *what)
{
    struct fault f;

    (void)fault_set(&f, ERR_IO, what, t->remote->peer->url);
    segment_fail(t, ERR_IO, &f);
}

/* The whole answer is here. */
static void
segment_heard(struct blob_ticket *t)
{
    struct slice text = buf_slice(&t->answer);
    struct json_error je = {0};
    int status = t->req.resp->status;
    struct fault f;
    int64_t off;
    json_t *o;

    if (status >= 400) {
        enum err e = ask_refusal(status, text, t->remote->peer->url, &f);

        segment_fail(t, e, &f);
        return;
    }
    o = json_read(text, &je);
    off = json_get_int(o, "offset", JSON_REQUIRED, 0, INT64_MAX, 0, &je);
    json_decref(o);
    if (!t->closing || je.text[0] || (uint64_t)off != t->size + t->seg_size)
        segment_protest(t, "append: another offset");
    else
        segment_end(t);
}

static void segment_got(struct fetch_request *req, int64_t n);

static void
segment_hear(struct blob_ticket *t)
{
    char *p = buf_reserve(&t->answer, KIB);

    if (p)
        fetch_read(&t->req, p, KIB, false, segment_got);
    else
        segment_protest(t, "append: a long answer");
}

static void
segment_got(struct fetch_request *req, int64_t n)
{
    struct blob_ticket *t = req->owner;

    if (n < 0) {
        segment_protest(t, "append: a broken answer");
    } else if (n == 0) {
        segment_heard(t);
    } else {
        t->answer.n += (size_t)n;
        segment_hear(t);
    }
}

static void
segment_answered(struct fetch_request *req)
{
    struct blob_ticket *t = req->owner;

    if (req->err != ERR_OK)
        segment_fail(t, req->err, &req->fault);
    else
        segment_hear(t);
}

static void
end_sent(struct fetch_request *req, enum err e)
{
    (void)req;
    (void)e; /* the answer says it, or that there is none */
}

static void
block_sent(struct fetch_request *req, enum err e)
{
    struct blob_ticket *t = req->owner;
    struct blob_append *r = t->now;

    if (e != ERR_OK)
        return;       /* segment_answered() has the reason, or will have */
    if (t->closing) { /* R is done when the element has answered */
        if (req->length == FETCH_CHUNKED)
            fetch_send(req, SLICE_NULL, SLICE_NULL, end_sent);
        return;
    }
    t->now = NULL;
    append_over(t, r);
    step(t);
}

static void
segment_begin(struct blob_ticket *t)
{
    struct remote *m = t->remote;
    bool known = t->promised != BLOB_SIZE_UNKNOWN;

    buf_clear(&t->target);
    buf_clear(&t->fields);
    buf_clear(&t->answer);
    remote_path(&t->target, &t->file_id, t->attempt, "append");
    buf_printf(&t->target, "?off=%llu", (unsigned long long)t->size);
    buf_add_str(&t->fields, "Content-Type: application/octet-stream\r\n");
    if (m->conf.auth.fields)
        m->conf.auth.fields(m->conf.auth.arg, &t->fields);
    t->open = true;
    t->seg_max = u64_min(m->conf.segment_max, t->promised - t->size);
    t->seg_crc = 0;
    t->req = (struct fetch_request){
        .loop = t->loop,
        .peer = m->peer,
        .method = HTTP_PUT,
        .target = buf_slice(&t->target),
        .fields = buf_slice(&t->fields),
        .length = known ? t->seg_max + FOOTER_SIZE : FETCH_CHUNKED,
        .patience = m->conf.patience,
        .answered = segment_answered,
        .owner = t,
    };
    fetch_begin(&t->req);
}

/* The footer behind A, and then the end. */
static void
segment_close(struct blob_ticket *t, struct slice a)
{
    const struct footer f = {t->seg_size, t->seg_crc};
    struct slice foot = slice_of(t->foot, sizeof(t->foot));

    assert(t->promised == BLOB_SIZE_UNKNOWN || t->seg_size == t->seg_max);
    t->closing = true;
    footer_encode(&f, t->foot);
    if (a.n)
        fetch_send(&t->req, a, foot, block_sent);
    else
        fetch_send(&t->req, foot, SLICE_NULL, block_sent);
}

static void
empty_done(struct loop *l, struct work *w)
{
    struct blob_append *r = container_of(w, struct blob_append, work);
    struct blob_ticket *t = r->ticket;

    (void)l;
    if (t->now == r)
        t->now = NULL;
    append_over(t, r);
    step(t);
}

static void
send_block(struct blob_ticket *t, struct blob_append *r)
{
    struct slice data = slice_of(r->block->data, r->block->len);

    t->now = r;
    if (data.n == 0 && !t->open) {
        r->work = (struct work){.work = nothing, .done = empty_done};
        loop_work(r->loop, &r->work);
        return;
    }
    if (!t->open)
        segment_begin(t);
    assert(data.n <= t->seg_max - t->seg_size);
    t->seg_crc = hash_crc32c(t->remote->conf.hash, t->seg_crc, data.p, data.n);
    t->seg_size += data.n;
    if (r->last || t->seg_size == t->seg_max)
        segment_close(t, data);
    else
        fetch_send(&t->req, data, SLICE_NULL, block_sent);
}

static void abort_now(struct blob_ticket *t);
static void publish_now(struct blob_ticket *t);

static void
step(struct blob_ticket *t)
{
    struct list *at;

    if (t->now || t->ending || t->asking)
        return;
    while ((at = list_pop(&t->queue))) {
        struct blob_append *r = container_of(at, struct blob_append, item);

        if (t->err == ERR_OK) {
            send_block(t, r);
            return;
        }
        append_over(t, r);
    }
    if (t->open) {
        if (t->publish && !t->closing)
            segment_close(t, SLICE_NULL);
    } else if (t->abort) {
        abort_now(t);
    } else if (t->publish) {
        publish_now(t);
    }
}

void
remote_append(struct blob *b, struct blob_append *r)
{
    struct blob_ticket *t = r->ticket;

    (void)b;
    assert(r->block->state == BLOCK_WRITE && r->block->len <= BLOCK_SIZE);
    assert(r->last || r->block->len == BLOCK_SIZE);
    r->err = ERR_OK;
    if (t->err != ERR_OK) {
        r->work = (struct work){.work = nothing, .done = empty_done};
        loop_work(r->loop, &r->work);
        return;
    }
    list_push(&t->queue, &r->item);
    step(t);
}

/* ---- publish ---- */

static void
publish_over(struct blob_ticket *t)
{
    struct blob_publish *r = t->publish;

    ticket_free(t);
    r->done(r);
}

/* Whatever it is that went wrong: nothing may come of it later. */
static void
publish_failed(struct blob_ticket *t)
{
    remote_forget(t->remote, t->loop, &t->file_id, t->attempt);
    publish_over(t);
}

static void
publish_run(struct loop *l, struct task *task)
{
    struct blob_publish *r = container_of(task, struct blob_publish, task);

    (void)l;
    publish_failed(r->ticket);
}

static void
publish_settled(struct ask *a)
{
    struct blob_ticket *t = container_of(a, struct blob_ticket, ask);
    struct blob_publish *r = t->publish;

    r->err = remote_verdict(t->remote, a, r->attr, t->attempt, &r->fault,
                            &r->unsure, &r->relaxed);
    ask_release(a);
    publish_over(t);
}

static void
publish_done(struct ask *a)
{
    struct blob_ticket *t = container_of(a, struct blob_ticket, ask);
    struct blob_publish *r = t->publish;

    r->err = remote_take_file(a, r->attr, &r->relaxed);
    r->fault = a->fault;
    r->fault.code = r->err;
    if (remote_in_doubt(a)) {
        remote_doubt(t->remote, a, t->loop, &t->file_id, t->attempt,
                     publish_settled);
        return;
    }
    ask_release(a);
    if (r->err == ERR_OK)
        publish_over(t);
    else
        publish_failed(t);
}

static void
publish_now(struct blob_ticket *t)
{
    struct blob_publish *r = t->publish;
    struct json_writer w;
    char crc[9];

    t->asking = true;
    r->unsure = r->relaxed = false;
    r->err = t->err;
    r->fault = t->fault;
    snprintf(crc, sizeof(crc), "%08x", t->crc);
    json_begin(&w, &t->body);
    json_put_object(&w, NULL);
    json_put_u64(&w, "length", t->size);
    json_put_text(&w, "crc32c", crc);
    blobs_put_attr(&w, "file", r->attr);
    json_end_object(&w);
    if (r->err == ERR_OK && t->body.failed)
        r->err = fault_set(&r->fault, ERR_TOOBIG, "publish", "attributes");
    if (r->err == ERR_OK) {
        ticket_ask(t, "publish", publish_done);
        return;
    }
    r->task.run = publish_run;
    loop_post(r->loop, &r->task);
}

void
remote_publish(struct blob *b, struct blob_publish *r)
{
    struct blob_ticket *t = r->ticket;

    (void)b;
    assert(!t->now && list_empty(&t->queue));
    t->publish = r;
    step(t);
}

/* ---- abort ---- */

static void
abort_done(struct ask *a)
{
    struct blob_ticket *t = container_of(a, struct blob_ticket, ask);
    struct blob_abort *r = t->abort;

    ask_release(a);
    ticket_free(t);
    r->done(r);
}

static void
abort_now(struct blob_ticket *t)
{
    t->asking = true;
    buf_clear(&t->body);
    ticket_ask(t, "abort", abort_done);
}

void
remote_abort(struct blob *b, struct blob_abort *r)
{
    struct blob_ticket *t = r->ticket;

    (void)b;
    assert(!t->abort && !t->publish);
    t->abort = r;
    if (t->err == ERR_OK)
        t->err = fault_set(&t->fault, ERR_CANCELED, "append", "given up");
    if (t->open)
        segment_end(t);
    else
        step(t);
}
