/* boot.c - what stands at the root of an element: superblock, lock, journal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

#define JOURNAL_PIECE ((size_t)1024 * 1024) /* read at a time */

enum err
boot_superblock(struct superblock *sb, struct disk *disk,
                const struct hash_kernels *hash, struct fault *f)
{
    struct buf text;
    enum err e;

    buf_init(&text, SUPERBLOCK_TEXT_MAX);
    e = disk_read_file(disk, DISK_ROOT, "superblock", &text, f);
    if (e == ERR_NOENT)
        (void)fault_hint(f, "this folder is no storage element: is its disk "
                            "mounted? `artstore storage init` makes a new one");
    if (e != ERR_OK)
        goto out;
    e = superblock_decode(sb, buf_slice(&text), hash);
    if (e != ERR_OK)
        (void)fault_set(f, e, "read", "superblock");
    if (e == ERR_CORRUPT)
        (void)fault_hint(f, "put a good copy back, or move the data away and "
                            "let `artstore storage init` make a new element");
    else if (e == ERR_UNSUPPORTED)
        (void)fault_hint(f, "a later version of artstore wrote it; use that");
out:
    buf_release(&text);
    return e;
}

enum err
boot_write_superblock(struct disk *disk, const struct superblock *sb,
                      const struct hash_kernels *hash, struct fault *f)
{
    struct buf text;
    enum err e;

    buf_init(&text, SUPERBLOCK_TEXT_MAX);
    if (!superblock_encode(&text, sb, hash))
        e = fault_set(f, ERR_NOMEM, "encode", "superblock");
    else
        e = disk_replace_file(disk, DISK_ROOT, "superblock", buf_slice(&text),
                              f);
    buf_release(&text);
    return e;
}

enum err
boot_lock(struct disk *disk, int *fd, struct fault *f)
{
    enum err e = disk_open(disk, DISK_ROOT, "lock", DISK_WRITE, fd, f);

    if (e == ERR_NOENT)
        e = disk_create(disk, DISK_ROOT, "lock", fd, f);
    if (e != ERR_OK)
        return e;
    e = disk_lock(disk, *fd, f);
    if (e == ERR_BUSY)
        (void)fault_hint(f, "another process serves it; stop that first");
    if (e != ERR_OK)
        disk_close(disk, fd);
    return e;
}

static enum err
load_tomb(struct element *e, const struct journal_record *r)
{
    char place[BUCKET_TEXT + NAME_TEXT];
    struct tomb *t;

    if (r->type == JOURNAL_ABORT)
        return tombs_abort(&e->tombs, &r->file_id, r->number, r->at)
                   ? ERR_OK
                   : ERR_NOMEM;
    snprintf(place, sizeof(place), "%s %s", r->bucket, r->name);
    t = tombs_delete(&e->tombs, &r->file_id, r->number, r->seq, r->at, place);
    if (!t)
        return ERR_NOMEM;
    t->expired = r->type == JOURNAL_EXPIRE;
    if (!t->pinned && !e->sb->clean) {
        t->pinned = true; /* until its unlinks are known to be durable */
        e->pinned++;
    }
    return ERR_OK;
}

/* Up to the end of the last whole line. */
static size_t
whole_lines(const char *p, size_t n)
{
    size_t whole = n;

    while (whole && p[whole - 1] != '\n')
        whole--;
    /* No line is so long: a damaged one, whose rest is no record either. */
    return whole == 0 && n == JOURNAL_PIECE ? n : whole;
}

/* FN gets each record; *END is where the journal ends. In pieces: nothing says
 * how long it is, and without it the element does not start. */
static enum err
journal_walk(struct element *e,
             enum err (*fn)(struct element *e, const struct journal_record *r,
                            void *arg, struct fault *f),
             void *arg, uint64_t *end, struct fault *f)
{
    struct journal_record *r = calloc(1, sizeof(*r));
    char *p = malloc(JOURNAL_PIECE);
    size_t have = 0, did = 1;
    uint64_t damaged = 0;
    int fd = DISK_NONE;
    enum err err = ERR_NOMEM;

    *end = 0;
    if (!r || !p) {
        fault_set(f, err, "journal", "");
        goto out;
    }
    err = disk_open(e->disk, DISK_ROOT, "journal", 0, &fd, f);
    while (err == ERR_OK && did > 0) {
        struct slice rest;
        size_t whole;

        err = disk_pread(e->disk, fd, p + have, JOURNAL_PIECE - have, *end,
                         &did, f);
        if (err != ERR_OK)
            break;
        *end += did;
        have += did;
        whole = did ? whole_lines(p, have) : have;
        rest = slice_of(p, whole);
        while (err == ERR_OK && journal_next(&rest, r, &damaged, e->hash))
            err = fn(e, r, arg, f);
        have -= whole;
        memmove(p, p + whole, have);
    }
out:
    disk_close(e->disk, &fd);
    free(p);
    free(r);
    return err;
}

static enum err
load_record(struct element *e, const struct journal_record *r, void *arg,
            struct fault *f)
{
    (void)arg;
    e->next_seq = u64_max(e->next_seq, r->seq);
    if (r->type == JOURNAL_SYNCED) {
        e->synced_seq = u64_max(e->synced_seq, r->seq);
        return ERR_OK;
    }
    return load_tomb(e, r) == ERR_OK ? ERR_OK
                                     : fault_set(f, ERR_NOMEM, "journal", "");
}

enum err
journal_load(struct element *e, struct fault *f)
{
    enum err err = journal_walk(e, load_record, NULL, &e->journal_end, f);

    return err == ERR_NOENT ? ERR_OK : err;
}

/* Room for the journal is taken ahead, so that a delete can still be written
 * down when the disk is full. */
static void
journal_grow(struct element *e)
{
    uint64_t to = align_up(e->journal_end + JOURNAL_STEP / 2, JOURNAL_STEP);

    enum err err;

    if (to <= e->journal_room)
        return;
    err = disk_alloc(e->disk, e->journal, e->journal_room, to - e->journal_room,
                     NULL);
    if (err == ERR_OK)
        e->journal_room = to;
    e->no_alloc = err == ERR_UNSUPPORTED;
}

enum err
journal_start(struct element *e, struct fault *f)
{
    enum err err =
        disk_open(e->disk, DISK_ROOT, "journal", DISK_WRITE, &e->journal, f);

    if (err == ERR_NOENT) {
        err = disk_create(e->disk, DISK_ROOT, "journal", &e->journal, f);
        if (err == ERR_OK)
            err = disk_sync(e->disk, (int[]){DISK_ROOT, e->journal}, 2, f);
    }
    if (err == ERR_OK)
        journal_grow(e);
    return err;
}

enum err
journal_append(struct element *e, struct slice text, struct fault *f)
{
    enum err err;

    pthread_mutex_lock(&e->journal_mu);
    journal_grow(e);
    err = disk_pwrite(e->disk, e->journal, text.p, text.n, e->journal_end, f);
    /* Even after an error: what got there is skipped by its checksum. */
    e->journal_end += text.n;
    pthread_mutex_unlock(&e->journal_mu);
    return err;
}

/* Longer than a batch takes from its journal to its tombstones. */
#define ABORT_WAY_MS ((int64_t)3600 * 1000)

/* Keeps what is still to be settled, and of what is young what the table has.
 * Written into a new file; appends wait meanwhile, so it is done when few are
 * to be expected. */
static bool
still_needed(struct element *e, const struct journal_record *r,
             struct wall before)
{
    const struct tomb *t;
    bool young, keep;

    if (r->type == JOURNAL_SYNCED)
        return false;
    pthread_mutex_lock(&e->mu);
    t = tombs_get(&e->tombs, &r->file_id);
    young = t && r->at.ms >= before.ms; /* TOMBS_MAX of them at most */
    if (r->type == JOURNAL_ABORT)       /* it may not be in the table yet */
        keep = young || r->at.ms >= before.ms + TOMB_KEEP_MS - ABORT_WAY_MS;
    else
        keep = young || r->seq > e->done_seq || (t && t->pinned);
    pthread_mutex_unlock(&e->mu);
    return keep;
}

struct survivors {
    struct wall before;
    struct buf *out;
};

static enum err
add_survivor(struct element *e, const struct journal_record *r, void *arg,
             struct fault *f)
{
    struct survivors *s = arg;

    if (!still_needed(e, r, s->before) || journal_encode(s->out, r, e->hash))
        return ERR_OK;
    return fault_set(f, ERR_NOMEM, "journal", "compact");
}

static enum err
journal_survivors(struct element *e, struct buf *out, struct fault *f)
{
    struct survivors s = {{element_now(e).ms - TOMB_KEEP_MS}, out};
    struct journal_record r = {.type = JOURNAL_SYNCED,
                               .seq = e->journal_synced};
    uint64_t end;
    enum err err = journal_walk(e, add_survivor, &s, &end, f);

    if (err == ERR_OK && !journal_encode(out, &r, e->hash))
        err = fault_set(f, ERR_NOMEM, "journal", "compact");
    return err;
}

enum err
journal_compact(struct element *e, struct fault *f)
{
    struct buf text;
    int fd = DISK_NONE;
    enum err err;

    buf_init(&text, JOURNAL_MAX);
    pthread_mutex_lock(&e->journal_mu);
    if (e->journal_old != DISK_NONE && e->journal_users) {
        err = ERR_AGAIN;
        goto out;
    }
    disk_close(e->disk, &e->journal_old);
    if ((err = journal_survivors(e, &text, f)) != ERR_OK)
        goto out;
    /* The old one stays open for the syncs of batches that are under way: what
     * they wrote to it is in the new one too, and synced here. */
    err = disk_replace_file(e->disk, DISK_ROOT, "journal", buf_slice(&text), f);
    if (err != ERR_OK)
        goto out;
    err = disk_open(e->disk, DISK_ROOT, "journal", DISK_WRITE, &fd, f);
    if (err != ERR_OK)
        goto out;
    e->journal_old = e->journal;
    e->journal = fd;
    e->journal_end = text.n;
    e->journal_room = 0;
    journal_grow(e);
out:
    pthread_mutex_unlock(&e->journal_mu);
    buf_release(&text);
    return err;
}
