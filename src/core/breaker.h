/* breaker.h - leaves a storage element alone for a while that keeps failing
 * (ING-142...ING-153).
 *
 *   CLOSED --failure_threshold failures in a row--> OPEN
 *     ^                                              | open_for has passed
 *     +--success_threshold successes-- HALF_OPEN <---+
 *                                        |  a failure: OPEN again
 *
 * One breaker for each element, fed by what really happened to its requests. In
 * HALF_OPEN one trial runs at a time. Each allowed request carries the number
 * of the period in which it began; an answer from an earlier period says how
 * the element was, not how it is, and is passed over.
 *
 * Every allowed request must be reported, given-up ones as BREAKER_NEUTRAL; but
 * a trial that is not reported within PROBE_FOR is taken for lost, so that a
 * mistake elsewhere cannot keep an element out for ever.
 *
 * By value, no clock, no memory; the owner serialises. When an element goes or
 * gets a new address its breaker is made anew (ING-151, REL-039).
 * Tests: breaker_test.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BREAKER_H
#define CORE_BREAKER_H

#include "base/base.h"
#include "base/mono.h"

enum breaker_state { /* the values of the metric (ING-293) */
                     BREAKER_CLOSED,
                     BREAKER_HALF_OPEN,
                     BREAKER_OPEN,
};

struct breaker_conf {
    bool off;                   /* CIRCUIT_BREAKER_ENABLED=off: never opens */
    unsigned failure_threshold; /* 5 */
    unsigned success_threshold; /* 2 */
    struct dur open_for;        /* 60 s */
    /* Failures further apart than this do not add up; 0: however far. A dozen
     * uploads a year that fail one after the other say nothing of today. */
    struct dur window;
    struct dur probe_for; /* longest life of a trial; 0: no bound */
};

struct breaker {
    enum breaker_state state;
    uint32_t period; /* goes up with each change of state */
    unsigned failures;
    unsigned successes;
    bool probing;
    struct mono failed_at; /* last failure that counted */
    struct mono retry_at;  /* OPEN: when a trial may begin */
    struct mono probe_end;
    uint64_t opened; /* times, for metrics and health */
};

/* What became of a request. NEUTRAL neither counts nor clears. */
enum breaker_outcome {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_NEUTRAL,
};

/* How a request ended, as the client of the element saw it. */
enum breaker_end {
    BREAKER_ANSWERED,      /* with an HTTP status */
    BREAKER_NOT_CONNECTED, /* refused, unreachable, no address, TLS */
    BREAKER_BROKEN,        /* the connection ended before the answer */
    BREAKER_TIMED_OUT,     /* connecting, or waiting for it to move */
    BREAKER_NONSENSE,      /* an answer that is none */
    BREAKER_GIVEN_UP,      /* by us: the client left, a drain */
};

/* ING-149: connection errors, timeouts and 5xx but 507 are failures; what says
 * that the element works but not for this request (507, 404, other 4xx) does
 * not count either way; STATUS matters with BREAKER_ANSWERED only. */
enum breaker_outcome breaker_judge(enum breaker_end end, int status);

void breaker_init(struct breaker *b);

/* May a request begin? Nothing changes: for the selection, which asks of many
 * and uses one. */
bool breaker_would(const struct breaker *b, const struct breaker_conf *c,
                   struct mono now);
/* The same for the one that is used: true and *PERIOD, to be given back with
 * its report. False also when another trial was faster. */
bool breaker_ask(struct breaker *b, const struct breaker_conf *c,
                 struct mono now, uint32_t *period);
/* True when the state has changed. */
bool breaker_report(struct breaker *b, const struct breaker_conf *c,
                    struct mono now, uint32_t period, enum breaker_outcome o);

/* When an open breaker will let a trial through; MONO_NEVER when it is not
 * open. For Retry-After and health; breaker_ask() needs no timer. */
struct mono breaker_deadline(const struct breaker *b);
const char *breaker_state_name(enum breaker_state s); /* "half_open" */

#endif
