/* jump.c - preloaded into a process of our tests: its wall clock is off by what
 * the file named by JUMP_CLOCK holds, in microseconds, and jumps when the test
 * writes another number there. Its other clocks run.
 *
 * Not libfaketime: under that the program's start stands still, since it also
 * counts CLOCK_BOOTTIME and timed waits as its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;

__attribute__((constructor)) static void
begin(void)
{
    const char *name = getenv("JUMP_CLOCK");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd == -1
                  ? MAP_FAILED
                  : mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        abort();
    (void)close(fd);
    offset = p;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int e = (int)syscall(SYS_clock_gettime, id, ts);
    int64_t us;

    if (e || !offset || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return e;
    us = ts->tv_nsec / 1000 + *offset;
    ts->tv_sec += us / 1000000;
    ts->tv_nsec = us % 1000000 * 1000 + ts->tv_nsec % 1000;
    if (ts->tv_nsec < 0) {
        ts->tv_sec--;
        ts->tv_nsec += 1000000000;
    }
    return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t
time(time_t *t)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    if (t)
        *t = ts.tv_sec;
    return ts.tv_sec;
}
