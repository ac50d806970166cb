/* clock.h - what time it is, for the command line and the start of a server;
 * whatever runs on a loop asks the loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLOCK_H
#define CLI_CLOCK_H

#include "base/mono.h"
#include <time.h>

/* Goes on while the machine sleeps, as that of the loops. */
static inline struct mono
mono_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (struct mono){t.tv_sec * INT64_C(1000000000) + t.tv_nsec};
}

static inline struct wall
wall_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct wall){t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000};
}

#endif
