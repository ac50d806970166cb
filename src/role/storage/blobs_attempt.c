/* blobs_attempt.c - admit, publish, abort over HTTP, and what their repetitions
 * are answered. SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "role/common/body.h"
#include "role/storage/blobs_impl.h"
#include "wire/query.h"
#include <stdio.h>
#include <stdlib.h>

/* One request of these three, whose body is JSON. */
struct req {
    struct call *call;
    struct blobs_api *api;
    struct uuid file_id;
    uint64_t number;
    struct attempt *attempt;
    struct small_body body;
    void (*parsed)(struct req *q, const json_t *o);
    struct blob_admit admit;
    struct blob_publish publish;
    struct file_attr attr;
    uint64_t length; /* of all bytes, as the gateway has counted them */
    uint32_t crc;
    struct blob_abort abort;
    struct blob_delete del;
    bool withdraw; /* what has this SHA-256 */
    uint8_t sha256[32];
    struct attempt_wait wait;
    struct look look;
};

static void
req_free(struct req *q)
{
    free((void *)(uintptr_t)q->attr.metadata);
    small_body_release(&q->body);
    free(q);
}

static struct loop *
loop_of(const struct req *q)
{
    return q->call->x->loop;
}

static void
refuse(struct req *q, enum err e, const struct fault *f)
{
    blobs_refuse(q->call, e, f);
    req_free(q);
}

static struct req *
req_new(struct call *c)
{
    struct req *q = calloc(1, sizeof(*q));

    if (q == NULL) {
        blobs_no_memory(c);
        return NULL;
    }
    q->call = c;
    q->api = c->role;
    if (!blobs_ids(c, &q->file_id, &q->number)) {
        free(q);
        return NULL;
    }
    c->x->role = q;
    return q;
}

static void
body_failed(struct small_body *b)
{
    req_free(container_of(b, struct req, body));
}

static void
body_done(struct small_body *b)
{
    struct req *q = container_of(b, struct req, body);
    struct json_error e = {0};
    json_t *o = json_read(buf_slice(&b->buf), &e);

    if (o == NULL) {
        reply_error(q->call, 400, err_name(ERR_INVAL), "%s", e.text);
        req_free(q);
        return;
    }
    q->parsed(q, o);
    json_decref(o);
}

static void
read_body(struct call *c, void (*parsed)(struct req *q, const json_t *o))
{
    struct req *q = req_new(c);

    if (q == NULL)
        return;
    q->parsed = parsed;
    q->body.done = body_done;
    q->body.failed = body_failed;
    small_body_read(&q->body, c, BLOBS_HEAD_MAX);
}

/* ---- admit ---- */

static void
reply_offset(struct req *q, uint64_t off)
{
    struct buf b;

    buf_init(&b, 256);
    buf_printf(&b, "{\"offset\":%llu}", (unsigned long long)off);
    reply_json(q->call, 200, &b);
    buf_release(&b);
    req_free(q);
}

static void
admitted(struct blob_admit *r)
{
    struct req *q = container_of(r, struct req, admit);

    if (r->err != ERR_OK) {
        attempt_remove(q->attempt);
        refuse(q, r->err, &r->fault);
        return;
    }
    q->attempt->ticket = r->ticket;
    attempt_leave(q->attempt, loop_of(q));
    reply_offset(q, 0);
}

static void
admit_parsed(struct req *q, const json_t *o)
{
    struct blobs_api *a = q->api;
    struct json_error je = {0};
    int64_t size =
        json_get_int(o, "size", JSON_OPTIONAL, 0, INT64_MAX, -1, &je);
    enum err e;

    if (je.text[0]) {
        reply_error(q->call, 400, err_name(ERR_INVAL), "%s", je.text);
        req_free(q);
        return;
    }
    e = attempt_make(a, &q->file_id, q->number, &q->attempt);
    if (e == ERR_EXISTS) { /* the first answer was lost */
        uint64_t off = q->attempt->size;

        attempt_leave(q->attempt, loop_of(q));
        reply_offset(q, off);
        return;
    }
    if (e != ERR_OK) {
        refuse(q, e, NULL);
        return;
    }
    q->admit = (struct blob_admit){
        .loop = loop_of(q),
        .done = admitted,
        .file_id = q->file_id,
        .attempt = q->number,
        .size = size < 0 ? BLOB_SIZE_UNKNOWN : (uint64_t)size,
    };
    a->blob->ops->admit(a->blob, &q->admit);
}

void
blobs_admit(struct call *c)
{
    read_body(c, admit_parsed);
}

/* ---- publish ---- */

static void
published(struct blob_publish *r)
{
    struct req *q = container_of(r, struct req, publish);

    attempt_remove(q->attempt);
    if (r->err != ERR_OK) {
        refuse(q, r->err, &r->fault);
        return;
    }
    blobs_reply_file(q->call, &q->attr);
    req_free(q);
}

static void
publish_now(struct req *q)
{
    struct attempt *t = q->attempt;

    if (t->size != q->length || t->crc != q->crc) {
        attempt_give_up(t, loop_of(q));
        reply_error(q->call, 400, err_name(ERR_IO),
                    "length and crc32c do not fit what has arrived");
        req_free(q);
        return;
    }
    q->publish = (struct blob_publish){.loop = loop_of(q),
                                       .done = published,
                                       .ticket = t->ticket,
                                       .attr = &q->attr};
    q->api->blob->ops->publish(q->api->blob, &q->publish);
}

/* There is no such attempt, any more: has it been published? */
static void
publish_looked(struct look *k, enum err e, const struct file_attr *stored)
{
    struct req *q = container_of(k, struct req, look);
    struct fault f = k->open.fault;

    if (e == ERR_OK) {
        blobs_reply_file(q->call, stored);
        req_free(q);
        return;
    }
    if (e == ERR_NOENT)
        e = fault_set(&f, ERR_CONFLICT, "publish",
                      "the attempt is not known here (any more)");
    refuse(q, e, &f);
}

static void
publish_look(struct req *q)
{
    q->look.file_id = q->file_id;
    q->look.size = q->attr.size;
    memcpy(q->look.sha256, q->attr.sha256, sizeof(q->look.sha256));
    q->look.answered = publish_looked;
    look_up(q->api, &q->look, loop_of(q));
}

static void
wait_over(struct loop *l, struct task *t)
{
    struct req *q = container_of(t, struct req, wait.task);

    (void)l;
    publish_look(q);
}

static bool
parse_publish(struct req *q, const json_t *o, struct json_error *je)
{
    struct slice crc = json_get_str(o, "crc32c", JSON_REQUIRED, je);
    const json_t *file = json_get_obj(o, "file", JSON_REQUIRED, je);
    uint8_t b[4];

    q->length =
        (uint64_t)json_get_int(o, "length", JSON_REQUIRED, 0, INT64_MAX, 0, je);
    if (!blobs_get_attr(file, &q->attr, je))
        return false;
    if (!hex_decode(crc, b, sizeof(b)) ||
        !uuid_eq(&q->attr.file_id, &q->file_id)) {
        snprintf(je->text, sizeof(je->text),
                 "crc32c is malformed, or file_id is not that of the path");
        return false;
    }
    q->crc = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
             b[3];
    return true;
}

static void
publish_parsed(struct req *q, const json_t *o)
{
    struct json_error je = {0};
    enum err e;

    if (!parse_publish(q, o, &je)) {
        reply_error(q->call, 400, err_name(ERR_INVAL), "%s", je.text);
        req_free(q);
        return;
    }
    q->wait = (struct attempt_wait){.loop = loop_of(q), .task.run = wait_over};
    e = attempt_enter(q->api, &q->file_id, q->number, &q->attempt, &q->wait);
    if (e == ERR_OK)
        publish_now(q);
    else if (e == ERR_NOENT)
        publish_look(q);
    /* ERR_BUSY: the first request for it is at work; wait_over() */
}

void
blobs_publish(struct call *c)
{
    read_body(c, publish_parsed);
}

/* ---- abort ---- */

/* STORED: NULL when nothing is. */
static void
reply_state(struct req *q, const struct file_attr *stored)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, BLOBS_HEAD_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "state", stored ? "published" : "aborted");
    if (stored)
        blobs_put_stored(q->api, &w, stored);
    json_end_object(&w);
    reply_json(q->call, 200, &b);
    buf_release(&b);
    req_free(q);
}

static void
withdrawn(struct blob_delete *r)
{
    struct req *q = container_of(r, struct req, del);

    if (r->err == ERR_OK || r->err == ERR_NOENT)
        reply_state(q, NULL);
    else
        refuse(q, r->err, &r->fault);
}

static void
abort_looked(struct look *k, enum err e, const struct file_attr *stored)
{
    struct req *q = container_of(k, struct req, look);

    if (e == ERR_OK && q->withdraw &&
        memcmp(stored->sha256, q->sha256, sizeof(q->sha256)) == 0) {
        q->del = (struct blob_delete){.loop = loop_of(q),
                                      .done = withdrawn,
                                      .file_id = q->file_id,
                                      .epoch = stored->epoch,
                                      .withdraw = true};
        q->api->blob->ops->del(q->api->blob, &q->del);
    } else if (e == ERR_OK || e == ERR_NOENT) {
        reply_state(q, stored);
    } else {
        refuse(q, e, &k->open.fault);
    }
}

/* The tombstone stands: whoever is still at work for the attempt will find that
 * it may not be published. But was it before? */
static void
abort_marked(struct blob_abort *r)
{
    struct req *q = container_of(r, struct req, abort);

    q->look.file_id = q->file_id;
    q->look.any = true;
    q->look.answered = abort_looked;
    look_up(q->api, &q->look, loop_of(q));
}

static void
abort_done(struct blob_abort *r)
{
    struct req *q = container_of(r, struct req, abort);

    attempt_remove(q->attempt);
    reply_state(q, NULL);
}

/* False: answered. */
static bool
withdraw_of(struct req *q)
{
    char text[2 * 32 + 1];
    size_t n;
    enum query_result r = query_get(q->call->x->head->query, SLICE("withdraw"),
                                    text, sizeof(text), &n);

    if (r == QUERY_END)
        return true;
    q->withdraw = r == QUERY_OK &&
                  hex_decode(slice_of(text, n), q->sha256, sizeof(q->sha256));
    if (q->withdraw)
        return true;
    reply_error(q->call, 400, err_name(ERR_INVAL),
                "withdraw is a SHA-256 as 64 hexadecimal digits");
    req_free(q);
    return false;
}

void
blobs_abort(struct call *c)
{
    struct req *q = req_new(c);

    if (q == NULL || !withdraw_of(q))
        return;
    q->abort = (struct blob_abort){.loop = loop_of(q)};
    (void)attempt_doom(q->api, &q->file_id, q->number, &q->attempt);
    if (q->attempt) {
        q->abort.done = abort_done;
        q->abort.ticket = q->attempt->ticket;
        q->api->blob->ops->abort(q->api->blob, &q->abort);
        return;
    }
    q->abort.done = abort_marked;
    if (!element_give_up(q->api->element, &q->file_id, q->number, &q->abort))
        refuse(q, ERR_AGAIN, NULL);
}
