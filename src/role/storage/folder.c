/* folder.c - buckets on the disk: making them, remembering that they are dirty,
 * and the names of what is in them. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

const char *
folder_name(const char *storage_filename, enum publish_name which,
            char out[NAME_TEXT])
{
    snprintf(out, NAME_TEXT, "%s%s", storage_filename,
             which == PUBLISH_ATTR      ? ATTR_SUFFIX
             : which == PUBLISH_SIDECAR ? SIDECAR_SUFFIX
                                        : "");
    return out;
}

/* One level of the path: made when missing, then PARENT is synced, so that the
 * name survives. Gives the open folder. */
static enum err
make_level(struct element *e, int parent, const char *name, int *fd,
           struct fault *f)
{
    enum err err = disk_open(e->disk, parent, name, DISK_DIR, fd, f);

    if (err != ERR_NOENT)
        return err;
    err = disk_mkdir(e->disk, parent, name, f);
    if (err != ERR_OK && err != ERR_EXISTS)
        return err;
    if (!e->conf.relaxed &&
        (err = disk_sync(e->disk, &parent, 1, f)) != ERR_OK) {
        element_check_sync(e, f, err);
        return err;
    }
    return disk_open(e->disk, parent, name, DISK_DIR, fd, f);
}

static enum err
make_path(struct element *e, const char *path, int *out, struct fault *f)
{
    struct slice rest = slice_str(path), part;
    int at = e->data, next = DISK_NONE;
    enum err err = ERR_OK;

    while (err == ERR_OK && slice_cut(&rest, '/', &part)) {
        char name[16];

        if (!slice_copy(part, name, sizeof(name)))
            err = fault_set(f, ERR_INVAL, "bucket", path);
        else
            err = make_level(e, at, name, &next, f);
        if (at != e->data)
            disk_close(e->disk, &at);
        at = next;
        next = DISK_NONE;
    }
    *out = err == ERR_OK ? at : DISK_NONE;
    return err;
}

/* Written down before the first file goes there (D35). */
static enum err
mark_dirty(struct element *e, const char *name, struct fault *f)
{
    struct superblock *sb = e->sb;
    enum err err;

    if (sb->all_dirty)
        return ERR_OK;
    for (uint32_t i = 0; i < sb->n_dirty; i++)
        if (strcmp(sb->dirty[i], name) == 0)
            return ERR_OK;
    if (sb->n_dirty == SUPERBLOCK_DIRTY_MAX)
        sb->all_dirty = true;
    else
        snprintf(sb->dirty[sb->n_dirty++], SUPERBLOCK_BUCKET, "%s", name);
    err = boot_write_superblock(e->disk, sb, e->hash, f);
    if (err != ERR_OK) {
        if (sb->all_dirty)
            sb->all_dirty = false;
        else
            sb->n_dirty--;
        element_check_sync(e, f, err);
    }
    return err;
}

void
folder_drop(struct element *e, struct folder *fo)
{
    bool last;

    pthread_mutex_lock(&e->mu);
    last = --fo->refs == 0;
    pthread_mutex_unlock(&e->mu);
    if (last) {
        disk_close(e->disk, &fo->fd);
        free(fo);
    }
}

enum err
folder_use(struct element *e, const char *name, struct folder **out,
           struct fault *f)
{
    struct folder *fo = NULL, *old = NULL;
    enum err err = ERR_OK;

    pthread_mutex_lock(&e->folder_mu);
    if (e->folder && strcmp(e->folder->name, name) == 0) {
        fo = e->folder;
        goto out;
    }
    if (!(fo = calloc(1, sizeof(*fo)))) {
        err = fault_set(f, ERR_NOMEM, "bucket", name);
        goto out;
    }
    fo->refs = 1; /* the element's own */
    fo->fd = DISK_NONE;
    snprintf(fo->name, sizeof(fo->name), "%s", name);
    if ((err = mark_dirty(e, name, f)) != ERR_OK ||
        (err = make_path(e, name, &fo->fd, f)) != ERR_OK) {
        free(fo);
        fo = NULL;
        goto out;
    }
    old = e->folder;
    e->folder = fo;
out:
    if (fo) {
        pthread_mutex_lock(&e->mu);
        fo->refs++;
        pthread_mutex_unlock(&e->mu);
    }
    pthread_mutex_unlock(&e->folder_mu);
    if (old)
        folder_drop(e, old);
    *out = fo;
    return err;
}

enum err
clear_names(struct element *e, int dir, const char *storage_filename,
            struct fault *f)
{
    static const enum publish_name order[] = {PUBLISH_ATTR, PUBLISH_SIDECAR,
                                              PUBLISH_DATA};
    char name[NAME_TEXT];
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < countof(order); i++) {
        err = disk_unlink(e->disk, dir,
                          folder_name(storage_filename, order[i], name), f);
        if (err == ERR_NOENT)
            err = ERR_OK;
    }
    return err;
}

static int
by_place(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err
folder_settle(struct element *e, char **place, size_t n, struct fault *f)
{
    char last[BUCKET_TEXT] = "";
    int dir = DISK_NONE;
    enum err err = ERR_OK;

    qsort(place, n, sizeof(*place), by_place);
    for (size_t i = 0; err == ERR_OK && i <= n; i++) {
        struct slice rest = slice_str(i < n ? place[i] : ""), bucket;
        char name[BUCKET_TEXT];

        if (!slice_cut(&rest, ' ', &bucket) ||
            !slice_copy(bucket, name, sizeof(name)))
            name[0] = 0;
        if (strcmp(name, last) != 0) {
            if (dir != DISK_NONE)
                err = disk_sync(e->disk, &dir, 1, f);
            disk_close(e->disk, &dir);
            snprintf(last, sizeof(last), "%s", name);
            if (err == ERR_OK && name[0])
                err = disk_open(e->disk, e->data, name, DISK_DIR, &dir, f);
            if (err == ERR_NOENT)
                err = ERR_OK;
        }
        if (err == ERR_OK && dir != DISK_NONE && rest.p)
            err = clear_names(e, dir, rest.p, f);
    }
    disk_close(e->disk, &dir);
    return err;
}

enum err
folder_unlink(struct element *e, const char *bucket,
              const char *storage_filename, enum publish_name which,
              struct fault *f)
{
    char name[NAME_TEXT];
    int dir = DISK_NONE;
    enum err err = disk_open(e->disk, e->data, bucket, DISK_DIR, &dir, f);

    if (err == ERR_OK)
        err = disk_unlink(e->disk, dir,
                          folder_name(storage_filename, which, name), f);
    disk_close(e->disk, &dir);
    return err;
}

/* The start continues the last bucket of the last day, so that many restarts do
 * not make many folders. */

struct largest {
    char name[8];
    size_t digits; /* names of other lengths are not ours */
    size_t digits_max;
    uint32_t n;
    const char *suffix; /* count these instead */
};

static bool
see_name(void *arg, const char *name, bool is_dir)
{
    struct largest *l = arg;
    struct slice s = slice_str(name);
    uint64_t v;

    if (l->suffix) {
        l->n += !is_dir && slice_ends(s, slice_str(l->suffix));
        return true;
    }
    if (!is_dir || s.n < l->digits || s.n > l->digits_max || !slice_u64(s, &v))
        return true;
    if (s.n > strlen(l->name) ||
        (s.n == strlen(l->name) && strcmp(name, l->name) > 0))
        snprintf(l->name, sizeof(l->name), "%s", name);
    return true;
}

enum err
folder_last(struct element *e, struct fault *f)
{
    static const size_t digits[4][2] = {{4, 4}, {2, 2}, {2, 2}, {4, 5}};
    struct largest count = {.suffix = ATTR_SUFFIX};
    char path[BUCKET_TEXT] = "";
    int at = e->data, next = DISK_NONE;
    enum err err = ERR_OK;
    int32_t day;
    uint32_t number;

    for (size_t i = 0; i < 4 && err == ERR_OK; i++) {
        struct largest l = {.digits = digits[i][0], .digits_max = digits[i][1]};
        size_t n = strlen(path);

        err = disk_list(e->disk, at, see_name, &l, f);
        if (err != ERR_OK || !l.name[0])
            goto out;
        snprintf(path + n, sizeof(path) - n, "%s%s", i ? "/" : "", l.name);
        err = disk_open(e->disk, at, l.name, DISK_DIR, &next, f);
        if (at != e->data)
            disk_close(e->disk, &at);
        at = next;
    }
    if (err == ERR_OK)
        err = disk_list(e->disk, at, see_name, &count, f);
    if (err == ERR_OK && bucket_parse(slice_str(path), &day, &number))
        bucket_found(&e->bucket, day, number, count.n);
out:
    if (at != e->data)
        disk_close(e->disk, &at);
    return err;
}
