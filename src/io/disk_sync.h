/* disk_sync.h - threads that sync sets of files for disk_linux.c.
 *
 * Several sets may be under way at once. The calling thread takes part, so a
 * set of one wakes nobody. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_DISK_SYNC_H
#define IO_DISK_SYNC_H

#include "base/base.h"
#include "base/err.h"

struct disk_sync;

enum err
disk_sync_open(struct disk_sync **out, unsigned threads, struct fault *f);
void disk_sync_close(struct disk_sync **s);

/* Returns when all N are synced, or tried: 0, or the first errno. The handle 0
 * stands for ROOT. Folders are given fsync: on ext4 a new entry in an old
 * block is not "data" to fdatasync. */
int disk_sync_run(struct disk_sync *s, const int *fd, size_t n, int root);

#endif
