/* blobs_read.c - info, blocks, list, delete over HTTP.
 *
 * Blocks are read one at a time, checked (D34), and followed by a CRC that is
 * made anew for the way: port/blob.h does not tell the stored ones, and those
 * of a checked block are the same. SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "role/storage/blobs_impl.h"
#include "wire/query.h"
#include <stdlib.h>

/* ---- info, blocks ---- */

struct read {
    struct call *call;
    struct blobs_api *api;
    struct blob_open open;
    struct blob_reader *reader;
    struct block_wait wait;
    struct block *block;
    struct blob_read req;
    uint64_t off, left;
    bool verify;
    bool corrupt;
    uint8_t trailer[BLOBS_TRAILER_SIZE];
};

static void
read_free(struct read *q)
{
    if (q->reader)
        q->api->blob->ops->close(q->reader);
    if (q->block)
        loop_block_put(q->call->x->loop, q->block);
    free(q);
}

static struct read *
read_new(struct call *c, void (*opened)(struct blob_open *r))
{
    struct read *q = calloc(1, sizeof(*q));

    if (q == NULL) {
        blobs_no_memory(c);
        return NULL;
    }
    q->call = c;
    q->api = c->role;
    q->open.loop = c->x->loop;
    q->open.done = opened;
    if (!blobs_id(c, &q->open.file_id)) {
        free(q);
        return NULL;
    }
    c->x->role = q;
    return q;
}

static void
info_opened(struct blob_open *r)
{
    struct read *q = container_of(r, struct read, open);
    struct call *c = q->call;
    struct blob_info info;
    struct json_writer w;
    struct buf b;

    if (r->err != ERR_OK) {
        blobs_refuse(c, r->err, &r->fault);
        read_free(q);
        return;
    }
    q->reader = r->reader;
    q->api->blob->ops->info(r->reader, &info);
    buf_init(&b, BLOBS_HEAD_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_u64(&w, "size", info.size);
    blobs_put_attr(&w, "file", info.attr);
    json_end_object(&w);
    read_free(q);
    exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
    reply_json(c, 200, &b);
    buf_release(&b);
}

void
blobs_info(struct call *c)
{
    struct read *q = read_new(c, info_opened);

    if (q)
        q->api->blob->ops->open(q->api->blob, &q->open);
}

static void next_block(struct read *q);

static void
read_end(struct read *q)
{
    struct call *c = q->call;
    struct exchange *x = c->x;

    read_free(q);
    exchange_end(x);
    call_end(c);
}

static void
trailer_sent(struct exchange *x, enum err e)
{
    struct read *q = x->role;

    if (e != ERR_OK || q->left == 0 || q->corrupt)
        read_end(q); /* short of its length: the connection is cut */
    else
        next_block(q);
}

static void
block_sent(struct exchange *x, enum err e)
{
    struct read *q = x->role;

    if (e != ERR_OK)
        read_end(q);
    else
        exchange_send(x, q->trailer, sizeof(q->trailer), trailer_sent);
}

static void
block_read(struct blob_read *r)
{
    struct read *q = container_of(r, struct read, req);
    size_t n = (size_t)u64_min(BLOCK_SIZE, q->left);
    struct blobs_trailer t = {BLOBS_GOOD, 0};
    struct block *k = q->block;

    if (r->err != ERR_OK || k->len != n) {
        t.state = r->err == ERR_CORRUPT ? BLOBS_CORRUPT : BLOBS_FAILED;
        q->corrupt = true;
        memset(k->data, 0, n);
    }
    q->off += n;
    q->left -= n;
    t.crc = hash_crc32c(q->api->conf.hash, 0, k->data, n);
    k->state = BLOCK_SEND;
    if (n + BLOBS_TRAILER_SIZE <= BLOCK_SIZE) { /* both in one piece */
        blobs_put_trailer(&t, k->data + n);
        exchange_send(q->call->x, k->data, n + BLOBS_TRAILER_SIZE,
                      trailer_sent);
        return;
    }
    blobs_put_trailer(&t, q->trailer);
    exchange_send(q->call->x, k->data, n, block_sent);
}

static void
next_block(struct read *q)
{
    q->block->state = BLOCK_READ;
    q->req = (struct blob_read){.loop = q->call->x->loop,
                                .done = block_read,
                                .reader = q->reader,
                                .off = q->off,
                                .n = (uint32_t)u64_min(BLOCK_SIZE, q->left),
                                .verify = q->verify,
                                .block = q->block};
    q->api->blob->ops->read(q->api->blob, &q->req);
}

static void
block_ready(struct loop *l, struct block_wait *w, struct block *b)
{
    struct read *q = container_of(w, struct read, wait);

    (void)l;
    q->block = b;
    next_block(q);
}

static void
blocks_opened(struct blob_open *r)
{
    struct read *q = container_of(r, struct read, open);
    struct call *c = q->call;
    struct blob_info info;

    if (r->err != ERR_OK) {
        blobs_refuse(c, r->err, &r->fault);
        read_free(q);
        return;
    }
    q->reader = r->reader;
    q->api->blob->ops->info(r->reader, &info);
    if (q->off > info.size) {
        read_free(q);
        reply_error(c, 400, err_name(ERR_INVAL), "off is behind the end");
        return;
    }
    q->left = u64_min(q->left, info.size - q->off);
    exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
    exchange_start(c->x, 200, SLICE("application/octet-stream"),
                   blobs_length(q->left));
    if (q->left == 0 || c->x->head->method == HTTP_HEAD) {
        read_end(q);
        return;
    }
    q->wait.ready = block_ready;
    loop_block_wait(c->x->loop, &q->wait);
}

void
blobs_blocks(struct call *c)
{
    struct read *q;
    uint64_t off, n, verify;

    if (!blobs_number(c, SLICE("off"), INT64_MAX, 0, &off) ||
        !blobs_number(c, SLICE("n"), INT64_MAX, INT64_MAX, &n) ||
        !blobs_number(c, SLICE("verify"), 1, 1, &verify))
        return;
    if (verify && off % BLOCK_SIZE) {
        reply_error(c, 400, err_name(ERR_INVAL),
                    "off is a multiple of 262144 when verify is 1");
        return;
    }
    q = read_new(c, blocks_opened);
    if (q == NULL)
        return;
    q->off = off;
    q->left = n;
    q->verify = verify;
    q->api->blob->ops->open(q->api->blob, &q->open);
}

/* ---- list ---- */

struct page {
    struct call *call;
    struct blob_list req;
    struct file_attr rows[];
};

static void
page_done(struct blob_list *r)
{
    struct page *q = container_of(r, struct page, req);
    struct call *c = q->call;
    struct json_writer w;
    struct buf b;

    if (r->err != ERR_OK) {
        blobs_refuse(c, r->err, &r->fault);
        goto out;
    }
    buf_init(&b, BLOBS_PAGE_BYTES);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_bool(&w, "more", r->n == r->max);
    json_put_list(&w, "files");
    for (unsigned i = 0; i < r->n; i++)
        blobs_put_attr(&w, NULL, &r->rows[i]);
    json_end_list(&w);
    json_end_object(&w);
    exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
    reply_json(c, 200, &b);
    buf_release(&b);
out:
    for (unsigned i = 0; i < r->n; i++)
        free((void *)(uintptr_t)r->rows[i].metadata);
    free(q);
}

void
blobs_list(struct call *c)
{
    struct blobs_api *a = c->role;
    struct uuid after = {{0}};
    char text[UUID_TEXT];
    struct page *q;
    uint64_t limit;
    size_t n;
    enum query_result r =
        query_get(c->x->head->query, SLICE("after"), text, sizeof(text), &n);

    if (!blobs_number(c, SLICE("limit"), BLOBS_PAGE_MAX, BLOBS_PAGE_MAX,
                      &limit))
        return;
    if (limit == 0 ||
        (r != QUERY_END &&
         (r != QUERY_OK || !uuid_parse(slice_of(text, n), &after)))) {
        reply_error(c, 400, err_name(ERR_INVAL),
                    "after is a file id, and limit from 1");
        return;
    }
    q = calloc(1, sizeof(*q) + limit * sizeof(q->rows[0]));
    if (q == NULL) {
        blobs_no_memory(c);
        return;
    }
    q->call = c;
    q->req = (struct blob_list){.loop = c->x->loop,
                                .done = page_done,
                                .after = after,
                                .max = (unsigned)limit,
                                .rows = q->rows};
    a->blob->ops->list(a->blob, &q->req);
}

/* ---- delete ---- */

struct removal {
    struct call *call;
    struct blob_delete req;
};

static void
removed(struct blob_delete *r)
{
    struct removal *q = container_of(r, struct removal, req);

    if (r->err == ERR_OK)
        reply_empty(q->call, 204);
    else
        blobs_refuse(q->call, r->err, &r->fault);
    free(q);
}

void
blobs_delete(struct call *c)
{
    struct blobs_api *a = c->role;
    struct removal *q;
    uint64_t epoch;
    struct uuid id;

    if (!blobs_id(c, &id) ||
        !blobs_number(c, SLICE("epoch"), INT64_MAX, 0, &epoch))
        return;
    if ((q = calloc(1, sizeof(*q))) == NULL) {
        blobs_no_memory(c);
        return;
    }
    q->call = c;
    q->req = (struct blob_delete){
        .loop = c->x->loop, .done = removed, .file_id = id, .epoch = epoch};
    a->blob->ops->del(a->blob, &q->req);
}
