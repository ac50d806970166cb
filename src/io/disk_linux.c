/* disk_linux.c - see disk_linux.h and port/disk.h.
 *
 * Handles are descriptors; DISK_ROOT (0) stands for the folder's own, which is
 * never 0. Every name is opened with O_NOFOLLOW relative to a descriptor, and
 * paths with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), or one component
 * at a time where a sandbox or an old kernel refuses openat2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/disk_linux.h"
#include "io/disk_gate.h"
#include "io/disk_sync.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_MODE 0640
#define DIR_MODE  0750

struct disk_linux {
    struct disk disk;
    int root;
    int gate; /* -1: there is none */
    bool no_tmpfile;
    struct disk_sync *sync;
};

static struct disk_linux *
linux_of(struct disk *d)
{
    return container_of(d, struct disk_linux, disk);
}

static int
fd_of(const struct disk_linux *l, int handle)
{
    assert(handle >= 0);
    return handle == DISK_ROOT ? l->root : handle;
}

/* ENOSPC is said for bytes and inodes alike; the counters tell which. */
static enum err
fail(const struct disk_linux *l, const struct disk_op *op, struct fault *f)
{
    int sys = errno;
    struct statvfs v;
    enum err e;

    e = fault_sys(f, sys, disk_do_name(op->what), op->name ? op->name : "");
    if (sys == ENOSPC && fstatvfs(l->root, &v) == 0 && v.f_files > 0 &&
        v.f_favail == 0) {
        e = ERR_NOINODES;
        if (f)
            f->code = e;
    }
    return e;
}

static bool
one_component(const char *name)
{
    return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* Without openat2: no component may be a link, "..", or empty. */
static int
open_walk(int dir, const char *path, int flags)
{
    struct slice rest = slice_str(path), part;
    int at = dir;

    while (slice_cut(&rest, '/', &part)) {
        char name[DISK_NAME_MAX + 1];
        int next, how = rest.p ? O_PATH | O_DIRECTORY : flags;

        if (!slice_copy(part, name, sizeof(name)) || !one_component(name)) {
            errno = EINVAL;
            next = -1;
        } else {
            next = openat(at, name, how | O_NOFOLLOW | O_CLOEXEC);
        }
        if (at != dir) {
            int keep = errno;

            (void)close(at);
            errno = keep;
        }
        if (next == -1)
            return -1;
        at = next;
    }
    return at;
}

static int
open_beneath(int dir, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW,
        .resolve =
            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    if (strcmp(path, ".") == 0)
        return openat(dir, ".", flags | O_CLOEXEC);
    if (!strchr(path, '/')) {
        if (!one_component(path)) {
            errno = EINVAL;
            return -1;
        }
        return openat(dir, path, flags | O_NOFOLLOW | O_CLOEXEC);
    }
    fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    if (fd == -1 && (errno == ENOSYS || errno == EPERM))
        return open_walk(dir, path, flags);
    return (int)fd;
}

static enum err
do_open(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int flags = op->flags & DISK_WRITE ? O_RDWR : O_RDONLY;

    assert(op->name);
    if (op->flags & DISK_DIR)
        flags = O_RDONLY | O_DIRECTORY;
    op->fd = open_beneath(fd_of(l, op->dir), op->name, flags | O_NOCTTY);
    if (op->fd == -1)
        return fail(l, op, f);
    if (op->flags & DISK_FRESH)
        (void)posix_fadvise(op->fd, 0, 0, POSIX_FADV_DONTNEED);
    return ERR_OK;
}

static enum err
do_create(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    assert(op->name);
    op->fd =
        openat(fd_of(l, op->dir), op->name,
               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    return op->fd == -1 ? fail(l, op, f) : ERR_OK;
}

static enum err
do_tmpfile(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int flags = O_RDWR | O_TMPFILE | O_CLOEXEC;
    int dir = fd_of(l, op->dir);

    if (l->no_tmpfile)
        return fault_set(f, ERR_UNSUPPORTED, "tmpfile", "");
    op->fd = -1;
    if (op->flags & DISK_DIRECT)
        op->fd = openat(dir, ".", flags | O_DIRECT, FILE_MODE);
    if (op->fd == -1) {
        op->flags &= ~(unsigned)DISK_DIRECT;
        op->fd = openat(dir, ".", flags, FILE_MODE);
    }
    if (op->fd != -1)
        return ERR_OK;
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)
        return fault_sys(f, EOPNOTSUPP, "tmpfile", "");
    return fail(l, op, f);
}

static enum err
do_pwrite(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    const char *p = op->p;
    size_t left = op->n;
    uint64_t off = op->off;

    while (left) {
        ssize_t k = pwrite(fd_of(l, op->fd), p, left, (off_t)off);

        if (k == -1 && errno == EINTR)
            continue;
        if (k <= 0) {
            if (k == 0)
                errno = EIO;
            return fail(l, op, f);
        }
        p += k;
        off += (uint64_t)k;
        left -= (size_t)k;
    }
    return ERR_OK;
}

/* Passes over K bytes that were written. */
static void
iov_skip(struct iovec **v, int *n, size_t k)
{
    while (*n && k >= (*v)->iov_len) {
        k -= (*v)->iov_len;
        (*v)++;
        (*n)--;
    }
    if (*n) {
        (*v)->iov_base = (char *)(*v)->iov_base + k;
        (*v)->iov_len -= k;
    }
}

static enum err
do_pwritev(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    struct iovec iov[DISK_PIECES_MAX], *v = iov;
    int n = (int)op->n_piece;
    uint64_t off = op->off;

    for (int i = 0; i < n; i++)
        iov[i] =
            (struct iovec){(void *)(uintptr_t)op->piece[i].p, op->piece[i].n};
    while (n) {
        ssize_t k = pwritev(fd_of(l, op->fd), v, n, (off_t)off);

        if (k == -1 && errno == EINTR)
            continue;
        if (k <= 0) {
            if (k == 0)
                errno = EIO;
            return fail(l, op, f);
        }
        off += (uint64_t)k;
        iov_skip(&v, &n, (size_t)k);
    }
    return ERR_OK;
}

static enum err
do_pread(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    char *p = op->p;

    op->did = 0;
    while (op->did < op->n) {
        ssize_t k = pread(fd_of(l, op->fd), p + op->did, op->n - op->did,
                          (off_t)(op->off + op->did));

        if (k == -1 && errno == EINTR)
            continue;
        if (k == -1)
            return fail(l, op, f);
        if (k == 0)
            break;
        op->did += (size_t)k;
    }
    return ERR_OK;
}

static enum err
do_alloc(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int r;

    do
        r = fallocate(fd_of(l, op->fd), FALLOC_FL_KEEP_SIZE, (off_t)op->off,
                      (off_t)op->n);
    while (r == -1 && errno == EINTR);
    return r == -1 ? fail(l, op, f) : ERR_OK;
}

/* AT_EMPTY_PATH needs a capability before Linux 6.10; the other way needs
 * /proc. */
static enum err
do_link(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int dir = fd_of(l, op->dir);
    char path[40];

    assert(op->name);
    if (linkat(op->fd, "", dir, op->name, AT_EMPTY_PATH) == 0)
        return ERR_OK;
    if (errno == ENOENT || errno == EPERM || errno == EINVAL) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", op->fd);
        if (linkat(AT_FDCWD, path, dir, op->name, AT_SYMLINK_FOLLOW) == 0)
            return ERR_OK;
    }
    return fail(l, op, f);
}

static enum err
do_list(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int fd = openat(fd_of(l, op->dir), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd == -1 ? NULL : fdopendir(fd);
    struct dirent *de;
    enum err e = ERR_OK;

    if (!dir) {
        e = fail(l, op, f);
        if (fd != -1)
            (void)close(fd);
        return e;
    }
    while (errno = 0, (de = readdir(dir)) != NULL) {
        bool is_dir = de->d_type == DT_DIR;
        struct stat st;

        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        if (de->d_type == DT_UNKNOWN &&
            fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            is_dir = S_ISDIR(st.st_mode);
        if (!op->fn(op->arg, de->d_name, is_dir))
            break;
    }
    if (!de && errno)
        e = fail(l, op, f);
    (void)closedir(dir);
    return e;
}

static enum err
do_stat(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    struct stat st;

    if (fstat(fd_of(l, op->fd), &st) == -1)
        return fail(l, op, f);
    *op->stat = (struct disk_stat){.size = (uint64_t)st.st_size,
                                   .is_dir = S_ISDIR(st.st_mode)};
    return ERR_OK;
}

static enum err
do_statfs(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    struct statvfs v;
    struct stat st;

    if (fstatvfs(l->root, &v) == -1 || fstat(l->root, &st) == -1)
        return fail(l, op, f);
    *op->space = (struct disk_space){
        .total = (uint64_t)v.f_blocks * v.f_frsize,
        .free = (uint64_t)v.f_bavail * v.f_frsize,
        .inodes_total = v.f_files,
        .inodes_free = v.f_favail,
        .fs_id = st.st_dev,
    };
    return ERR_OK;
}

static enum err
do_gate(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int sys;

    if (l->gate == -1)
        return fault_set(f, ERR_UNSUPPORTED, "gate", "");
    if (!(op->flags & DISK_ENTER)) {
        disk_gate_out(l->gate);
        return ERR_OK;
    }
    sys = disk_gate_in(l->gate);
    return sys ? fault_sys(f, sys, "gate", "") : ERR_OK;
}

static enum err
do_sync(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int sys = disk_sync_run(l->sync, op->set, op->n_set, l->root);

    return sys ? fault_sys(f, sys, "sync", "") : ERR_OK;
}

/* Those that are one system call. */
static enum err
do_simple(struct disk_linux *l, struct disk_op *op, struct fault *f)
{
    int r = 0;

    switch (op->what) {
    case DISK_MKDIR:
        assert(op->name);
        r = mkdirat(fd_of(l, op->dir), op->name, DIR_MODE);
        break;
    case DISK_CLOSE:
        r = close(op->fd); /* EINTR closes too on Linux */
        break;
    case DISK_TRUNCATE:
        r = ftruncate(fd_of(l, op->fd), (off_t)op->off);
        break;
    case DISK_RENAME:
        assert(op->name && op->name2);
        r = renameat(fd_of(l, op->dir), op->name, fd_of(l, op->dir2),
                     op->name2);
        break;
    case DISK_UNLINK:
        assert(op->name);
        r = unlinkat(fd_of(l, op->dir), op->name, 0);
        break;
    case DISK_RMDIR:
        assert(op->name);
        r = unlinkat(fd_of(l, op->dir), op->name, AT_REMOVEDIR);
        break;
    case DISK_WRITEBACK:
        r = sync_file_range(fd_of(l, op->fd), 0, 0, SYNC_FILE_RANGE_WRITE);
        break;
    case DISK_LOCK:
        r = flock(fd_of(l, op->fd), LOCK_EX | LOCK_NB);
        if (r == -1 && errno == EWOULDBLOCK)
            errno = EBUSY;
        break;
    default:
        assert(0 && "not one system call");
    }
    return r == -1 ? fail(l, op, f) : ERR_OK;
}

static enum err
linux_exec(struct disk *d, struct disk_op *op, struct fault *f)
{
    struct disk_linux *l = linux_of(d);

    if ((op->name && op->what != DISK_OPEN && !one_component(op->name)) ||
        (op->name2 && !one_component(op->name2)))
        return fault_set(f, ERR_INVAL, disk_do_name(op->what), op->name);
    switch (op->what) {
    case DISK_OPEN:
        return do_open(l, op, f);
    case DISK_CREATE:
        return do_create(l, op, f);
    case DISK_TMPFILE:
        return do_tmpfile(l, op, f);
    case DISK_PWRITE:
        return op->n_piece ? do_pwritev(l, op, f) : do_pwrite(l, op, f);
    case DISK_PREAD:
        return do_pread(l, op, f);
    case DISK_ALLOC:
        return do_alloc(l, op, f);
    case DISK_LINK:
        return do_link(l, op, f);
    case DISK_SYNC:
        return do_sync(l, op, f);
    case DISK_LIST:
        return do_list(l, op, f);
    case DISK_STAT:
        return do_stat(l, op, f);
    case DISK_STATFS:
        return do_statfs(l, op, f);
    case DISK_GATE:
        return do_gate(l, op, f);
    default:
        return do_simple(l, op, f);
    }
}

static void
linux_io(struct disk *d, struct loop *l, struct file_io *io)
{
    (void)d;
    loop_file(l, io);
}

static void
linux_close(struct disk *d)
{
    struct disk_linux *l = linux_of(d);

    disk_sync_close(&l->sync);
    if (l->gate != -1)
        (void)close(l->gate);
    if (l->root != -1)
        (void)close(l->root);
    free(l);
}

static const struct disk_ops linux_ops = {
    .exec = linux_exec,
    .io = linux_io,
    .close = linux_close,
};

enum err
disk_linux_open(struct disk **out, const char *path,
                const struct disk_linux_conf *conf, struct fault *f)
{
    static const struct disk_linux_conf none;
    struct disk_linux *l = calloc(1, sizeof(*l));
    int fd = -1;
    enum err e;

    if (!l)
        return fault_set(f, ERR_NOMEM, "open", path);
    if (!conf)
        conf = &none;
    l->disk = (struct disk){.ops = &linux_ops, .real_fd = true};
    l->no_tmpfile = conf->no_tmpfile;
    l->root = l->gate = -1;
    if (conf->create && mkdir(path, DIR_MODE) == -1 && errno != EEXIST) {
        e = fault_sys(f, errno, "mkdir", path);
        goto out;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1 || (l->root = fcntl(fd, F_DUPFD_CLOEXEC, 3)) == -1) {
        e = fault_sys(f, errno, "open", path);
        goto out;
    }
    l->gate = disk_gate_find(l->root);
    e = disk_sync_open(&l->sync, conf->sync_threads ? conf->sync_threads : 8,
                       f);
out:
    if (fd != -1)
        (void)close(fd);
    if (e != ERR_OK) {
        linux_close(&l->disk);
        return e;
    }
    *out = &l->disk;
    return ERR_OK;
}
