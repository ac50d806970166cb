/* redis_clock.c - preloaded into a redis-server of our tests: its wall clock
 * stands still and moves when the test says so, so that times to live can be
 * compared to the millisecond with a model. Its other clocks run.
 *
 * The file named by REDIS_CLOCK holds the time, as microseconds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t
clock_us(void)
{
    static volatile int64_t *shared;
    const char *name = getenv("REDIS_CLOCK");

    if (!shared) {
        int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        void *p = fd == -1 ? MAP_FAILED
                           : mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED,
                                  fd, 0);

        if (p == MAP_FAILED)
            abort();
        (void)close(fd);
        shared = p;
    }
    return *shared;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    int64_t us = clock_us();

    (void)zone;
    tv->tv_sec = us / 1000000;
    tv->tv_usec = us % 1000000;
    return 0;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t us;

    if (id != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, id, ts);
    us = clock_us();
    ts->tv_sec = us / 1000000;
    ts->tv_nsec = us % 1000000 * 1000;
    return 0;
}

time_t
time(time_t *t)
{
    time_t now = (time_t)(clock_us() / 1000000);

    if (t)
        *t = now;
    return now;
}
