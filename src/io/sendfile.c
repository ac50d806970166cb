/* sendfile.c - the step that both loops share. SPDX-License-Identifier:
 * Apache-2.0 */
#include "io/ioloop_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>

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
