/* fit.c - does the index belong to what lies in data/?
 *
 * An index that was lost, or put back from an old copy, would hide files and
 * say that all is well. So the superblock notes what the index held when it was
 * last synced: an index that holds less is made anew from the sidecars, as is,
 * after a clean stop, one that does not hold exactly that.
 *
 *     last_seq  below the note: lost, or older than the last clean point. Newer
 *               changes are in dirty buckets and in the journal, which recovery
 *               looks at anyway.
 *     totals    after a clean stop nothing may differ.
 *
 * While it is being made anew the superblock says so, since numbers alone could
 * not tell half an index from a whole one at the next start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"

bool
fit_check(const struct superblock *sb, const struct index_totals *t)
{
    if (sb->index_lost || t->last_seq < sb->index_seq)
        return false;
    return !sb->clean ||
           (t->last_seq == sb->index_seq && t->files == sb->index_files &&
            t->stored == sb->index_stored);
}

enum err
fit_sync(struct element *e, struct fault *f)
{
    struct index_totals t;
    /* Read before: what comes after may or may not be in the sync. */
    enum err err = e->index->ops->totals(e->index, &t, f);

    if (err == ERR_OK)
        err = e->index->ops->sync(e->index, f);
    if (err == ERR_OK) {
        pthread_mutex_lock(&e->folder_mu);
        e->sb->index_seq = t.last_seq;
        e->sb->index_files = t.files;
        e->sb->index_stored = t.stored;
        pthread_mutex_unlock(&e->folder_mu);
    }
    return err;
}

enum err
fit_begin(struct element *e, struct fault *f)
{
    if (e->sb->index_lost)
        return ERR_OK;
    e->sb->index_lost = true;
    return boot_write_superblock(e->disk, e->sb, e->hash, f);
}

/* A number is left out of the change log, so that whoever follows it finds the
 * hole and reads all rows again. */
enum err
fit_end(struct element *e, struct fault *f)
{
    const struct index_change mark = {
        .seq = e->next_seq + 2, .op = INDEX_DELETE, .at = element_now(e)};
    enum err err = e->index->ops->apply(e->index, &mark, 1, f);

    if (err == ERR_OK && e->index->ops->sync)
        err = fit_sync(e, f);
    else if (err == ERR_OK)
        e->sb->all_dirty = true;
    if (err != ERR_OK)
        return err;
    e->next_seq = mark.seq;
    e->sb->index_lost = false;
    return ERR_OK;
}
