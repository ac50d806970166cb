/* disk_rec.c - see disk_rec.h: the file system and its history.
 *
 * Inodes live until the disk is closed, since history may name them. Memory is
 * taken without asking: a test that runs out of it is over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/disk_rec_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void *
rec_grow(void *p, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? *cap * 2 : 4;
    p = realloc(p, *cap * size);
    assert(p);
    return p;
}

struct rec_inode *
rec_inode_new(struct disk_rec *r, bool is_dir)
{
    struct rec_inode *i = calloc(1, sizeof(*i));

    assert(i);
    i->is_dir = is_dir;
    i->next = r->all;
    r->all = i;
    r->inodes++;
    return i;
}

static uint64_t
room_of(const struct rec_inode *i)
{
    return u64_max(align_up(i->size, REC_BLOCK), i->alloc);
}

/* Gives back what an inode without names and handles took. */
static void
maybe_gone(struct disk_rec *r, struct rec_inode *i)
{
    if (i->links || i->opens || i == r->root)
        return;
    r->used -= room_of(i);
    r->inodes--;
    i->alloc = 0;
    i->size = 0;
}

static struct rec_name *
find(const struct rec_inode *dir, const char *name)
{
    for (size_t k = 0; k < dir->n_entry; k++)
        if (strcmp(dir->entry[k].name, name) == 0)
            return &dir->entry[k];
    return NULL;
}

void
rec_enter(struct rec_inode *dir, const char *name, struct rec_inode *inode)
{
    dir->entry = rec_grow(dir->entry, &dir->cap_entry, dir->n_entry,
                          sizeof(*dir->entry));
    dir->entry[dir->n_entry++] =
        (struct rec_name){.name = strdup(name), .inode = inode};
    inode->links++;
}

static void
note_change(struct disk_rec *r, struct rec_inode *dir, const char *name,
            struct rec_inode *inode)
{
    if (!r->history)
        return;
    dir->change = rec_grow(dir->change, &dir->cap_change, dir->n_change,
                           sizeof(*dir->change));
    dir->change[dir->n_change++] = (struct rec_name){
        .time = r->time, .name = strdup(name), .inode = inode};
}

static void
set_name(struct disk_rec *r, struct rec_inode *dir, const char *name,
         struct rec_inode *inode)
{
    struct rec_name *e = find(dir, name);
    struct rec_inode *old = e ? e->inode : NULL;

    note_change(r, dir, name, inode);
    if (inode && e) {
        inode->links++;
        e->inode = inode;
    } else if (inode) {
        rec_enter(dir, name, inode);
    } else if (e) {
        free(e->name);
        *e = dir->entry[--dir->n_entry];
    }
    if (old) {
        old->links--;
        maybe_gone(r, old);
    }
}

static struct rec_inode *
inode_of(const struct disk_rec *r, int fd)
{
    assert(fd >= 0 && fd < REC_FDS_MAX);
    assert(fd == DISK_ROOT || r->fd[fd].inode);
    return fd == DISK_ROOT ? r->root : r->fd[fd].inode;
}

static enum err
new_fd(struct disk_rec *r, struct rec_inode *i, struct disk_op *op,
       struct fault *f)
{
    for (int fd = 3; fd < REC_FDS_MAX; fd++)
        if (!r->fd[fd].inode) {
            r->fd[fd] = (struct rec_fd){.inode = i};
            r->handles++;
            i->opens++;
            op->fd = fd;
            return ERR_OK;
        }
    return fault_sys(f, EMFILE, disk_do_name(op->what), "");
}

static enum err
fail(const struct disk_op *op, int sys, struct fault *f)
{
    return fault_sys(f, sys, disk_do_name(op->what), op->name ? op->name : "");
}

static enum err
no_inodes(const struct disk_op *op, struct fault *f)
{
    return fault_set(f, ERR_NOINODES, disk_do_name(op->what),
                     op->name ? op->name : "");
}

static bool
inode_left(const struct disk_rec *r)
{
    return !r->conf.inodes || r->inodes < r->conf.inodes;
}

/* Room for I as if it had so many bytes; takes the difference. */
static bool
take_room(struct disk_rec *r, struct rec_inode *i, uint64_t size,
          uint64_t alloc)
{
    uint64_t was = room_of(i);
    uint64_t now = u64_max(align_up(size, REC_BLOCK), alloc);

    if (now > was && r->conf.bytes && r->used + now - was > r->conf.bytes)
        return false;
    r->used = r->used + now - was;
    return true;
}

static enum err
do_mkdir(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *dir = inode_of(r, op->dir);

    if (find(dir, op->name))
        return fail(op, EEXIST, f);
    if (!inode_left(r))
        return no_inodes(op, f);
    set_name(r, dir, op->name, rec_inode_new(r, true));
    return ERR_OK;
}

static enum err
do_open(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *at = inode_of(r, op->dir);
    struct slice rest = slice_str(op->name), part;

    while (slice_cut(&rest, '/', &part)) {
        char name[DISK_NAME_MAX + 1];
        struct rec_name *e;

        if (slice_eq(part, SLICE(".")))
            continue;
        if (!slice_copy(part, name, sizeof(name)) || !name[0] ||
            strcmp(name, "..") == 0)
            return fail(op, EINVAL, f);
        if (!at->is_dir)
            return fail(op, ENOTDIR, f);
        if (!(e = find(at, name)))
            return fail(op, ENOENT, f);
        at = e->inode;
    }
    if (op->flags & DISK_DIR && !at->is_dir)
        return fail(op, ENOTDIR, f);
    if (op->flags & DISK_WRITE && at->is_dir)
        return fail(op, EISDIR, f);
    return new_fd(r, at, op, f);
}

static enum err
do_create(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *dir = inode_of(r, op->dir), *i;

    if (find(dir, op->name))
        return fail(op, EEXIST, f);
    if (!inode_left(r))
        return no_inodes(op, f);
    i = rec_inode_new(r, false);
    set_name(r, dir, op->name, i);
    return new_fd(r, i, op, f);
}

static enum err
do_tmpfile(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    if (r->conf.no_tmpfile)
        return fail(op, EOPNOTSUPP, f);
    if (!inode_left(r))
        return no_inodes(op, f);
    return new_fd(r, rec_inode_new(r, false), op, f);
}

static enum err
do_close(struct disk_rec *r, struct disk_op *op)
{
    struct rec_inode *i = inode_of(r, op->fd);

    if (r->fd[op->fd].lock)
        i->locked = false;
    r->fd[op->fd] = (struct rec_fd){0};
    r->handles--;
    i->opens--;
    maybe_gone(r, i);
    return ERR_OK;
}

/* What is behind the old size is zero up to FROM; from there on it is the
 * caller's to write. */
static void
set_size(struct rec_inode *i, uint64_t size, uint64_t from)
{
    if (size > i->cap) {
        i->cap = u64_max(size, i->cap * 2);
        i->data = realloc(i->data, i->cap);
        assert(i->data);
    }
    if (from > i->size)
        memset(i->data + i->size, 0, from - i->size);
    i->size = size;
}

void
rec_content(struct rec_inode *f, const uint8_t *p, uint64_t size)
{
    set_size(f, size, 0);
    if (size)
        memcpy(f->data, p, size);
}

static void
note_write(struct disk_rec *r, struct rec_inode *i, bool is_size, uint64_t off,
           const void *p, size_t n)
{
    struct rec_write w = {
        .time = r->time, .is_size = is_size, .off = off, .n = n};

    if (!r->history)
        return;
    if (n) {
        w.p = malloc(n);
        assert(w.p);
        memcpy(w.p, p, n);
    }
    i->write = rec_grow(i->write, &i->cap_write, i->n_write, sizeof(*i->write));
    i->write[i->n_write++] = w;
}

static enum err
do_pwrite(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *i = inode_of(r, op->fd);
    uint64_t end = op->off + op->n;

    assert(!i->is_dir);
    if (op->n == 0)
        return ERR_OK;
    if (end > i->size && !take_room(r, i, end, i->alloc))
        return fail(op, ENOSPC, f);
    if (end > i->size) {
        set_size(i, end, op->off);
        note_write(r, i, true, end, NULL, 0);
    }
    memcpy(i->data + op->off, op->p, op->n);
    note_write(r, i, false, op->off, op->p, op->n);
    return ERR_OK;
}

/* As so many writes: a power cut may leave any of them. */
static enum err
do_pwritev(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct disk_op one = *op;
    enum err e = ERR_OK;

    for (size_t i = 0; i < op->n_piece && e == ERR_OK; i++) {
        one.p = (void *)(uintptr_t)op->piece[i].p;
        one.n = op->piece[i].n;
        e = do_pwrite(r, &one, f);
        one.off += one.n;
    }
    return e;
}

static enum err
do_pread(struct disk_rec *r, struct disk_op *op)
{
    const struct rec_inode *i = inode_of(r, op->fd);
    uint64_t left = op->off < i->size ? i->size - op->off : 0;

    assert(!i->is_dir);
    op->did = (size_t)u64_min(op->n, left);
    if (op->did)
        memcpy(op->p, i->data + op->off, op->did);
    return ERR_OK;
}

static enum err
do_alloc(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *i = inode_of(r, op->fd);
    uint64_t to = u64_max(i->alloc, align_up(op->off + op->n, REC_BLOCK));

    if (!take_room(r, i, i->size, to))
        return fail(op, ENOSPC, f);
    i->alloc = to;
    return ERR_OK;
}

static enum err
do_truncate(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *i = inode_of(r, op->fd);

    if (!take_room(r, i, op->off, align_up(op->off, REC_BLOCK)))
        return fail(op, ENOSPC, f);
    i->alloc = align_up(op->off, REC_BLOCK);
    if (op->off != i->size) {
        set_size(i, op->off, op->off);
        note_write(r, i, true, op->off, NULL, 0);
    }
    return ERR_OK;
}

static enum err
do_link(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *dir = inode_of(r, op->dir);

    if (find(dir, op->name))
        return fail(op, EEXIST, f);
    set_name(r, dir, op->name, inode_of(r, op->fd));
    return ERR_OK;
}

static enum err
do_rename(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *from = inode_of(r, op->dir), *to = inode_of(r, op->dir2);
    struct rec_name *e = find(from, op->name);
    struct rec_inode *i;

    if (!e)
        return fail(op, ENOENT, f);
    i = e->inode;
    set_name(r, to, op->name2, i);
    set_name(r, from, op->name, NULL);
    return ERR_OK;
}

static enum err
do_remove(struct disk_rec *r, struct disk_op *op, struct fault *f)
{
    struct rec_inode *dir = inode_of(r, op->dir);
    const struct rec_name *e = find(dir, op->name);

    if (!e)
        return fail(op, ENOENT, f);
    if (e->inode->is_dir != (op->what == DISK_RMDIR))
        return fail(op, e->inode->is_dir ? EISDIR : ENOTDIR, f);
    if (e->inode->n_entry)
        return fail(op, ENOTEMPTY, f);
    set_name(r, dir, op->name, NULL);
    return ERR_OK;
}

static enum err
do_sync(struct disk_rec *r, const struct disk_op *op)
{
    for (size_t k = 0; k < op->n_set; k++) {
        struct rec_inode *i = inode_of(r, op->set[k]);

        if (!r->history)
            continue;
        i->sync = rec_grow(i->sync, &i->cap_sync, i->n_sync, sizeof(*i->sync));
        i->sync[i->n_sync++] = r->time;
    }
    return ERR_OK;
}

static enum err
do_list(const struct disk_rec *r, const struct disk_op *op)
{
    const struct rec_inode *dir = inode_of(r, op->dir);

    assert(dir->is_dir);
    for (size_t k = 0; k < dir->n_entry; k++)
        if (!op->fn(op->arg, dir->entry[k].name, dir->entry[k].inode->is_dir))
            break;
    return ERR_OK;
}

static enum err
do_statfs(const struct disk_rec *r, const struct disk_op *op)
{
    uint64_t bytes = r->conf.bytes ? r->conf.bytes : (uint64_t)1 << 40;
    uint64_t inodes = r->conf.inodes ? r->conf.inodes : (uint64_t)1 << 30;

    *op->space = (struct disk_space){.total = bytes,
                                     .free = bytes - r->used,
                                     .inodes_total = inodes,
                                     .inodes_free = inodes - r->inodes,
                                     .fs_id = 1};
    return ERR_OK;
}

static enum err
do_lock(struct disk_rec *r, const struct disk_op *op, struct fault *f)
{
    struct rec_inode *i = inode_of(r, op->fd);

    if (i->locked && !r->fd[op->fd].lock)
        return fail(op, EBUSY, f);
    i->locked = r->fd[op->fd].lock = true;
    return ERR_OK;
}

static enum err
rec_exec(struct disk *d, struct disk_op *op, struct fault *f)
{
    struct disk_rec *r = rec_of(d);

    if ((op->name && op->what != DISK_OPEN && strchr(op->name, '/')) ||
        (op->name2 && strchr(op->name2, '/')))
        return fail(op, EINVAL, f);
    r->time++;
    switch (op->what) {
    case DISK_MKDIR:
        return do_mkdir(r, op, f);
    case DISK_OPEN:
        return do_open(r, op, f);
    case DISK_CREATE:
        return do_create(r, op, f);
    case DISK_TMPFILE:
        return do_tmpfile(r, op, f);
    case DISK_CLOSE:
        return do_close(r, op);
    case DISK_PWRITE:
        return op->n_piece ? do_pwritev(r, op, f) : do_pwrite(r, op, f);
    case DISK_PREAD:
        return do_pread(r, op);
    case DISK_ALLOC:
        return do_alloc(r, op, f);
    case DISK_TRUNCATE:
        return do_truncate(r, op, f);
    case DISK_LINK:
        return do_link(r, op, f);
    case DISK_RENAME:
        return do_rename(r, op, f);
    case DISK_UNLINK:
    case DISK_RMDIR:
        return do_remove(r, op, f);
    case DISK_WRITEBACK:
        return ERR_OK;
    case DISK_SYNC:
        return do_sync(r, op);
    case DISK_LIST:
        return do_list(r, op);
    case DISK_STAT:
        *op->stat = (struct disk_stat){inode_of(r, op->fd)->size,
                                       inode_of(r, op->fd)->is_dir};
        return ERR_OK;
    case DISK_STATFS:
        return do_statfs(r, op);
    case DISK_LOCK:
        return do_lock(r, op, f);
    case DISK_GATE: /* nobody else is here */
        return ERR_OK;
    case DISK_DO_COUNT:
        break;
    }
    assert(0 && "an operation");
    return ERR_INVAL;
}

static void
nothing(struct work *w)
{
    (void)w;
}

static void
io_done(struct loop *l, struct work *w)
{
    struct file_io *io = container_of(w, struct file_io, work);

    io->done(l, io);
}

/* Carried out at submission, told later. */
static void
rec_io(struct disk *d, struct loop *l, struct file_io *io)
{
    struct disk_op op = {.what = io->write ? DISK_PWRITE : DISK_PREAD,
                         .fd = io->fd,
                         .p = io->p,
                         .n = io->n,
                         .off = io->off};
    struct fault f = {0};
    enum err e = rec_exec(d, &op, &f);

    io->res = e != ERR_OK ? -f.sys
              : io->write ? (int64_t)io->n
                          : (int64_t)op.did;
    io->work = (struct work){.work = nothing, .done = io_done};
    loop_work(l, &io->work);
}

static void
forget(struct rec_inode *i)
{
    for (size_t k = 0; k < i->n_write; k++)
        free(i->write[k].p);
    for (size_t k = 0; k < i->n_change; k++)
        free(i->change[k].name);
    i->n_write = i->n_change = i->n_sync = 0;
}

static void
rec_close(struct disk *d)
{
    struct disk_rec *r = rec_of(d);

    while (r->all) {
        struct rec_inode *i = r->all;

        r->all = i->next;
        forget(i);
        for (size_t k = 0; k < i->n_entry; k++)
            free(i->entry[k].name);
        free(i->entry);
        free(i->write);
        free(i->change);
        free(i->sync);
        free(i->data);
        free(i->base);
        free(i);
    }
    free(r);
}

static const struct disk_ops ops = {
    .exec = rec_exec,
    .io = rec_io,
    .close = rec_close,
};

struct disk *
disk_rec_open(const struct disk_rec_conf *conf)
{
    struct disk_rec *r = calloc(1, sizeof(*r));

    assert(r);
    r->disk.ops = &ops;
    if (conf)
        r->conf = *conf;
    r->root = rec_inode_new(r, true);
    return &r->disk;
}

uint64_t
disk_rec_time(const struct disk *d)
{
    return rec_of(d)->time;
}

unsigned
disk_rec_handles(const struct disk *d)
{
    return rec_of(d)->handles;
}

void
disk_rec_settle(struct disk *d)
{
    struct disk_rec *r = rec_of(d);

    for (struct rec_inode *i = r->all; i; i = i->next) {
        forget(i);
        free(i->base);
        i->base = malloc(i->size + 1);
        assert(i->base);
        if (i->size)
            memcpy(i->base, i->data, i->size);
        i->base_size = i->size;
        for (size_t k = 0; k < i->n_entry; k++) {
            /* Names that are there from the beginning are changes at time 0. */
            i->change = rec_grow(i->change, &i->cap_change, i->n_change,
                                 sizeof(*i->change));
            i->change[i->n_change++] = (struct rec_name){
                .name = strdup(i->entry[k].name), .inode = i->entry[k].inode};
        }
    }
    r->time = 0;
    r->history = true;
}

static unsigned
count_names(const struct rec_inode *dir)
{
    unsigned n = 0;

    for (size_t k = 0; k < dir->n_entry; k++)
        n += 1 + (dir->entry[k].inode->is_dir ? count_names(dir->entry[k].inode)
                                              : 0);
    return n;
}

unsigned
disk_rec_names(const struct disk *d)
{
    return count_names(rec_of(d)->root);
}

bool
disk_rec_damage(struct disk *d, const char *path, uint64_t off)
{
    struct disk_op op = {.what = DISK_OPEN, .dir = DISK_ROOT, .name = path};
    struct rec_inode *i;

    if (rec_exec(d, &op, NULL) != ERR_OK)
        return false;
    i = inode_of(rec_of(d), op.fd);
    if (off < i->size)
        i->data[off] ^= 0x40;
    op.what = DISK_CLOSE;
    op.name = NULL;
    (void)rec_exec(d, &op, NULL);
    return off < i->size;
}

static void
print(const struct rec_inode *dir, const char *path)
{
    for (size_t k = 0; k < dir->n_entry; k++) {
        const struct rec_inode *i = dir->entry[k].inode;
        char sub[DISK_PATH_MAX];

        snprintf(sub, sizeof(sub), "%s/%s", path, dir->entry[k].name);
        fprintf(stderr, "%s %llu\n", sub, (unsigned long long)i->size);
        if (i->is_dir)
            print(i, sub);
    }
}

void
disk_rec_print(const struct disk *d)
{
    print(rec_of(d)->root, "");
}
