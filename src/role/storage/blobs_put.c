/* blobs_put.c - all of a small file in one request: its attributes as JSON, its
 * bytes, the footer over both (D26). Nothing is known of the attempt before the
 * footer has been checked, so a put that breaks leaves no trace and may be
 * repeated as it is (D27).
 *
 * Up to 64 KiB are received into memory of just that size, more into blocks, of
 * which there are up to 32. Only the first is waited for as long as it takes:
 * whoever holds some and finds no more gives them back after a moment, so that
 * two puts cannot wait for each other. SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "role/storage/blobs_impl.h"
#include <stdlib.h>

#define SMALL_MAX ((uint64_t)64 * 1024)

#define BLOCK_RETRY    dur_ms(2)
#define BLOCK_PATIENCE dur_ms(500)

struct put {
    struct call *call;
    struct loop *loop; /* the call may be gone before its blocks are */
    struct blobs_api *api;
    struct uuid file_id;
    char *head;
    size_t n_head;
    uint64_t size;
    uint64_t got; /* of size */
    uint32_t crc; /* of head and bytes so far */
    uint8_t foot[FOOTER_SIZE];
    uint8_t *small;
    struct block *block[BLOB_PUT_BLOCKS];
    unsigned n_blocks;
    struct timer timer; /* for the next block, */
    struct mono until;  /* and not for longer */
    struct block_wait wait;
    struct file_attr attr;
    struct blob_put req;
};

static void
put_free(struct put *q)
{
    while (q->n_blocks)
        loop_block_put(q->loop, q->block[--q->n_blocks]);
    free((void *)(uintptr_t)q->attr.metadata);
    free(q->small);
    free(q->head);
    free(q);
}

static void
put_refuse(struct put *q, enum err e, const struct fault *f)
{
    struct call *c = q->call;

    /* The answer first: F may be Q's. */
    struct fault copy = f ? *f : (struct fault){0};

    put_free(q);
    blobs_refuse(c, e, f ? &copy : NULL);
}

static bool
put_cut(struct put *q, int64_t n)
{
    struct call *c = q->call;
    struct exchange *x = c->x;

    if (n >= 0)
        return false;
    put_free(q);
    exchange_fail(x, n);
    call_end(c);
    return true;
}

static void
put_done(struct blob_put *r)
{
    struct put *q = container_of(r, struct put, req);

    if (r->err != ERR_OK) {
        put_refuse(q, r->err, &r->fault);
        return;
    }
    blobs_reply_file(q->call, &q->attr);
    put_free(q);
}

static void
put_foot(struct exchange *x, int64_t n)
{
    struct put *q = x->role;
    struct call *c = q->call;

    if (put_cut(q, n))
        return;
    if (n != FOOTER_SIZE ||
        !footer_fits(q->foot, q->n_head + q->size, q->crc)) {
        put_free(q);
        reply_error(c, 400, err_name(ERR_IO),
                    "the footer does not fit the bytes");
        return;
    }
    /* The call's path was valid for q->file_id. */
    (void)slice_u64(c->param[1], &q->req.attempt);
    q->req.loop = q->loop;
    q->req.done = put_done;
    q->req.attr = &q->attr;
    q->req.data = q->small;
    q->req.blocks = q->block;
    q->req.n_blocks = q->n_blocks;
    if (q->n_blocks == 1 && q->size <= BLOB_PUT_MAX) {
        q->req.data = q->block[0]->data;
        q->req.aligned = true;
        q->req.n_blocks = 0;
    }
    q->api->blob->ops->put(q->api->blob, &q->req);
}

static void
read_foot(struct put *q)
{
    exchange_read(q->call->x, q->foot, sizeof(q->foot), true, put_foot);
}

static void
small_read(struct exchange *x, int64_t n)
{
    struct put *q = x->role;

    if (put_cut(q, n))
        return;
    q->crc = hash_crc32c(q->api->conf.hash, q->crc, q->small, (size_t)n);
    read_foot(q);
}

static void next_block(struct put *q);
static void block_later(struct put *q);

static void
block_read(struct exchange *x, int64_t n)
{
    struct put *q = x->role;
    struct block *k = q->block[q->n_blocks - 1];

    if (put_cut(q, n))
        return;
    k->len = (uint32_t)n;
    q->crc = hash_crc32c(q->api->conf.hash, q->crc, k->data, k->len);
    q->got += k->len;
    if (q->got < q->size)
        next_block(q);
    else
        read_foot(q);
}

static void
read_block(struct put *q)
{
    size_t n = (size_t)u64_min(BLOCK_SIZE, q->size - q->got);

    exchange_read(q->call->x, q->block[q->n_blocks - 1]->data, n, true,
                  block_read);
}

static void
next_block(struct put *q)
{
    struct block *k = loop_block_get(q->loop);

    if (k == NULL) {
        block_later(q);
        return;
    }
    q->until = (struct mono){0};
    q->block[q->n_blocks++] = k;
    read_block(q);
}

static void
block_again(struct loop *l, struct timer *t)
{
    (void)l;
    next_block(container_of(t, struct put, timer));
}

/* Others wait for their first block, or the budget is used up. The former is
 * over in a moment; in the latter those that hold some must not wait for more
 * for ever, or they would wait for each other. */
static void
block_later(struct put *q)
{
    struct loop *l = q->loop;

    if (q->until.ns == 0)
        q->until = mono_add(l->now, BLOCK_PATIENCE);
    q->timer.fire = block_again;
    if (mono_reached(l->now, q->until) ||
        !loop_timer(l, &q->timer, mono_add(l->now, BLOCK_RETRY)))
        put_refuse(q, ERR_AGAIN, NULL);
}

static void
first_block(struct loop *l, struct block_wait *w, struct block *k)
{
    struct put *q = container_of(w, struct put, wait);

    (void)l;
    q->block[q->n_blocks++] = k;
    read_block(q);
}

static void
read_bytes(struct put *q)
{
    if (q->size > SMALL_MAX) {
        q->wait.ready = first_block;
        loop_block_wait(q->loop, &q->wait);
        return;
    }
    q->small = malloc((size_t)q->size + 1);
    if (q->small == NULL)
        put_refuse(q, ERR_NOMEM, NULL);
    else if (q->size == 0)
        read_foot(q);
    else
        exchange_read(q->call->x, q->small, (size_t)q->size, true, small_read);
}

static bool
parse_head(struct put *q, struct json_error *e)
{
    json_t *o = json_read(slice_of(q->head, q->n_head), e);
    const json_t *file = json_get_obj(o, "file", JSON_REQUIRED, e);
    bool ok = o && blobs_get_attr(file, &q->attr, e);

    json_decref(o);
    if (ok &&
        (!uuid_eq(&q->attr.file_id, &q->file_id) || q->attr.size != q->size)) {
        (void)slice_copy(SLICE("file_id is not that of the path, or "
                               "size_bytes not that of the body"),
                         e->text, sizeof(e->text));
        ok = false;
    }
    return ok;
}

static void
head_read(struct exchange *x, int64_t n)
{
    struct put *q = x->role;
    struct json_error e = {0};
    struct call *c = q->call;

    if (put_cut(q, n))
        return;
    if (!parse_head(q, &e)) {
        put_free(q);
        reply_error(c, 400, err_name(ERR_INVAL), "%s", e.text);
        return;
    }
    q->crc = hash_crc32c(q->api->conf.hash, 0, q->head, q->n_head);
    read_bytes(q);
}

void
blobs_put(struct call *c)
{
    struct exchange *x = c->x;
    uint64_t number, head, body = x->body_left;
    struct uuid id;
    struct put *q;

    if (!blobs_ids(c, &id, &number) ||
        !blobs_number(c, SLICE("head"), BLOBS_HEAD_MAX, 0, &head))
        return;
    if (head == 0 || body == UINT64_MAX || body < head + FOOTER_SIZE ||
        body - head - FOOTER_SIZE > BLOB_PUT_BLOCKS * BLOCK_SIZE) {
        reply_error(c, 400, err_name(ERR_INVAL),
                    "head= bytes of JSON, at most 8 MiB and a footer are "
                    "wanted, with Content-Length");
        return;
    }
    if ((q = calloc(1, sizeof(*q))) == NULL) {
        blobs_no_memory(c);
        return;
    }
    q->call = c;
    q->loop = x->loop;
    q->api = c->role;
    q->file_id = id;
    q->n_head = (size_t)head;
    q->size = body - head - FOOTER_SIZE;
    x->role = q;
    q->head = malloc(q->n_head);
    if (q->head == NULL)
        put_refuse(q, ERR_NOMEM, NULL);
    else
        exchange_read(x, q->head, q->n_head, true, head_read);
}
