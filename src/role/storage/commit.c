/* commit.c - the queue of uploads and deletes, and how batches are made of it.
 *
 * Whoever finds a free slot starts a batch of what is queued; while batches are
 * being written more gathers, so batches grow with the load and nobody waits
 * for company. Two slots, because the second batch's writing overlaps the
 * first one's sync.
 *
 *   queue --form--> slot (worker): batch_before() = write, link, journal, sync
 *         --gate--> index, in the order of forming, as many batches at once as
 *                   are ready: the change log and the registry's feed are told
 *                   in order, and a slow database makes larger transactions
 *         --------> batch_after() = unlink, answer
 *
 * The gate belongs to the worker that comes first (`applying`); a worker whose
 * batch must wait leaves it there and forms the next one.
 *
 * One file_id has one item at a time: a later one waits until the first is
 * answered, and then sees what became of it. So a repeated upload joins the
 * batch of the first instead of being answered early (D24).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdlib.h>

static void slot_work(struct work *w);
static void slot_done(struct loop *l, struct work *w);

void
commit_init(struct element *e)
{
    list_init(&e->queue);
    list_init(&e->order);
    for (size_t i = 0; i < COMMIT_SLOTS; i++) {
        e->slot[i].element = e;
        e->slot[i].work.work = slot_work;
        e->slot[i].work.done = slot_done;
    }
    for (size_t i = 0; i < COMMIT_BATCHES; i++) {
        e->batch[i].element = e;
        list_init(&e->batch[i].items);
        list_init(&e->batch[i].order);
    }
}

struct commit_item *
commit_item_new(enum commit_type type, const struct uuid *file_id)
{
    struct commit_item *it = calloc(1, sizeof(*it));

    if (!it)
        return NULL;
    it->type = type;
    it->file_id = *file_id;
    it->fd_data = it->fd_side = it->fd_attr = DISK_NONE;
    list_init(&it->link);
    list_init(&it->waiting);
    return it;
}

void
commit_item_free(struct element *e, struct commit_item *it)
{
    disk_close(e->disk, &it->fd_data);
    disk_close(e->disk, &it->fd_side);
    disk_close(e->disk, &it->fd_attr);
    assert(list_empty(&it->waiting));
    attr_release(&it->doc);
    free(it);
}

/* With e->mu held. */

static struct commit_item *
pending_get(struct element *e, const struct uuid *id)
{
    struct map_item *m =
        map_first(&e->pending, map_hash(e->pending.seed, id->b, sizeof(id->b)));

    for (; m; m = map_next(m)) {
        struct commit_item *it = container_of(m, struct commit_item, pending);

        if (uuid_eq(&it->file_id, id))
            return it;
    }
    return NULL;
}

static void
enqueue(struct element *e, struct commit_item *it)
{
    struct commit_item *first = pending_get(e, &it->file_id);

    if (first) {
        list_push(&first->waiting, &it->link);
        return;
    }
    map_add(&e->pending, &it->pending,
            map_hash(e->pending.seed, it->file_id.b, sizeof(it->file_id.b)));
    list_push(&e->queue, &it->link);
}

static struct slot *
free_slot(struct element *e)
{
    for (size_t i = 0; i < COMMIT_SLOTS; i++)
        if (!e->slot[i].busy)
            return &e->slot[i];
    return NULL;
}

static struct batch *
free_batch(struct element *e)
{
    for (size_t i = 0; i < COMMIT_BATCHES; i++)
        if (!e->batch[i].used)
            return &e->batch[i];
    return NULL;
}

bool
commit_submit(struct element *e, struct loop *l, struct commit_item *it)
{
    struct slot *s = NULL;
    bool full;

    element_saw(e, l);
    pthread_mutex_lock(&e->mu);
    full = e->queued >= COMMIT_QUEUE_MAX;
    if (!full) {
        e->queued++;
        enqueue(e, it);
        if (!list_empty(&e->queue) && (s = free_slot(e)))
            s->busy = true;
    }
    pthread_mutex_unlock(&e->mu);
    if (s)
        loop_work(l, &s->work);
    return !full;
}

/* Takes what is queued, up to a batch. With e->mu held. */
static struct batch *
form(struct element *e)
{
    struct batch *b = list_empty(&e->queue) ? NULL : free_batch(e);
    uint32_t puts = 0;
    uint64_t bytes = 0;
    struct list *at;

    if (!b)
        return NULL;
    b->used = true;
    b->n = 0;
    b->synced = b->ready = false;
    b->now = element_now(e);
    b->first_seq = e->next_seq + 1;
    while (b->n < e->conf.batch_max && bytes < COMMIT_BATCH_BYTES &&
           (at = list_pop(&e->queue))) {
        struct commit_item *it = container_of(at, struct commit_item, link);

        bytes += it->type == COMMIT_PUT ? it->req.put->attr->size : 0;
        it->seq = ++e->next_seq;
        puts += it->type == COMMIT_PUT || it->type == COMMIT_PUBLISH;
        list_push(&b->items, &it->link);
        b->n++;
    }
    b->last_seq = e->next_seq;
    b->bucket[0] = 0;
    if (puts) {
        (void)bucket_take(&e->bucket, b->now, puts);
        bucket_text(&e->bucket, b->bucket);
    }
    list_push(&e->order, &b->order);
    e->count.batches++;
    b->began = counts_now(&e->counts);
    return b;
}

/* How far everything is durable: the run of batches at the head that are. With
 * e->mu held. */
static void
note_synced(struct element *e)
{
    LIST_FOREACH (it, &e->order) {
        const struct batch *b = container_of(it, struct batch, order);

        if (!b->synced || b->program.poisoned)
            break;
        if (b->program.stuck)
            e->synced_frozen = true;
        if (e->synced_frozen)
            break;
        e->synced_seq = u64_max(e->synced_seq, b->last_seq);
    }
}

/* The batches at the head of the order that are ready. With e->mu held. */
static size_t
ready_run(struct element *e, struct batch *run[COMMIT_BATCHES])
{
    size_t n = 0;

    LIST_FOREACH (it, &e->order) {
        struct batch *b = container_of(it, struct batch, order);

        if (!b->ready)
            break;
        run[n++] = b;
    }
    return n;
}

static void
retire(struct element *e, struct batch *b)
{
    assert(list_empty(&b->items));
    counts_commit(&e->counts, b->n, b->began);
    e->done_seq = u64_max(e->done_seq, b->last_seq);
    list_remove(&b->order);
    b->used = false;
}

/* The gate. */
static void
pass(struct element *e, struct batch *mine)
{
    struct batch *run[COMMIT_BATCHES];
    size_t n;

    pthread_mutex_lock(&e->mu);
    mine->ready = true;
    if (e->applying) {
        pthread_mutex_unlock(&e->mu);
        return;
    }
    e->applying = true;
    while ((n = ready_run(e, run)) > 0) {
        pthread_mutex_unlock(&e->mu);
        apply_run(e, run, n);
        pthread_mutex_lock(&e->mu);
        for (size_t i = 0; i < n; i++)
            retire(e, run[i]);
    }
    e->applying = false;
    pthread_mutex_unlock(&e->mu);
}

static void
slot_work(struct work *w)
{
    struct slot *s = container_of(w, struct slot, work);
    struct element *e = s->element;
    struct batch *b;

    for (;;) {
        pthread_mutex_lock(&e->mu);
        b = form(e);
        pthread_mutex_unlock(&e->mu);
        if (!b)
            break;
        batch_before(b);
        pthread_mutex_lock(&e->mu);
        b->synced = true;
        note_synced(e);
        pthread_mutex_unlock(&e->mu);
        pass(e, b);
    }
}

/* Something may have come since the worker looked: the slot must not fall
 * asleep over it. */
static void
slot_done(struct loop *l, struct work *w)
{
    struct slot *s = container_of(w, struct slot, work);
    struct element *e = s->element;
    bool again;

    pthread_mutex_lock(&e->mu);
    again = !list_empty(&e->queue) && free_batch(e);
    s->busy = again;
    pthread_mutex_unlock(&e->mu);
    if (again)
        loop_work(l, &s->work);
}

/* IT is answered: whoever waited for its file_id is next. */
void
commit_leave(struct element *e, struct commit_item *it)
{
    struct list *at;

    pthread_mutex_lock(&e->mu);
    map_remove(&e->pending, &it->pending);
    list_remove(&it->link);
    e->queued--;
    while ((at = list_pop(&it->waiting)))
        enqueue(e, container_of(at, struct commit_item, link));
    pthread_mutex_unlock(&e->mu);
}
