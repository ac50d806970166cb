/* meter.h - how fast bytes move, and when it will be over.
 *
 * The rate is that of the last few seconds: a ring of samples, half a second
 * apart at least. An average over the whole would hide that a transfer has
 * stopped; the last moment alone would jump. Pure: time is an argument.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_METER_H
#define CLI_METER_H

#include "base/buf.h"
#include "base/mono.h"

#define METER_SAMPLES 12

struct meter {
    struct {
        struct mono at;
        uint64_t bytes;
    } sample[METER_SAMPLES];
    size_t n; /* samples taken, also beyond the ring */
    struct mono at;
    uint64_t bytes; /* latest */
};

void meter_init(struct meter *m, struct mono now);
/* BYTES is the total so far. It may go back (a file is sent again). */
void meter_update(struct meter *m, struct mono now, uint64_t bytes);
/* Bytes a second; 0 as long as nothing can be said. */
uint64_t meter_rate(const struct meter *m);
/* Seconds until TOTAL is reached, rounded up; UINT64_MAX: nobody knows. */
uint64_t meter_eta(const struct meter *m, uint64_t total);

/* What a progress line shows. */
struct progress_view {
    uint64_t bytes;
    uint64_t total; /* UINT64_MAX: unknown */
    uint64_t rate;
    uint64_t eta;
    unsigned files_done;
    unsigned files; /* 1: not shown */
    const char *name;
    bool utf8;
};

/* One line of at most COLS columns, without its end:
 *   "3/12  45.2 MiB of 1.2 GiB  [####......]  37%  112 MiB/s  0:12  name"
 * What does not fit is left out: name first, then bar, then files. */
void progress_line(struct buf *out, const struct progress_view *v, size_t cols);

#endif
