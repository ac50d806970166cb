/* disk_gate.c - see disk_gate.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/disk_gate.h"
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEVELS_MAX 256
#define TRY_NS     100000
#define TRIES      1000 /* 100 ms: whoever is in needs much less than one */

/* The folder above AT, if it is on the same file system; else -1. */
static int
above(int at)
{
    struct stat here, there;
    int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (up == -1)
        return -1;
    if (fstat(at, &here) == 0 && fstat(up, &there) == 0 &&
        here.st_dev == there.st_dev && here.st_ino != there.st_ino)
        return up;
    (void)close(up);
    return -1;
}

int
disk_gate_find(int folder)
{
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 3), gate = -1;

    for (int i = 0; i < LEVELS_MAX && at != -1; i++) {
        int here = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int up = above(at);

        if (here != -1) { /* one that may be read, not only passed */
            if (gate != -1)
                (void)close(gate);
            gate = here;
        }
        (void)close(at);
        at = up;
    }
    if (at != -1)
        (void)close(at);
    return gate;
}

int
disk_gate_in(int gate)
{
    const struct timespec pause = {.tv_nsec = TRY_NS};
    int sys = 0;

    for (int i = 0; i < TRIES; i++) {
        if (flock(gate, LOCK_EX | LOCK_NB) == 0)
            return 0;
        sys = errno;
        if (sys != EWOULDBLOCK && sys != EINTR)
            return sys;
        (void)nanosleep(&pause, NULL);
    }
    return EBUSY;
}

void
disk_gate_out(int gate)
{
    (void)flock(gate, LOCK_UN);
}
