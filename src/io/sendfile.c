/* sendfile.c - what both loops share of sending files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/ioloop_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

bool
net_sendfile_step(struct net_op *op)
{
    int flags = fcntl(op->fd, F_GETFL);
    bool flip = flags >= 0 && !(flags & O_NONBLOCK);
    bool finished = false;

    if (flip)
        (void)fcntl(op->fd, F_SETFL, flags | O_NONBLOCK);
    while (!finished) {
        off_t off = (off_t)(op->off + op->did);
        ssize_t r = sendfile(op->fd, op->file, &off, op->n - op->did);

        if (r == -1 && errno == EINTR)
            continue;
        if (r == -1 && errno == EAGAIN)
            break;
        if (r > 0)
            op->did += (size_t)r;
        if (r <= 0 || op->did == op->n) {
            /* r == 0: the file is shorter than it was */
            op->res = r == -1 ? -errno : r == 0 ? -EIO : (int)op->did;
            finished = true;
        }
    }
    if (flip)
        (void)fcntl(op->fd, F_SETFL, flags);
    return finished;
}

/* cachestat(2), Linux 6.5; the C library of Debian 12 has no word for it. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif

struct cachestat_range {
    uint64_t off;
    uint64_t len;
};

struct cachestat {
    uint64_t cache;
    uint64_t dirty;
    uint64_t writeback;
    uint64_t evicted;
    uint64_t recently_evicted;
};

/* Before that system call: one byte of every 64 KiB, without waiting.
 * Read-ahead works in larger steps, so that little is missed. */
static bool
probe(int fd, uint64_t off, uint64_t n)
{
    for (uint64_t at = off; at < off + n; at += 64 * KIB) {
        char c;
        struct iovec v = {&c, 1};

        if (preadv2(fd, &v, 1, (off_t)at, RWF_NOWAIT) != 1)
            return false;
    }
    return true;
}

bool
file_cached(int fd, uint64_t off, uint64_t n)
{
    uint64_t first = align_down(off, 4096), last = align_up(off + n, 4096);
    struct cachestat_range r = {first, last - first};
    struct cachestat cs;

    memset(&cs, 0, sizeof(cs));
    if (syscall(__NR_cachestat, fd, &r, &cs, 0) == 0)
        return cs.cache >= (last - first) / 4096;
    return errno == ENOSYS || errno == EPERM ? probe(fd, off, n) : false;
}
