/* element.c - birth, start and end of a storage element; see element.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "role/storage/periodic.h"
#include <stdio.h>
#include <stdlib.h>

static struct blob *
local_blob(struct element *e)
{
    return &e->blob;
}

static const struct uuid *
local_uuid(const struct element *e)
{
    return &e->sb->element_uuid;
}

static void
local_set_mode(struct element *e, enum blob_mode mode)
{
    atomic_store(&e->mode, (int)mode);
}

static void
local_set_quota(struct element *e, uint64_t quota)
{
    pthread_mutex_lock(&e->pool->mu);
    e->account.quota = quota;
    pthread_mutex_unlock(&e->pool->mu);
}

static const char *
local_trouble(struct element *e)
{
    return atomic_load(&e->poisoned) ? e->trouble : NULL;
}

enum err
element_may_write(struct element *e, struct fault *f)
{
    int mode = atomic_load(&e->mode);
    enum err err = ERR_OK;

    if (atomic_load(&e->poisoned))
        err = fault_set(f, ERR_READONLY, "store", e->trouble);
    else if (mode != BLOB_EDIT && mode != BLOB_RW)
        err = fault_set(f, ERR_READONLY, "store", "the element's mode");
    if (err != ERR_OK)
        atomic_fetch_add(&e->n_refused, 1);
    return err;
}

/* D24. Only the first reason is kept: the others follow from it. */
void
element_poison(struct element *e, const struct fault *why)
{
    char text[160];

    pthread_mutex_lock(&e->mu);
    if (!atomic_load(&e->poisoned)) {
        metric_inc(e->counts.metrics, e->counts.sync_errors);
        snprintf(e->trouble, sizeof(e->trouble), "%s; restart to verify",
                 fault_text(why, text, sizeof(text)));
        atomic_store(&e->poisoned, true);
    }
    pthread_mutex_unlock(&e->mu);
}

/* Among several operations only the sync is final. */
void
element_check_sync(struct element *e, const struct fault *f, enum err err)
{
    if (err != ERR_OK && strcmp(f->op, disk_do_name(DISK_SYNC)) == 0)
        element_poison(e, f);
}

void
element_saw(struct element *e, const struct loop *l)
{
    atomic_store_explicit(&e->now_ms, l->wall.ms, memory_order_relaxed);
}

struct wall
element_now(struct element *e)
{
    return (struct wall){
        atomic_load_explicit(&e->now_ms, memory_order_relaxed)};
}

static uint64_t
blob_generation(struct blob *b)
{
    return atomic_load(&element_of(b)->generation);
}

static void
blob_capacity(struct blob *b, struct blob_capacity *out)
{
    account_capacity(element_of(b), out);
}

static const struct blob_ops ops = {
    .admit = ticket_admit,
    .append = ticket_append,
    .publish = ticket_publish,
    .put = commit_put,
    .abort = ticket_abort,
    .open = reader_open,
    .info = reader_info,
    .read = reader_read,
    .close = reader_close,
    .del = commit_delete,
    .list = reader_list,
    .capacity = blob_capacity,
    .generation = blob_generation,
};

struct element *
element_new(const struct element_conf *conf)
{
    static const struct hash_cpu portable;
    struct element *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->kind = &local_kind;
    e->blob.ops = &ops;
    e->conf = *conf;
    if (!conf->journal_max)
        e->conf.journal_max = JOURNAL_COMPACT;
    e->hash = conf->hash ? conf->hash : hash_select(&portable, "c");
    e->lock = e->data = e->tmp = DISK_NONE;
    e->journal = e->journal_old = DISK_NONE;
    e->account.quota = conf->quota;
    atomic_init(&e->mode, (int)conf->mode);
    atomic_init(&e->now_ms, conf->now.ms);
    pthread_mutex_init(&e->folder_mu, NULL);
    pthread_mutex_init(&e->journal_mu, NULL);
    pthread_mutex_init(&e->mu, NULL);
    if (!conf->batch_max || conf->batch_max > COMMIT_BATCH_MAX)
        e->conf.batch_max = COMMIT_BATCH_MAX;
    bucket_init(&e->bucket,
                conf->bucket_files ? conf->bucket_files : BUCKET_FILES_MAX);
    assert(e->bucket.files_max >= COMMIT_BATCH_MAX); /* it is not divided */
    commit_init(e);
    e->sb = calloc(1, sizeof(*e->sb));
    e->changes = calloc(RUN_MAX + UNSETTLED_MAX, sizeof(*e->changes));
    if (!e->sb || !e->changes ||
        !tombs_init(&e->tombs, TOMBS_MAX, conf->seed) ||
        !map_init(&e->pending, COMMIT_QUEUE_MAX, conf->seed) ||
        !map_init(&e->tickets, TICKETS_MAX, conf->seed)) {
        element_free(e);
        return NULL;
    }
    return e;
}

void
element_free(struct element *e)
{
    if (e->folder)
        folder_drop(e, e->folder);
    disk_close(e->disk, &e->journal);
    disk_close(e->disk, &e->journal_old);
    disk_close(e->disk, &e->tmp);
    disk_close(e->disk, &e->data);
    disk_close(e->disk, &e->lock);
    tombs_release(&e->tombs);
    map_release(&e->pending);
    map_release(&e->tickets);
    free(e->unsettled);
    free(e->changes);
    free(e->sb);
    pthread_mutex_destroy(&e->folder_mu);
    pthread_mutex_destroy(&e->journal_mu);
    pthread_mutex_destroy(&e->mu);
    free(e);
}

static enum err
check_identity(struct element *e, struct fault *f)
{
    const char *name = e->conf.element_id;
    enum blob_mode mode;
    enum err err = identity_check(e->sb, &e->conf, &mode, f);

    if (err != ERR_OK)
        return err;
    atomic_store(&e->mode, (int)mode);
    snprintf(e->element_id, sizeof(e->element_id), "%s",
             name ? name : e->sb->label);
    snprintf(e->blob.element_id, sizeof(e->blob.element_id), "%s",
             e->element_id);
    counts_init(&e->counts, e->conf.metrics, e->conf.clock, e->element_id);
    snprintf(e->location, sizeof(e->location), "%s",
             e->conf.location ? e->conf.location : "default");
    snprintf(e->endpoint, sizeof(e->endpoint), "%s",
             e->conf.endpoint ? e->conf.endpoint : "");
    return ERR_OK;
}

static enum err
open_folders(struct element *e, struct fault *f)
{
    enum err err = disk_open(e->disk, DISK_ROOT, "data", DISK_DIR, &e->data, f);
    unsigned flags = 0;
    int fd = DISK_NONE;

    if (err != ERR_OK)
        return err;
    /* Can this file system make files without names? */
    err = disk_tmpfile(e->disk, e->data, &flags, &fd, f);
    disk_close(e->disk, &fd);
    if (err != ERR_UNSUPPORTED)
        return err == ERR_NOSPC || err == ERR_NOINODES ? ERR_OK : err;
    err = disk_mkdir(e->disk, DISK_ROOT, "tmp", f);
    if (err != ERR_OK && err != ERR_EXISTS)
        return err;
    return disk_open(e->disk, DISK_ROOT, "tmp", DISK_DIR, &e->tmp, f);
}

static enum err
load_totals(struct element *e, struct index_totals *out, struct fault *f)
{
    struct index_totals t;
    enum err err = e->index->ops->totals(e->index, &t, f);

    if (err != ERR_OK)
        return err;
    atomic_store(&e->n_files, t.files);
    atomic_store(&e->n_bytes, t.bytes);
    pthread_mutex_lock(&e->pool->mu);
    e->account.stored = t.stored;
    pthread_mutex_unlock(&e->pool->mu);
    e->next_seq = u64_max(e->next_seq, t.last_seq);
    *out = t;
    return ERR_OK;
}

/* The index whole, and in step with the folders. */
static enum err
mend_index(struct element *e, struct element_report *rep, struct fault *f)
{
    struct index_totals t;
    enum err err = load_totals(e, &t, f);

    *rep = (struct element_report){0};
    if (err == ERR_OK && !fit_check(e->sb, &t)) {
        rep->rebuilt = true;
        err = rebuild_index(e, rep, f);
    }
    if (err == ERR_OK)
        err = recovery_run(e, rep, f);
    if (err == ERR_OK && rep->rebuilt)
        err = rebuild_log(e->index, f);
    if (err == ERR_OK && rep->rebuilt)
        err = fit_end(e, f);
    return err == ERR_OK ? load_totals(e, &t, f) : err;
}

/* From here on a stop without element_close() is unclean. */
static enum err
begin_boot(struct element *e, struct fault *f)
{
    struct superblock *sb = e->sb;

    e->told_seq = e->done_seq = e->synced_seq = e->next_seq;
    sb->boot++;
    sb->clean = false;
    sb->seq = e->next_seq;
    sb->synced = e->next_seq;
    e->journal_synced = e->next_seq;
    return boot_write_superblock(e->disk, sb, e->hash, f);
}

enum err
element_open(struct element **out, const struct element_conf *conf,
             struct disk *disk, struct index *index, struct element_pool *pool,
             struct element_report *report, struct fault *f)
{
    struct element_report local = {0};
    struct element *e = element_new(conf);
    enum err err;

    if (!e)
        return fault_set(f, ERR_NOMEM, "open", "element");
    e->disk = disk;
    e->index = index;
    e->pool = pool;
    if ((err = boot_superblock(e->sb, disk, e->hash, f)) != ERR_OK ||
        (err = check_identity(e, f)) != ERR_OK ||
        (err = boot_lock(disk, &e->lock, f)) != ERR_OK ||
        (err = open_folders(e, f)) != ERR_OK)
        goto out;
    e->next_seq = e->sb->seq;
    e->synced_seq = e->sb->synced;
    if ((err = journal_load(e, f)) != ERR_OK ||
        (err = mend_index(e, report ? report : &local, f)) != ERR_OK ||
        (err = folder_last(e, f)) != ERR_OK ||
        (err = journal_start(e, f)) != ERR_OK ||
        (err = account_measure(e, f)) != ERR_OK ||
        (err = begin_boot(e, f)) != ERR_OK)
        goto out;
    if (report)
        report->no_alloc = e->no_alloc;
    err = periodic_new(&e->periodic, e, f);
out:
    if (err != ERR_OK)
        element_free(e);
    else
        *out = e;
    return err;
}

static enum err
local_serve(struct element *e, struct fault *f)
{
    struct superblock *sb = e->sb;
    char was[sizeof(sb->latest_mode)];
    enum err err = ERR_OK;

    memcpy(was, sb->latest_mode, sizeof(was));
    if (identity_note_mode(sb, (enum blob_mode)atomic_load(&e->mode)))
        err = boot_write_superblock(e->disk, sb, e->hash, f);
    if (err != ERR_OK)
        memcpy(sb->latest_mode, was, sizeof(was));
    e->serves = err == ERR_OK;
    return err;
}

static void
local_close(struct element *e)
{
    pthread_mutex_lock(&e->mu);
    assert(list_empty(&e->queue) && list_empty(&e->order));
    assert(e->pending.n == 0 && e->tickets.n == 0);
    pthread_mutex_unlock(&e->mu);
    assert(atomic_load(&e->n_open) == 0);
    clean_end(e);
    periodic_free(&e->periodic);
    element_free(e);
}

static void
local_stats(struct element *e, struct element_stats *out)
{
    *out = (struct element_stats){
        .reads = atomic_load(&e->n_reads),
        .corrupt = atomic_load(&e->n_corrupt),
        .refused = atomic_load(&e->n_refused),
    };
    pthread_mutex_lock(&e->mu);
    out->batches = e->count.batches;
    out->published = e->count.published;
    out->deleted = e->count.deleted;
    out->expired = e->count.expired;
    out->failed = e->count.failed;
    out->queued = e->queued;
    out->tickets = e->tickets.n;
    out->tombs = e->tombs.map.n;
    pthread_mutex_unlock(&e->mu);
}

struct changes_upto {
    uint64_t upto;
    index_change_fn *fn;
    void *arg;
};

static bool
see_change(void *arg, const struct index_change *c)
{
    struct changes_upto *u = arg;

    return c->seq <= u->upto && u->fn(u->arg, c);
}

static enum err
local_changes(struct element *e, uint64_t since, size_t max,
              index_change_fn *fn, void *arg, struct fault *f)
{
    struct changes_upto u = {.fn = fn, .arg = arg};

    pthread_mutex_lock(&e->mu);
    u.upto = e->told_seq;
    pthread_mutex_unlock(&e->mu);
    return e->index->ops->changes(e->index, since, max, see_change, &u, f);
}

static enum err
local_log(struct element *e, uint64_t *first, uint64_t *last, struct fault *f)
{
    struct index_totals t;
    enum err err;

    pthread_mutex_lock(&e->mu);
    *last = e->told_seq;
    pthread_mutex_unlock(&e->mu);
    err = e->index->ops->totals(e->index, &t, f);
    *first = err == ERR_OK ? t.first_seq : 0;
    return err;
}

const struct element_kind local_kind = {
    .blob = local_blob,
    .uuid = local_uuid,
    .serve = local_serve,
    .start = local_start,
    .stop = local_stop,
    .close = local_close,
    .set_mode = local_set_mode,
    .set_quota = local_set_quota,
    .trouble = local_trouble,
    .stats = local_stats,
    .give_up = local_give_up,
    .changes = local_changes,
    .log = local_log,
    .verify = local_verify,
};
