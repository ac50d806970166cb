/* mono.h - kinds of time have kinds of type, so that the compiler keeps them
 * apart: a point of monotonic time, a point of wall time, a length of time.
 *
 * Nothing here reads a clock: time is an argument. The loop reads each clock
 * once a turn. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MONO_H
#define BASE_MONO_H

#include <stdbool.h>
#include <stdint.h>

struct mono { /* CLOCK_BOOTTIME; means nothing after a reboot */
    int64_t ns;
};
struct wall { /* since 1970-01-01 UTC */
    int64_t ms;
};
struct dur {
    int64_t ns;
};

#define MONO_NEVER ((struct mono){INT64_MAX})

static inline struct dur
dur_ms(int64_t ms)
{
    return (struct dur){ms * 1000000};
}

static inline struct dur
dur_s(int64_t s)
{
    return (struct dur){s * 1000000000};
}

/* MONO_NEVER stays never. D may be negative. */
static inline struct mono
mono_add(struct mono t, struct dur d)
{
    if (t.ns == INT64_MAX || (d.ns > 0 && t.ns > INT64_MAX - d.ns))
        return MONO_NEVER;
    return (struct mono){t.ns + d.ns};
}

static inline struct dur
mono_sub(struct mono a, struct mono b)
{
    return (struct dur){a.ns - b.ns};
}

static inline bool
mono_reached(struct mono now, struct mono deadline)
{
    return now.ns >= deadline.ns;
}

static inline bool
mono_before(struct mono a, struct mono b)
{
    return a.ns < b.ns;
}

#endif
