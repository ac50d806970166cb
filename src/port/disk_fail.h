/* disk_fail.h - a driver of port/disk.h that passes operations on to another,
 * and fails those that it is told to. Closing never fails.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_DISK_FAIL_H
#define PORT_DISK_FAIL_H

#include "port/disk.h"
#include "port/fail.h"

struct disk_fail {
    struct disk disk; /* give this to who is tested */
    struct disk *inner;
    struct fail fail;
    int sys; /* the errno that is told; 0: EIO. Sets fail.err's place */
    enum disk_do last; /* what was made to fail */
};

/* INNER belongs to W then: closing w->disk closes it. */
void disk_fail_init(struct disk_fail *w, struct disk *inner);

#endif
