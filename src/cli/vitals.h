/* vitals.h - how the process itself is: a thread of its own looks every second,
 * so that it still speaks when all others are held up (PRD-168).
 *
 *   loops    every event loop gives a sign each second; one that is silent for
 *            VITALS_STUCK makes liveness answer 503, so that a supervisor
 *            restarts the process
 *   disk     the file system of DATA_DIR: writable, and room (PRD-177). Where
 *            storage elements lie on it as well, too little room is degraded
 *            and not more: unhealthy would take downloads and deletes away with
 *            the uploads, and who would then free it? (join/watch.h)
 *   memory   of the control group, else of the machine (PRD-178, D18)
 *
 * The elements look after their own file systems (join/watch.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VITALS_H
#define CLI_VITALS_H

#include "obs/health.h"
#include "port/loop.h"

#define VITALS_STUCK dur_ms(10000) /* PRD-168 */
#define VITALS_LATE  dur_ms(3000)

struct vitals;
struct metrics;

struct vitals_conf {
    struct health *health;
    struct metrics *metrics;
    const char *data_dir;
    bool shared; /* storage elements lie on DATA_DIR's file system */
    struct vitals_limits {
        unsigned disk_low; /* percent free; less is degraded ... */
        unsigned disk_min; /* ... and this unhealthy */
        bool memory_critical;
    } limits;
    struct loop **loops;
    unsigned n_loops;
};

/* What CONF names must outlive it. NULL: no memory. */
struct vitals *vitals_open(const struct vitals_conf *conf);
void vitals_close(struct vitals **v);

/* The first look, and the thread. The loops run, or will soon. False: there is
 * no thread. */
bool vitals_start(struct vitals *v);
/* On each loop's thread: no sign of it is expected any more. */
void vitals_leave(struct vitals *v, struct loop *l);
/* Ends the thread; harmless when there is none. */
void vitals_stop(struct vitals *v);

/* Other limits from the next look on. Any thread. */
void vitals_limit(struct vitals *v, const struct vitals_limits *l);

/* The verdicts, apart from where the numbers come from; TEXT of VITALS_TEXT. */
#define VITALS_TEXT 120
struct vitals_room {
    uint64_t total, free; /* bytes */
    bool writable;
    bool shared;
};
enum health_status
vitals_disk(const struct vitals_room *r, const struct vitals_limits *l,
            char text[VITALS_TEXT]);
enum health_status
vitals_memory(uint64_t limit, uint64_t used, char text[VITALS_TEXT]);

#endif
