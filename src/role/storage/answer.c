/* answer.c - how requests for batches come in and how their answers go out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

static void
run_put(struct loop *l, struct task *t)
{
    struct blob_put *r = container_of(t, struct blob_put, task);

    (void)l;
    r->done(r);
}

static void
run_delete(struct loop *l, struct task *t)
{
    struct blob_delete *r = container_of(t, struct blob_delete, task);

    (void)l;
    r->done(r);
}

static void
run_publish(struct loop *l, struct task *t)
{
    struct blob_publish *r = container_of(t, struct blob_publish, task);

    (void)l;
    r->done(r);
}

static void
run_abort(struct loop *l, struct task *t)
{
    struct blob_abort *r = container_of(t, struct blob_abort, task);

    (void)l;
    r->done(r);
}

static void
answer_put(struct blob_put *r, enum err err, const struct fault *f)
{
    r->err = err;
    if (err != ERR_OK && f)
        r->fault = *f;
    r->task.run = run_put;
    loop_post(r->loop, &r->task);
}

static void
answer_delete(struct blob_delete *r, enum err err, const struct fault *f)
{
    r->err = err;
    if (err != ERR_OK && f)
        r->fault = *f;
    r->task.run = run_delete;
    loop_post(r->loop, &r->task);
}

void
answer_publish(struct blob_publish *r, enum err err, const struct fault *f)
{
    r->err = err;
    if (err != ERR_OK && f)
        r->fault = *f;
    r->task.run = run_publish;
    loop_post(r->loop, &r->task);
}

void
answer_abort(struct blob_abort *r)
{
    r->task.run = run_abort;
    loop_post(r->loop, &r->task);
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
count_stored(struct element *e, const struct commit_item *it)
{
    const struct file_attr *a = &it->doc.attr;

    atomic_fetch_add(&e->n_files, 1);
    atomic_fetch_add(&e->n_bytes, a->size);
    pthread_mutex_lock(&e->mu);
    e->count.published++;
    pthread_mutex_unlock(&e->mu);
}

static void
count_deleted(struct element *e, const struct commit_item *it)
{
    const struct file_attr *a = &it->doc.attr;

    atomic_fetch_sub(&e->n_files, 1);
    atomic_fetch_sub(&e->n_bytes, a->size);
    atomic_fetch_add(&e->generation, 1);
    account_free(e, ledger_file(a->stored_size));
    pthread_mutex_lock(&e->mu);
    if (it->type == COMMIT_EXPIRE)
        e->count.expired++;
    else
        e->count.deleted++;
    pthread_mutex_unlock(&e->mu);
}

/* Puts and publishes: the account, the counters, the result. */
static void
finish_upload(struct element *e, struct commit_item *it, enum err err,
              struct file_attr *result, bool *relaxed)
{
    struct ledger_room none = {0};
    bool stored = err == ERR_OK && !it->settled;

    account_settle(e, it->claim.reserved, it->claim.on_disk,
                   stored ? ledger_file(it->doc.attr.stored_size) : none);
    if (stored)
        count_stored(e, it);
    *relaxed = e->conf.relaxed;
    if (err == ERR_OK)
        give_attr(result, &it->doc.attr);
}

static void
remove_temps(struct element *e, struct commit_item *it)
{
    char name[32];

    for (unsigned w = PUBLISH_DATA; w <= PUBLISH_ATTR; w *= 2) {
        if (!(it->temps & w) || (w == PUBLISH_DATA && it->ticket))
            continue;
        snprintf(name, sizeof(name), "%llu.%u", (unsigned long long)it->seq, w);
        (void)disk_unlink(e->disk, e->tmp, name, NULL);
    }
}

void
answer_item(struct element *e, struct commit_item *it, enum err err)
{
    union commit_req req = it->req;
    struct fault f = it->fault;
    enum commit_type type = it->type;

    if (type == COMMIT_PUT)
        finish_upload(e, it, err, req.put->attr, &req.put->relaxed);
    else if (type == COMMIT_PUBLISH)
        finish_upload(e, it, err, req.publish->attr, &req.publish->relaxed);
    else if (type != COMMIT_ABORT && err == ERR_OK)
        count_deleted(e, it);
    if (err != ERR_OK && !it->settled) {
        pthread_mutex_lock(&e->mu);
        e->count.failed++;
        pthread_mutex_unlock(&e->mu);
    }
    remove_temps(e, it);
    if (it->ticket)
        ticket_free(e, it->ticket);
    commit_leave(e, it);
    commit_item_free(e, it);
    /* The request may be gone as soon as it is posted. */
    switch (type) {
    case COMMIT_PUT:
        answer_put(req.put, err, &f);
        break;
    case COMMIT_PUBLISH:
        answer_publish(req.publish, err, &f);
        break;
    case COMMIT_DELETE:
        answer_delete(req.del, err, &f);
        break;
    case COMMIT_EXPIRE:
        sweep_answer(req.sweep, err);
        break;
    case COMMIT_ABORT:
        answer_abort(req.abort);
        break;
    }
}

bool
copy_metadata(struct commit_item *it, const struct file_attr *a)
{
    it->doc.attr = *a;
    it->doc.attr.metadata = NULL;
    if (!a->metadata)
        return true;
    it->doc.attr.metadata = strdup(a->metadata);
    return it->doc.attr.metadata != NULL;
}

void
commit_put(struct blob *b, struct blob_put *r)
{
    struct element *e = element_of(b);
    struct ledger_room room = ledger_file(r->attr->size);
    struct commit_item *it = NULL;
    enum err err;

    assert(r->n_blocks <= BLOB_PUT_BLOCKS &&
           r->attr->size <= u64_max(BLOB_PUT_MAX, r->n_blocks * BLOCK_SIZE));
    element_saw(e, r->loop);
    if ((err = element_may_write(e, &r->fault)) != ERR_OK)
        goto out;
    if ((err = account_promise(e, &room, &r->fault)) != ERR_OK)
        goto out;
    it = commit_item_new(COMMIT_PUT, &r->attr->file_id);
    if (!it || !copy_metadata(it, r->attr)) {
        err = fault_set(&r->fault, ERR_NOMEM, "put", "");
        goto release;
    }
    it->req.put = r;
    it->attempt = r->attempt;
    it->claim.reserved = room;
    if (commit_submit(e, r->loop, it)) {
        if (room.bytes) /* else it is not decided yet */
            counts_admission(&e->counts, ERR_OK);
        return;
    }
    err = fault_set(&r->fault, ERR_AGAIN, "put", "the commit queue is full");
release:
    account_release(e, room);
    if (it)
        commit_item_free(e, it);
out:
    counts_admission(&e->counts, err);
    answer_put(r, err, NULL);
}

void
commit_delete(struct blob *b, struct blob_delete *r)
{
    struct element *e = element_of(b);
    struct commit_item *it = NULL;
    enum err err;

    if (atomic_load(&e->poisoned)) {
        err = fault_set(&r->fault, ERR_READONLY, "delete", e->trouble);
        goto out;
    }
    if (!r->withdraw && atomic_load(&e->mode) != BLOB_EDIT) {
        err = fault_set(&r->fault, ERR_READONLY, "delete",
                        "the element's mode is not edit");
        goto out;
    }
    if (!(it = commit_item_new(COMMIT_DELETE, &r->file_id))) {
        err = fault_set(&r->fault, ERR_NOMEM, "delete", "");
        goto out;
    }
    it->req.del = r;
    it->epoch = r->epoch;
    if (commit_submit(e, r->loop, it))
        return;
    err = fault_set(&r->fault, ERR_AGAIN, "delete", "the commit queue is full");
    commit_item_free(e, it);
out:
    answer_delete(r, err, NULL);
}
