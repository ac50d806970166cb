/* cloud_item.c - one put, publish, delete or abort, step by step.
 *
 *   put, publish  LOOK  DATA  [SIDE]  ATTR  INDEX  END
 *                   if one fails: RM_* of what may be there, [INDEX], END
 *   delete        LOOK  TOMB  RM_ATTR  RM_SIDE  RM_DATA  INDEX  END
 *                   from TOMB on it is done: what fails to go becomes a debt;
 *                   if TOMB itself fails: RM_TOMB INDEX END
 *   abort         RM_UPLOAD  TOMB  END
 *
 * Each step ends on the loop of the request, and next() says what follows. An
 * item that has taken a number (cloud_gate.c) passes INDEX whatever becomes of
 * it, since the change log has no holes.
 *
 * One file_id has one item at a time: a later one waits until the first is
 * answered, and then sees what became of it (D24).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdio.h>
#include <stdlib.h>

static void next(struct cloud_item *it);

struct cloud_item *
cloud_item_new(struct cloud *c, struct loop *l, enum commit_type type,
               const struct uuid *file_id)
{
    struct cloud_item *it = calloc(1, sizeof(*it));

    if (!it)
        return NULL;
    it->cloud = c;
    it->loop = l;
    it->type = type;
    it->file_id = *file_id;
    it->now = l->wall;
    it->began = counts_now(&c->counts);
    cloud_date(file_id, it->date);
    list_init(&it->link);
    list_init(&it->waiting);
    list_init(&it->order);
    buf_init(&it->text, ATTR_TEXT_MAX);
    return it;
}

void
cloud_item_free(struct cloud_item *it)
{
    assert(list_empty(&it->waiting) && list_empty(&it->order));
    attr_release(&it->doc);
    buf_release(&it->text);
    free(it);
}

/* ---- one at a time ---- */

static struct cloud_item *
pending_get(struct cloud *c, const struct uuid *id)
{
    struct map_item *m =
        map_first(&c->pending, map_hash(c->pending.seed, id->b, sizeof(id->b)));

    for (; m; m = map_next(m)) {
        struct cloud_item *it = container_of(m, struct cloud_item, pending);

        if (uuid_eq(&it->file_id, id))
            return it;
    }
    return NULL;
}

static void
looked(struct loop *l, struct work *w)
{
    (void)l;
    next(container_of(w, struct cloud_item, work));
}

static void
look(struct work *w)
{
    cloud_look(container_of(w, struct cloud_item, work));
}

static void
begin(struct loop *l, struct task *t)
{
    struct cloud_item *it = container_of(t, struct cloud_item, task);

    it->step = STEP_LOOK;
    it->work = (struct work){.work = look, .done = looked};
    loop_work(l, &it->work);
}

/* With c->mu held. True: IT may begin. */
static bool
enqueue(struct cloud *c, struct cloud_item *it)
{
    struct cloud_item *first = pending_get(c, &it->file_id);

    if (first) {
        list_push(&first->waiting, &it->link);
        return false;
    }
    map_add(&c->pending, &it->pending,
            map_hash(c->pending.seed, it->file_id.b, sizeof(it->file_id.b)));
    return true;
}

bool
cloud_submit(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    bool full, go = false;

    cloud_saw(c, it->loop);
    it->task.run = begin;
    pthread_mutex_lock(&c->mu);
    full = c->queued >= CLOUD_ITEMS_MAX;
    if (!full) {
        c->queued++;
        go = enqueue(c, it);
    }
    pthread_mutex_unlock(&c->mu);
    if (go)
        loop_post(it->loop, &it->task);
    return !full;
}

/* IT is answered: whoever waited for its file_id is next. */
void
cloud_leave(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    struct cloud_item *go = NULL;
    struct list *at;

    pthread_mutex_lock(&c->mu);
    map_remove(&c->pending, &it->pending);
    c->queued--;
    while ((at = list_pop(&it->waiting))) {
        struct cloud_item *w = container_of(at, struct cloud_item, link);

        if (enqueue(c, w))
            go = w;
    }
    pthread_mutex_unlock(&c->mu);
    if (go)
        loop_post(go->loop, &go->task);
}

/* ---- requests ---- */

static void
asked(struct object_req *r)
{
    struct cloud_item *it = container_of(r, struct cloud_item, obj);

    (void)cloud_answer(it->cloud, r);
    next(it);
}

static void
ask(struct cloud_item *it, enum cloud_step step, enum object_op op)
{
    it->step = step;
    it->obj.op = op;
    it->obj.loop = it->loop;
    it->obj.done = asked;
    it->obj.priv = it;
    objects_submit(it->cloud->objects, &it->obj);
}

static void
ask_file(struct cloud_item *it, enum cloud_step step, enum object_op op,
         enum cloud_wrote which)
{
    cloud_key(&it->file_id, which, it->obj.key);
    ask(it, step, op);
}

static void
fail(struct cloud_item *it, enum err err, const struct fault *f)
{
    it->unsure = it->unsure || it->obj.unsure;
    if (it->err == ERR_OK) {
        it->fault = *f;
        /* An upload in parts that is gone is not a file that is not there. */
        it->err = it->fault.code = err == ERR_NOENT ? ERR_IO : err;
    }
}

/* ---- uploads ---- */

static void
send_data(struct cloud_item *it)
{
    struct cloud_ticket_facts t = {.upload_id = ""};

    if (it->ticket)
        cloud_ticket_facts(it->ticket, &t);
    it->wrote |= CLOUD_DATA;
    if (t.upload_id[0]) {
        (void)slice_copy(slice_str(t.upload_id), it->obj.upload_id,
                         sizeof(it->obj.upload_id));
        it->obj.parts = t.parts;
        it->obj.n_parts = t.n_parts;
        ask_file(it, STEP_DATA, OBJECT_COMPLETE, CLOUD_DATA);
        return;
    }
    if (it->ticket) {
        it->body[0] = t.body;
        it->n_body = t.body.n > 0;
    }
    it->obj.body = it->body;
    it->obj.n_body = it->n_body;
    ask_file(it, STEP_DATA, OBJECT_PUT, CLOUD_DATA);
}

static void
send_attr(struct cloud_item *it)
{
    cloud_number(it);
    it->doc.attr.seq = it->seq;
    buf_clear(&it->text);
    it->wrote |= CLOUD_ATTR;
    if (!attr_encode(&it->text, &it->doc, it->cloud->hash)) {
        struct fault f;

        fail(it, fault_set(&f, ERR_INVAL, "encode", "attr.json"), &f);
        it->wrote &= ~(unsigned)CLOUD_ATTR;
        it->step = STEP_ATTR;
        next(it);
        return;
    }
    it->body[0] = buf_slice(&it->text);
    it->obj.body = it->body;
    it->obj.n_body = 1;
    ask_file(it, STEP_ATTR, OBJECT_PUT, CLOUD_ATTR);
}

static void
send_side_or_attr(struct cloud_item *it)
{
    struct cloud_ticket_facts t = {.n_crc = 0};

    if (it->ticket)
        cloud_ticket_facts(it->ticket, &t);
    if (t.n_crc <= ATTR_INLINE_BLOCKS) {
        send_attr(it);
        return;
    }
    it->body[0] = slice_of(t.crc, t.n_crc * sizeof(*t.crc));
    it->obj.body = it->body;
    it->obj.n_body = 1;
    it->wrote |= CLOUD_SIDE;
    ask_file(it, STEP_SIDE, OBJECT_PUT, CLOUD_SIDE);
}

/* A complete that was repeated by the driver answers that there is no such
 * upload, when the first had been carried out: the object tells. */
static void
data_sent(struct cloud_item *it)
{
    struct object_req *r = &it->obj;

    it->unsure = it->unsure || r->unsure;
    if (r->err == ERR_OK) {
        it->wrote &= ~(unsigned)CLOUD_UPLOAD;
        send_side_or_attr(it);
    } else if (r->op == OBJECT_COMPLETE && r->unsure && r->err == ERR_NOENT) {
        it->fault = r->fault;
        ask_file(it, STEP_DATA_SEE, OBJECT_HEAD, CLOUD_DATA);
    } else {
        fail(it, r->err, &r->fault);
        it->step = STEP_DATA;
        next(it);
    }
}

static void
data_seen(struct cloud_item *it)
{
    struct object_req *r = &it->obj;

    it->unsure = true; /* the complete, whatever is seen now */

    if (r->err == ERR_OK && r->size == it->doc.attr.stored_size) {
        it->wrote &= ~(unsigned)CLOUD_UPLOAD;
        send_side_or_attr(it);
        return;
    }
    it->err = ERR_IO;
    it->fault.code = ERR_IO;
    it->step = STEP_DATA;
    next(it);
}

/* ---- tombstones ---- */

static void
send_tomb(struct cloud_item *it)
{
    struct journal_record j = {
        .type = it->type == COMMIT_ABORT    ? JOURNAL_ABORT
                : it->type == COMMIT_EXPIRE ? JOURNAL_EXPIRE
                                            : JOURNAL_DELETE,
        .file_id = it->file_id,
        .number = it->type == COMMIT_ABORT ? it->attempt : it->doc.attr.epoch,
        .at = it->now};

    if (it->type != COMMIT_ABORT)
        cloud_number(it);
    j.seq = it->seq;
    snprintf(j.bucket, sizeof(j.bucket), "%s", it->date);
    snprintf(j.name, sizeof(j.name), "%s",
             it->type == COMMIT_ABORT ? "-" : it->doc.attr.storage_filename);
    buf_clear(&it->text);
    (void)journal_encode(&it->text, &j, it->cloud->hash);
    it->body[0] = buf_slice(&it->text);
    it->obj.body = it->body;
    it->obj.n_body = 1;
    cloud_tomb_key(&j, it->obj.key);
    ask(it, STEP_TOMB, OBJECT_PUT);
}

/* In memory too; an abort's holds for this process even if the store did not
 * take it, since its caller cannot act on an error. */
static void
plant(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    struct tomb *t;

    pthread_mutex_lock(&c->mu);
    if (it->type == COMMIT_ABORT)
        t = tombs_abort(&c->tombs, &it->file_id, it->attempt, it->now);
    else
        t = tombs_delete(&c->tombs, &it->file_id, it->doc.attr.epoch, it->seq,
                         it->now, NULL);
    if (t)
        t->expired = it->type == COMMIT_EXPIRE;
    pthread_mutex_unlock(&c->mu);
}

static void
tomb_sent(struct cloud_item *it)
{
    if (it->type == COMMIT_ABORT) {
        plant(it);
        it->step = STEP_END;
    } else if (it->obj.err == ERR_OK) {
        it->tombed = true;
        it->wrote = CLOUD_ATTR | CLOUD_DATA;
        if (attr_blocks(it->doc.attr.stored_size) > ATTR_INLINE_BLOCKS)
            it->wrote |= CLOUD_SIDE;
        plant(it);
    } else {
        fail(it, it->obj.err, &it->obj.fault);
        it->wrote = it->obj.unsure ? CLOUD_TOMB : 0;
    }
    next(it);
}

/* ---- what follows what ---- */

/* One thing after the other; attr.json first, so that the file is gone before
 * its parts go. */
static void
remove_next(struct cloud_item *it)
{
    if (it->wrote & CLOUD_TOMB) /* its name is still there */
        ask(it, STEP_RM_TOMB, OBJECT_DELETE);
    else if (it->wrote & CLOUD_UPLOAD)
        ask_file(it, STEP_RM_UPLOAD, OBJECT_GIVE_UP, CLOUD_DATA);
    else if (it->wrote & CLOUD_ATTR)
        ask_file(it, STEP_RM_ATTR, OBJECT_DELETE, CLOUD_ATTR);
    else if (it->wrote & CLOUD_SIDE)
        ask_file(it, STEP_RM_SIDE, OBJECT_DELETE, CLOUD_SIDE);
    else if (it->wrote & CLOUD_DATA)
        ask_file(it, STEP_RM_DATA, OBJECT_DELETE, CLOUD_DATA);
    else if (it->seq && !it->indexed) {
        it->step = STEP_INDEX;
        cloud_gate(it);
    } else if (it->type == COMMIT_ABORT && it->step == STEP_RM_UPLOAD) {
        send_tomb(it);
    } else {
        cloud_end(it);
    }
}

/* A request without an answer may still be carried out after the removal: so
 * it is removed again, later. */
static void
removed(struct cloud_item *it, enum cloud_wrote what)
{
    if ((it->obj.err != ERR_OK && it->obj.err != ERR_NOENT) || it->unsure ||
        it->obj.unsure)
        cloud_owe(it->cloud, &it->file_id, what,
                  what == CLOUD_TOMB ? it->obj.key : it->obj.upload_id);
    it->wrote &= ~(unsigned)what;
    remove_next(it);
}

/* An upload in parts that was begun in the store is there to be removed. */
static void
note_parts(struct cloud_item *it)
{
    struct cloud_ticket_facts t;

    if (it->ticket) {
        cloud_ticket_facts(it->ticket, &t);
        if (t.upload_id[0]) {
            it->wrote |= CLOUD_UPLOAD;
            (void)slice_copy(slice_str(t.upload_id), it->obj.upload_id,
                             sizeof(it->obj.upload_id));
        }
    }
}

static void
begin_upload(struct cloud_item *it)
{
    note_parts(it);
    if (it->settled || it->err != ERR_OK)
        remove_next(it);
    else
        send_data(it);
}

static void
begin_abort(struct cloud_item *it)
{
    note_parts(it);
    it->step = STEP_RM_UPLOAD;
    remove_next(it);
}

static void
next(struct cloud_item *it)
{
    switch (it->step) {
    case STEP_LOOK:
        if (it->type == COMMIT_ABORT)
            begin_abort(it);
        else if (cloud_is_upload(it))
            begin_upload(it);
        else if (it->settled)
            cloud_end(it);
        else
            send_tomb(it);
        break;
    case STEP_DATA:
        if (it->err == ERR_OK)
            data_sent(it);
        else
            remove_next(it);
        break;
    case STEP_DATA_SEE:
        data_seen(it);
        break;
    case STEP_SIDE:
        if (it->obj.err == ERR_OK) {
            send_attr(it);
        } else {
            fail(it, it->obj.err, &it->obj.fault);
            remove_next(it);
        }
        break;
    case STEP_ATTR:
        if (it->err == ERR_OK && it->obj.err == ERR_OK) {
            it->step = STEP_INDEX;
            cloud_gate(it);
        } else {
            fail(it, it->obj.err, &it->obj.fault);
            remove_next(it);
        }
        break;
    case STEP_TOMB:
        if (it->type != COMMIT_ABORT && !it->tombed && it->err == ERR_OK)
            tomb_sent(it);
        else if (it->type == COMMIT_ABORT)
            tomb_sent(it);
        else
            remove_next(it);
        break;
    case STEP_RM_TOMB:
        removed(it, CLOUD_TOMB);
        break;
    case STEP_RM_UPLOAD:
        removed(it, CLOUD_UPLOAD);
        break;
    case STEP_RM_ATTR:
        removed(it, CLOUD_ATTR);
        break;
    case STEP_RM_SIDE:
        removed(it, CLOUD_SIDE);
        break;
    case STEP_RM_DATA:
        removed(it, CLOUD_DATA);
        break;
    case STEP_INDEX:
        /* An upload that the index would not take goes again. */
        if (cloud_is_upload(it) && it->err != ERR_OK)
            remove_next(it);
        else
            cloud_end(it);
        break;
    case STEP_END:
        cloud_end(it);
        break;
    }
}

static void
run_indexed(struct loop *l, struct task *t)
{
    (void)l;
    next(container_of(t, struct cloud_item, task));
}

void
cloud_indexed(struct cloud_item *it)
{
    it->indexed = true;
    it->task.run = run_indexed;
    loop_post(it->loop, &it->task);
}
