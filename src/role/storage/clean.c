/* clean.c - clean points: the moments after which less has to be remembered.
 *
 * Between them every bucket that was written to is dirty, and every delete has
 * its tombstone in the journal, because the index may lose its last commits in
 * a power cut (synchronous=NORMAL). A clean point syncs the index, and the
 * folders in which names were removed, and may then forget both. Where buckets
 * stay dirty whatever is done (DURABILITY=relaxed, or a name that could not be
 * taken back), it does so for the deletes alone: the journal must not grow
 * beyond what a start can read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "role/storage/periodic.h"
#include <stdio.h>
#include <stdlib.h>

#define CHANGES_KEPT ((uint64_t)1000000) /* rows of the change log */

/* What may be forgotten if all goes well. */
struct forget {
    uint64_t upto; /* changes that are complete */
    uint64_t synced;
    bool buckets;       /* what is in them is durable, or is about to be */
    struct uuid *tombs; /* pinned, deleted before `upto` */
    char **place;
    size_t n;
    char (*keep)[BUCKET_TEXT]; /* buckets that are being written to */
    size_t n_keep;
};

static void
forget_release(struct forget *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->place[i]);
    free(w->tombs);
    free(w->place);
    free(w->keep);
}

static bool
collect_tombs(struct element *e, struct forget *w)
{
    w->tombs = calloc(e->pinned + 1, sizeof(*w->tombs));
    w->place = calloc(e->pinned + 1, sizeof(*w->place));
    if (!w->tombs || !w->place)
        return false;
    LIST_FOREACH (it, &e->tombs.age) {
        const struct tomb *t = container_of(it, struct tomb, age);

        if (!t->pinned || t->seq > w->upto)
            continue;
        assert(w->n < e->pinned);
        if (!(w->place[w->n] = strdup(t->place ? t->place : "")))
            return false;
        w->tombs[w->n++] = t->file_id;
    }
    return true;
}

static bool
collect(struct element *e, struct forget *w)
{
    bool ok;

    pthread_mutex_lock(&e->mu);
    w->upto = e->done_seq;
    w->synced = e->synced_seq;
    w->buckets = !e->conf.relaxed && !e->synced_frozen;
    w->keep = calloc(COMMIT_BATCHES + 1, sizeof(*w->keep));
    ok = w->keep && collect_tombs(e, w);
    LIST_FOREACH (it, &e->order) {
        const struct batch *b = container_of(it, struct batch, order);

        if (ok)
            snprintf(w->keep[w->n_keep++], BUCKET_TEXT, "%s", b->bucket);
    }
    pthread_mutex_unlock(&e->mu);
    return ok;
}

static bool
is_kept(const struct element *e, const struct forget *w, const char *bucket)
{
    if (e->folder && strcmp(e->folder->name, bucket) == 0)
        return true;
    for (size_t i = 0; i < w->n_keep; i++)
        if (strcmp(w->keep[i], bucket) == 0)
            return true;
    return false;
}

static enum err
sync_bucket(struct element *e, const char *bucket, struct fault *f)
{
    int dir = DISK_NONE;
    enum err err = disk_open(e->disk, e->data, bucket, DISK_DIR, &dir, f);

    if (err == ERR_OK)
        err = disk_sync(e->disk, &dir, 1, f);
    disk_close(e->disk, &dir);
    return err == ERR_NOENT ? ERR_OK : err;
}

/* All were dirty, more than could be named: those in use are named again. */
static void
name_kept(struct element *e, const struct forget *w, struct superblock *sb)
{
    sb->n_dirty = 0;
    if (e->folder)
        snprintf(sb->dirty[sb->n_dirty++], SUPERBLOCK_BUCKET, "%s",
                 e->folder->name);
    for (size_t i = 0; i < w->n_keep; i++)
        if (w->keep[i][0] &&
            (!e->folder || strcmp(w->keep[i], e->folder->name) != 0))
            memcpy(sb->dirty[sb->n_dirty++], w->keep[i], SUPERBLOCK_BUCKET);
}

/* The superblock without the buckets that are clean now. Their folders are
 * synced once more, for names of failed uploads that were taken back. */
static enum err
shorten_dirty(struct element *e, const struct forget *w, bool end,
              struct fault *f)
{
    struct superblock *sb = e->sb, *next = malloc(sizeof(*next));
    enum err err = ERR_OK;

    if (!next)
        return fault_set(f, ERR_NOMEM, "clean", "");
    pthread_mutex_lock(&e->folder_mu);
    *next = *sb;
    next->n_dirty = 0;
    next->all_dirty = false;
    for (uint32_t i = 0; err == ERR_OK && i < sb->n_dirty; i++) {
        if (!end && is_kept(e, w, sb->dirty[i]))
            memcpy(next->dirty[next->n_dirty++], sb->dirty[i],
                   SUPERBLOCK_BUCKET);
        else
            err = sync_bucket(e, sb->dirty[i], f);
    }
    if (err == ERR_OK &&
        (sb->all_dirty || end || next->n_dirty != sb->n_dirty)) {
        if (sb->all_dirty && !end)
            name_kept(e, w, next);
        if (e->serves)
            (void)identity_note_mode(next,
                                     (enum blob_mode)atomic_load(&e->mode));
        next->clean = end;
        next->seq = e->next_seq;
        next->synced = end ? e->next_seq : w->synced;
        err = boot_write_superblock(e->disk, next, e->hash, f);
        if (err == ERR_OK)
            *sb = *next;
    }
    pthread_mutex_unlock(&e->folder_mu);
    free(next);
    return err;
}

static void
unpin(struct element *e, const struct forget *w)
{
    pthread_mutex_lock(&e->mu);
    for (size_t i = 0; i < w->n; i++) {
        struct tomb *t = tombs_get(&e->tombs, &w->tombs[i]);

        if (t && t->pinned) {
            t->pinned = false;
            e->pinned--;
        }
    }
    (void)tombs_expire(&e->tombs,
                       (struct wall){element_now(e).ms - TOMB_KEEP_MS});
    e->clean_seq = w->upto;
    pthread_mutex_unlock(&e->mu);
}

/* With everything durable, and nothing under way that could change that. */
static enum err
forget_all(struct element *e, struct forget *w, bool end, struct fault *f)
{
    /* Nothing of a deleted file is left in its folder, for good. */
    enum err err = folder_settle(e, w->place, w->n, f);

    if (err == ERR_OK && w->buckets)
        err = shorten_dirty(e, w, end, f);
    if (err == ERR_OK) {
        unpin(e, w);
        if (w->upto > CHANGES_KEPT)
            (void)e->index->ops->trim(e->index, w->upto - CHANGES_KEPT, NULL);
    }
    if (err == ERR_OK && e->journal_end > e->conf.journal_max)
        err = journal_compact(e, f);
    element_check_sync(e, f, err);
    return err;
}

static enum err
clean(struct element *e, bool end, struct fault *f)
{
    struct forget w = {0};
    enum err err;

    /* Deletes that the index does not know have only their tombstones. */
    if (!e->index->ops->sync || atomic_load(&e->n_unsettled) ||
        atomic_load(&e->poisoned))
        return ERR_UNSUPPORTED;
    if (!collect(e, &w))
        err = fault_set(f, ERR_NOMEM, "clean point", "");
    else if ((err = fit_sync(e, f)) == ERR_OK)
        err = forget_all(e, &w, end, f);
    forget_release(&w);
    return err;
}

enum err
clean_point(struct element *e, struct fault *f)
{
    struct fault local = {0};
    bool due;

    pthread_mutex_lock(&e->mu);
    due = e->done_seq != e->clean_seq;
    pthread_mutex_unlock(&e->mu);
    return due ? clean(e, false, f ? f : &local) : ERR_OK;
}

void
clean_end(struct element *e)
{
    struct fault f = {0};

    (void)clean(e, true, &f);
}
