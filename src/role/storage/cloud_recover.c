/* cloud_recover.c - what a start does before the element is served: after an
 * unclean stop the folders that were written to are read again, all of them
 * when the index was lost; deletes are brought to their end, and uploads that
 * nobody knows of are given up. Blocks. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_scan.h"
#include <stdio.h>
#include <stdlib.h>

static enum err
no_memory(struct fault *f)
{
    (void)fault_set(f, ERR_NOMEM, "recover", "");
    return ERR_NOMEM;
}

/* ---- numbers that nobody has told ---- */

struct holes {
    struct scan *s;
    uint64_t last;
    uint64_t hole[1024];
    size_t n;
};

static bool
see_change(void *arg, const struct index_change *ch)
{
    struct holes *h = arg;

    while (h->last + 1 < ch->seq) {
        if (h->n == countof(h->hole))
            return false;
        h->hole[h->n++] = ++h->last;
    }
    h->last = ch->seq;
    return true;
}

/* Since the superblock was written: each is told as the delete of no file. */
static enum err
fill_holes(struct scan *s, struct fault *f)
{
    struct index *x = s->c->index;
    struct holes *h = calloc(1, sizeof(*h));
    static const struct file_attr nobody;
    enum err err = ERR_OK;

    if (!h)
        return no_memory(f);
    h->last = s->c->sb->seq;
    do {
        h->n = 0;
        err = x->ops->changes(x, h->last, SIZE_MAX / 2, see_change, h, f);
        for (size_t i = 0; i < h->n && err == ERR_OK; i++)
            err = scan_add_change(s, INDEX_DELETE, h->hole[i], &nobody, f);
        if (err == ERR_OK)
            err = scan_flush_changes(s, f);
    } while (err == ERR_OK && h->n == countof(h->hole));
    free(h);
    return err;
}

/* A delete whose tombstone was written, though nobody was told so: its row is
 * there after a clean stop, too. */
static enum err
settle_tombs(struct scan *s, struct fault *f)
{
    enum err err = ERR_OK;

    LIST_FOREACH (it, &s->c->tombs.age) {
        const struct tomb *t = container_of(it, struct tomb, age);
        struct found g = {.file_id = t->file_id, .what = CLOUD_FILE};

        if (!t->deleted)
            continue;
        err = scan_row_of(s, &t->file_id, f);
        if (err == ERR_OK)
            err = scan_settle_delete(s, &g, t, f);
        if (err != ERR_OK && err != ERR_NOENT)
            return err;
    }
    return scan_flush_changes(s, f);
}

/* A number is left out of the change log, so that whoever follows it finds the
 * hole and reads all rows again (as fit.c does). */
static enum err
mark_rebuilt(struct scan *s, struct fault *f)
{
    struct cloud *c = s->c;
    const struct index_change mark = {
        .seq = c->next_seq + 2, .op = INDEX_DELETE, .at = c->conf.now};
    enum err err = c->index->ops->apply(c->index, &mark, 1, f);

    if (err == ERR_OK)
        c->next_seq = mark.seq;
    return err;
}

static enum err
begin_rebuild(struct scan *s, struct fault *f)
{
    struct cloud *c = s->c;
    enum err err = ERR_OK;

    s->rep->rebuilt = true;
    if (!c->sb->index_lost) {
        c->sb->index_lost = true;
        err = cloud_write_superblock(c, f);
    }
    return err == ERR_OK ? c->index->ops->reset(c->index, f) : err;
}

static enum err
rebuild(struct scan *s, struct fault *f)
{
    enum err err;

    if ((err = begin_rebuild(s, f)) == ERR_OK &&
        (err = scan_all(s, f)) == ERR_OK &&
        (err = mark_rebuilt(s, f)) == ERR_OK)
        s->c->sb->index_lost = false;
    return err;
}

static enum err
sync_index(struct cloud *c, struct fault *f)
{
    struct superblock *sb = c->sb;
    struct index_totals t;
    enum err err = c->index->ops->totals(c->index, &t, f);

    if (err == ERR_OK && c->index->ops->sync) {
        err = c->index->ops->sync(c->index, f);
        sb->index_seq = t.last_seq;
        sb->index_files = t.files;
        sb->index_stored = t.stored;
        sb->n_dirty = 0;
        sb->all_dirty = false;
    }
    return err;
}

enum err
cloud_recover(struct cloud *c, struct element_report *rep, struct fault *f)
{
    struct scan *s = scan_new(c, rep);
    struct index_totals t;
    enum err err;

    if (!s)
        return no_memory(f);
    err = c->index->ops->totals(c->index, &t, f);
    if (err == ERR_OK)
        c->next_seq = u64_max(c->next_seq, t.last_seq);
    if (err == ERR_OK && !fit_check(c->sb, &t)) {
        err = rebuild(s, f);
    } else if (err == ERR_OK && !c->sb->clean) {
        if (c->sb->all_dirty)
            err = scan_all(s, f);
        for (uint32_t i = 0;
             !c->sb->all_dirty && i < c->sb->n_dirty && err == ERR_OK; i++)
            err = scan_date(s, c->sb->dirty[i], f);
    }
    if (err == ERR_OK)
        err = settle_tombs(s, f);
    if (err == ERR_OK && !rep->rebuilt && !c->sb->clean)
        err = fill_holes(s, f);
    if (err == ERR_OK && (rep->rebuilt || !c->sb->clean))
        err = sync_index(c, f);
    scan_free(s);
    return err;
}

/* Nobody knows of them any more: what is being sent has a ticket, and there is
 * none yet. */
enum err
cloud_sweep_uploads(struct cloud *c, struct fault *f)
{
    struct scan *s = scan_new(c, NULL);
    struct object_req *r = s ? &s->list : NULL;
    enum err err = s ? ERR_OK : no_memory(f);

    while (err == ERR_OK) {
        struct object_req q = {.op = OBJECT_GIVE_UP};

        r->op = OBJECT_UPLOADS;
        r->max = OBJECT_PAGE_MAX;
        snprintf(r->key, sizeof(r->key), "data/");
        err = objects_call(c->objects, r);
        if (err != ERR_OK && f)
            *f = r->fault;
        for (unsigned i = 0; i < r->n_rows && err == ERR_OK; i++) {
            memcpy(q.key, r->rows[i].key, sizeof(q.key));
            memcpy(q.upload_id, r->rows[i].upload_id, sizeof(q.upload_id));
            err = objects_call(c->objects, &q);
            if (err != ERR_OK && err != ERR_NOENT && f)
                *f = q.fault;
            err = err == ERR_NOENT ? ERR_OK : err;
        }
        if (r->n_rows == 0 || !r->more)
            break;
    }
    scan_free(s);
    return err;
}

/* No upload is admitted meanwhile: it might be among those that are found. */
void
cloud_sweep_strays(struct cloud *c)
{
    bool idle;

    if (!atomic_load(&c->stray))
        return;
    pthread_mutex_lock(&c->mu);
    idle = c->tickets.n == 0 && c->queued == 0;
    c->sweeping = idle;
    pthread_mutex_unlock(&c->mu);
    if (idle && cloud_sweep_uploads(c, NULL) == ERR_OK)
        atomic_store(&c->stray, false);
    pthread_mutex_lock(&c->mu);
    c->sweeping = false;
    pthread_mutex_unlock(&c->mu);
}

enum err
cloud_rebuild(struct objects *o, struct index *index, const char *id,
              const struct hash_kernels *hash, bool check_only, bool deep,
              struct element_report *report, struct fault *f)
{
    struct element_conf conf = {.hash = hash};
    struct cloud_conf cc = {.limit = 0};
    struct cloud *c = cloud_new(&conf, &cc);
    struct scan *s = c ? scan_new(c, report) : NULL;
    enum err err = s ? ERR_OK : no_memory(f);

    *report = (struct element_report){0};
    if (err != ERR_OK)
        goto out;
    c->objects = o;
    c->index = index;
    s->check_only = check_only;
    s->deep = deep;
    if ((err = cloud_read_superblock(c, f)) != ERR_OK ||
        (err = identity_name(c->sb, id, f)) != ERR_OK ||
        (err = cloud_load_tombs(c, f)) != ERR_OK)
        goto out;
    c->next_seq = u64_max(c->next_seq, c->sb->seq);
    if (check_only)
        err = scan_all(s, f);
    else if ((err = rebuild(s, f)) == ERR_OK &&
             (err = sync_index(c, f)) == ERR_OK) {
        c->sb->seq = c->sb->synced = c->next_seq;
        err = cloud_write_superblock(c, f);
    }
out:
    scan_free(s);
    if (c)
        cloud_free(c);
    return err;
}
