/* disk_linux.h - port/disk.h over a folder of a Linux file system.
 *
 * A sync of many handles is spread over threads of the driver: the journal of
 * the file system then commits them together. Measured on ext4: 6,000-7,500
 * files/s for sets of 32 with two callers, against 870-3,000 one by one, and
 * syncfs() worse than either on some file systems.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_DISK_LINUX_H
#define IO_DISK_LINUX_H

#include "port/disk.h"

struct disk_linux_conf {
    bool create;           /* make PATH, one level, when it is not there */
    unsigned sync_threads; /* 0: 8 */
    bool no_tmpfile;       /* pretend that O_TMPFILE is missing */
};

/* PATH must be a folder. CONF may be NULL. *OUT goes to disk->ops->close(),
 * when no other call is under way and all handles are closed. */
enum err disk_linux_open(struct disk **out, const char *path,
                         const struct disk_linux_conf *conf, struct fault *f);

#endif
