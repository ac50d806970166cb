/* intake.c - see intake.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/intake.h"
#include <stdlib.h>
#include <string.h>

static void intake_step(struct intake *s);

static struct intake_slot *
slot_at(struct intake *s, unsigned i)
{
    return &s->slot[(s->head + i) % s->n_slots];
}

/* The slot that is being filled, or NULL: it is always the youngest. */
static struct intake_slot *
slot_filling(struct intake *s)
{
    struct intake_slot *k = s->used ? slot_at(s, s->used - 1) : NULL;

    return k && k->state == SLOT_FILLING ? k : NULL;
}

/* ---- telling, always later ---- */

static void
intake_tell(struct loop *l, struct task *t)
{
    struct intake *s = container_of(t, struct intake, tell);
    void *p;
    size_t n;

    (void)l;
    s->telling = false;
    if (s->gone) {
        s->event(s, INTAKE_GONE);
    } else if (s->aborting) {
        /* only the end is of interest */
    } else if (s->failed) {
        if (!s->failed_told) {
            s->failed_told = true;
            s->event(s, INTAKE_FAILED);
        }
    } else if (s->ended) {
        s->event(s, INTAKE_ENDED);
    } else if (s->want_ready && intake_room(s, &p, &n)) {
        s->want_ready = false;
        s->event(s, INTAKE_READY);
    }
}

static void
intake_later(struct intake *s)
{
    if (s->telling)
        return;
    s->telling = true;
    loop_post(s->loop, &s->tell);
}

static void
intake_fail(struct intake *s, enum err e, const struct fault *f)
{
    if (s->failed)
        return;
    s->failed = true;
    s->err = e;
    if (f)
        s->fault = *f;
    intake_later(s);
}

/* ---- the slots ---- */

static void
slot_free(struct intake *s, struct intake_slot *k)
{
    loop_block_put(s->loop, k->block);
    k->block = NULL;
    k->state = SLOT_EMPTY;
    /* The youngest may have been taken for bytes that did not come. */
    while (s->used && slot_at(s, s->used - 1)->state == SLOT_EMPTY)
        s->used--;
    while (s->used && slot_at(s, 0)->state == SLOT_EMPTY) {
        s->head = (s->head + 1) % s->n_slots;
        s->used--;
    }
}

static void
slot_hashed(struct lane_item *it)
{
    struct intake_slot *k = container_of(it, struct intake_slot, lane);

    k->state = SLOT_HASHED;
    if (it->final)
        k->intake->final_due = false;
    intake_step(k->intake);
}

/* Of a body that is kept, the first piece waits for all of them. */
static struct dur
slot_wait(const struct intake *s, const struct intake_slot *k)
{
    if (!s->holding)
        return lanes_wait(k->block->len);
    return lanes_wait(k == &s->slot[s->head] ? (size_t)s->size : 0);
}

static void
slot_hash(struct intake *s, struct intake_slot *k, bool final)
{
    block_move(k->block, BLOCK_RECV, BLOCK_HASH);
    k->state = SLOT_HASHING;
    k->lane = (struct lane_item){.state = &s->hash,
                                 .p = k->block->data,
                                 .n = k->block->len,
                                 .client = s->client,
                                 .final = final,
                                 .wait = slot_wait(s, k),
                                 .digests = &s->digests,
                                 .done = slot_hashed};
    lanes_add(s->lanes, &k->lane);
}

static void
slot_written(struct blob_append *r)
{
    struct intake_slot *k = container_of(r, struct intake_slot, append);
    struct intake *s = k->intake;

    if (r->err != ERR_OK)
        intake_fail(s, r->err, &r->fault);
    slot_free(s, k);
    intake_step(s);
}

static void
slot_write(struct intake *s, struct intake_slot *k, bool last)
{
    block_move(k->block, BLOCK_HASH, BLOCK_WRITE);
    k->state = SLOT_WRITING;
    k->append.loop = s->loop;
    k->append.done = slot_written;
    k->append.ticket = s->ticket;
    k->append.block = k->block;
    k->append.last = last;
    k->append.err = ERR_OK;
    s->blob->ops->append(s->blob, &k->append);
}

static void
admit_done(struct blob_admit *r)
{
    struct intake *s = container_of(r, struct intake, admit);

    s->admitting = false;
    if (r->err == ERR_OK) {
        s->ticket = r->ticket;
    } else if (!s->failed) {
        s->refused = true;
        intake_fail(s, r->err, &r->fault);
    }
    intake_step(s);
}

void
intake_admit(struct intake *s)
{
    s->streaming = true;
    if (s->admitting || s->ticket)
        return;
    s->admitting = true;
    s->admit.loop = s->loop;
    s->admit.done = admit_done;
    s->admit.file_id = s->file_id;
    s->admit.attempt = s->attempt;
    s->admit.size = s->size_hint;
    s->admit.exact = s->exact;
    s->blob->ops->admit(s->blob, &s->admit);
}

static void
final_hashed(struct lane_item *it)
{
    struct intake *s = container_of(it, struct intake, last_lane);

    s->final_due = s->final_busy = false;
    intake_step(s);
}

/* Hashes N bytes at P (none: just the end) as the last of the stream. */
static void
final_hash(struct intake *s, const void *p, size_t n)
{
    s->final_busy = true;
    s->last_lane = (struct lane_item){.state = &s->hash,
                                      .p = p,
                                      .n = n,
                                      .final = true,
                                      .wait = lanes_wait(n),
                                      .digests = &s->digests,
                                      .done = final_hashed};
    lanes_add(s->lanes, &s->last_lane);
}

static const void *small_body(const struct intake *s, bool *aligned);

static void
step_small_end(struct intake *s)
{
    bool aligned;

    if (s->final_due && !s->final_busy) {
        final_hash(s, small_body(s, &aligned), (size_t)s->size);
    } else if (!s->final_due && !s->ended) {
        s->ended = true;
        intake_later(s);
    }
}

/* Hash what is full (one at a time: a stream is one chain; of a body that is
 * kept, once it is all here), write what is hashed and admitted, in order. */
static void
step_slots(struct intake *s)
{
    bool hashing = s->final_busy || (s->holding && !s->ending);

    for (unsigned i = 0; i < s->used; i++)
        hashing |= slot_at(s, i)->state == SLOT_HASHING;
    for (unsigned i = 0; i < s->used; i++) {
        struct intake_slot *k = slot_at(s, i);
        bool last = s->ending && i + 1 == s->used;

        if (k->state == SLOT_FULL && !hashing) {
            slot_hash(s, k, last);
            hashing = true;
        } else if (k->state == SLOT_HASHED && s->holding) {
            continue;
        } else if (k->state == SLOT_HASHED && s->ticket) {
            slot_write(s, k, last);
        } else if (k->state == SLOT_HASHED) {
            intake_admit(s);
            break;
        }
    }
}

/* Nothing is on its way: all written, or all hashed and held. */
static bool
all_done(struct intake *s)
{
    for (unsigned i = 0; i < s->used; i++)
        if (!s->holding || slot_at(s, i)->state != SLOT_HASHED)
            return false;
    return true;
}

static void
step_end(struct intake *s)
{
    if (!s->ending || s->ended || !all_done(s))
        return;
    if (s->final_due) { /* the body ended with a block: nothing carried that */
        if (!s->final_busy)
            final_hash(s, NULL, 0);
        return;
    }
    s->ended = true;
    intake_later(s);
}

static bool
intake_busy(const struct intake *s)
{
    for (unsigned i = 0; i < s->n_slots; i++)
        if (s->slot[i].state == SLOT_HASHING ||
            s->slot[i].state == SLOT_WRITING)
            return true;
    return s->admitting || s->final_busy || s->abort_busy;
}

static void
abort_done(struct blob_abort *r)
{
    struct intake *s = container_of(r, struct intake, abort);

    s->abort_busy = false;
    s->ticket = NULL;
    intake_step(s);
}

static void
step_abort(struct intake *s)
{
    if (intake_busy(s) || s->gone)
        return;
    if (s->ticket) {
        s->abort_busy = s->aborted = true;
        s->abort.loop = s->loop;
        s->abort.done = abort_done;
        s->abort.ticket = s->ticket;
        s->blob->ops->abort(s->blob, &s->abort);
        return;
    }
    intake_release(s);
    s->gone = true;
    intake_later(s);
}

static void
intake_step(struct intake *s)
{
    if (s->aborting) {
        step_abort(s);
        return;
    }
    if (s->failed)
        return;
    if (s->ending && !s->streaming && !s->holding) {
        step_small_end(s);
        return;
    }
    step_slots(s);
    step_end(s);
    if (s->want_ready)
        intake_later(s);
}

static void
slot_full(struct intake *s, struct intake_slot *k)
{
    if (!s->holding)
        s->streaming = true;
    k->state = SLOT_FULL;
    intake_step(s);
}

/* ---- the owner's side ---- */

static void
block_ready(struct loop *l, struct block_wait *w, struct block *b)
{
    struct intake *s = container_of(w, struct intake, wait);
    struct intake_slot *k = slot_at(s, s->used);

    s->waiting = false;
    if (s->aborting || s->failed) {
        loop_block_put(l, b);
        return;
    }
    k->state = SLOT_FILLING;
    k->block = b;
    s->used++;
    intake_later(s);
}

void
intake_init(struct intake *s, struct loop *l, struct lanes *lanes,
            void (*event)(struct intake *s, enum intake_event ev))
{
    memset(s, 0, sizeof(*s));
    s->loop = l;
    s->lanes = lanes;
    s->event = event;
    s->size_hint = BLOB_SIZE_UNKNOWN;
    s->final_due = true;
    s->tell.run = intake_tell;
    s->wait.ready = block_ready;
    list_init(&s->wait.item);
    hash_init(&s->hash);
    s->slot = s->few;
    s->n_slots = INTAKE_SLOTS;
    for (unsigned i = 0; i < s->n_slots; i++)
        s->slot[i].intake = s;
}

bool
intake_hold(struct intake *s, uint64_t size)
{
    unsigned n = (unsigned)((size + BLOCK_SIZE - 1) / BLOCK_SIZE);
    struct intake_slot *slot;

    assert(s->size == 0 && size > 0 && size <= INTAKE_HELD_MAX);
    slot = calloc(n, sizeof(slot[0]));
    if (slot == NULL)
        return false;
    s->slot = slot;
    s->n_slots = n;
    s->holding = true;
    for (unsigned i = 0; i < n; i++)
        slot[i].intake = s;
    return true;
}

void
intake_aim(struct intake *s, struct blob *b, const struct uuid *file_id,
           uint64_t attempt, uint64_t size_hint, bool exact)
{
    assert(s->ticket == NULL && !s->admitting);
    s->blob = b;
    s->file_id = *file_id;
    s->attempt = attempt;
    s->size_hint = size_hint;
    s->exact = exact;
}

void
intake_again(struct intake *s, struct blob *b, uint64_t attempt)
{
    assert(s->failed && s->refused && !s->aborting);
    s->failed = s->failed_told = s->refused = false;
    s->err = ERR_OK;
    intake_aim(s, b, &s->file_id, attempt, s->size_hint, s->exact);
    intake_admit(s);
    intake_step(s);
}

void
intake_give(struct intake *s, const void *p, size_t n)
{
    assert(s->size == 0 && n <= BLOB_PUT_MAX);
    s->given = p;
    s->size = n;
}

/* A block for the next bytes. The small buffer moves into the first one. */
static bool
intake_next_slot(struct intake *s)
{
    struct intake_slot *k;
    struct block *b;

    if (s->used == s->n_slots || s->waiting)
        return false;
    b = loop_block_get(s->loop);
    if (b == NULL) {
        s->waiting = true;
        loop_block_wait(s->loop, &s->wait);
        return false;
    }
    k = slot_at(s, s->used++);
    k->state = SLOT_FILLING;
    k->block = b;
    return true;
}

static void
small_into_block(struct intake *s, struct block *b)
{
    if (s->small == NULL)
        return;
    memcpy(b->data, s->small, s->small_n);
    b->len = (uint32_t)s->small_n;
    free(s->small);
    s->small = NULL;
}

bool
intake_room(struct intake *s, void **p, size_t *n)
{
    struct intake_slot *k;

    if (s->failed || s->ending || s->aborting)
        return false;
    if (s->admitting && s->size == 0) { /* not a byte before the admission */
        s->want_ready = true;
        return false;
    }
    if (s->size < INTAKE_SMALL && s->used == 0) {
        if (s->small == NULL && (s->small = malloc(INTAKE_SMALL)) == NULL) {
            intake_fail(s, ERR_NOMEM, NULL);
            return false;
        }
        *p = s->small + s->small_n;
        *n = INTAKE_SMALL - s->small_n;
        return true;
    }
    k = slot_filling(s);
    if (k && k->block->len == BLOCK_SIZE) { /* more follows the first block */
        slot_full(s, k);
        k = NULL;
    }
    if (k == NULL && !intake_next_slot(s)) {
        s->want_ready = true;
        return false;
    }
    k = slot_filling(s);
    small_into_block(s, k->block);
    *p = k->block->data + k->block->len;
    *n = BLOCK_SIZE - k->block->len;
    return true;
}

void
intake_took(struct intake *s, size_t n)
{
    struct intake_slot *k = slot_filling(s);

    s->size += n;
    if (k == NULL) {
        s->small_n += n;
        assert(s->small_n <= INTAKE_SMALL);
        return;
    }
    k->block->len += (uint32_t)n;
    assert(k->block->len <= BLOCK_SIZE);
    /* A first block that is full stays in memory until it is known that more
     * follows: the body may end here and then needs no admission. And the last
     * one of a known size waits for the end, which is hashed with it. */
    if (k->block->len == BLOCK_SIZE && (s->streaming || s->holding) &&
        s->size < s->size_hint)
        slot_full(s, k);
}

void
intake_end(struct intake *s)
{
    struct intake_slot *k = slot_filling(s);

    assert(!s->ending);
    s->ending = true;
    if ((s->streaming || s->holding) && k) {
        if (k->block->len == 0)
            slot_free(s, k);
        else
            k->state = SLOT_FULL;
    }
    intake_step(s);
}

void
intake_abort(struct intake *s)
{
    assert(!s->aborting);
    s->aborting = true;
    if (s->waiting) {
        loop_block_cancel(s->loop, &s->wait);
        s->waiting = false;
    }
    intake_step(s);
}

/* Small: in one place. */
static const void *
small_body(const struct intake *s, bool *aligned)
{
    *aligned = false;
    if (s->given || s->size == 0)
        return s->given;
    if (s->small)
        return s->small;
    *aligned = true;
    return s->slot[s->head].block->data;
}

bool
intake_body(struct intake *s, struct block **blocks, struct blob_put *r)
{
    r->data = NULL;
    r->n_blocks = 0;
    if (s->streaming)
        return false;
    if (!s->holding || s->used == 0) {
        r->data = small_body(s, &r->aligned);
        return true;
    }
    for (unsigned i = 0; i < s->used; i++)
        blocks[i] = slot_at(s, i)->block;
    r->blocks = blocks;
    r->n_blocks = s->used;
    return true;
}

void
intake_release(struct intake *s)
{
    free(s->small);
    s->small = NULL;
    for (unsigned i = 0; i < s->n_slots; i++)
        if (s->slot[i].block) {
            loop_block_put(s->loop, s->slot[i].block);
            s->slot[i].block = NULL;
            s->slot[i].state = SLOT_EMPTY;
        }
    s->used = 0;
    if (s->slot != s->few)
        free(s->slot);
    s->slot = s->few;
    s->n_slots = INTAKE_SLOTS;
    s->holding = false;
}
