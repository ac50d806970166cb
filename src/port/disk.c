/* disk.c - the operations of disk.h as functions: each fills one struct.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/disk.h"
#include "base/buf.h"
#include <stdio.h>

static const char *const names[DISK_DO_COUNT] = {
    [DISK_MKDIR] = "mkdir",       [DISK_OPEN] = "open",
    [DISK_CREATE] = "create",     [DISK_TMPFILE] = "tmpfile",
    [DISK_CLOSE] = "close",       [DISK_PWRITE] = "write",
    [DISK_PREAD] = "read",        [DISK_ALLOC] = "alloc",
    [DISK_TRUNCATE] = "truncate", [DISK_LINK] = "link",
    [DISK_RENAME] = "rename",     [DISK_UNLINK] = "unlink",
    [DISK_RMDIR] = "rmdir",       [DISK_WRITEBACK] = "writeback",
    [DISK_SYNC] = "sync",         [DISK_LIST] = "list",
    [DISK_STAT] = "stat",         [DISK_STATFS] = "statfs",
    [DISK_LOCK] = "lock",         [DISK_GATE] = "gate",
};

const char *
disk_do_name(enum disk_do what)
{
    return (unsigned)what < DISK_DO_COUNT ? names[what] : "?";
}

static enum err
exec(struct disk *d, struct disk_op *op, struct fault *f)
{
    assert(!op->name || op->name[0]);
    return d->ops->exec(d, op, f);
}

enum err
disk_mkdir(struct disk *d, int dir, const char *name, struct fault *f)
{
    struct disk_op op = {.what = DISK_MKDIR, .dir = dir, .name = name};

    return exec(d, &op, f);
}

enum err
disk_open(struct disk *d, int dir, const char *name, unsigned flags, int *fd,
          struct fault *f)
{
    struct disk_op op = {
        .what = DISK_OPEN, .dir = dir, .name = name, .flags = flags};
    enum err e = exec(d, &op, f);

    *fd = e == ERR_OK ? op.fd : DISK_NONE;
    return e;
}

enum err
disk_create(struct disk *d, int dir, const char *name, int *fd, struct fault *f)
{
    struct disk_op op = {.what = DISK_CREATE, .dir = dir, .name = name};
    enum err e = exec(d, &op, f);

    *fd = e == ERR_OK ? op.fd : DISK_NONE;
    return e;
}

enum err
disk_tmpfile(struct disk *d, int dir, unsigned *flags, int *fd, struct fault *f)
{
    struct disk_op op = {.what = DISK_TMPFILE, .dir = dir, .flags = *flags};
    enum err e = exec(d, &op, f);

    *fd = e == ERR_OK ? op.fd : DISK_NONE;
    *flags = op.flags;
    return e;
}

void
disk_close(struct disk *d, int *fd)
{
    struct disk_op op = {.what = DISK_CLOSE, .fd = *fd};

    if (*fd != DISK_NONE && *fd != DISK_ROOT)
        (void)exec(d, &op, NULL);
    *fd = DISK_NONE;
}

enum err
disk_pwrite(struct disk *d, int fd, const void *p, size_t n, uint64_t off,
            struct fault *f)
{
    struct disk_op op = {.what = DISK_PWRITE,
                         .fd = fd,
                         .p = (void *)(uintptr_t)p,
                         .n = n,
                         .off = off};

    return exec(d, &op, f);
}

enum err
disk_pwritev(struct disk *d, int fd, const struct disk_piece *piece, size_t n,
             uint64_t off, struct fault *f)
{
    struct disk_op op = {.what = DISK_PWRITE,
                         .fd = fd,
                         .piece = piece,
                         .n_piece = n,
                         .off = off};

    assert(n > 0 && n <= DISK_PIECES_MAX);
    return exec(d, &op, f);
}

enum err
disk_pread(struct disk *d, int fd, void *p, size_t n, uint64_t off, size_t *did,
           struct fault *f)
{
    struct disk_op op = {
        .what = DISK_PREAD, .fd = fd, .p = p, .n = n, .off = off};
    enum err e = exec(d, &op, f);

    *did = e == ERR_OK ? op.did : 0;
    return e;
}

enum err
disk_alloc(struct disk *d, int fd, uint64_t off, uint64_t n, struct fault *f)
{
    struct disk_op op = {
        .what = DISK_ALLOC, .fd = fd, .off = off, .n = (size_t)n};

    return n ? exec(d, &op, f) : ERR_OK;
}

enum err
disk_truncate(struct disk *d, int fd, uint64_t size, struct fault *f)
{
    struct disk_op op = {.what = DISK_TRUNCATE, .fd = fd, .off = size};

    return exec(d, &op, f);
}

enum err
disk_link(struct disk *d, int fd, int dir, const char *name, struct fault *f)
{
    struct disk_op op = {.what = DISK_LINK, .fd = fd, .dir = dir, .name = name};

    return exec(d, &op, f);
}

enum err
disk_rename(struct disk *d, int dir, const char *name, int dir2,
            const char *name2, struct fault *f)
{
    struct disk_op op = {.what = DISK_RENAME,
                         .dir = dir,
                         .name = name,
                         .dir2 = dir2,
                         .name2 = name2};

    return exec(d, &op, f);
}

enum err
disk_unlink(struct disk *d, int dir, const char *name, struct fault *f)
{
    struct disk_op op = {.what = DISK_UNLINK, .dir = dir, .name = name};

    return exec(d, &op, f);
}

enum err
disk_rmdir(struct disk *d, int dir, const char *name, struct fault *f)
{
    struct disk_op op = {.what = DISK_RMDIR, .dir = dir, .name = name};

    return exec(d, &op, f);
}

enum err
disk_writeback(struct disk *d, int fd, struct fault *f)
{
    struct disk_op op = {.what = DISK_WRITEBACK, .fd = fd};

    return exec(d, &op, f);
}

enum err
disk_sync(struct disk *d, const int *fd, size_t n, struct fault *f)
{
    struct disk_op op = {.what = DISK_SYNC, .set = fd, .n_set = n};

    return n ? exec(d, &op, f) : ERR_OK;
}

enum err
disk_list(struct disk *d, int dir, disk_list_fn *fn, void *arg, struct fault *f)
{
    struct disk_op op = {.what = DISK_LIST, .dir = dir, .fn = fn, .arg = arg};

    return exec(d, &op, f);
}

enum err
disk_stat(struct disk *d, int fd, struct disk_stat *st, struct fault *f)
{
    struct disk_op op = {.what = DISK_STAT, .fd = fd, .stat = st};

    return exec(d, &op, f);
}

enum err
disk_statfs(struct disk *d, struct disk_space *sp, struct fault *f)
{
    struct disk_op op = {.what = DISK_STATFS, .space = sp};

    return exec(d, &op, f);
}

enum err
disk_lock(struct disk *d, int fd, struct fault *f)
{
    struct disk_op op = {.what = DISK_LOCK, .fd = fd};

    return exec(d, &op, f);
}

enum err
disk_gate_enter(struct disk *d, struct fault *f)
{
    struct disk_op op = {.what = DISK_GATE, .flags = DISK_ENTER};

    return exec(d, &op, f);
}

void
disk_gate_leave(struct disk *d)
{
    struct disk_op op = {.what = DISK_GATE};

    (void)exec(d, &op, NULL);
}

enum err
disk_read_file(struct disk *d, int dir, const char *name, struct buf *buf,
               struct fault *f)
{
    struct disk_stat st;
    int fd = DISK_NONE;
    size_t did = 0;
    char *p;
    enum err e;

    if ((e = disk_open(d, dir, name, 0, &fd, f)) != ERR_OK)
        goto out;
    if ((e = disk_stat(d, fd, &st, f)) != ERR_OK)
        goto out;
    if (st.size > buf->max - buf->n) {
        e = fault_set(f, ERR_TOOBIG, "read", name);
        goto out;
    }
    if (!(p = buf_reserve(buf, (size_t)st.size))) {
        e = fault_set(f, ERR_NOMEM, "read", name);
        goto out;
    }
    if ((e = disk_pread(d, fd, p, (size_t)st.size, 0, &did, f)) == ERR_OK)
        buf->n += did;
out:
    disk_close(d, &fd);
    return e;
}

enum err
disk_replace_file(struct disk *d, int dir, const char *name, struct slice text,
                  struct fault *f)
{
    char tmp[DISK_NAME_MAX + 1];
    bool have = false;
    int fd = DISK_NONE;
    enum err e;

    snprintf(tmp, sizeof(tmp), "%s.new", name);
    e = disk_create(d, dir, tmp, &fd, f);
    if (e == ERR_EXISTS && disk_unlink(d, dir, tmp, f) == ERR_OK)
        e = disk_create(d, dir, tmp, &fd, f);
    if (e != ERR_OK)
        goto out;
    have = true;
    if ((e = disk_pwrite(d, fd, text.p, text.n, 0, f)) != ERR_OK)
        goto out;
    if ((e = disk_sync(d, &fd, 1, f)) != ERR_OK)
        goto out;
    if ((e = disk_rename(d, dir, tmp, dir, name, f)) != ERR_OK)
        goto out;
    have = false;
    e = disk_sync(d, &dir, 1, f);
out:
    disk_close(d, &fd);
    if (have)
        (void)disk_unlink(d, dir, tmp, NULL);
    return e;
}
