/* recovery.c - after an unclean stop: gathers the facts of each file in the
 * dirty buckets, asks core/recover.h, and does what it says (D33, D35).
 *
 * Order. Whatever is believed is synced first: the page cache may hold what the
 * device does not. Then folders are synced, and only then the index is told.
 * All of it may be interrupted and is begun anew at the next start: each step
 * is harmless the second time.
 *
 * Numbers for changes that recovery itself makes (a damaged file leaves the
 * index) are given at the end, when the highest one in use is known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/recover.h"
#include "role/storage/impl.h"
#include "role/storage/scan.h"
#include <stdio.h>
#include <stdlib.h>

#define CHANGES_MAX 64 /* told to the index at a time */
#define GONE_MAX    ((size_t)1000000)

struct gone { /* a row whose file is damaged or missing */
    struct uuid file_id;
    uint64_t epoch;
};

struct row_key {
    char *name;
    struct uuid file_id;
    uint64_t seq;
    uint64_t epoch;
    bool seen; /* its file was met */
};

struct recovery {
    struct element *e;
    struct element_report *rep;
    const char *bucket;
    int dir;
    struct row_key *row; /* of this bucket, by name */
    size_t n_row, cap_row;
    struct index_change change[CHANGES_MAX];
    size_t n_change;
    struct gone *gone;
    size_t n_gone, cap_gone;
    bool nomem;
};

static enum err
no_memory(struct fault *f)
{
    return fault_set(f, ERR_NOMEM, "recovery", "");
}

/* Rows of the bucket, sorted by storage_filename. */

static bool
add_row(void *arg, const struct index_row *row)
{
    struct recovery *r = arg;

    if (r->n_row == r->cap_row) {
        size_t cap = r->cap_row ? r->cap_row * 2 : 256;
        struct row_key *grown = realloc(r->row, cap * sizeof(*grown));

        if (!grown)
            return r->nomem = true, false;
        r->row = grown;
        r->cap_row = cap;
    }
    r->row[r->n_row] = (struct row_key){
        .name = strdup(row->attr.storage_filename),
        .file_id = row->attr.file_id,
        .seq = row->attr.seq,
        .epoch = row->attr.epoch,
    };
    if (!r->row[r->n_row].name)
        return r->nomem = true, false;
    r->n_row++;
    return true;
}

static int
by_name(const void *a, const void *b)
{
    const struct row_key *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static struct row_key *
find_row(struct recovery *r, const char *name)
{
    struct row_key key = {.name = (char *)(uintptr_t)name};

    return r->n_row ? bsearch(&key, r->row, r->n_row, sizeof(key), by_name)
                    : NULL;
}

static void
drop_rows(struct recovery *r)
{
    for (size_t i = 0; i < r->n_row; i++)
        free(r->row[i].name);
    r->n_row = 0;
}

/* Changes. */

static enum err
flush_changes(struct recovery *r, struct fault *f)
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

/* DOC's metadata goes with the change. */
static enum err
index_file(struct recovery *r, struct attr_doc *doc, struct fault *f)
{
    struct index_change *c = &r->change[r->n_change++];

    *c = (struct index_change){.seq = doc->attr.seq,
                               .op = INDEX_PUBLISH,
                               .at = doc->attr.uploaded_at,
                               .row = {.attr = doc->attr}};
    snprintf(c->row.bucket, sizeof(c->row.bucket), "%s", r->bucket);
    doc->attr.metadata = NULL;
    return r->n_change == CHANGES_MAX ? flush_changes(r, f) : ERR_OK;
}

static enum err
forget_row(struct recovery *r, const struct row_key *row, struct fault *f)
{
    if (r->n_gone == r->cap_gone) {
        size_t cap = r->cap_gone ? r->cap_gone * 2 : 64;
        struct gone *grown =
            cap > GONE_MAX ? NULL : realloc(r->gone, cap * sizeof(*grown));

        if (!grown)
            return no_memory(f);
        r->gone = grown;
        r->cap_gone = cap;
    }
    r->gone[r->n_gone++] = (struct gone){row->file_id, row->epoch};
    return ERR_OK;
}

/* Facts. */

static bool
is_dead(const struct element *e, const struct uuid *id, uint64_t seq)
{
    const struct tomb *t = tombs_get(&e->tombs, id);

    return t && t->deleted && t->seq > seq;
}

static enum err
look_at_data(struct recovery *r, const struct scan_file *file,
             struct recover_facts *facts, struct fault *f)
{
    struct disk_stat st = {0};
    int fd = DISK_NONE;
    enum err err;

    if (!file->has_data)
        return ERR_OK;
    err = disk_open(r->e->disk, r->dir, file->name, 0, &fd, f);
    if (err == ERR_OK)
        err = disk_stat(r->e->disk, fd, &st, f);
    disk_close(r->e->disk, &fd);
    facts->has_data = true;
    facts->size = st.size;
    return err;
}

/* Has the index a later file of the same id in another bucket? */
static enum err
look_elsewhere(struct recovery *r, const struct attr_doc *doc,
               struct recover_facts *facts, struct fault *f)
{
    struct index *x = r->e->index;
    struct index_row *row = calloc(1, sizeof(*row));
    enum err err;

    if (!row)
        return no_memory(f);
    err = x->ops->get(x, &doc->attr.file_id, row, f);
    if (err == ERR_OK) {
        facts->superseded = strcmp(row->bucket, r->bucket) != 0 &&
                            row->attr.seq > doc->attr.seq;
        index_row_release(row);
    } else if (err == ERR_NOENT) {
        err = ERR_OK;
    }
    free(row);
    return err;
}

static enum err
look_at_attr(struct recovery *r, const struct scan_file *file,
             struct recover_facts *facts, struct attr_doc *doc, struct fault *f)
{
    struct element *e = r->e;
    enum err err;

    if (!file->has_attr)
        return ERR_OK;
    err = scan_attr(e->disk, r->dir, file->name, e->hash, doc, f);
    facts->attr = err == ERR_OK            ? RECOVER_ATTR_OK
                  : err == ERR_UNSUPPORTED ? RECOVER_ATTR_LATER
                                           : RECOVER_ATTR_BAD;
    if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED || err == ERR_NOENT)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    if (!uuid_eq(&doc->attr.element_uuid, &e->sb->element_uuid))
        facts->attr = RECOVER_ATTR_FOREIGN;
    facts->attr_seq = doc->attr.seq;
    facts->attr_size = doc->attr.stored_size;
    facts->need_sidecar =
        attr_blocks(doc->attr.stored_size) > ATTR_INLINE_BLOCKS;
    e->next_seq = u64_max(e->next_seq, doc->attr.seq);
    facts->tomb = is_dead(e, &doc->attr.file_id, doc->attr.seq);
    return look_elsewhere(r, doc, facts, f);
}

/* Writes of this file that are still only in memory go out, then it is read
 * back from the device. */
static enum err
verify(struct recovery *r, const struct scan_file *file,
       const struct attr_doc *doc, struct recover_facts *facts, struct fault *f)
{
    static const enum publish_name which[] = {PUBLISH_DATA, PUBLISH_ATTR,
                                              PUBLISH_SIDECAR};
    struct element *e = r->e;
    char name[NAME_TEXT];
    int fd[3] = {DISK_NONE, DISK_NONE, DISK_NONE};
    size_t n = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < 2u + file->has_sidecar && err == ERR_OK; i++)
        err =
            disk_open(e->disk, r->dir, folder_name(file->name, which[i], name),
                      0, &fd[n++], f);
    if (err == ERR_OK)
        err = disk_sync(e->disk, fd, n, f);
    for (size_t i = 0; i < n; i++)
        disk_close(e->disk, &fd[i]);
    if (err != ERR_OK)
        return err;
    err = scan_verify(e->disk, r->dir, doc, e->hash, NULL, f);
    facts->check = err == ERR_OK ? RECOVER_MATCH : RECOVER_MISMATCH;
    return err == ERR_CORRUPT ? ERR_OK : err;
}

/* Verdicts. */

static enum err
quarantine(struct recovery *r, const struct scan_file *file, struct fault *f)
{
    struct element *e = r->e;
    char name[NAME_TEXT];
    int dir = DISK_NONE;
    enum err err = disk_mkdir(e->disk, DISK_ROOT, "quarantine", f);

    if (err == ERR_OK || err == ERR_EXISTS)
        err = disk_open(e->disk, DISK_ROOT, "quarantine", DISK_DIR, &dir, f);
    for (unsigned w = PUBLISH_DATA; err == ERR_OK && w <= PUBLISH_ATTR;
         w *= 2) {
        folder_name(file->name, (enum publish_name)w, name);
        err = disk_rename(e->disk, r->dir, name, dir, name, f);
        if (err == ERR_NOENT)
            err = ERR_OK;
    }
    if (err == ERR_OK)
        err = disk_sync(e->disk, (int[]){DISK_ROOT, dir}, 2, f);
    disk_close(e->disk, &dir);
    return err;
}

static enum err
act(struct recovery *r, enum recover_verdict v, const struct scan_file *file,
    struct attr_doc *doc, struct row_key *row, struct fault *f)
{
    struct element_report *rep = r->rep;
    enum err err = ERR_OK;

    switch (v) {
    case RECOVER_KEEP:
    case RECOVER_PUBLISH:
        assert(doc); /* it was read to come to this verdict */
        rep->files++;
        rep->bytes += doc->attr.stored_size;
        rep->published += v == RECOVER_PUBLISH;
        return row && row->seq == doc->attr.seq ? ERR_OK
                                                : index_file(r, doc, f);
    case RECOVER_REMOVE:
    case RECOVER_SETTLE:
        rep->removed += v == RECOVER_REMOVE;
        err = clear_names(r->e, r->dir, file->name, f);
        break;
    case RECOVER_QUARANTINE:
        rep->damaged++;
        err = quarantine(r, file, f);
        break;
    case RECOVER_MISSING:
        rep->missing++;
        break;
    case RECOVER_LEAVE:
        rep->extra++;
        return ERR_OK;
    case RECOVER_VERIFY:
        assert(0 && "verified already");
    }
    /* A tombstone brings its own change, see settle_tombs(). */
    if (err == ERR_OK && row && v != RECOVER_SETTLE)
        err = forget_row(r, row, f);
    return err;
}

static enum err
recover_file(void *arg, const struct scan_file *file, struct fault *f)
{
    struct recovery *r = arg;
    struct recover_facts facts = {.has_sidecar = file->has_sidecar,
                                  .synced = r->e->synced_seq,
                                  .index_lost = r->e->sb->index_lost};
    struct row_key *row = find_row(r, file->name);
    struct attr_doc doc = {0};
    enum recover_verdict v;
    enum err err = look_at_data(r, file, &facts, f);

    if (err == ERR_OK)
        err = look_at_attr(r, file, &facts, &doc, f);
    if (err != ERR_OK)
        goto out;
    if (row) {
        row->seen = true;
        facts.has_row = true;
        facts.row_seq = row->seq;
        /* A delete takes attr.json first: then only the row knows who it
         * was. */
        facts.tomb = facts.tomb || is_dead(r->e, &row->file_id, row->seq);
    }
    v = recover_decide(&facts);
    if (v == RECOVER_VERIFY) {
        if ((err = verify(r, file, &doc, &facts, f)) != ERR_OK)
            goto out;
        v = recover_decide(&facts);
    }
    err = act(r, v, file, &doc, row, f);
out:
    attr_release(&doc);
    return err;
}

static enum err
recover_missing(struct recovery *r, struct fault *f)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < r->n_row && err == ERR_OK; i++) {
        struct row_key *row = &r->row[i];
        struct recover_facts facts = {
            .has_row = true,
            .row_seq = row->seq,
            .synced = r->e->synced_seq,
            .tomb = is_dead(r->e, &row->file_id, row->seq),
        };
        struct scan_file file = {.name = row->name};

        if (!row->seen)
            err = act(r, recover_decide(&facts), &file, NULL, row, f);
    }
    return err;
}

static enum err
recover_bucket(void *arg, const char *bucket, struct fault *f)
{
    struct recovery *r = arg;
    struct element *e = r->e;
    enum err err;

    r->bucket = bucket;
    r->rep->buckets++;
    err = e->index->ops->bucket(e->index, bucket, add_row, r, f);
    if (err == ERR_OK && r->nomem)
        err = no_memory(f);
    if (err != ERR_OK)
        goto out;
    if (r->n_row)
        qsort(r->row, r->n_row, sizeof(*r->row), by_name);
    err = disk_open(e->disk, e->data, bucket, DISK_DIR, &r->dir, f);
    if (err == ERR_OK) {
        err = scan_folder(e->disk, r->dir, recover_file, r, f);
    } else if (err == ERR_NOENT) {
        err = ERR_OK; /* written down as dirty, and never made */
    }
    if (err == ERR_OK)
        err = recover_missing(r, f);
    if (err == ERR_OK && r->dir != DISK_NONE)
        err = disk_sync(e->disk, &r->dir, 1, f);
    if (err == ERR_OK)
        err = flush_changes(r, f);
out:
    disk_close(e->disk, &r->dir);
    drop_rows(r);
    return err;
}

/* A new bucket's folders may be there without their parents knowing it for
 * sure. */
static enum err
sync_parents(struct element *e, const char *bucket, struct fault *f)
{
    char path[BUCKET_TEXT];
    enum err err = disk_sync(e->disk, &e->data, 1, f);

    snprintf(path, sizeof(path), "%s", bucket);
    for (char *p = strchr(path, '/'); p && err == ERR_OK;
         p = strchr(p + 1, '/')) {
        int dir = DISK_NONE;

        *p = 0;
        err = disk_open(e->disk, e->data, path, DISK_DIR, &dir, f);
        if (err == ERR_OK)
            err = disk_sync(e->disk, &dir, 1, f);
        disk_close(e->disk, &dir);
        *p = '/';
    }
    return err == ERR_NOENT ? ERR_OK : err;
}

/* Deletes that were promised: their names in whatever bucket, their rows, and
 * their change. */

static bool
is_promised(const struct tomb *t)
{
    return t->deleted && t->pinned && t->place && strchr(t->place, ' ');
}

static enum err
settle_names(struct recovery *r, struct fault *f)
{
    struct element *e = r->e;
    char **place = calloc(e->tombs.map.n + 1, sizeof(*place));
    size_t n = 0;
    enum err err;

    if (!place)
        return no_memory(f);
    LIST_FOREACH (it, &e->tombs.age) {
        struct tomb *t = container_of(it, struct tomb, age);

        if (is_promised(t))
            place[n++] = t->place;
    }
    err = folder_settle(e, place, n, f);
    free(place);
    return err;
}

static enum err
settle_tombs(struct recovery *r, struct fault *f)
{
    struct element *e = r->e;
    enum err err = settle_names(r, f);

    LIST_FOREACH (it, &e->tombs.age) {
        struct tomb *t = container_of(it, struct tomb, age);
        struct index_change *c = &r->change[r->n_change];
        const char *place = t->place;

        if (err != ERR_OK)
            break;
        if (!is_promised(t))
            continue;
        *c = (struct index_change){
            .seq = t->seq,
            .op = t->expired ? INDEX_EXPIRE : INDEX_DELETE,
            .at = t->at,
            .row = {.attr = {.file_id = t->file_id, .epoch = t->number}}};
        (void)slice_copy(slice_of(place, strcspn(place, " ")), c->row.bucket,
                         sizeof(c->row.bucket));
        r->rep->settled++;
        if (++r->n_change == CHANGES_MAX)
            err = flush_changes(r, f);
    }
    return err == ERR_OK ? flush_changes(r, f) : err;
}

static enum err
tell_gone(struct recovery *r, struct fault *f)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < r->n_gone && err == ERR_OK; i++) {
        r->change[r->n_change++] = (struct index_change){
            .seq = ++r->e->next_seq,
            .op = INDEX_DELETE,
            .at = element_now(r->e),
            .row = {.attr = {.file_id = r->gone[i].file_id,
                             .epoch = r->gone[i].epoch}}};
        if (r->n_change == CHANGES_MAX)
            err = flush_changes(r, f);
    }
    return err == ERR_OK ? flush_changes(r, f) : err;
}

/* Numbers of what was removed are missing from the change log, and whoever
 * follows it would take that for something lost. */

struct holes {
    struct range {
        uint64_t first, last;
    } * v;
    size_t n, cap;
    uint64_t next; /* expected */
    bool nomem;
};

static bool
add_hole(struct holes *h, uint64_t first, uint64_t last)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct range *grown =
            cap > GONE_MAX ? NULL : realloc(h->v, cap * sizeof(*grown));

        if (!grown)
            return h->nomem = true, false;
        h->v = grown;
        h->cap = cap;
    }
    h->v[h->n++] = (struct range){first, last};
    return true;
}

static bool
see_number(void *arg, const struct index_change *c)
{
    struct holes *h = arg;
    bool more = c->seq <= h->next || add_hole(h, h->next, c->seq - 1);

    h->next = c->seq + 1;
    return more;
}

static enum err
fill_holes(struct recovery *r, struct fault *f)
{
    struct element *e = r->e;
    struct holes h = {.next = e->sb->index_seq + 1};
    enum err err = e->index->ops->changes(e->index, e->sb->index_seq,
                                          SIZE_MAX / 2, see_number, &h, f);

    if (err == ERR_OK && h.next <= e->next_seq)
        (void)add_hole(&h, h.next, e->next_seq);
    if (err == ERR_OK && h.nomem)
        err = no_memory(f);
    for (size_t i = 0; i < h.n && err == ERR_OK; i++)
        for (uint64_t seq = h.v[i].first; seq <= h.v[i].last && err == ERR_OK;
             seq++) {
            r->change[r->n_change++] = (struct index_change){
                .seq = seq, .op = INDEX_DELETE, .at = element_now(e)};
            if (r->n_change == CHANGES_MAX)
                err = flush_changes(r, f);
        }
    free(h.v);
    return err == ERR_OK ? flush_changes(r, f) : err;
}

static bool
remove_temp(void *arg, const char *name, bool is_dir)
{
    struct buf *list = arg;

    if (!is_dir)
        buf_add(list, name, strlen(name) + 1);
    return !list->failed;
}

/* Files in tmp/ were never anybody's. */
static enum err
empty_tmp(struct element *e, struct fault *f)
{
    struct buf list;
    enum err err;

    if (e->tmp == DISK_NONE)
        return ERR_OK;
    buf_init(&list, 16 * MIB);
    err = disk_list(e->disk, e->tmp, remove_temp, &list, f);
    for (size_t at = 0; err == ERR_OK && at < list.n;
         at += strlen(list.p + at) + 1)
        err = disk_unlink(e->disk, e->tmp, list.p + at, f);
    buf_release(&list);
    return err;
}

static enum err
recover_buckets(struct recovery *r, struct fault *f)
{
    struct element *e = r->e;
    enum err err = ERR_OK;

    if (e->sb->all_dirty)
        return scan_buckets(e->disk, e->data, recover_bucket, r, f);
    for (uint32_t i = 0; i < e->sb->n_dirty && err == ERR_OK; i++) {
        err = recover_bucket(r, e->sb->dirty[i], f);
        if (err == ERR_OK)
            err = sync_parents(e, e->sb->dirty[i], f);
    }
    return err;
}

enum err
recovery_run(struct element *e, struct element_report *rep, struct fault *f)
{
    struct recovery *r;
    enum err err;

    if (e->sb->clean)
        return ERR_OK;
    if (!(r = calloc(1, sizeof(*r))))
        return no_memory(f);
    r->e = e;
    r->rep = rep;
    r->dir = DISK_NONE;
    if ((err = empty_tmp(e, f)) == ERR_OK &&
        (err = recover_buckets(r, f)) == ERR_OK &&
        (err = settle_tombs(r, f)) == ERR_OK &&
        (err = tell_gone(r, f)) == ERR_OK &&
        (err = fill_holes(r, f)) == ERR_OK && e->index->ops->sync) {
        /* Nothing is dirty any more; the tombstones are unpinned by the first
         * clean point. */
        err = fit_sync(e, f);
        if (err == ERR_OK) {
            e->sb->n_dirty = 0;
            e->sb->all_dirty = false;
        }
    }
    for (size_t i = 0; i < r->n_change; i++)
        free((void *)(uintptr_t)r->change[i].row.attr.metadata);
    free(r->row);
    free(r->gone);
    free(r);
    return err;
}
