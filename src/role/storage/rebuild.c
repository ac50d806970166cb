/* rebuild.c - the index made anew from the attr.json files, or compared with
 * them (STO-038).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "role/storage/scan.h"
#include <stdio.h>
#include <stdlib.h>

#define CHANGES_MAX 64

struct rebuild {
    struct element *e; /* only its places: no queue, no account */
    struct element_report *rep;
    bool check_only;
    bool deep;
    bool skip_dirty;
    const char *bucket;
    int dir;
    struct index_change change[CHANGES_MAX];
    size_t n_change;
};

static enum err
flush(struct rebuild *r, struct fault *f)
{
    struct index *x = r->e->index;
    enum err err = ERR_OK;

    if (r->n_change)
        err = x->ops->apply(x, r->change, r->n_change, f);
    for (size_t i = 0; i < r->n_change; i++)
        free((void *)(uintptr_t)r->change[i].row.attr.metadata);
    r->n_change = 0;
    return err;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Everything that the index holds of a file. */
static bool
same_row(const struct index_row *row, const struct file_attr *b,
         const char *bucket)
{
    const struct file_attr *a = &row->attr;

    return strcmp(row->bucket, bucket) == 0 &&
           strcmp(a->original_filename, b->original_filename) == 0 &&
           strcmp(a->storage_filename, b->storage_filename) == 0 &&
           strcmp(a->content_type, b->content_type) == 0 &&
           strcmp(a->content_encoding, b->content_encoding) == 0 &&
           strcmp(a->uploaded_by, b->uploaded_by) == 0 && a->size == b->size &&
           memcmp(a->md5, b->md5, 16) == 0 &&
           memcmp(a->sha256, b->sha256, 32) == 0 &&
           a->uploaded_at.ms == b->uploaded_at.ms &&
           a->expires_at.ms == b->expires_at.ms &&
           a->retention == b->retention && a->epoch == b->epoch &&
           a->seq == b->seq && a->state == b->state &&
           a->stored_size == b->stored_size && a->stored_crc == b->stored_crc &&
           same_text(a->metadata, b->metadata);
}

static enum err
compare(struct rebuild *r, const struct attr_doc *doc, struct fault *f)
{
    struct index *x = r->e->index;
    struct index_row *row = calloc(1, sizeof(*row));
    enum err err;

    if (!row)
        return fault_set(f, ERR_NOMEM, "rebuild", "");
    err = x->ops->get(x, &doc->attr.file_id, row, f);
    if (err == ERR_OK && !same_row(row, &doc->attr, r->bucket))
        r->rep->extra++;
    if (err == ERR_NOENT) {
        r->rep->extra++; /* a file that the index does not know */
        err = ERR_OK;
    } else if (err == ERR_OK) {
        index_row_release(row);
    }
    free(row);
    return err;
}

static enum err
take(struct rebuild *r, struct attr_doc *doc, struct fault *f)
{
    struct index_change *c = &r->change[r->n_change++];

    *c = (struct index_change){.seq = doc->attr.seq,
                               .op = INDEX_PUBLISH,
                               .at = doc->attr.uploaded_at,
                               .row = {.attr = doc->attr}};
    snprintf(c->row.bucket, sizeof(c->row.bucket), "%s", r->bucket);
    doc->attr.metadata = NULL;
    return r->n_change == CHANGES_MAX ? flush(r, f) : ERR_OK;
}

/* The bytes are there, in number at least. */
static enum err
look_at_data(struct rebuild *r, const struct scan_file *file,
             const struct attr_doc *doc, struct fault *f)
{
    struct disk_stat st = {0};
    int fd = DISK_NONE;
    enum err err;

    if (!file->has_data)
        return ERR_CORRUPT;
    if (r->deep)
        return scan_verify(r->e->disk, r->dir, doc, r->e->hash, NULL, f);
    err = disk_open(r->e->disk, r->dir, file->name, 0, &fd, f);
    if (err == ERR_OK)
        err = disk_stat(r->e->disk, fd, &st, f);
    disk_close(r->e->disk, &fd);
    if (err == ERR_OK && st.size != doc->attr.stored_size)
        err = ERR_CORRUPT;
    return err;
}

static enum err
rebuild_file(void *arg, const struct scan_file *file, struct fault *f)
{
    struct rebuild *r = arg;
    struct element *e = r->e;
    struct attr_doc doc = {0};
    const struct tomb *t;
    enum err err = ERR_CORRUPT;

    if (file->has_attr)
        err = scan_attr(e->disk, r->dir, file->name, e->hash, &doc, f);
    if (err != ERR_OK)
        goto damaged;
    t = tombs_get(&e->tombs, &doc.attr.file_id);
    if (!uuid_eq(&doc.attr.element_uuid, &e->sb->element_uuid) ||
        (t && t->deleted && t->seq > doc.attr.seq))
        goto out; /* another's, or deleted: the next start settles it */
    err = look_at_data(r, file, &doc, f);
    if (err != ERR_OK)
        goto damaged;
    r->rep->files++;
    r->rep->bytes += doc.attr.stored_size;
    e->next_seq = u64_max(e->next_seq, doc.attr.seq);
    err = r->check_only ? compare(r, &doc, f) : take(r, &doc, f);
    goto out;
damaged:
    if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED) {
        r->rep->damaged++;
        err = ERR_OK;
    }
out:
    attr_release(&doc);
    return err;
}

static bool
row_has_file(void *arg, const struct index_row *row)
{
    struct rebuild *r = arg;
    char path[DISK_PATH_MAX], name[NAME_TEXT];
    int fd = DISK_NONE;

    snprintf(path, sizeof(path), "%s/%s", row->bucket,
             folder_name(row->attr.storage_filename, PUBLISH_ATTR, name));
    if (disk_open(r->e->disk, r->e->data, path, 0, &fd, NULL) == ERR_NOENT)
        r->rep->missing++;
    disk_close(r->e->disk, &fd);
    return true;
}

static bool
is_dirty(const struct superblock *sb, const char *bucket)
{
    for (uint32_t i = 0; i < sb->n_dirty; i++)
        if (strcmp(sb->dirty[i], bucket) == 0)
            return true;
    return sb->all_dirty;
}

static enum err
rebuild_bucket(void *arg, const char *bucket, struct fault *f)
{
    struct rebuild *r = arg;
    enum err err;

    if (r->skip_dirty && is_dirty(r->e->sb, bucket))
        return ERR_OK;
    r->bucket = bucket;
    r->rep->buckets++;
    err = disk_open(r->e->disk, r->e->data, bucket, DISK_DIR, &r->dir, f);
    if (err == ERR_OK)
        err = scan_folder(r->e->disk, r->dir, rebuild_file, r, f);
    disk_close(r->e->disk, &r->dir);
    return err;
}

static enum err
rebuild_all(struct rebuild *r, struct fault *f)
{
    struct index *x = r->e->index;
    enum err err = ERR_OK;

    if (!r->check_only && (err = fit_begin(r->e, f)) == ERR_OK)
        err = x->ops->reset(x, f);
    if (err == ERR_OK)
        err = scan_buckets(r->e->disk, r->e->data, rebuild_bucket, r, f);
    if (err == ERR_OK)
        err = flush(r, f);
    if (err == ERR_OK && r->check_only)
        err = x->ops->list(x, &(struct uuid){{0}}, SIZE_MAX / 2, row_has_file,
                           r, f);
    return err;
}

static void
drop_changes(struct rebuild *r)
{
    for (size_t i = 0; i < r->n_change; i++)
        free((void *)(uintptr_t)r->change[i].row.attr.metadata);
}

/* What was deleted is in no file, so a log made of files would tell only half:
 * it begins behind all of them, and whoever was not there yet has to ask for
 * the files (D25). */
enum err
rebuild_log(struct index *x, struct fault *f)
{
    return x->ops->trim(x, INT64_MAX, f);
}

enum err
rebuild_index(struct element *e, struct element_report *rep, struct fault *f)
{
    struct rebuild *r = calloc(1, sizeof(*r));
    enum err err;

    if (!r)
        return fault_set(f, ERR_NOMEM, "rebuild", "");
    *r = (struct rebuild){
        .e = e, .rep = rep, .skip_dirty = true, .dir = DISK_NONE};
    err = rebuild_all(r, f);
    drop_changes(r);
    free(r);
    return err;
}

/* The index is whole only after a clean stop; else the superblock goes on
 * saying that it is not. */
static enum err
rebuild_end(struct element *e, struct fault *f)
{
    enum err err;

    if (!e->sb->clean)
        return ERR_OK;
    if ((err = fit_end(e, f)) != ERR_OK)
        return err;
    e->sb->seq = e->sb->synced = e->next_seq;
    return boot_write_superblock(e->disk, e->sb, e->hash, f);
}

enum err
element_rebuild(struct disk *disk, struct index *index, const char *id,
                const struct hash_kernels *hash, bool check_only, bool deep,
                struct element_report *report, struct fault *f)
{
    struct element_conf conf = {.hash = hash};
    struct rebuild *r = calloc(1, sizeof(*r));
    struct element *e = element_new(&conf);
    enum err err;

    *report = (struct element_report){0};
    if (!r || !e) {
        err = fault_set(f, ERR_NOMEM, "rebuild", "");
        goto out;
    }
    e->disk = disk;
    e->index = index;
    *r = (struct rebuild){.e = e,
                          .rep = report,
                          .check_only = check_only,
                          .deep = deep,
                          .dir = DISK_NONE};
    if ((err = boot_superblock(e->sb, disk, e->hash, f)) == ERR_OK &&
        (err = identity_name(e->sb, id, f)) == ERR_OK &&
        (err = boot_lock(disk, &e->lock, f)) == ERR_OK &&
        (err = disk_open(disk, DISK_ROOT, "data", DISK_DIR, &e->data, f)) ==
            ERR_OK) {
        e->next_seq = e->sb->seq;
        err = journal_load(e, f);
    }
    if (err == ERR_OK && (err = rebuild_all(r, f)) == ERR_OK && !check_only &&
        (err = rebuild_log(index, f)) == ERR_OK)
        err = rebuild_end(e, f);
    drop_changes(r);
out:
    if (e)
        element_free(e);
    free(r);
    return err;
}
