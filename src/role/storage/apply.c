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

/* Those of C that are deletes come first in the next transaction. Where there
 * is no place for them the tombstone, which stays pinned, has to do: the next
 * start settles it. */
static void
keep_deletes(struct element *e, const struct index_change *c, size_t n)
{
    if (!e->unsettled)
        e->unsettled = calloc(UNSETTLED_MAX, sizeof(*e->unsettled));
    for (size_t i = 0; i < n; i++) {
        if (c[i].op == INDEX_PUBLISH)
            continue;
        if (e->unsettled && e->n_unsettled < UNSETTLED_MAX) {
            e->unsettled[e->n_unsettled] = c[i];
            e->unsettled[e->n_unsettled++].row.attr.metadata = NULL;
        }
        feed(e, &c[i], 1);
    }
}

/* One batch by itself, after the transaction of all has failed. */
static enum err
apply_alone(struct element *e, const struct batch *b, struct fault *f)
{
    size_t n = batch_changes(b, e->changes);
    enum err err = e->index->ops->apply(e->index, e->changes, n, f);

    if (err == ERR_OK)
        feed(e, e->changes, n);
    else
        keep_deletes(e, e->changes, n);
    return err;
}

/* All at once; if that fails each by itself, so that one that is too large does
 * not take the others with it. */
void
apply_run(struct element *e, struct batch **run, size_t n)
{
    struct index_change *c = e->changes;
    struct fault f = {0};
    size_t k = e->n_unsettled;
    enum err err = ERR_OK;

    assert(n <= COMMIT_BATCHES);
    if (k)
        memcpy(c, e->unsettled, k * sizeof(*c));
    for (size_t i = 0; i < n; i++)
        if (batch_wants_index(run[i]))
            k += batch_changes(run[i], c + k);
    if (k > 0)
        err = e->index->ops->apply(e->index, c, k, &f);
    if (err == ERR_OK) {
        feed(e, c + e->n_unsettled, k - e->n_unsettled);
        e->n_unsettled = 0;
    }
    for (size_t i = 0; i < n; i++) {
        enum err one = err;

        if (err != ERR_OK && batch_wants_index(run[i]))
            one = apply_alone(e, run[i], &f);
        batch_after(run[i], one, &f);
    }
}
