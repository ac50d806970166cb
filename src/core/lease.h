/* lease.h - who leads: one instance at a time holds a lock that expires, under
 * an epoch that never comes back (D09, D32, D42, CAP-018...CAP-031).
 *
 * We promise that only one leader's writes take effect, not that only one
 * believes to lead: a process may be stopped between any two instructions. Two
 * things make it so. The holder stops by its own clock well before the lock can
 * end (here), and the store compares owner and epoch with every write (there).
 *
 *   FOLLOWER -take granted-> LEADER -not renewed by `deadline`-> ENDING
 *      ^   ^                   |  ^                                |
 *      |   +--- lost ----------+  +-- renewed                      |
 *      |        (not ours, write refused, store replaced)          |
 *      +------------------- `stop` reached ------------------------+
 *   any -stop asked-> FREEING -answered or not-> STOPPED
 *
 * Time is the caller's, a clock that goes on while the machine sleeps
 * (CLOCK_BOOTTIME). A lease counts from before its request was sent, so what
 * the network and the store take is lost to us and not to safety:
 *
 *   0       renewal    deadline  stop          ttl
 *   |----------|----------|-------|-------------|
 *   writes, renews; begins work   |  nothing    | somebody else may lead
 *                         finishes
 *
 * One request is under way at a time, and has a number. One that is not
 * answered within `patience` is given up; what comes later is known by its
 * number and ignored. A store may still carry out what was given up: a take
 * gives the lock to us under an epoch that nobody uses, renew and free compare
 * the epoch.
 *
 * Followers ask again when the lock can have ended, but at least once in a
 * renewal interval; a release is announced, so that it is taken over at once
 * (doc/leader.md says why both). When nobody answers they ask less often, and
 * after three takes that were perhaps carried out not within a TTL: else
 * someone whose answers are lost would hold the lock for ever without leading.
 *
 * When the store is replaced (its run id changes), by a replica that may lack
 * the last writes, everybody sits out one TTL: then the new store's clock is
 * past all epochs of the old one, unless the two differ by more than a TTL.
 *
 * By value; no memory, no clock, one thread. Bytes of keys and owners are the
 * driver's. Tests: lease_test.c, lease_failover_test.c,
 * lease_rand_test.c; doc/model/lease.pml is the same as a model.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LEASE_H
#define CORE_LEASE_H

#include "base/base.h"
#include "base/mono.h"
#include "base/prng.h"

struct lease_conf {
    struct dur ttl;      /* life of the lock in the store */
    struct dur renewal;  /* from one renewal to the next */
    struct dur deadline; /* no new work, no renewal after this */
    struct dur stop;     /* no write after this */
    struct dur patience; /* a request is given up after this */
    struct dur retry;    /* between requests that failed */
    struct dur jitter;   /* at most, so that not all ask at once */
};

enum lease_state {
    LEASE_FOLLOWER,
    LEASE_LEADER,
    LEASE_ENDING,  /* finishes what it began, begins nothing */
    LEASE_FREEING, /* gives the lock back */
    LEASE_STOPPED, /* for good */
};

enum lease_action {
    LEASE_NONE,
    LEASE_TAKE,  /* ttl, floor */
    LEASE_RENEW, /* epoch, ttl */
    LEASE_FREE,  /* epoch; the driver announces it when it succeeded */
};

enum lease_result {
    LEASE_OK,
    LEASE_BUSY,     /* take: someone else has it for another `left` */
    LEASE_CONFLICT, /* renew, free: it is not ours under this epoch */
    LEASE_FAILED,   /* certainly not carried out: it could not be sent */
    LEASE_UNKNOWN,  /* perhaps carried out: sent, and no answer */
};

enum lease_event_type {
    LEASE_EV_TIME,    /* it is `now` */
    LEASE_EV_ANSWER,  /* to request `ask`: result, epoch, left */
    LEASE_EV_REFUSED, /* the store refused a write under `epoch` */
    LEASE_EV_HINT,    /* someone announced that the lock is free */
    LEASE_EV_STORE,   /* connected to the store `store`, see lease_step() */
    LEASE_EV_STOP,    /* orderly end */
};

struct lease_event {
    enum lease_event_type type;
    struct mono now;
    uint64_t ask;
    enum lease_result result;
    uint64_t epoch;  /* take: the new one, or when busy the holder's or 0 */
    struct dur left; /* busy */
    uint64_t store;  /* its run id, hashed */
    bool doubt;      /* whether it forgot something cannot be ruled out */
};

/* Counted and logged (CAP-029, CAP-031): code, name. */
#define LEASE_CHANGES(X)          \
    X(LEASE_UNCHANGED, "")        \
    X(LEASE_ACQUIRED, "acquired") \
    X(LEASE_RENEWED, "renewed")   \
    X(LEASE_LOST, "lost")         \
    X(LEASE_RELEASED, "released")

/* Why it was lost: code, text. */
#define LEASE_WHYS(X)                                   \
    X(LEASE_NO_REASON, "")                              \
    X(LEASE_EXPIRED, "it could not be renewed in time") \
    X(LEASE_TAKEN, "the lock is not ours any more")     \
    X(LEASE_FENCED, "the store refused a write")        \
    X(LEASE_REPLACED, "the store was replaced")         \
    X(LEASE_UNFREED, "it was given up, but not freed in the store")

/* Label of the latency of a request (CAP-030): code, name. */
#define LEASE_LABELS(X)                     \
    X(LEASE_NOT_ANSWERED, "")               \
    X(LEASE_L_ACQUIRED, "acquired")         \
    X(LEASE_L_NOT_ACQUIRED, "not_acquired") \
    X(LEASE_L_RENEWED, "renewed")           \
    X(LEASE_L_RELEASED, "released")         \
    X(LEASE_L_ERROR, "error")

#define X(code, name) code,
enum lease_change { LEASE_CHANGES(X) };
enum lease_why { LEASE_WHYS(X) };
enum lease_label { LEASE_LABELS(X) };
#undef X

struct lease_out {
    enum lease_action action; /* to be sent now, as request `ask` */
    uint64_t ask;
    uint64_t epoch;
    uint64_t floor; /* take: the epoch must be at least this */
    enum lease_change change;
    uint64_t changed_epoch; /* which was acquired, renewed, lost, released */
    enum lease_why why;
    enum lease_label label; /* a request ended, after `took` */
    struct dur took;
    bool stale; /* the answer was to a request given up: ignored */
};

struct lease {
    struct lease_conf conf;
    struct prng random;
    enum lease_state state;
    uint64_t epoch;     /* held; 0: none */
    uint64_t floor;     /* above every epoch that we have heard of */
    struct mono from;   /* before the last request that was granted */
    struct mono at;     /* next request */
    struct mono barred; /* no take before this: we sit out */
    enum lease_action asked;
    uint64_t ask; /* number of the request under way, or last */
    struct mono sent;
    uint64_t store;
    unsigned unanswered; /* takes in a row */
    bool perhaps;        /* one of them may have been carried out */
    bool hinted;         /* while a take was under way */
    bool led;            /* FREEING: there is something to release */
    bool know_store;
    struct mono last; /* time of the last event */
};

/* A configuration from the two settings (CAP-019): 30 s and 10 s give deadline
 * 20 s, stop 22 s, patience 2.5 s, retry 1 s, jitter 1 s. */
struct lease_conf lease_conf_of(struct dur ttl, struct dur renewal);
/* NULL, or what is wrong with it, to be shown to the operator (CAP-027):
 * renewal < deadline < stop < ttl, with room for a whole request between the
 * first two. */
const char *lease_conf_check(const struct lease_conf *c);

/* A follower that asks at once. C has passed the check. SEED: another one in
 * each instance. FLOOR: no epoch below it is taken (Admin's, D32), or 0. */
void lease_init(struct lease *l, const struct lease_conf *c, uint64_t seed,
                uint64_t floor, struct mono now);
/* No epoch below FLOOR from now on. */
void lease_floor(struct lease *l, uint64_t floor);

/* What happens, in the order in which it happened; ev->now never goes back.
 * LEASE_EV_STORE comes before any answer from that store; the first one is just
 * noted, unless ev->doubt, which a driver sets that has no floor from Admin. */
void lease_step(struct lease *l, const struct lease_event *ev,
                struct lease_out *out);
/* LEASE_EV_TIME is due then; MONO_NEVER: not by time alone. */
struct mono lease_deadline(const struct lease *l);

/* May something be written at NOW, and under which *EPOCH (may be NULL)? To be
 * asked with a fresh clock before each write. */
bool lease_may_write(const struct lease *l, struct mono now, uint64_t *epoch);
/* May work be begun whose result will be written? */
bool lease_may_begin(const struct lease *l, struct mono now);

const char *lease_role(const struct lease *l); /* "leader", "follower" */
const char *lease_change_name(enum lease_change c);
const char *lease_why_text(enum lease_why w);
const char *lease_label_name(enum lease_label b);

#endif
