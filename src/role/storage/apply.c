/* apply.c - makes batches visible: rows and change log in one transaction, then
 * the registry, then the answers (D25).
 *
 * A delete that the index could not take (no room for its own pages) is kept in
 * a list and goes first in the next transaction; until then its tombstone keeps
 * the file from being seen.
 *
 * Only the holder of the gate (commit.c) comes here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdlib.h>

static void
feed(struct element *e, const struct index_change *c, size_t n)
{
    /* A registry that is away catches up later; the file is stored. */
    if (e->conf.registry && n)
        (void)registry_feed(e->conf.registry, &e->sb->element_uuid, c, n, NULL);
}

/* C was refused. Its deletes are done all the same, and come first in the next
 * transaction; so do deletes in place of its publishes, because an index that
 * says no may have said it too late. Where there is no place for a delete its
 * tombstone, which stays pinned, has to do: the next start settles it. */
static void
keep_deletes(struct element *e, struct index_change *c, size_t n)
{
    if (!e->unsettled)
        e->unsettled = calloc(UNSETTLED_MAX, sizeof(*e->unsettled));
    for (size_t i = 0; i < n; i++) {
        c[i].row.attr.metadata = NULL;
        if (c[i].op == INDEX_PUBLISH)
            c[i].op = INDEX_DELETE;
        if (e->unsettled && e->n_unsettled < UNSETTLED_MAX)
            e->unsettled[e->n_unsettled++] = c[i];
    }
    feed(e, c, n);
}

/* The changes of the N batches, after what is still to be settled, in one
 * transaction. *OWN is how many are the batches'. */
static enum err
apply(struct element *e, struct batch *const *run, size_t n, size_t *own,
      struct fault *f)
{
    struct index_change *c = e->changes;
    size_t u = e->n_unsettled, k = 0;
    enum err err = ERR_OK;

    if (u)
        memcpy(c, e->unsettled, u * sizeof(*c));
    for (size_t i = 0; i < n; i++)
        k += batch_changes(run[i], c + u + k);
    *own = k;
    if (k > 0)
        err = e->index->ops->apply(e->index, c, u + k, f);
    if (err == ERR_OK && k > 0) {
        e->n_unsettled = 0;
        feed(e, c + u, k);
    }
    return err;
}

/* Before anybody is answered: who asks then for the changes, or how far they
 * go, finds his own. */
static void
tell(struct element *e, const struct batch *b)
{
    pthread_mutex_lock(&e->mu);
    e->told_seq = u64_max(e->told_seq, b->last_seq);
    pthread_mutex_unlock(&e->mu);
}

/* All at once; if that fails each by itself, so that one that is too large does
 * not take the others with it. */
void
apply_run(struct element *e, struct batch **run, size_t n)
{
    struct fault f = {0};
    size_t own;
    enum err err;

    assert(n <= COMMIT_BATCHES);
    err = apply(e, run, n, &own, &f);
    for (size_t i = 0; i < n; i++) {
        enum err one = err;

        if (err != ERR_OK) {
            one = apply(e, &run[i], 1, &own, &f);
            if (one != ERR_OK) {
                own = batch_changes(run[i], e->changes);
                keep_deletes(e, e->changes, own);
            }
        }
        tell(e, run[i]);
        batch_after(run[i], one, &f);
    }
}
