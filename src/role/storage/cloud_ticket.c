/* cloud_ticket.c - bodies that come in blocks: admit, append, publish, abort.
 *
 * Blocks are copied into a part and are the caller's again at once; a full part
 * is sent while the next one fills, a few at a time. What fits into one part is
 * no upload in parts but one put, made at publication. An append waits (and
 * with it the sender of the body) while there is no memory for its part.
 *
 *     appends --> filling --> sending (up to SENDING_MAX) --> etags
 *
 * All that happens to a ticket happens on the loop of its admission; what comes
 * from another is taken there and answered where it came from. c->mu guards
 * only the table of tickets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdio.h>
#include <stdlib.h>

/* With the part that fills 32 MiB, so that one fast upload in an idle process
 * stays within 64 MiB and 768 KiB in all. */
#define SENDING_MAX 3

struct blob_ticket {
    struct cloud *cloud;
    struct loop *loop;
    struct map_item item;
    struct uuid file_id;
    uint64_t attempt;
    uint64_t known; /* size that was told, or BLOB_SIZE_UNKNOWN */
    uint64_t limit; /* bytes that the reservation covers */
    uint64_t size;  /* bytes appended so far */
    struct ledger_room reserved;
    bool last;
    bool superseded;     /* a later attempt has come (D27); under c->mu */
    struct list appends; /* struct blob_append, not yet copied */
    struct list copied;  /* to be answered */
    struct task answer;
    bool answering;
    struct cloud_part *filling; /* NULL: none */
    unsigned n_parts;           /* begun */
    unsigned n_sending;
    struct cloud_want want;
    struct object_req begin;
    bool beginning;
    char upload_id[OBJECT_ID_MAX + 1];
    struct object_part *parts; /* etags of parts 1 ... n_parts */
    unsigned cap_parts;
    uint32_t *crc; /* of each block */
    size_t n_crc, cap_crc;
    enum err err; /* of a part: nothing more can become of it */
    struct fault fault;
    struct blob_publish *publish;
    struct blob_abort *abort;
};

static void step(struct blob_ticket *t);

/* ---- the table ---- */

/* With c->mu held. */
static struct blob_ticket *
ticket_get(struct cloud *c, const struct uuid *id)
{
    struct map_item *m =
        map_first(&c->tickets, map_hash(c->tickets.seed, id->b, sizeof(id->b)));

    for (; m; m = map_next(m)) {
        struct blob_ticket *t = container_of(m, struct blob_ticket, item);

        if (uuid_eq(&t->file_id, id) && !t->superseded)
            return t;
    }
    return NULL;
}

/* The later of two attempts wins; the earlier is told at its next call. */
static enum err
ticket_register(struct cloud *c, struct blob_ticket *t, struct fault *f)
{
    struct blob_ticket *other;
    enum err err = ERR_OK;

    pthread_mutex_lock(&c->mu);
    other = ticket_get(c, &t->file_id);
    if (c->tickets.n >= TICKETS_MAX || c->sweeping)
        err = fault_set(f, ERR_AGAIN, "admit", "too many uploads under way");
    else if (!tombs_allow(&c->tombs, &t->file_id, t->attempt))
        err = fault_set(f, ERR_CONFLICT, "admit",
                        "deleted, or the attempt was given up");
    else if (other && other->attempt >= t->attempt)
        err = fault_set(f, ERR_CONFLICT, "admit", "a later attempt is there");
    if (err == ERR_OK) {
        if (other)
            other->superseded = true;
        map_add(&c->tickets, &t->item,
                map_hash(c->tickets.seed, t->file_id.b, sizeof(t->file_id.b)));
    }
    pthread_mutex_unlock(&c->mu);
    return err;
}

static bool
is_superseded(struct blob_ticket *t)
{
    bool yes;

    pthread_mutex_lock(&t->cloud->mu);
    yes = t->superseded;
    pthread_mutex_unlock(&t->cloud->mu);
    return yes;
}

static void
part_free(struct blob_ticket *t, struct cloud_part *p)
{
    cloud_memory_drop(&t->cloud->memory, p->p, p->cap);
    cloud_memory_give(&t->cloud->memory, p->cap);
    free(p);
}

void
cloud_ticket_free(struct blob_ticket *t)
{
    struct cloud *c = t->cloud;

    assert(list_empty(&t->appends) && list_empty(&t->copied));
    assert(t->n_sending == 0 && !t->beginning && !t->want.asked);
    if (t->filling)
        part_free(t, t->filling);
    cloud_settle(c, t->reserved, (struct ledger_room){0});
    pthread_mutex_lock(&c->mu);
    map_remove(&c->tickets, &t->item);
    pthread_mutex_unlock(&c->mu);
    free(t->parts);
    free(t->crc);
    free(t);
}

void
cloud_ticket_facts(const struct blob_ticket *t, struct cloud_ticket_facts *out)
{
    *out = (struct cloud_ticket_facts){
        .attempt = t->attempt,
        .size = t->size,
        .reserved = t->reserved,
        .crc = t->crc,
        .n_crc = t->n_crc,
        .upload_id = t->upload_id,
        .parts = t->parts,
        .n_parts = t->n_parts,
    };
    if (t->filling)
        out->body = slice_of(t->filling->p, (size_t)t->filling->n);
}

/* ---- admission ---- */

static void
nothing(struct work *w)
{
    (void)w;
}

static void
admit_done(struct loop *l, struct work *w)
{
    struct blob_admit *r = container_of(w, struct blob_admit, work);

    (void)l;
    r->done(r);
}

static void
granted(struct loop *l, struct task *task)
{
    struct blob_ticket *t = container_of(task, struct blob_ticket, want.task);

    (void)l;
    t->want.asked = false;
    if (t->filling || t->err != ERR_OK || t->abort) {
        cloud_memory_give(&t->cloud->memory, t->want.size);
    } else {
        t->filling = calloc(1, sizeof(*t->filling));
        if (t->filling)
            t->filling->p = cloud_memory_take(&t->cloud->memory, t->want.size);
        if (!t->filling || !t->filling->p) {
            t->err = fault_set(&t->fault, ERR_NOMEM, "append", "part");
            free(t->filling);
            t->filling = NULL;
            cloud_memory_give(&t->cloud->memory, t->want.size);
        } else {
            t->filling->ticket = t;
            t->filling->cap = t->want.size;
            t->filling->number = t->n_parts + 1;
        }
    }
    step(t);
}

static enum err
check_size(struct cloud *c, uint64_t size, struct fault *f)
{
    uint64_t part = cloud_part_size(c->cc.part_size, size, 1);

    if (size == BLOB_SIZE_UNKNOWN || part <= c->memory.budget)
        return ERR_OK;
    (void)fault_set(f, ERR_TOOBIG, "admit", "10,000 parts of S3_MEMORY each");
    return fault_hint(f, "raise S3_MEMORY: a ten-thousandth of the file must "
                         "fit into it");
}

static enum err
make_ticket(struct cloud *c, struct blob_admit *r)
{
    uint64_t limit = r->size == BLOB_SIZE_UNKNOWN ? LEDGER_STEP : r->size;
    struct blob_ticket *t = calloc(1, sizeof(*t));
    enum err err;

    if (!t)
        return fault_set(&r->fault, ERR_NOMEM, "admit", "");
    t->cloud = c;
    t->loop = r->loop;
    t->file_id = r->file_id;
    t->attempt = r->attempt;
    t->known = r->size;
    t->limit = limit;
    t->want.loop = r->loop;
    t->want.task.run = granted;
    list_init(&t->appends);
    list_init(&t->copied);
    list_init(&t->want.item);
    if ((err = ticket_register(c, t, &r->fault)) != ERR_OK) {
        free(t);
        return err;
    }
    err = cloud_reserve(c, cloud_room(limit), &r->fault);
    if (err != ERR_OK) {
        cloud_ticket_free(t);
        return err;
    }
    t->reserved = cloud_room(limit);
    err = check_size(c, r->size, &r->fault);
    if (err == ERR_OK)
        r->ticket = t;
    else
        cloud_ticket_free(t);
    return err;
}

void
cloud_admit(struct blob *b, struct blob_admit *r)
{
    struct cloud *c = cloud_of(b);

    cloud_saw(c, r->loop);
    r->ticket = NULL;
    r->err = cloud_may_write(c, &r->fault);
    if (r->err == ERR_OK)
        r->err = make_ticket(c, r);
    counts_admission(&c->counts, r->err);
    r->work = (struct work){.work = nothing, .done = admit_done};
    loop_work(r->loop, &r->work);
}

/* ---- parts ---- */

static void
part_done(struct object_req *r)
{
    struct cloud_part *p = r->priv;
    struct blob_ticket *t = p->ticket;

    (void)cloud_answer(t->cloud, r);
    t->n_sending--;
    if (r->err == ERR_OK) {
        memcpy(t->parts[p->number - 1].etag, r->etag, sizeof(r->etag));
    } else if (t->err == ERR_OK) {
        t->err = r->err;
        t->fault = r->fault;
    }
    part_free(t, p);
    step(t);
}

static void
begun(struct object_req *r)
{
    struct blob_ticket *t = r->priv;

    (void)cloud_answer(t->cloud, r);
    t->beginning = false;
    if (r->err == ERR_OK) {
        memcpy(t->upload_id, r->upload_id, sizeof(t->upload_id));
    } else if (t->err == ERR_OK) {
        t->err = r->err;
        t->fault = r->fault;
    }
    if (r->err != ERR_OK && r->unsure)
        atomic_store(&t->cloud->stray, true);
    step(t);
}

static bool
room_for_etag(struct blob_ticket *t)
{
    struct object_part *more;
    unsigned cap;

    if (t->n_parts == OBJECT_PARTS_MAX) {
        t->err = fault_set(&t->fault, ERR_TOOBIG, "append", "10,000 parts");
        return false;
    }
    if (t->n_parts < t->cap_parts)
        return true;
    cap = t->cap_parts ? 2 * t->cap_parts : 16;
    more = realloc(t->parts, cap * sizeof(*more));
    if (!more) {
        t->err = fault_set(&t->fault, ERR_NOMEM, "append", "parts");
        return false;
    }
    t->parts = more;
    t->cap_parts = cap;
    return true;
}

/* True: it is on its way, and there is none filling. */
static bool
send_part(struct blob_ticket *t)
{
    struct cloud_part *p = t->filling;

    if (!t->upload_id[0]) {
        if (!t->beginning) {
            t->beginning = true;
            t->begin = (struct object_req){
                .loop = t->loop, .done = begun, .op = OBJECT_BEGIN, .priv = t};
            cloud_key(&t->file_id, CLOUD_DATA, t->begin.key);
            objects_submit(t->cloud->objects, &t->begin);
        }
        return false;
    }
    if (t->n_sending == SENDING_MAX || !room_for_etag(t))
        return false;
    t->filling = NULL;
    t->n_parts++;
    t->n_sending++;
    p->body = slice_of(p->p, (size_t)p->n);
    p->req = (struct object_req){.loop = t->loop,
                                 .done = part_done,
                                 .op = OBJECT_PART,
                                 .part = p->number,
                                 .body = &p->body,
                                 .n_body = 1,
                                 .priv = p};
    memcpy(p->req.upload_id, t->upload_id, sizeof(t->upload_id));
    cloud_key(&t->file_id, CLOUD_DATA, p->req.key);
    objects_submit(t->cloud->objects, &p->req);
    return true;
}

/* ---- append ---- */

static void
run_append_done(struct loop *l, struct task *task)
{
    struct blob_append *r = container_of(task, struct blob_append, task);

    (void)l;
    r->done(r);
}

static void
answer(struct loop *l, struct task *task)
{
    struct blob_ticket *t = container_of(task, struct blob_ticket, answer);
    struct list mine, *at;

    (void)l;
    list_init(&mine);
    while ((at = list_pop(&t->copied)))
        list_push(&mine, at);
    while ((at = list_pop(&mine))) {
        struct blob_append *r = container_of(at, struct blob_append, item);

        if (r->loop == t->loop) {
            r->done(r);
        } else {
            r->task.run = run_append_done;
            loop_post(r->loop, &r->task);
        }
    }
    t->answering = false;
    step(t);
}

static void
copied(struct blob_ticket *t, struct blob_append *r, enum err err)
{
    r->err = err;
    if (err != ERR_OK)
        r->fault = t->fault;
    list_remove(&r->item);
    list_push(&t->copied, &r->item);
}

/* The memory of the next part; true when it is there. */
static bool
new_part(struct blob_ticket *t)
{
    struct cloud *c = t->cloud;
    uint64_t size = cloud_part_size(c->cc.part_size, t->known, t->n_parts + 1);

    if (t->want.asked)
        return false;
    /* No more than what is still to come. */
    if (t->known != BLOB_SIZE_UNKNOWN && t->size < t->known)
        size = u64_min(size, align_up(t->known - t->size, BLOCK_SIZE));
    if (size > c->memory.budget) {
        t->err = fault_set(&t->fault, ERR_TOOBIG, "append",
                           "its parts have grown beyond S3_MEMORY");
        return false;
    }
    t->want.size = size;
    if (cloud_memory_ask(&c->memory, &t->want)) {
        t->want.asked = true; /* as if it had waited */
        loop_post(t->loop, &t->want.task);
    }
    return false;
}

/* As many appends as there is room for. */
static void
pump(struct blob_ticket *t)
{
    while (!list_empty(&t->appends)) {
        struct blob_append *r =
            container_of(t->appends.next, struct blob_append, item);
        const struct block *b = r->block;
        struct cloud_part *p = t->filling;

        if (t->err != ERR_OK) {
            copied(t, r, t->err);
            continue;
        }
        if (b->len > 0) {
            if (p && p->cap - p->n < b->len) {
                if (!send_part(t) && t->err == ERR_OK)
                    return;
                continue;
            }
            if (!p) {
                if (!new_part(t) && t->err == ERR_OK)
                    return;
                continue;
            }
            memcpy(p->p + p->n, b->data, b->len);
            p->n += b->len;
            t->size += b->len;
        }
        copied(t, r, ERR_OK);
    }
}

/* The checksum of block number n_crc, which is this one. */
static enum err
note_block(struct blob_ticket *t, const struct block *b, struct fault *f)
{
    if (t->n_crc == t->cap_crc) {
        size_t cap = t->cap_crc ? t->cap_crc * 2 : ATTR_INLINE_BLOCKS;
        uint32_t *grown = realloc(t->crc, cap * sizeof(*grown));

        if (!grown)
            return fault_set(f, ERR_NOMEM, "append", "block checksums");
        t->crc = grown;
        t->cap_crc = cap;
    }
    t->crc[t->n_crc++] = hash_crc32c(t->cloud->hash, 0, b->data, b->len);
    return ERR_OK;
}

static enum err
more_room(struct blob_ticket *t, struct fault *f)
{
    struct ledger_room r = cloud_room(LEDGER_STEP);
    enum err err = cloud_reserve(t->cloud, r, f);

    if (err == ERR_OK) {
        t->reserved.bytes += r.bytes;
        t->limit += LEDGER_STEP;
    }
    return err;
}

static enum err
append_check(struct blob_append *r)
{
    struct blob_ticket *t = r->ticket;
    const struct block *b = r->block;
    uint64_t end = (uint64_t)t->n_crc * BLOCK_SIZE + b->len;
    enum err err = ERR_OK;

    assert(b->state == BLOCK_WRITE && b->len <= BLOCK_SIZE);
    assert(!t->last && (r->last || b->len == BLOCK_SIZE));
    if (is_superseded(t))
        return fault_set(&r->fault, ERR_CONFLICT, "append",
                         "a later attempt is there");
    if (atomic_load(&t->cloud->fenced))
        return fault_set(&r->fault, ERR_READONLY, "append", t->cloud->trouble);
    if (end > t->limit)
        err = more_room(t, &r->fault);
    if (err == ERR_OK && b->len)
        err = note_block(t, b, &r->fault);
    return err;
}

static void
append_here(struct blob_append *r)
{
    struct blob_ticket *t = r->ticket;
    enum err err = append_check(r);

    t->last = t->last || r->last;
    list_push(&t->appends, &r->item);
    if (err != ERR_OK && t->err == ERR_OK) {
        t->err = err;
        t->fault = r->fault;
    }
    step(t);
}

static void
run_append(struct loop *l, struct task *task)
{
    (void)l;
    append_here(container_of(task, struct blob_append, task));
}

void
cloud_append(struct blob *b, struct blob_append *r)
{
    cloud_saw(cloud_of(b), r->loop);
    if (r->loop == r->ticket->loop) {
        append_here(r);
    } else {
        r->task.run = run_append;
        loop_post(r->ticket->loop, &r->task);
    }
}

/* ---- publish, abort ---- */

static void
to_item(struct blob_ticket *t, enum commit_type type)
{
    struct cloud *c = t->cloud;
    struct loop *here = t->loop;
    struct blob_publish *p = t->publish;
    struct blob_abort *a = t->abort;
    struct cloud_item *it = cloud_item_new(c, t->loop, type, &t->file_id);
    enum err err = fault_set(&t->fault, ERR_AGAIN, "publish",
                             it ? "the queue is full" : "no memory");

    if (it) {
        it->ticket = t;
        it->attempt = t->attempt;
        if (p) {
            it->req.publish = p;
            it->err = t->err;
            it->fault = p->fault;
        } else {
            it->req.abort = a;
        }
        if ((!p || cloud_copy_attr(it, p->attr)) && cloud_submit(it))
            return;
        it->ticket = NULL;
        cloud_item_free(it);
    }
    if (a) { /* D27, as far as it goes */
        pthread_mutex_lock(&c->mu);
        (void)tombs_abort(&c->tombs, &t->file_id, t->attempt, t->loop->wall);
        pthread_mutex_unlock(&c->mu);
    }
    if (t->upload_id[0])
        cloud_owe(c, &t->file_id, CLOUD_UPLOAD, t->upload_id);
    cloud_ticket_free(t);
    if (p) {
        p->err = err;
        cloud_answer_publish(here, p);
    }
    if (a)
        cloud_answer_abort(here, a);
}

static bool
at_rest(const struct blob_ticket *t)
{
    return list_empty(&t->appends) && list_empty(&t->copied) && !t->answering &&
           t->n_sending == 0 && !t->beginning && !t->want.asked;
}

/* Whatever can be done now. T may be gone afterwards. */
static void
step(struct blob_ticket *t)
{
    bool flush;

    if (t->abort && t->err == ERR_OK)
        t->err = fault_set(&t->fault, ERR_CANCELED, "append", "given up");
    pump(t);
    if (!list_empty(&t->copied) && !t->answering) {
        t->answering = true;
        t->answer.run = answer;
        loop_post(t->loop, &t->answer);
    }
    if (t->err != ERR_OK && (t->abort || t->publish) && t->want.asked &&
        cloud_memory_cancel(&t->cloud->memory, &t->want))
        t->want.asked = false;
    flush = t->publish && t->err == ERR_OK && t->filling &&
            (t->upload_id[0] || t->beginning) && list_empty(&t->appends);
    if (flush && !send_part(t) && t->err == ERR_OK)
        return;
    if (!at_rest(t))
        return;
    if (t->publish && t->err != ERR_OK)
        t->publish->fault = t->fault;
    if (t->publish)
        to_item(t, COMMIT_PUBLISH);
    else if (t->abort)
        to_item(t, COMMIT_ABORT);
}

static void
run_publish(struct loop *l, struct task *task)
{
    struct blob_publish *r = container_of(task, struct blob_publish, task);
    struct blob_ticket *t = r->ticket;

    (void)l;
    assert(list_empty(&t->appends) && !t->abort && !t->publish);
    assert(uuid_eq(&t->file_id, &r->attr->file_id));
    t->publish = r;
    step(t);
}

/* A post, also on the ticket's own loop: DONE comes after this call. */
void
cloud_publish(struct blob *b, struct blob_publish *r)
{
    cloud_saw(cloud_of(b), r->loop);
    r->task.run = run_publish;
    loop_post(r->ticket->loop, &r->task);
}

static void
run_abort(struct loop *l, struct task *task)
{
    struct blob_abort *r = container_of(task, struct blob_abort, task);
    struct blob_ticket *t = r->ticket;

    (void)l;
    assert(!t->abort && !t->publish);
    t->abort = r;
    step(t);
}

void
cloud_abort(struct blob *b, struct blob_abort *r)
{
    cloud_saw(cloud_of(b), r->loop);
    r->task.run = run_abort;
    loop_post(r->ticket->loop, &r->task);
}
