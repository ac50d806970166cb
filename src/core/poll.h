/* poll.h - when which storage element is asked for its capacity, and what its
 * answers say about its health (CAP-028, CAP-032...CAP-041).
 *
 * Each element has a schedule of its own: a grid with a step of `base`, at a
 * phase of its own, and a small random shift from it each time. The shift is
 * not added up and a late answer does not move the grid, so in the long run an
 * element is polled exactly once in `base` (100 elements: 288,000 times a day),
 * and not all at the same time.
 *
 * A poll is one request and up to `retries` more, after 2, 4, 8 s. Between them
 * it holds no place among the `concurrent` requests that may be under way, so a
 * slow element costs the others one place for at most `timeout`. Who has waited
 * longest goes first.
 *
 *   UNKNOWN --1 good poll--> HEALTHY <--`recovery` good polls in a row--+
 *      |                        |                                       |
 *      +---- `threshold` failed polls in a row ------------------> UNHEALTHY
 *
 * The interval of an unhealthy element doubles with each further failure up to
 * `max`, and is `base` again when it is healthy. Once it has answered well, the
 * polls that are to prove it follow after a sixth of `base` each (5 s).
 *
 * Every request has a ticket. It is worth nothing once the element was removed
 * or has another endpoint, the request was given up, or we do not lead any
 * more: the answer is then thrown away (CAP-038). So the driver need not wait
 * for what is under way when it removes an element.
 *
 * All memory is taken by poll_init(). Each call costs O(log n), those that
 * concern all elements O(n log n). No clock; the owner serialises.
 * Not here: what a good answer looks like (CAP-043), what is written where.
 * Tests: poll_test.c, poll_day_test.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POLL_H
#define CORE_POLL_H

#include "base/heap.h"
#include "base/prng.h"

#define POLL_NO_SLOT UINT32_MAX

struct poll_conf {
    struct dur base;        /* between the polls of a healthy element */
    struct dur max;         /* of an unhealthy one, at most */
    struct dur timeout;     /* of a request */
    struct dur retry_delay; /* before the first retry; it doubles with each */
    struct dur shift;       /* random shift from the grid, at most */
    unsigned retries;       /* after the first request (D17, AMB-010) */
    unsigned threshold;     /* failed polls in a row: unhealthy */
    unsigned recovery;      /* good polls in a row: healthy again */
    unsigned concurrent;    /* requests under way at most */
};

/* Why a request failed (CAP-040): code, name, is it repeated (CAP-036)? Of HTTP
 * errors only 5xx and 429 are. */
#define POLL_ERRORS(X)                                 \
    X(POLL_OK, "", false)                              \
    X(POLL_TIMEOUT, "timeout", true)                   \
    X(POLL_CONNECTION_ERROR, "connection_error", true) \
    X(POLL_HTTP_ERROR, "http_error", false)            \
    X(POLL_INVALID_RESPONSE, "invalid_response", true) \
    X(POLL_UNKNOWN_ERROR, "unknown", true)

enum poll_error {
#define X(code, name, again) code,
    POLL_ERRORS(X)
#undef X
        POLL_ERROR_COUNT
};

enum poll_health {
    POLL_UNKNOWN,
    POLL_HEALTHY,
    POLL_UNHEALTHY,
};

enum poll_what {
    POLL_IDLE,  /* nothing to do; for an answer: it was thrown away */
    POLL_ASK,   /* send this request */
    POLL_RETRY, /* this request failed; another one will follow */
    POLL_ENDED, /* this request was the last of its poll */
};

struct poll_ticket {
    uint32_t slot;
    uint64_t serial;
};

struct poll_out {
    enum poll_what what;
    struct poll_ticket ticket;
    void *owner;
    unsigned attempt; /* 0: the first request of the poll */
    /* RETRY and ENDED. A TIMEOUT that comes out of poll_next() is a request
     * that the driver should cancel. */
    enum poll_error error; /* POLL_OK: a good poll */
    unsigned status;       /* of an HTTP_ERROR */
    struct mono next;      /* when the next request is due */
    /* ENDED */
    struct dur took;         /* the whole poll, with its retries */
    enum poll_health health; /* now */
    bool changed;            /* it was another one before */
    unsigned failures;       /* failed polls in a row */
};

struct poll_slot;

struct poll {
    struct poll_conf conf;
    struct prng random;
    struct poll_slot *slot;
    uint32_t max;
    uint32_t n;
    uint32_t free;      /* first free slot, or POLL_NO_SLOT */
    struct heap due;    /* who waits for a request, by when it is due */
    struct heap flight; /* who waits for an answer, by when it is given up */
    uint64_t serial;
    bool leads;
};

/* What the specification says: 30 s, 300 s, 15 s, 3 retries after 2 s, 3 and 2;
 * shift 3 s, 64 requests at once. */
struct poll_conf poll_conf_default(void);
/* NULL, or what is wrong with it, to be shown to the operator. */
const char *poll_conf_check(const struct poll_conf *c);

/* At most MAX elements; nothing is polled before poll_lead(). C has passed the
 * check. False: no memory; then P need not be released. */
bool poll_init(struct poll *p, const struct poll_conf *c, uint32_t max,
               uint64_t seed);
void poll_release(struct poll *p);
/* Other settings from now on. */
void poll_retune(struct poll *p, const struct poll_conf *c, struct mono now);

/* An element, polled at once if we lead (CAP-039). POLL_NO_SLOT: there are MAX
 * already. OWNER is handed back with each request. */
uint32_t poll_add(struct poll *p, void *owner, struct mono now);
void poll_remove(struct poll *p, uint32_t slot);
/* It has another endpoint: polled at once, what is under way is forgotten. */
void poll_changed(struct poll *p, uint32_t slot, struct mono now);
/* Poll it at once, as after a 507; again if that is just being done, since the
 * answer may be older than what the caller knows. */
void poll_soon(struct poll *p, uint32_t slot, struct mono now);

enum poll_health poll_health(const struct poll *p, uint32_t slot);
/* What an earlier leader knew of it; before poll_lead(), which does not wait
 * for a change that is none. */
void poll_health_set(struct poll *p, uint32_t slot, enum poll_health health);

/* We lead: every element is due now (CAP-028), and from then on spread evenly.
 * No longer: nothing is polled, what is under way is forgotten, and what was
 * known of their health. */
void poll_lead(struct poll *p, struct mono now);
void poll_rest(struct poll *p);

/* What is to be done at NOW; to be called until it says POLL_IDLE. */
enum poll_what poll_next(struct poll *p, struct mono now, struct poll_out *out);
/* A request was answered, or failed. STATUS: of POLL_HTTP_ERROR, else ignored.
 * POLL_RETRY, POLL_ENDED, or POLL_IDLE: thrown away. */
enum poll_what
poll_answer(struct poll *p, struct poll_ticket t, enum poll_error error,
            unsigned status, struct mono now, struct poll_out *out);
/* When poll_next() has something to do; MONO_NEVER: not by time alone. */
struct mono poll_deadline(const struct poll *p);

const char *poll_error_name(enum poll_error e); /* "timeout" */
bool poll_is_retried(enum poll_error e, unsigned status);

#endif
