/* file.c - see file.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/file.h"
#include "base/hex.h"
#include "sec/random.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum err
sec_file_read(const char *path, bool secret, struct buf *out, struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum err e = ERR_OK;
    struct stat st;
    ssize_t n = 0;

    if (fd == -1)
        return errno == ENOENT ? ERR_NOENT : fault_sys(f, errno, "open", path);
    if (fstat(fd, &st) == -1) {
        e = fault_sys(f, errno, "stat", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        e = fault_set(f, ERR_INVAL, "read, not a file", path);
        goto out;
    }
    if (secret && (st.st_mode & 077)) {
        e = fault_set(f, ERR_DENIED, "trust", path);
        (void)fault_hint(f, "others may read it: chmod 600");
        goto out;
    }
    do {
        char *p = buf_reserve(out, 4096);

        /* The last piece may be smaller than what is reserved. */
        if (!p) {
            e = fault_set(f, out->max - out->n < 4096 ? ERR_TOOBIG : ERR_NOMEM,
                          "read", path);
            goto out;
        }
        n = read(fd, p, 4096);
        if (n > 0)
            out->n += (size_t)n;
    } while (n > 0 || (n == -1 && errno == EINTR));
    if (n == -1)
        e = fault_sys(f, errno, "read", path);
    else if (out->p)
        out->p[out->n] = 0;
out:
    (void)close(fd);
    return e;
}

static enum err
write_all(int fd, struct slice bytes, const char *name, struct fault *f)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return fault_sys(f, errno, "write", name);
        bytes = slice_skip(bytes, (size_t)n);
    }
    return fsync(fd) == -1 ? fault_sys(f, errno, "fsync", name) : ERR_OK;
}

static enum err
dir_sync(int dirfd, const char *dir, struct fault *f)
{
    return fsync(dirfd) == -1 ? fault_sys(f, errno, "fsync", dir) : ERR_OK;
}

enum err
sec_file_write(const char *dir, const char *name, struct slice bytes,
               unsigned mode, bool replace, struct fault *f)
{
    int dirfd = -1, fd = -1;
    uint8_t random[16];
    char hex[2 * sizeof(random) + 1], tmp[64];
    bool have_tmp = false;
    enum err e;

    /* By chance and not by process: two may have the same number, each in a
     * namespace of its own. */
    sec_random(random, sizeof(random));
    snprintf(tmp, sizeof(tmp), ".new-%s",
             hex_encode(random, sizeof(random), hex));
    dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd == -1)
        return fault_sys(f, errno, "open", dir);
    fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1) {
        e = fault_sys(f, errno, "create", tmp);
        goto out;
    }
    have_tmp = true;
    if (fchmod(fd, mode) == -1) { /* whatever the umask says */
        e = fault_sys(f, errno, "chmod", name);
        goto out;
    }
    if ((e = write_all(fd, bytes, name, f)) != ERR_OK)
        goto out;
    if (replace && renameat(dirfd, tmp, dirfd, name) == -1) {
        e = fault_sys(f, errno, "rename", name);
        goto out;
    }
    /* A link, not a rename: of two processes that start together one makes the
     * file, and the other learns of it. */
    if (!replace && linkat(dirfd, tmp, dirfd, name, 0) == -1) {
        e = errno == EEXIST ? ERR_EXISTS : fault_sys(f, errno, "link", name);
        goto out;
    }
    have_tmp = !replace;
    e = dir_sync(dirfd, dir, f);
out:
    if (have_tmp)
        (void)unlinkat(dirfd, tmp, 0);
    if (fd != -1)
        (void)close(fd);
    (void)close(dirfd);
    return e;
}

enum err
sec_dir_make(const char *dir, struct fault *f)
{
    char parent[PATH_MAX];
    enum err e;
    int fd;

    if (snprintf(parent, sizeof(parent), "%s/..", dir) >= PATH_MAX)
        return fault_set(f, ERR_INVAL, "mkdir", dir);
    if (mkdir(dir, 0700) == -1)
        return errno == EEXIST ? ERR_OK : fault_sys(f, errno, "mkdir", dir);
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1)
        return fault_sys(f, errno, "open", parent);
    e = dir_sync(fd, parent, f);
    (void)close(fd);
    return e;
}
