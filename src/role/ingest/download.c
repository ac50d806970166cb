/* download.c - one download: which file, what of it, and the bytes (D21, D34).
 *
 * The bytes go one of two ways. With VERIFY_READS every 256 KiB block is read
 * and checked against its CRC32C before any of it leaves. Without, what lies in
 * the page cache goes by sendfile; what does not is read into a block first,
 * because a sendfile that has to wait for the disk would hold up the whole
 * loop.
 *
 * Nothing of the answer is sent before the first bytes are there, so that a
 * file that cannot be read is an honest 5xx and not a 200 that breaks off.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "role/ingest/cache.h"
#include "role/ingest/impl.h"
#include "wire/date.h"
#include "wire/digest.h"
#include "wire/disposition.h"
#include "wire/range.h"
#include <stdio.h>
#include <stdlib.h>

#define SENDFILE_PIECE ((uint64_t)1024 * 1024)
#define ETAG_TEXT      (2 * 32 + 3)

struct download {
    struct call *call;
    struct ingest *g;
    struct ingest_loop *il;
    struct uuid file_id;
    struct cache_entry *entry;
    struct registry_lookup lookup;
    struct blob_open open;
    struct search search;
    struct blob_read read;
    struct blob *open_blob;
    struct block_wait wait;
    struct block *block;
    struct http_ranges ranges;
    uint32_t at;        /* range that is being sent */
    uint64_t off, left; /* of it */
    struct buf text;    /* between the ranges of a multi-range answer */
    char boundary[24];
    int status;
    bool away; /* the registry knows it, and its element cannot be reached */
    bool lost; /* for it is not in STORAGE_ELEMENTS any more */
    char element_id[65]; /* as the registry has it; "": it does not say */
    bool multi;
    bool head_sent; /* the text before this range */
    bool tail_sent;
    bool started;
};

static void download_step(struct download *d);

static void
download_free(struct download *d)
{
    if (d->block)
        loop_block_put(d->il->loop, d->block);
    if (d->entry)
        cache_unref(d->entry);
    buf_release(&d->text);
    free(d);
}

static void
download_end(struct download *d, enum count_result r)
{
    struct call *c = d->call;

    count_download(&d->g->counts, r);
    download_free(d);
    exchange_end(c->x);
    call_end(c);
}

static void
not_found(struct download *d)
{
    struct call *c = d->call;
    char id[UUID_TEXT];

    uuid_text(&d->file_id, id);
    count_download(&d->g->counts, COUNT_FAILURE);
    download_free(d);
    reply_error(c, 404, "file_not_found", "There is no file %s", id);
}

/* The file is there and cannot be read. */
static void
unreadable(struct download *d, enum err e, const struct fault *f)
{
    struct call *c = d->call;
    struct fault own = {0};
    const char *why;
    bool lost;
    char id[UUID_TEXT], element[sizeof(d->element_id)];

    uuid_text(&d->file_id, id);
    if (f == NULL) {
        (void)fault_set(&own, e, "read", id);
        f = &own;
    }
    why = f->hint ? f->hint : "its bytes do not match their checksum";
    log_error(d->g->conf.log, "download failed", F_STR("file_id", id),
              F_FAULT(f), F_STR("request_id", c->x->request_id));
    if (d->started) {
        /* Fewer bytes than promised: the connection is cut. */
        download_end(d, COUNT_FAILURE);
        return;
    }
    count_download(&d->g->counts, COUNT_FAILURE);
    memcpy(element, d->element_id, sizeof(element));
    lost = d->lost;
    download_free(d);
    if (lost)
        reply_lost(c, element);
    else if (e == ERR_CORRUPT)
        reply_error(c, 500, "storage_corrupt",
                    "File %s is damaged on its storage element: %s, so it is "
                    "not sent",
                    id, why);
    else
        reply_error(c, 503, "storage_error",
                    "File %s cannot be read%s%s at the moment", id,
                    element[0] ? " from storage element " : "", element);
}

/* ---- which file ---- */

static void download_serve(struct download *d);
static void download_open(struct download *d, struct blob *b);

static void
download_opened(struct download *d, struct blob *b, struct blob_reader *rd)
{
    d->entry = cache_put(d->il->cache, &d->file_id, b, rd);
    if (d->entry)
        download_serve(d);
    else
        unreadable(d, ERR_NOMEM, NULL);
}

static void
search_done(struct search *s)
{
    struct download *d = container_of(s, struct download, search);

    struct blob *b = s->blob;

    if (s->err == ERR_OK)
        download_opened(d, b, s->open.reader);
    else if (s->err != ERR_NOENT)
        unreadable(d, s->err, &s->fault);
    else if (d->away)
        unreadable(d, ERR_IO, NULL);
    else
        not_found(d);
    blob_drop(&b);
}

/* The registry may be behind or away: the elements know what they hold. */
static void
download_search(struct download *d)
{
    d->search.file_id = d->file_id;
    d->search.done = search_done;
    search_elements(&d->search, d->g, &d->lookup);
}

static void
open_done(struct blob_open *r)
{
    struct download *d = container_of(r, struct download, open);
    struct blob *b = d->open_blob;

    if (r->err == ERR_OK) {
        download_opened(d, b, r->reader);
    } else if (r->err == ERR_NOENT) {
        download_search(d);
    } else {
        unreadable(d, r->err, &r->fault);
    }
    blob_drop(&b);
}

static void
download_open(struct download *d, struct blob *b)
{
    d->open_blob = b;
    d->open.loop = d->il->loop;
    d->open.done = open_done;
    d->open.file_id = d->file_id;
    d->open.err = ERR_OK;
    b->ops->open(b, &d->open);
}

static void
lookup_done(struct registry_lookup *r)
{
    struct download *d = container_of(r, struct download, lookup);
    struct blob *b = r->err == ERR_OK ? r->blob : NULL;

    if (r->err == ERR_OK) {
        (void)slice_copy(slice_str(r->file.attr.element_id), d->element_id,
                         sizeof(d->element_id));
        meta_file_release(&r->file);
    }
    d->away = r->err == ERR_OK && b == NULL;
    d->lost = d->away && r->lost;
    if (b)
        download_open(d, b);
    else
        download_search(d);
}

void
download_begin(struct call *c)
{
    struct ingest *g = c->role;
    struct download *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    d->call = c;
    c->state = d;
    c->x->role = d;
    d->g = g;
    d->il = ingest_loop_of(g, c->x->loop);
    buf_init(&d->text, 8 * KIB);
    if (!uuid_parse(c->param[0], &d->file_id)) {
        download_free(d);
        reply_error(c, 400, "invalid_file_id",
                    "A file id is a UUID, such as the upload answered");
        return;
    }
    d->entry = cache_get(d->il->cache, &d->file_id);
    if (d->entry) {
        download_serve(d);
        return;
    }
    d->lookup.loop = d->il->loop;
    d->lookup.done = lookup_done;
    d->lookup.file_id = d->file_id;
    registry_lookup(g->conf.registry, &d->lookup);
}

/* ---- what of it ---- */

/* Its SHA-256, in quotation marks. */
static void
etag_of(const struct file_attr *a, char out[ETAG_TEXT])
{
    out[0] = '"';
    hex_encode(a->sha256, sizeof(a->sha256), out + 1);
    strcat(out, "\"");
}

static void
headers_common(struct download *d)
{
    const struct file_attr *a = d->entry->info.attr;
    struct exchange *x = d->call->x;
    char etag[ETAG_TEXT], date[DATE_TEXT], text[128];
    struct buf b;

    etag_of(a, etag);
    exchange_header(x, SLICE("ETag"), slice_str(etag));
    exchange_header(x, SLICE("Last-Modified"),
                    slice_str(date_http(a->uploaded_at, date)));
    exchange_header(x, SLICE("Accept-Ranges"), SLICE("bytes"));
    /* What people upload is not to be run in the name of this server. */
    exchange_header(x, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
    snprintf(text, sizeof(text), "sha-256=:");
    base64_encode(a->sha256, sizeof(a->sha256), text + strlen(text));
    strcat(text, ":");
    exchange_header(x, SLICE("Repr-Digest"), slice_str(text));
    if (d->status == 200)
        exchange_header(x, SLICE("Content-Digest"), slice_str(text));
    if (d->status == 304)
        return;
    buf_init(&b, 4 * KIB);
    if (disposition_format(&b, true, slice_str(a->original_filename)))
        exchange_header(x, SLICE("Content-Disposition"), buf_slice(&b));
    buf_release(&b);
}

enum http_cond
file_condition(const struct exchange *x, const struct file_attr *a)
{
    char etag[ETAG_TEXT];
    const struct http_validators v = {
        .exists = true,
        .etag = {.tag = slice_of(etag + 1, ETAG_TEXT - 3)},
        .has_modified = true,
        .modified = a->uploaded_at,
    };

    etag_of(a, etag);
    return http_cond_eval(x->head, &v, x->loop->wall);
}

void
reply_condition_failed(struct call *c)
{
    reply_error(c, 412, "precondition_failed",
                "The file is not the one that the condition asks for");
}

/* Conditions and ranges: sets d->status and d->ranges. False: answered. */
static bool
download_decide(struct download *d)
{
    struct exchange *x = d->call->x;
    enum http_cond cond = file_condition(x, d->entry->info.attr);
    struct slice range = http_head_value(x->head, SLICE("Range"));
    char text[HTTP_CONTENT_RANGE_TEXT];
    struct call *c = d->call;

    d->status = 200;
    d->ranges.n = d->entry->info.size ? 1 : 0;
    d->ranges.r[0] = (struct http_range){0, d->entry->info.size};
    if (cond == HTTP_COND_FAILED) {
        count_download(&d->g->counts, COUNT_FAILURE);
        download_free(d);
        reply_condition_failed(c);
        return false;
    }
    if (cond == HTTP_COND_NOT_MODIFIED) {
        d->status = 304;
        headers_common(d);
        count_download(&d->g->counts, COUNT_SUCCESS);
        download_free(d);
        reply_empty(c, 304);
        return false;
    }
    if (x->head->method != HTTP_GET || cond == HTTP_COND_IGNORE_RANGE)
        return true;
    switch (http_ranges_resolve(range, d->entry->info.size, &d->ranges)) {
    case HTTP_RANGE_WHOLE:
        d->ranges.n = d->entry->info.size ? 1 : 0;
        d->ranges.r[0] = (struct http_range){0, d->entry->info.size};
        break;
    case HTTP_RANGE_PARTIAL:
        d->status = 206;
        d->multi = d->ranges.n > 1;
        break;
    case HTTP_RANGE_NEVER:
        exchange_header(
            x, SLICE("Content-Range"),
            slice_str(http_content_range_none(d->entry->info.size, text)));
        count_download(&d->g->counts, COUNT_FAILURE);
        download_free(d);
        reply_error(c, 416, "range_not_satisfiable",
                    "No byte of the file lies in the range that was asked for");
        return false;
    }
    return true;
}

/* The head of the answer, made when the first bytes are known to be there. */
static void
download_start(struct download *d)
{
    const struct file_attr *a = d->entry->info.attr;
    struct exchange *x = d->call->x;
    struct slice type = slice_str(a->content_type);
    char text[HTTP_CONTENT_RANGE_TEXT];
    char multi[64];
    uint64_t length = d->ranges.n ? d->ranges.r[0].n : 0;

    headers_common(d);
    if (d->multi) {
        struct slice bound = slice_str(d->boundary);

        length = http_byteranges_length(&d->ranges, bound, type,
                                        d->entry->info.size);
        snprintf(multi, sizeof(multi), "multipart/byteranges; boundary=%s",
                 d->boundary);
        type = slice_str(multi);
    } else if (d->status == 206) {
        exchange_header(x, SLICE("Content-Range"),
                        slice_str(http_content_range_text(
                            d->ranges.r[0], d->entry->info.size, text)));
    }
    d->started = true;
    exchange_start(x, d->status, type, length);
}

static void
range_begin(struct download *d)
{
    d->off = d->ranges.r[d->at].first;
    d->left = d->ranges.r[d->at].n;
}

static void
download_serve(struct download *d)
{
    if (!download_decide(d))
        return;
    if (d->multi) /* 64 random bits: no file can be made to contain it */
        snprintf(d->boundary, sizeof(d->boundary), "%.16s",
                 d->call->x->span_id);
    if (d->ranges.n == 0 || d->call->x->head->method == HTTP_HEAD) {
        download_start(d);
        download_end(d, COUNT_SUCCESS);
        return;
    }
    range_begin(d);
    download_step(d);
}

/* ---- the bytes ---- */

static void
piece_sent(struct exchange *x, enum err e)
{
    struct download *d = x->role;

    if (d->block) {
        loop_block_put(d->il->loop, d->block);
        d->block = NULL;
    }
    if (e != ERR_OK)
        download_end(d, COUNT_ABORTED);
    else
        download_step(d);
}

/* What stands before a range, or behind the last. */
static bool
text_due(struct download *d)
{
    const struct file_attr *a = d->entry->info.attr;
    struct slice bound = slice_str(d->boundary);

    if (!d->multi)
        return false;
    buf_clear(&d->text);
    if (d->at == d->ranges.n) {
        if (d->tail_sent)
            return false;
        d->tail_sent = true;
        http_byteranges_end(&d->text, bound);
        return true;
    }
    if (d->off != d->ranges.r[d->at].first || d->head_sent)
        return false;
    d->head_sent = true;
    http_byteranges_part(&d->text, bound, slice_str(a->content_type),
                         d->ranges.r[d->at], d->entry->info.size);
    return true;
}

static void
took(struct download *d, uint64_t n)
{
    d->off += n;
    d->left -= n;
    if (d->left == 0 && ++d->at < d->ranges.n) {
        d->head_sent = false;
        range_begin(d);
    }
}

static void block_send(struct download *d);

/* The text before a range has left, its first block waits. */
static void
text_sent(struct exchange *x, enum err e)
{
    struct download *d = x->role;

    if (e != ERR_OK)
        download_end(d, COUNT_ABORTED);
    else
        block_send(d);
}

/* The block holds bytes from a multiple of its size on; ours begin within. */
static void
block_send(struct download *d)
{
    uint64_t base = d->read.off;
    uint64_t skip = d->off - base;
    uint64_t n = u64_min(d->left, d->block->len - skip);

    if (!d->started)
        download_start(d);
    if (text_due(d)) { /* only now that there are bytes to follow it */
        exchange_send(d->call->x, d->text.p, d->text.n, text_sent);
        return;
    }
    block_move(d->block, BLOCK_READ, BLOCK_SEND);
    took(d, n);
    exchange_send(d->call->x, d->block->data + skip, n, piece_sent);
}

static void
read_done(struct blob_read *r)
{
    struct download *d = container_of(r, struct download, read);

    if (r->err != ERR_OK) {
        unreadable(d, r->err, &r->fault);
    } else if (d->block->len <= d->off - r->off) {
        unreadable(d, ERR_CORRUPT, NULL); /* shorter than it was */
    } else {
        block_send(d);
    }
}

static void
block_read(struct download *d)
{
    uint64_t base = align_down(d->off, BLOCK_SIZE);
    uint64_t end = u64_min(d->entry->info.size, base + BLOCK_SIZE);

    d->read.loop = d->il->loop;
    d->read.done = read_done;
    d->read.reader = d->entry->reader;
    d->read.off = base;
    d->read.n = (uint32_t)(end - base);
    d->read.verify = d->g->conf.verify_reads;
    d->read.block = d->block;
    d->read.err = ERR_OK;
    block_move(d->block, BLOCK_RECV, BLOCK_READ);
    d->entry->blob->ops->read(d->entry->blob, &d->read);
}

static void
block_ready(struct loop *l, struct block_wait *w, struct block *b)
{
    struct download *d = container_of(w, struct download, wait);

    (void)l;
    d->block = b;
    block_read(d);
}

static void
download_step(struct download *d)
{
    uint64_t n = u64_min(d->left, SENDFILE_PIECE);
    int fd = d->entry->info.fd;

    if (d->at == d->ranges.n) {
        if (text_due(d))
            exchange_send(d->call->x, d->text.p, d->text.n, piece_sent);
        else
            download_end(d, COUNT_SUCCESS);
        return;
    }
    if (!d->g->conf.verify_reads && fd >= 0 &&
        loop_cached(d->il->loop, fd, d->off, n)) {
        uint64_t off = d->off;

        if (!d->started)
            download_start(d);
        if (text_due(d)) {
            exchange_send(d->call->x, d->text.p, d->text.n, piece_sent);
            return;
        }
        took(d, n);
        exchange_send_file(d->call->x, fd, off, n, piece_sent);
        return;
    }
    d->block = loop_block_get(d->il->loop);
    if (d->block) {
        block_read(d);
    } else {
        d->wait.ready = block_ready;
        loop_block_wait(d->il->loop, &d->wait);
    }
}
