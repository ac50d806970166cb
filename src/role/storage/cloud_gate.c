/* cloud_gate.c - makes items visible: rows and change log in one transaction,
 * then the registry, then the answers (D25).
 *
 * A number is taken right before attr.json (or the tombstone) is written, since
 * it stands in there; every number comes here, also that of an item that came
 * to nothing, which is told as the delete of no file. Requests to a store do
 * not come back in order, and nobody waits for a slower one: the index takes
 * what is ready, and readers of the log see it up to the first number that is
 * still missing (done_seq).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdio.h>
#include <stdlib.h>

void
cloud_number(struct cloud_item *it)
{
    struct cloud *c = it->cloud;

    assert(it->seq == 0);
    pthread_mutex_lock(&c->mu);
    it->seq = ++c->next_seq;
    list_push(&c->order, &it->order);
    pthread_mutex_unlock(&c->mu);
}

static void
change_of(const struct cloud_item *it, struct index_change *out)
{
    *out = (struct index_change){
        .seq = it->seq, .op = INDEX_DELETE, .at = it->now};
    if (it->err != ERR_OK)
        return;
    out->op = it->type == COMMIT_DELETE   ? INDEX_DELETE
              : it->type == COMMIT_EXPIRE ? INDEX_EXPIRE
                                          : INDEX_PUBLISH;
    out->row.attr = it->doc.attr;
    snprintf(out->row.bucket, sizeof(out->row.bucket), "%s", it->date);
}

static int
by_seq(const void *a, const void *b)
{
    const struct index_change *x = a, *y = b;

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* A registry that is away catches up later; the file is stored. */
static void
feed(struct cloud *c, struct index_change *ch, size_t n)
{
    if (c->conf.registry && n) {
        qsort(ch, n, sizeof(*ch), by_seq);
        (void)registry_feed(c->conf.registry, &c->sb->element_uuid, ch, n,
                            NULL);
    }
}

/* What could not be told before goes first. */
static enum err
apply(struct cloud *c, struct cloud_item *const *it, size_t n, struct fault *f)
{
    struct index_change *ch = c->changes;
    size_t u = c->n_unsettled;
    enum err err;

    memcpy(ch, c->unsettled, u * sizeof(*ch));
    for (size_t i = 0; i < n; i++)
        change_of(it[i], &ch[u + i]);
    err = c->index->ops->apply(c->index, ch, u + n, f);
    if (err == ERR_OK) {
        c->n_unsettled = 0;
        feed(c, ch + u, n);
    }
    return err;
}

/* A delete that the index did not take is done all the same (its tombstone
 * keeps the row from being seen) and told later; so is the number of an upload,
 * as the delete of it, because an index that says no may have said it too
 * late. */
static void
refused(struct cloud *c, struct cloud_item *it, enum err err,
        const struct fault *f)
{
    struct index_change ch;

    change_of(it, &ch);
    ch.row.attr.metadata = NULL;
    if (ch.op == INDEX_PUBLISH) {
        ch.op = INDEX_DELETE;
        it->err = err;
        it->fault = *f;
    }
    if (c->n_unsettled < UNSETTLED_MAX)
        c->unsettled[c->n_unsettled++] = ch;
    feed(c, &ch, 1);
}

static void
apply_batch(struct cloud *c, size_t n)
{
    struct fault f = {0};
    enum err err = apply(c, c->taken, n, &f);

    if (err == ERR_OK)
        return;
    for (size_t i = 0; i < n; i++)
        if ((err = apply(c, &c->taken[i], 1, &f)) != ERR_OK)
            refused(c, c->taken[i], err, &f);
}

/* With c->mu held. */
static size_t
take(struct cloud *c)
{
    struct list *at;
    size_t n = 0;

    while (n < CLOUD_BATCH && (at = list_pop(&c->ready)))
        c->taken[n++] = container_of(at, struct cloud_item, link);
    return n;
}

/* All numbers below the first that is still under way. With c->mu held. */
static void
retire(struct cloud *c, size_t n)
{
    struct mono began = c->taken[0]->began;

    for (size_t i = 0; i < n; i++)
        list_remove(&c->taken[i]->order);
    c->done_seq =
        list_empty(&c->order)
            ? c->next_seq
            : container_of(c->order.next, struct cloud_item, order)->seq - 1;
    c->count.batches++;
    counts_commit(&c->counts, n, began);
}

static void
gate_work(struct work *w)
{
    struct cloud *c = container_of(w, struct cloud, gate);
    size_t n;

    for (;;) {
        pthread_mutex_lock(&c->mu);
        n = take(c);
        pthread_mutex_unlock(&c->mu);
        if (n == 0)
            return;
        apply_batch(c, n);
        pthread_mutex_lock(&c->mu);
        retire(c, n);
        pthread_mutex_unlock(&c->mu);
        for (size_t i = 0; i < n; i++)
            cloud_indexed(c->taken[i]);
    }
}

/* Something may have come since the worker looked. */
static void
gate_done(struct loop *l, struct work *w)
{
    struct cloud *c = container_of(w, struct cloud, gate);

    pthread_mutex_lock(&c->mu);
    c->applying = !list_empty(&c->ready);
    if (c->applying)
        loop_work(l, w);
    pthread_mutex_unlock(&c->mu);
}

void
cloud_gate(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    bool go;

    pthread_mutex_lock(&c->mu);
    list_push(&c->ready, &it->link);
    go = !c->applying;
    c->applying = true;
    pthread_mutex_unlock(&c->mu);
    if (go) {
        c->gate = (struct work){.work = gate_work, .done = gate_done};
        loop_work(it->loop, &c->gate);
    }
}
