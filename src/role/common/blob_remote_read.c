/* blob_remote_read.c - open files of an element far away, and their blocks.
 *
 * A reader is what the element said of the file; it holds nothing there. Each
 * read asks for its block and checks what came against the CRC behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/blob_remote_impl.h"
#include <stdlib.h>

struct blob_reader {
    struct remote *remote;
    _Atomic(unsigned) refs;
    struct file_attr attr; /* its metadata is the reader's */
    uint64_t size;
    uint64_t generation;
};

static void
reader_unref(struct blob_reader *rd)
{
    if (atomic_fetch_sub(&rd->refs, 1) != 1)
        return;
    remote_unref(rd->remote);
    free((void *)(uintptr_t)rd->attr.metadata);
    free(rd);
}

static void
nothing(struct work *w)
{
    (void)w;
}

/* ---- open ---- */

struct opening {
    struct ask ask;
    struct remote *remote;
    struct blob_open *req;
    uint64_t generation; /* before the element was asked */
};

static void
open_failed(struct loop *l, struct work *w)
{
    struct blob_open *r = container_of(w, struct blob_open, work);

    (void)l;
    r->done(r);
}

static enum err
take_info(struct opening *q)
{
    struct json_error je = {0};
    struct ask *a = &q->ask;
    json_t *o = ask_json(a, &JSON_LIMITS_DEFAULT);
    struct blob_reader *rd;

    if (o == NULL)
        return a->err;
    rd = calloc(1, sizeof(*rd));
    if (rd == NULL) {
        a->err = fault_set(&a->fault, ERR_NOMEM, "open", "");
        goto out;
    }
    rd->remote = q->remote;
    atomic_fetch_add(&rd->remote->refs, 1);
    rd->generation = q->generation;
    atomic_init(&rd->refs, 1);
    rd->size =
        (uint64_t)json_get_int(o, "size", JSON_REQUIRED, 0, INT64_MAX, 0, &je);
    if (blobs_get_attr(json_get_obj(o, "file", JSON_REQUIRED, &je), &rd->attr,
                       &je)) {
        q->req->reader = rd;
    } else {
        a->err = fault_set(&a->fault, ERR_IO, "answer", je.text);
        reader_unref(rd);
    }
out:
    json_decref(o);
    return a->err;
}

static void
open_done(struct ask *a)
{
    struct opening *q = container_of(a, struct opening, ask);
    struct blob_open *r = q->req;

    r->err = take_info(q);
    r->fault = a->fault;
    ask_release(a);
    free(q);
    r->done(r);
}

void
remote_open(struct blob *b, struct blob_open *r)
{
    struct remote *m = remote_of(b);
    struct opening *q = malloc(sizeof(*q));

    r->reader = NULL;
    r->blob = b;
    if (q == NULL) {
        r->err = fault_set(&r->fault, ERR_NOMEM, "open", "");
        r->work = (struct work){.work = nothing, .done = open_failed};
        loop_work(r->loop, &r->work);
        return;
    }
    q->remote = m;
    q->req = r;
    q->generation = atomic_load(&m->generation);
    remote_ask(m, &q->ask, r->loop, HTTP_GET, REMOTE_ANSWER_MAX);
    q->ask.patience = REMOTE_PATIENCE;
    q->ask.done = open_done;
    remote_path(&q->ask.target, &r->file_id, 0, "info");
    ask_send(&q->ask);
}

void
remote_info(struct blob_reader *rd, struct blob_info *out)
{
    *out = (struct blob_info){
        .attr = &rd->attr, .fd = -1, .size = rd->size, .valid = rd->generation};
}

void
remote_close(struct blob_reader *rd)
{
    reader_unref(rd);
}

/* ---- read ---- */

struct reading {
    struct fetch_request req;
    struct blob_read *r;
    struct blob_reader *rd;
    struct buf target, fields, refusal;
    size_t n;
    bool again;
    bool over;
    uint8_t trailer[BLOBS_TRAILER_SIZE];
};

static void reading_begin(struct reading *q);

static void
reading_free(struct reading *q)
{
    if (q->fields.p)
        explicit_bzero(q->fields.p, q->fields.n);
    buf_release(&q->target);
    buf_release(&q->fields);
    buf_release(&q->refusal);
    reader_unref(q->rd);
    free(q);
}

/* A way that failed is tried once more; what the element said is said. */
static void
reading_ended(struct fetch_request *req)
{
    struct reading *q = req->owner;
    struct blob_read *r = q->r;

    if (q->again && r->err == ERR_IO) {
        q->again = false;
        reading_begin(q);
        return;
    }
    reading_free(q);
    r->done(r);
}

static void
reading_over(struct reading *q, enum err e)
{
    q->r->err = e;
    if (!q->over)
        fetch_end(&q->req, reading_ended);
    q->over = true;
}

static void
reading_fail(struct reading *q, enum err e, const char *what)
{
    struct blob_read *r = q->r;

    reading_over(q,
                 fault_set(&r->fault, e, what, q->rd->attr.storage_filename));
}

static void
trailer_got(struct fetch_request *req, int64_t n)
{
    struct reading *q = req->owner;
    struct blob_read *r = q->r;
    struct blobs_trailer t;
    const struct hash_kernels *k = q->rd->remote->conf.hash;

    if (n != BLOBS_TRAILER_SIZE || !blobs_get_trailer(&t, q->trailer)) {
        reading_fail(q, ERR_IO, "read: cut short");
        return;
    }
    if (t.state != BLOBS_GOOD) {
        q->again = false;
        reading_fail(q, t.state == BLOBS_CORRUPT ? ERR_CORRUPT : ERR_IO,
                     "read at the element");
        return;
    }
    if (hash_crc32c(k, 0, r->block->data, q->n) != t.crc) {
        reading_fail(q, ERR_IO, "changed on the way");
        return;
    }
    r->block->len = (uint32_t)q->n;
    reading_over(q, ERR_OK);
}

static void
block_got(struct fetch_request *req, int64_t n)
{
    struct reading *q = req->owner;

    if (n < 0 || (size_t)n != q->n)
        reading_fail(q, ERR_IO, "read: cut short");
    else
        fetch_read(req, q->trailer, sizeof(q->trailer), true, trailer_got);
}

static void
refusal_got(struct fetch_request *req, int64_t n)
{
    struct reading *q = req->owner;
    char *p;

    if (n < 0) {
        reading_fail(q, ERR_IO, "read: no answer");
        return;
    }
    q->refusal.n += (size_t)n;
    if (n == 0) {
        q->again = false;
        reading_over(q, ask_refusal(req->resp->status, buf_slice(&q->refusal),
                                    q->rd->remote->peer->url, &q->r->fault));
        return;
    }
    p = buf_reserve(&q->refusal, KIB);
    if (p)
        fetch_read(req, p, KIB, false, refusal_got);
    else
        reading_fail(q, ERR_IO, "read: a long answer");
}

static void
reading_answered(struct fetch_request *req)
{
    struct reading *q = req->owner;
    char *p;

    if (req->err != ERR_OK) {
        q->r->fault = req->fault;
        reading_over(q, req->err);
    } else if (req->resp->status >= 400) {
        p = buf_reserve(&q->refusal, KIB);
        if (p)
            fetch_read(req, p, KIB, false, refusal_got);
        else
            reading_fail(q, ERR_NOMEM, "read");
    } else if ((uint64_t)req->resp->content_length != blobs_length(q->n)) {
        reading_fail(q, ERR_IO, "read: another length");
    } else {
        fetch_read(req, q->r->block->data, q->n, true, block_got);
    }
}

static void
reading_begin(struct reading *q)
{
    struct remote *m = q->rd->remote;
    struct blob_read *r = q->r;

    buf_clear(&q->target);
    buf_clear(&q->fields);
    buf_clear(&q->refusal);
    remote_path(&q->target, &q->rd->attr.file_id, 0, "blocks");
    buf_printf(&q->target, "?off=%llu&n=%zu&verify=%d",
               (unsigned long long)r->off, q->n, r->verify);
    if (m->conf.auth.fields)
        m->conf.auth.fields(m->conf.auth.arg, &q->fields);
    q->over = false;
    q->req = (struct fetch_request){
        .loop = r->loop,
        .peer = m->peer,
        .method = HTTP_GET,
        .target = buf_slice(&q->target),
        .fields = buf_slice(&q->fields),
        .answered = reading_answered,
        .owner = q,
    };
    fetch_begin(&q->req);
}

static void
read_done(struct loop *l, struct work *w)
{
    struct blob_read *r = container_of(w, struct blob_read, work);

    (void)l;
    r->done(r);
}

void
remote_read(struct blob *b, struct blob_read *r)
{
    struct blob_reader *rd = r->reader;
    struct reading *q = NULL;
    size_t n;

    (void)b;
    assert(r->block->state == BLOCK_READ && r->off <= rd->size);
    assert(!r->verify || r->off % BLOCK_SIZE == 0);
    n = (size_t)u64_min(size_min(r->n, BLOCK_SIZE), rd->size - r->off);
    r->block->len = 0;
    r->err = ERR_OK;
    if (n == 0 || (q = calloc(1, sizeof(*q))) == NULL) {
        if (n)
            r->err = fault_set(&r->fault, ERR_NOMEM, "read", "");
        r->work = (struct work){.work = nothing, .done = read_done};
        loop_work(r->loop, &r->work);
        return;
    }
    atomic_fetch_add(&rd->refs, 1);
    q->r = r;
    q->rd = rd;
    q->n = n;
    q->again = true;
    buf_init(&q->target, 512);
    buf_init(&q->fields, 8 * KIB);
    buf_init(&q->refusal, 8 * KIB);
    reading_begin(q);
}
