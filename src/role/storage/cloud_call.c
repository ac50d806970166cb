/* cloud_call.c - how puts, deletes and aborts come in, and how items end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdlib.h>

/* ---- the end ---- */

static void
count_answer(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    const struct file_attr *a = &it->doc.attr;
    bool done = it->err == ERR_OK && !it->settled;

    if (done && cloud_is_upload(it)) {
        atomic_fetch_add(&c->n_files, 1);
        atomic_fetch_add(&c->n_bytes, a->size);
    } else if (done && it->type != COMMIT_ABORT) {
        atomic_fetch_sub(&c->n_files, 1);
        atomic_fetch_sub(&c->n_bytes, a->size);
        atomic_fetch_add(&c->generation, 1);
    }
    pthread_mutex_lock(&c->mu);
    if (done && cloud_is_upload(it))
        c->count.published++;
    else if (done && it->type == COMMIT_DELETE)
        c->count.deleted++;
    else if (done && it->type == COMMIT_EXPIRE)
        c->count.expired++;
    c->count.failed += it->err != ERR_OK && !it->settled;
    pthread_mutex_unlock(&c->mu);
}

static void
settle_account(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    struct ledger_room none = {0};
    struct ledger_room size = cloud_room(it->doc.attr.stored_size);
    bool done = it->err == ERR_OK && !it->settled;

    if (cloud_is_upload(it)) {
        cloud_settle(c, it->room, done ? size : none);
    } else if (it->type != COMMIT_ABORT && done) {
        pthread_mutex_lock(&c->pool->mu);
        ledger_free(&c->pool->ledger, &c->account, size);
        pthread_mutex_unlock(&c->pool->mu);
    }
}

/* The caller's metadata stays the caller's. */
static void
give_attr(struct file_attr *to, const struct file_attr *from)
{
    const char *metadata = to->metadata;

    *to = *from;
    to->metadata = metadata;
}

static void
run_published(struct loop *l, struct task *t)
{
    struct blob_publish *r = container_of(t, struct blob_publish, task);

    (void)l;
    r->done(r);
}

void
cloud_answer_publish(const struct loop *here, struct blob_publish *r)
{
    if (r->loop == here) {
        r->done(r);
    } else {
        r->task.run = run_published;
        loop_post(r->loop, &r->task);
    }
}

static void
run_aborted(struct loop *l, struct task *t)
{
    struct blob_abort *r = container_of(t, struct blob_abort, task);

    (void)l;
    r->done(r);
}

void
cloud_answer_abort(const struct loop *here, struct blob_abort *r)
{
    if (r->loop == here) {
        r->done(r);
    } else {
        r->task.run = run_aborted;
        loop_post(r->loop, &r->task);
    }
}

void
cloud_end(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    const struct loop *here = it->loop;
    union commit_req req = it->req;
    enum commit_type type = it->type;
    enum err err = it->err;
    struct fault f = it->fault;

    count_answer(it);
    settle_account(it);
    if (err == ERR_OK && type == COMMIT_PUT)
        give_attr(req.put->attr, &it->doc.attr);
    if (err == ERR_OK && type == COMMIT_PUBLISH)
        give_attr(req.publish->attr, &it->doc.attr);
    if (it->ticket)
        cloud_ticket_free(it->ticket);
    cloud_leave(it);
    cloud_item_free(it);
    /* We are on its loop, and not inside the call that submitted it; a ticket's
     * calls may have come from another. */
    switch (type) {
    case COMMIT_PUT:
        req.put->err = err;
        req.put->fault = f;
        req.put->done(req.put);
        break;
    case COMMIT_PUBLISH:
        req.publish->err = err;
        req.publish->fault = f;
        cloud_answer_publish(here, req.publish);
        break;
    case COMMIT_DELETE:
        req.del->err = err;
        req.del->fault = f;
        req.del->done(req.del);
        break;
    case COMMIT_EXPIRE:
        cloud_expired(c, err);
        break;
    case COMMIT_ABORT:
        cloud_answer_abort(here, req.abort);
        break;
    }
}

/* ---- the calls ---- */

static void
run_put(struct loop *l, struct task *t)
{
    struct blob_put *r = container_of(t, struct blob_put, task);

    (void)l;
    r->done(r);
}

static void
refuse_put(struct blob_put *r, enum err err)
{
    r->err = err;
    r->task.run = run_put;
    loop_post(r->loop, &r->task);
}

static void
put_body(struct cloud_item *it, const struct blob_put *r)
{
    if (r->n_blocks == 0 && r->attr->size > 0)
        it->body[it->n_body++] = slice_of(r->data, (size_t)r->attr->size);
    for (unsigned i = 0; i < r->n_blocks; i++)
        it->body[it->n_body++] =
            slice_of(r->blocks[i]->data, r->blocks[i]->len);
}

void
cloud_put_blob(struct blob *b, struct blob_put *r)
{
    struct cloud *c = cloud_of(b);
    struct ledger_room room = cloud_room(r->attr->size);
    struct cloud_item *it = NULL;
    enum err err;

    assert(r->n_blocks <= BLOB_PUT_BLOCKS);
    if ((err = cloud_may_write(c, &r->fault)) != ERR_OK ||
        (err = cloud_reserve(c, room, &r->fault)) != ERR_OK)
        goto refuse;
    it = cloud_item_new(c, r->loop, COMMIT_PUT, &r->attr->file_id);
    if (!it || !cloud_copy_attr(it, r->attr)) {
        err = fault_set(&r->fault, ERR_NOMEM, "put", "");
    } else {
        it->req.put = r;
        it->attempt = r->attempt;
        it->room = room;
        put_body(it, r);
        counts_admission(&c->counts, ERR_OK);
        if (cloud_submit(it))
            return;
        err = fault_set(&r->fault, ERR_AGAIN, "put", "the queue is full");
    }
    cloud_settle(c, room, (struct ledger_room){0});
    if (it)
        cloud_item_free(it);
refuse:
    counts_admission(&c->counts, err);
    refuse_put(r, err);
}

static void
run_delete(struct loop *l, struct task *t)
{
    struct blob_delete *r = container_of(t, struct blob_delete, task);

    (void)l;
    r->done(r);
}

void
cloud_del_blob(struct blob *b, struct blob_delete *r)
{
    struct cloud *c = cloud_of(b);
    struct cloud_item *it;
    enum err err;

    if (atomic_load(&c->fenced)) {
        err = fault_set(&r->fault, ERR_READONLY, "delete", c->trouble);
    } else if (!r->withdraw && atomic_load(&c->mode) != BLOB_EDIT) {
        err = fault_set(&r->fault, ERR_READONLY, "delete",
                        "the element's mode is not edit");
    } else if (!(it = cloud_item_new(c, r->loop, COMMIT_DELETE, &r->file_id))) {
        err = fault_set(&r->fault, ERR_NOMEM, "delete", "");
    } else {
        it->req.del = r;
        it->epoch = r->epoch;
        if (cloud_submit(it))
            return;
        cloud_item_free(it);
        err = fault_set(&r->fault, ERR_AGAIN, "delete", "the queue is full");
    }
    r->err = err;
    r->task.run = run_delete;
    loop_post(r->loop, &r->task);
}

bool
cloud_give_up(struct element *e, const struct uuid *file_id, uint64_t number,
              struct blob_abort *r)
{
    struct cloud *c = cloud_self(e);
    struct cloud_item *it = cloud_item_new(c, r->loop, COMMIT_ABORT, file_id);

    if (!it)
        return false;
    it->req.abort = r;
    it->attempt = number;
    if (cloud_submit(it))
        return true;
    cloud_item_free(it);
    return false;
}
