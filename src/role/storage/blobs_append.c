/* blobs_append.c - one segment of a body over HTTP: whole blocks, the last of
 * any length, then the footer (D26).
 *
 * Where the data ends is known from Content-Length. In a chunked body it is
 * not, so after each full block 16 more bytes are read: when they come, the
 * block was all data, and they begin the next one, or they were the footer.
 * Bytes go to the element as they come and count only when the footer has been
 * checked; when it does not fit the attempt is given up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "role/storage/blobs_impl.h"
#include <stdlib.h>

struct append {
    struct call *call;
    struct blobs_api *api;
    struct attempt *attempt;
    struct block_wait wait;
    struct block *block;
    struct blob_append req;
    uint64_t size; /* data of this segment */
    uint32_t crc;
    uint8_t foot[FOOTER_SIZE];
    size_t n_foot; /* bytes in foot: carried, or of the footer */
    bool known;    /* where the data ends is known */
    bool ended;    /* the footer is in foot[] */
    uint64_t left; /* of data, when known */
};

static struct loop *
loop_of(const struct append *q)
{
    return q->call->x->loop;
}

static void
append_free(struct append *q)
{
    if (q->block)
        loop_block_put(loop_of(q), q->block);
    free(q);
}

/* What has arrived is not whole: nothing may ever come of the attempt. */
static void
append_broken(struct append *q, enum err e, const struct fault *f,
              const char *why)
{
    struct call *c = q->call;

    attempt_give_up(q->attempt, loop_of(q));
    append_free(q);
    if (why)
        reply_error(c, 400, err_name(ERR_IO), "%s", why);
    else
        blobs_refuse(c, e, f);
}

static void
append_cut(struct append *q, int64_t n)
{
    struct call *c = q->call;
    struct exchange *x = c->x;

    attempt_give_up(q->attempt, loop_of(q));
    append_free(q);
    exchange_fail(x, n);
    call_end(c);
}

static void read_block(struct append *q);

static void
append_over(struct append *q)
{
    struct attempt *t = q->attempt;
    struct call *c = q->call;
    struct buf b;

    if (q->n_foot != FOOTER_SIZE || !footer_fits(q->foot, q->size, q->crc)) {
        append_broken(q, ERR_OK, NULL, "the footer does not fit the bytes");
        return;
    }
    t->crc = hash_crc32c_combine(t->crc, q->crc, q->size);
    t->size += q->size;
    t->last = t->size % BLOCK_SIZE != 0;
    buf_init(&b, 64);
    buf_printf(&b, "{\"offset\":%llu}", (unsigned long long)t->size);
    attempt_leave(t, loop_of(q));
    append_free(q);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
written(struct blob_append *r)
{
    struct append *q = container_of(r, struct append, req);

    if (r->err != ERR_OK)
        append_broken(q, r->err, &r->fault, NULL);
    else if (q->ended)
        append_over(q);
    else
        read_block(q);
}

/* The N bytes of the block are data. */
static void
take_block(struct append *q, size_t n)
{
    struct block *k = q->block;

    if (n == 0) {
        append_over(q);
        return;
    }
    q->crc = hash_crc32c(q->api->conf.hash, q->crc, k->data, n);
    q->size += n;
    k->len = (uint32_t)n;
    k->state = BLOCK_WRITE;
    q->req = (struct blob_append){.loop = loop_of(q),
                                  .done = written,
                                  .ticket = q->attempt->ticket,
                                  .block = k,
                                  .last = n < BLOCK_SIZE};
    q->api->blob->ops->append(q->api->blob, &q->req);
}

static void
foot_read(struct exchange *x, int64_t n)
{
    struct append *q = x->role;
    size_t data = q->block->len, before;

    if (n < 0) {
        append_cut(q, n);
        return;
    }
    if (q->known || n < FOOTER_SIZE)
        q->ended = true;
    if (q->known) {
        q->n_foot = (size_t)n;
    } else if (n < FOOTER_SIZE) { /* the block holds the footer's beginning */
        before = FOOTER_SIZE - (size_t)n;
        memmove(q->foot + before, q->foot, (size_t)n);
        data -= before;
        memcpy(q->foot, q->block->data + data, before);
        q->n_foot = FOOTER_SIZE;
    } else {
        q->n_foot = FOOTER_SIZE;
    }
    take_block(q, data);
}

/* Bytes that came into the block, those that were carried among them. */
static void
block_read(struct exchange *x, int64_t n)
{
    struct append *q = x->role;
    size_t have;

    if (n < 0) {
        append_cut(q, n);
        return;
    }
    have = q->n_foot + (size_t)n;
    q->n_foot = 0;
    q->block->len = (uint32_t)have;
    if (q->known) {
        q->left -= (uint64_t)n;
        if (q->left) {
            take_block(q, have);
            return;
        }
    } else if (have < BLOCK_SIZE) {
        q->ended = true;
        if (have < FOOTER_SIZE) {
            append_over(q); /* which refuses it */
            return;
        }
        memcpy(q->foot, q->block->data + have - FOOTER_SIZE, FOOTER_SIZE);
        q->n_foot = FOOTER_SIZE;
        take_block(q, have - FOOTER_SIZE);
        return;
    }
    exchange_read(x, q->foot, FOOTER_SIZE, true, foot_read);
}

static void
read_block(struct append *q)
{
    struct exchange *x = q->call->x;
    size_t n = BLOCK_SIZE - q->n_foot;

    q->block->state = BLOCK_RECV;
    memcpy(q->block->data, q->foot, q->n_foot); /* carried */
    if (q->known)
        n = (size_t)u64_min(n, q->left);
    if (n == 0)
        block_read(x, 0);
    else
        exchange_read(x, q->block->data + q->n_foot, n, true, block_read);
}

static void
block_ready(struct loop *l, struct block_wait *w, struct block *b)
{
    struct append *q = container_of(w, struct append, wait);

    (void)l;
    q->block = b;
    read_block(q);
}

/* Whether the segment begins where the last one ended, and the file goes on. */
static bool
begins_here(struct call *c, struct attempt *t, uint64_t off)
{
    char details[64];
    struct buf b;

    if (t->size == off && !t->last)
        return true;
    buf_init(&b, sizeof(details));
    buf_printf(&b, "{\"offset\":%llu}", (unsigned long long)t->size);
    attempt_leave(t, c->x->loop);
    reply_error_details(c, 409, err_name(ERR_CONFLICT),
                        "The attempt has another length", buf_str(&b));
    buf_release(&b);
    return false;
}

void
blobs_append(struct call *c)
{
    struct blobs_api *a = c->role;
    struct attempt *t;
    struct append *q;
    struct uuid id;
    uint64_t number, off;
    struct fault f;
    enum err e;

    if (!blobs_ids(c, &id, &number) ||
        !blobs_number(c, SLICE("off"), INT64_MAX, 0, &off))
        return;
    e = attempt_enter(a, &id, number, &t, NULL);
    if (e != ERR_OK) {
        if (e == ERR_NOENT)
            e = fault_set(&f, ERR_CONFLICT, "append",
                          "the attempt is not known here (any more)");
        blobs_refuse(c, e, e == ERR_CONFLICT ? &f : NULL);
        return;
    }
    if (!begins_here(c, t, off))
        return;
    if ((q = calloc(1, sizeof(*q))) == NULL) {
        attempt_leave(t, c->x->loop);
        blobs_no_memory(c);
        return;
    }
    q->call = c;
    q->api = a;
    q->attempt = t;
    c->x->role = q;
    q->known = c->x->body_left != UINT64_MAX;
    if (q->known && c->x->body_left < FOOTER_SIZE) {
        append_broken(q, ERR_OK, NULL, "the body has no footer");
        return;
    }
    q->left = q->known ? c->x->body_left - FOOTER_SIZE : 0;
    q->wait.ready = block_ready;
    loop_block_wait(c->x->loop, &q->wait);
}
