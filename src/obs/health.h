/* health.h - what the parts of a process say about themselves, and the answers
 * of /health/live, /health/ready and /health/startup made of it.
 *
 * Whoever knows a part (database, disk, storage elements ...) sets its check
 * when it has looked; nobody is asked when a probe comes, so a probe costs a
 * copy. A check whose word is older than its own `stale_after` counts as
 * failed: a part that stopped answering must not stay healthy for ever.
 *
 *   component   healthy / degraded / unhealthy              (PRD-180)
 *   overall     unhealthy if a critical one is, else degraded if any is not
 *               healthy, else healthy; `aggregate` says the same as
 *               ok / degraded / fail                        (D11, ING-091)
 *   HTTP        200 for the first two, 503 for the third
 *   liveness    looks at no component (D11): 503 only after health_stuck()
 *   startup     503 until health_started(), then 200 for good (PRD-170)
 *
 * A change of a component's status is logged once (PRD-185) and each check
 * feeds health_check_status and health_check_duration_seconds. Messages are for
 * people and hold no secret. Safe for any thread; checks are added at start.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_HEALTH_H
#define OBS_HEALTH_H

#include "base/buf.h"
#include "base/mono.h"

#define HEALTH_CHECKS_MAX 32
#define HEALTH_DETAIL_MAX ((size_t)8192)

enum health_status { HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY };

struct health;
struct log;
struct metrics;

struct health_conf {
    const char *version; /* literals, or they live as long as the health */
    const char *instance_id;
    struct mono started;
    struct metrics *metrics; /* may be NULL */
    struct log *log;         /* may be NULL */
};

/* NULL: no memory. */
struct health *health_open(const struct health_conf *conf);
void health_close(struct health **h); /* sets *H to NULL */

/* Adds a check, which is unhealthy ("not checked yet") until it is first set.
 * NAME is a literal of [a-z0-9_]. STALE_AFTER.ns 0: its word is good for ever.
 * Answers its number, or -1 over the ceiling. */
int health_add(struct health *h, const char *name, bool critical,
               struct dur stale_after);

/* Whether it fails readiness, from now on. */
void health_critical(struct health *h, int check, bool critical);

/* What the check found, and how long it took. MESSAGE is copied and cut at 320
 * bytes; NULL is "ok". */
void health_set(struct health *h, int check, enum health_status status,
                const char *message, struct dur took, struct mono now);

/* A JSON value (an object or a list) that stands beside the check in `checks`,
 * such as the list of storage elements (ING-097); it replaces the one before.
 * Empty takes it away. False: over HEALTH_DETAIL_MAX or no memory. The caller
 * answers for its being JSON. */
bool health_detail(struct health *h, int check, struct slice json);
/* A member of the answer's top level, such as `data_sources`; NAME a literal.
 * At most 8. */
bool health_extra(struct health *h, const char *name, struct slice json);

/* Where start-up is: "initializing: STEP" (a literal). */
void health_step(struct health *h, const char *step);
void health_started(struct health *h);
/* From now on readiness is 503 "shutting_down"; liveness stays (PRD-172). */
void health_draining(struct health *h);
/* A watchdog's word about the loops (PRD-168). */
void health_stuck(struct health *h, bool stuck);

enum health_kind { HEALTH_LIVE, HEALTH_READY, HEALTH_STARTUP };

struct health_now {
    struct mono mono;
    struct wall wall;
    bool summary; /* HEALTH_DETAILS=summary: no messages, no details */
};

/* Appends the JSON answer (PRD-182) and returns the HTTP status. */
unsigned health_answer(struct health *h, enum health_kind kind,
                       const struct health_now *now, struct buf *out);

/* Before metrics are shown: health_check_status of a check whose word is too
 * old is 0. */
void health_gauges(struct health *h, struct mono now);

/* The overall status of readiness without the text. */
enum health_status health_overall(struct health *h, struct mono now);

const char *health_name(enum health_status s);      /* "healthy" ... */
const char *health_aggregate(enum health_status s); /* "ok" ... */

#endif
