/* retry.h - one upload and the elements that it is tried on, until one has it
 * or there is an answer for the client (ING-131...ING-141, D27, D28).
 *
 *   choose --element--> admit --> body --> publish --ok--> DONE
 *     ^  \--none--> ANSWER        |   |         |
 *     |                           v   v         v
 *     +-------- next element <-- how it ended --+-----> ANSWER
 *
 * Three attempts in all. A refusal at admission does not use one up: no byte
 * has been sent, and a full element costs one small request. What has failed is
 * not chosen again for this upload (ING-132), so there is an end to it; so that
 * the list stays short there is also a bound, and reaching it is "later", never
 * "no room": 507 is said only when the choice itself finds no element with room
 * (D06).
 *
 * Each end also says what else is to be done: have the element's capacity or
 * the list of elements read again, and tell the element to forget an attempt
 * whose fate is not known (D27, ING-141).
 *
 * By value, no clock, no memory. Tests: retry_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "base/slice.h"
#include "core/breaker.h"
#include "core/reload.h"
#include "core/select.h"

#define RETRY_OUT_MAX 64 /* elements that one upload is turned away by */

enum retry_phase {
    RETRY_ADMIT,   /* nothing of the body was sent */
    RETRY_BODY,    /* some of it */
    RETRY_PUBLISH, /* all of it, with its footer; or all three in one request */
};

enum retry_next {
    RETRY_CHOOSE, /* another element, with `out` excluded */
    RETRY_DONE,
    RETRY_ANSWER, /* status and code for the client */
};

struct retry_out {
    char element_id[65];
    enum select_excluded why;
};

struct retry {
    unsigned attempts_max; /* STORAGE_ELEMENT_MAX_RETRIES: 3 */
    unsigned attempts;     /* used up */
    unsigned refusals;
    unsigned n_out;
    struct retry_out out[RETRY_OUT_MAX];
    int last_status; /* what the last failed attempt would answer */
};

/* How one try ended. STATUS with BREAKER_ANSWERED. */
struct retry_end {
    const char *element_id;
    enum retry_phase phase;
    enum breaker_end end;
    int status;
    bool read_only;  /* a 403 that says storage_not_writable (STO-006) */
    bool replayable; /* the bytes sent so far can be sent again (D04) */
};

struct retry_step {
    enum retry_next next;
    int status;       /* ANSWER */
    const char *code; /* ANSWER: "insufficient_storage"; ING-103, ING-104 */
    bool retry_after; /* ANSWER: say when to come again */
    bool capacity;    /* poll this element now (CAP-068) */
    bool reload;      /* with REASON (REL-060) */
    enum reload_reason reason;
    bool abort;   /* the attempt may have been stored: abort it there (D27) */
    bool attempt; /* it used one up */
    enum breaker_outcome outcome; /* for the element's breaker */
};

void retry_init(struct retry *r, unsigned attempts_max);
struct retry_step retry_ended(struct retry *r, const struct retry_end *end);
/* The choice found none: the answer (D06). KIND as select_pick() gave it. */
struct retry_step retry_none(const struct retry *r, enum select_kind kind);
/* Is it to be passed over, and why? */
enum select_excluded
retry_excludes(const struct retry *r, const char *element_id);

#endif
