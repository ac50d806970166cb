/* ticket.c - bodies that come in blocks: admit, append, publish, abort.
 *
 * A ticket is a file without a name and with room. All of it is allocated at
 * admission; a length that is not known, or turns out larger, is taken in steps
 * of LEDGER_STEP (D28). Appends are written at their own offsets
 * in the order of submission, several at a time; each block's CRC32C is made
 * before it is written, while it is still in the cache of this core.
 *
 * A ticket belongs to one upload, whose calls come from one loop; the element's
 * lock guards only the table of tickets. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

struct blob_ticket {
    struct element *element;
    struct map_item item;
    struct uuid file_id;
    uint64_t attempt;
    uint64_t limit; /* bytes that the claim covers */
    uint64_t size;  /* bytes appended so far */
    struct account_claim claim;
    int fd;
    bool direct;
    bool last;       /* the last block has come */
    bool superseded; /* a later attempt has come (D27); under element->mu */
    unsigned in_flight;
    uint32_t *crc; /* of each block */
    size_t n_crc;
    size_t cap_crc;
    uint64_t number; /* of the ticket, for its name in tmp/ */
    char temp[32];
    struct blob_abort *abort;     /* waits for the appends in flight */
    struct blob_publish *publish; /* to be told that there was no queue */
    struct work work;             /* of these two */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the checksum file is written as it is in memory");

/* With e->mu held. */
static struct blob_ticket *
ticket_get(struct element *e, const struct uuid *id)
{
    struct map_item *m =
        map_first(&e->tickets, map_hash(e->tickets.seed, id->b, sizeof(id->b)));

    for (; m; m = map_next(m)) {
        struct blob_ticket *t = container_of(m, struct blob_ticket, item);

        if (uuid_eq(&t->file_id, id) && !t->superseded)
            return t;
    }
    return NULL;
}

/* The later of two attempts wins; the earlier is told at its next call. */
static enum err
ticket_register(struct element *e, struct blob_ticket *t, struct fault *f)
{
    struct blob_ticket *other;
    enum err err = ERR_OK;

    pthread_mutex_lock(&e->mu);
    other = ticket_get(e, &t->file_id);
    if (e->tickets.n >= TICKETS_MAX)
        err = fault_set(f, ERR_AGAIN, "admit", "too many uploads under way");
    else if (!tombs_allow(&e->tombs, &t->file_id, t->attempt))
        err = fault_set(f, ERR_CONFLICT, "admit",
                        "deleted, or the attempt was given up");
    else if (other && other->attempt >= t->attempt)
        err = fault_set(f, ERR_CONFLICT, "admit", "a later attempt is there");
    if (err == ERR_OK) {
        if (other)
            other->superseded = true;
        t->number = ++e->ticket_number;
        map_add(&e->tickets, &t->item,
                map_hash(e->tickets.seed, t->file_id.b, sizeof(t->file_id.b)));
    }
    pthread_mutex_unlock(&e->mu);
    return err;
}

static void
ticket_unregister(struct element *e, struct blob_ticket *t)
{
    pthread_mutex_lock(&e->mu);
    map_remove(&e->tickets, &t->item);
    pthread_mutex_unlock(&e->mu);
}

static bool
is_superseded(struct blob_ticket *t)
{
    bool yes;

    pthread_mutex_lock(&t->element->mu);
    yes = t->superseded;
    pthread_mutex_unlock(&t->element->mu);
    return yes;
}

static enum err
open_file(struct blob_ticket *t, struct fault *f)
{
    struct element *e = t->element;
    unsigned flags = DISK_DIRECT;
    enum err err;

    if (e->tmp == DISK_NONE) {
        err = disk_tmpfile(e->disk, e->data, &flags, &t->fd, f);
        t->direct = flags & DISK_DIRECT;
        return err;
    }
    snprintf(t->temp, sizeof(t->temp), "t%llu", (unsigned long long)t->number);
    err = disk_create(e->disk, e->tmp, t->temp, &t->fd, f);
    if (err != ERR_OK)
        t->temp[0] = 0;
    return err;
}

void
ticket_free(struct element *e, struct blob_ticket *t)
{
    assert(t->in_flight == 0);
    disk_close(e->disk, &t->fd);
    if (t->temp[0])
        (void)disk_unlink(e->disk, e->tmp, t->temp, NULL);
    account_settle(e, t->claim.reserved, t->claim.on_disk,
                   (struct ledger_room){0});
    ticket_unregister(e, t);
    free(t->crc);
    free(t);
}

static void
admit_work(struct work *w)
{
    struct blob_admit *r = container_of(w, struct blob_admit, work);
    struct blob_ticket *t = r->ticket;
    struct element *e = t->element;

    r->err = open_file(t, &r->fault);
    if (r->err == ERR_OK)
        r->err = account_allocate(e, &t->claim, t->fd, ledger_file(t->limit),
                                  false, &r->fault);
    if (r->err != ERR_OK) {
        ticket_free(e, t);
        r->ticket = NULL;
    }
    counts_admission(&e->counts, r->err);
}

static void
admit_done(struct loop *l, struct work *w)
{
    struct blob_admit *r = container_of(w, struct blob_admit, work);

    (void)l;
    r->done(r);
}

static void
nothing(struct work *w)
{
    (void)w;
}

/* The ticket, registered; its room is the worker's. */
static enum err
make_ticket(struct element *e, struct blob_admit *r)
{
    uint64_t limit = r->size == BLOB_SIZE_UNKNOWN ? LEDGER_STEP : r->size;
    struct blob_ticket *t = calloc(1, sizeof(*t));
    enum err err;

    if (!t)
        return fault_set(&r->fault, ERR_NOMEM, "admit", "");
    t->element = e;
    t->file_id = r->file_id;
    t->attempt = r->attempt;
    t->fd = DISK_NONE;
    t->limit = limit;
    if ((err = ticket_register(e, t, &r->fault)) != ERR_OK) {
        free(t);
        return err;
    }
    r->ticket = t;
    return ERR_OK;
}

void
ticket_admit(struct blob *b, struct blob_admit *r)
{
    struct element *e = element_of(b);

    element_saw(e, r->loop);
    r->ticket = NULL;
    r->err = element_may_write(e, &r->fault);
    if (r->err == ERR_OK)
        r->err = make_ticket(e, r);
    if (r->err != ERR_OK)
        counts_admission(&e->counts, r->err);
    r->work = (struct work){.work = r->err == ERR_OK ? admit_work : nothing,
                            .done = admit_done};
    loop_work(r->loop, &r->work);
}

static void abort_now(struct blob_ticket *t);
static void ticket_discard(struct blob_ticket *t, struct loop *l);

static void
append_done(struct blob_append *r, enum err err)
{
    struct blob_ticket *t = r->ticket;
    bool abort_due = --t->in_flight == 0 && t->abort;

    r->err = err;
    /* The caller may abort or publish in its turn: T is not ours afterwards,
     * unless the abort came before and waited for this write. */
    r->done(r);
    if (abort_due)
        abort_now(t);
}

static void
append_refused(struct loop *l, struct work *w)
{
    struct blob_append *r = container_of(w, struct blob_append, work);

    (void)l;
    append_done(r, r->err);
}

static void
append_written(struct loop *l, struct file_io *io)
{
    struct blob_append *r = container_of(io, struct blob_append, io);
    enum err err = ERR_OK;

    (void)l;
    if (io->res < 0)
        err = fault_sys(&r->fault, (int)-io->res, "write", "data");
    else if ((size_t)io->res != io->n)
        err = fault_set(&r->fault, ERR_IO, "write", "data: cut short");
    append_done(r, err);
}

/* What the next LEDGER_STEP after LIMIT takes. */
static struct ledger_room
step_of(uint64_t limit)
{
    struct ledger_room was = ledger_file(limit),
                       now = ledger_file(limit + LEDGER_STEP);

    return (struct ledger_room){now.bytes - was.bytes, now.inodes - was.inodes};
}

static void
append_grow(struct work *w)
{
    struct blob_append *r = container_of(w, struct blob_append, work);
    struct blob_ticket *t = r->ticket;

    struct ledger_room step = step_of(t->limit - LEDGER_STEP);

    r->err =
        account_allocate(t->element, &t->claim, t->fd, step, true, &r->fault);
    if (r->err == ERR_OK)
        r->err = disk_pwrite(t->element->disk, t->fd, r->io.p, r->io.n,
                             r->io.off, &r->fault);
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
    t->crc[t->n_crc++] = hash_crc32c(t->element->hash, 0, b->data, b->len);
    return ERR_OK;
}

/* One more step is promised; it is allocated before it is written to. */
static enum err
more_room(struct blob_ticket *t, struct fault *f)
{
    struct ledger_room r = step_of(t->limit);
    enum err err = account_reserve(t->element, r, f);

    if (err == ERR_OK) {
        t->claim.reserved.bytes += r.bytes;
        t->claim.reserved.inodes += r.inodes;
        t->limit += LEDGER_STEP;
    }
    return err;
}

/* What must hold before the block is taken. *GROWN: room was added. */
static enum err
append_check(struct blob_append *r, bool *grown)
{
    struct blob_ticket *t = r->ticket;
    const struct block *b = r->block;
    enum err err = ERR_OK;

    assert(b->state == BLOCK_WRITE && b->len <= BLOCK_SIZE);
    assert(!t->last && t->size % BLOCK_SIZE == 0);
    assert(r->last || b->len == BLOCK_SIZE);
    if (is_superseded(t))
        return fault_set(&r->fault, ERR_CONFLICT, "append",
                         "a later attempt is there");
    if (atomic_load(&t->element->poisoned))
        return fault_set(&r->fault, ERR_READONLY, "append",
                         t->element->trouble);
    if (t->size + b->len > t->limit) {
        *grown = true;
        err = more_room(t, &r->fault);
    }
    if (err == ERR_OK && b->len)
        err = note_block(t, b, &r->fault);
    return err;
}

void
ticket_append(struct blob *b, struct blob_append *r)
{
    struct blob_ticket *t = r->ticket;
    struct block *k = r->block;
    bool grown = false;
    size_t n;

    element_saw(element_of(b), r->loop);
    r->err = append_check(r, &grown);
    t->in_flight++;
    r->work = (struct work){.work = nothing, .done = append_refused};
    if (r->err != ERR_OK || k->len == 0) {
        t->last = t->last || r->last;
        loop_work(r->loop, &r->work);
        return;
    }
    n = k->len;
    if (t->direct) { /* whole sectors; cut off again before publication */
        n = (size_t)align_up(n, BLOCK_ALIGN);
        memset(k->data + k->len, 0, n - k->len);
    }
    r->io = (struct file_io){.fd = t->fd,
                             .write = true,
                             .p = k->data,
                             .n = n,
                             .off = t->size,
                             .done = append_written};
    t->size += k->len;
    t->last = r->last;
    if (grown) {
        r->work.work = append_grow;
        loop_work(r->loop, &r->work);
    } else {
        disk_io(t->element->disk, r->loop, &r->io);
    }
}

struct slice
ticket_sidecar(const struct blob_ticket *t)
{
    if (t->n_crc <= ATTR_INLINE_BLOCKS)
        return SLICE_NULL;
    return slice_of(t->crc, t->n_crc * sizeof(*t->crc));
}

const char *
ticket_temp(const struct blob_ticket *t)
{
    return t->temp;
}

void
ticket_renamed(struct blob_ticket *t)
{
    t->temp[0] = 0;
}

void
ticket_finish(struct blob_ticket *t, struct commit_item *it)
{
    struct file_attr *a = &it->doc.attr;
    uint32_t crc = 0;

    a->stored_size = t->size;
    for (size_t i = 0; i < t->n_crc; i++) {
        uint64_t left = t->size - (uint64_t)i * BLOCK_SIZE;

        crc = hash_crc32c_combine(crc, t->crc[i], u64_min(left, BLOCK_SIZE));
    }
    a->stored_crc = crc;
    if (t->n_crc <= ATTR_INLINE_BLOCKS) {
        it->doc.n_block = (uint32_t)t->n_crc;
        if (t->n_crc)
            memcpy(it->doc.block_crc, t->crc, t->n_crc * sizeof(*t->crc));
    }
    it->fd_data = t->fd;
    it->cut = true;
    t->fd = DISK_NONE;
    if (t->temp[0])
        it->temps |= PUBLISH_DATA;
}

void
ticket_publish(struct blob *b, struct blob_publish *r)
{
    struct element *e = element_of(b);
    struct blob_ticket *t = r->ticket;
    struct commit_item *it = commit_item_new(COMMIT_PUBLISH, &t->file_id);

    assert(t->in_flight == 0);
    assert(uuid_eq(&t->file_id, &r->attr->file_id));
    if (it) {
        it->req.publish = r;
        it->ticket = t;
        it->attempt = t->attempt;
    }
    if (it && copy_metadata(it, r->attr) && commit_submit(e, r->loop, it))
        return;
    if (it) {
        it->ticket = NULL;
        commit_item_free(e, it);
    }
    r->err =
        fault_set(&r->fault, ERR_AGAIN, "publish", "the commit queue is full");
    t->publish = r;
    ticket_discard(t, r->loop);
}

/* Without a tombstone: there was no place in the queue. */

static void
discard_work(struct work *w)
{
    struct blob_ticket *t = container_of(w, struct blob_ticket, work);

    disk_close(t->element->disk, &t->fd);
}

static void
discard_done(struct loop *l, struct work *w)
{
    struct blob_ticket *t = container_of(w, struct blob_ticket, work);
    struct blob_publish *publish = t->publish;
    struct blob_abort *abort = t->abort;

    (void)l;
    ticket_free(t->element, t);
    if (publish)
        answer_publish(publish, publish->err, NULL);
    if (abort)
        answer_abort(abort);
}

static void
ticket_discard(struct blob_ticket *t, struct loop *l)
{
    t->work = (struct work){.work = discard_work, .done = discard_done};
    loop_work(l, &t->work);
}

static void
abort_now(struct blob_ticket *t)
{
    struct element *e = t->element;
    struct blob_abort *r = t->abort;
    struct commit_item *it = commit_item_new(COMMIT_ABORT, &t->file_id);

    if (!it) {
        ticket_discard(t, r->loop);
        return;
    }
    it->req.abort = r;
    it->ticket = t;
    it->attempt = t->attempt;
    if (commit_submit(e, r->loop, it))
        return;
    it->ticket = NULL;
    commit_item_free(e, it);
    ticket_discard(t, r->loop);
}

bool
local_give_up(struct element *e, const struct uuid *file_id, uint64_t number,
              struct blob_abort *r)
{
    struct commit_item *it = commit_item_new(COMMIT_ABORT, file_id);

    if (!it)
        return false;
    it->req.abort = r;
    it->attempt = number;
    if (commit_submit(e, r->loop, it))
        return true;
    commit_item_free(e, it);
    return false;
}

/* What is being written is waited for: a descriptor must not be closed, and
 * perhaps be another file's, under a write. */
void
ticket_abort(struct blob *b, struct blob_abort *r)
{
    struct blob_ticket *t = r->ticket;

    (void)b;
    assert(!t->abort);
    t->abort = r;
    if (t->in_flight == 0)
        abort_now(t);
}
