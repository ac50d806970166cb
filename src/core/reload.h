/* reload.h - keeps a gateway's list of storage elements up to date (REL-*).
 *
 * Four things ask for the list to be read again, and all go the same way:
 *
 *   the clock      every INTERVAL; and at the start until it has worked once
 *   failing        507, 404, no connection, an element found sick: lazy
 *   Admin          a message with the whole new list; a (re)subscription
 *   the operator   SIGHUP, POST /api/v1/config/reload
 *
 *            +--> ask Redis --nothing, or older--> ask Admin --+
 *   asked ---+        | a list                        | a list +-> failed
 *                     +---------> judge <-------------+
 *                     older than ours: thrown away; as ours: kept
 *                     else installed as a whole, with what has changed
 *
 * One reading at a time: who asks meanwhile shares it (the operator gets one
 * that began after his word). Lazy readings keep LAZY_GAP apart; a message is
 * used at once, those that follow it within MESSAGE_WINDOW are gathered and the
 * newest wins, so a burst of the first costs one reading, of the second two.
 * After a failure the clock asks again in 2, 4, 8 ... s, at most INTERVAL
 * (CNF-036).
 *
 * Invariants: the list in use never goes back in (generation, version) (D37),
 * and never becomes empty by an answer (CNF-037; see ALLOW_EMPTY). An answer is
 * thrown away that was given up, or that was read before a list that is in use
 * and cannot prove to be newer (REL-027).
 *
 * Lists belong to the driver, are immutable and sorted by id. The core holds
 * pointers and says when one is to be swapped in or dropped. One clock, no
 * memory, no threads: the driver serialises the steps; readers of the list go
 * on with the one that they hold (REL-038).
 *
 * Not here: bytes (wire/elements.h), cleaning up after removed elements, logs.
 * Tests: reload_test.c; bench/reload_bench.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RELOAD_H
#define CORE_RELOAD_H

#include "base/base.h"
#include "base/mono.h"
#include "base/prng.h"

/* ---- lists, and how they differ ---- */

#define RELOAD_MODE_NONE (-1) /* the source does not say */

struct reload_element {
    const char *element_id;
    const char *endpoint;
    const char *location; /* or NULL: the source does not say */
    int mode;             /* enum select_mode, or RELOAD_MODE_NONE */
    int priority;
};

struct reload_list {
    const struct reload_element *e; /* in byte order of element_id, each once */
    size_t n;
    bool versioned; /* the next two were there */
    bool stated; /* empty because it says so, not because nothing was found */
    uint64_t generation;
    uint64_t version;
};

enum reload_change_type { RELOAD_ADDED, RELOAD_REMOVED, RELOAD_UPDATED };

enum { /* what an update changed */
       RELOAD_ENDPOINT = 1,
       RELOAD_PRIORITY = 2,
       RELOAD_MODE = 4,
       RELOAD_LOCATION = 8,
};

struct reload_change {
    enum reload_change_type type;
    unsigned what;                       /* of an update */
    const struct reload_element *before; /* NULL: added */
    const struct reload_element *after;  /* NULL: removed */
};

/* A walk over both lists at once, in order of id: REL-023, CNF-038.
 *     struct reload_diff d = {old, new};       old may be NULL: empty
 *     while (reload_diff_next(&d, &change)) ... */
struct reload_diff {
    const struct reload_list *before;
    const struct reload_list *after;
    size_t i, j;
};

bool reload_diff_next(struct reload_diff *d, struct reload_change *out);
/* Is L as a list must be: sorted, no id twice? */
bool reload_list_ok(const struct reload_list *l);

/* ---- the machine ---- */

enum reload_source {                 /* labels of REL-107 */
                     RELOAD_NOWHERE, /* "none" */
                     RELOAD_REDIS,
                     RELOAD_ADMIN, /* "admin_module" */
                     RELOAD_PUBSUB,
                     RELOAD_UNKNOWN, /* an unexpected error */
                     RELOAD_SOURCES,
};

/* Who asked; by this a reading is counted and named in the log (REL-125). */
enum reload_cause {
    RELOAD_BY_START,
    RELOAD_BY_CLOCK,
    RELOAD_BY_LAZY,
    RELOAD_BY_MANUAL,
    RELOAD_BY_MESSAGE,
    RELOAD_BY_SUBSCRIPTION,
};

enum reload_reason { /* labels of the lazy counter (REL-064, REL-172) */
                     RELOAD_NO_ROOM, /* "insufficient_storage" */
                     RELOAD_NOT_FOUND,
                     RELOAD_CONNECTION, /* "connection_error" */
                     RELOAD_MANUAL,
                     RELOAD_HEALTH, /* "health_check" */
                     RELOAD_REASONS,
};

enum reload_status {
    RELOAD_SUCCESS,
    RELOAD_FAILED,
    RELOAD_ERROR, /* lazy only: unexpected */
    RELOAD_STATUSES,
};

struct reload_conf {
    bool periodic; /* CAPACITY_MONITOR_CONFIG_RELOAD_ENABLED */
    bool redis;    /* there is one to ask */
    bool admin;
    bool allow_empty; /* a stated, versioned empty list in Redis, confirmed by
                         an empty answer of Admin, is believed (CNF-037) */
    struct dur interval;       /* 60 s; the clock is 6 to 12 s ahead */
    struct dur backoff;        /* 2 s; doubles */
    struct dur lazy_gap;       /* 1 s between the beginnings of two */
    struct dur health_gap;     /* 60 s for one element (REL-172) */
    struct dur message_window; /* 10 ms; at most 20 (REL-174) */
    struct dur fetch_timeout;  /* 5 s: for each source */
};
#define RELOAD_CONF_DEFAULT                                  \
    ((struct reload_conf){.periodic = true,                  \
                          .redis = true,                     \
                          .admin = true,                     \
                          .interval = {60LL * 1000000000},   \
                          .backoff = {2LL * 1000000000},     \
                          .lazy_gap = {1000000000},          \
                          .health_gap = {60LL * 1000000000}, \
                          .message_window = {10 * 1000000},  \
                          .fetch_timeout = {5LL * 1000000000}})

/* For the metrics of REL section 8; only ever growing, but for `endpoints`. */
struct reload_counts {
    uint64_t reload[RELOAD_SOURCES][2];             /* ... [status] */
    uint64_t lazy[RELOAD_REASONS][RELOAD_STATUSES]; /* one each trigger */
    uint64_t change[3];    /* by reload_change_type; not of the first list */
    uint64_t endpoints;    /* a gauge: 0 until there is a list (REL-118) */
    uint64_t thrown_late;  /* answers that were given up */
    uint64_t thrown_older; /* lists older than the one in use */
    uint64_t thrown_empty;
    uint64_t merged; /* triggers and messages that cost nothing */
};

enum reload_event_type {
    RELOAD_EV_START,
    RELOAD_EV_TIME,    /* it is NOW */
    RELOAD_EV_TRIGGER, /* .reason; .element_id with RELOAD_HEALTH */
    RELOAD_EV_SUBSCRIBED,
    RELOAD_EV_MESSAGE, /* .list; NULL: it was none (REL-086) */
    RELOAD_EV_FETCHED, /* .ticket, .result, .list */
    RELOAD_EV_STOP,
};

enum reload_result {
    RELOAD_GOT,       /* .list, which may be empty */
    RELOAD_NO_ANSWER, /* refused, timed out, nonsense */
    RELOAD_BROKEN,    /* not the source's fault: no memory ... */
};

/* A list given with an event is the core's to name in `install` or `drop`,
 * later at the latest with STOP. */
struct reload_event {
    enum reload_event_type type;
    struct mono now;
    enum reload_reason reason;
    const char *element_id;
    uint64_t ticket;
    enum reload_result result;
    const struct reload_list *list;
};

enum reload_served {                 /* how a trigger is served */
                     RELOAD_STARTED, /* a reading has begun for it */
                     RELOAD_JOINED,  /* shares the one under way */
                     RELOAD_FRESH,   /* the list was read a moment ago: go on
                                        with it; it is read again soon */
                     RELOAD_LATER,   /* after the gap; the last one failed */
                     RELOAD_IGNORED, /* stopped, or HEALTH asked too often */
};

struct reload_out {
    enum reload_source fetch; /* REDIS, ADMIN: read it, report with .ticket */
    uint64_t ticket;
    /* Swap it in. REPLACED is what was in use (NULL: the first), still whole
     * for a reload_diff; the driver drops it when its last reader has. */
    const struct reload_list *install;
    const struct reload_list *replaced;
    const struct reload_list *drop[3]; /* nobody needs them */
    unsigned n_drop;
    enum reload_served served; /* of a TRIGGER */
    /* A reading or a message has ended; for the log and the histogram. */
    bool ended;
    enum reload_cause cause;
    enum reload_source source;
    enum reload_status status;
    struct dur took;
    uint32_t change[3];
};

#define RELOAD_HEALTH_MAX 64 /* elements whose last HEALTH is remembered */

struct reload {
    struct reload_conf conf;
    struct reload_counts counts;
    const struct reload_list *current;
    const struct reload_list *message; /* gathered, not judged yet */
    struct prng prng;
    enum reload_source fetching; /* NOWHERE: idle */
    enum reload_cause cause;
    bool started, stopped;
    bool manual_next, subscribed_next;
    bool redis_stated_empty;
    bool last_ok;
    uint64_t ticket;
    uint64_t installed;           /* how many lists so far */
    uint64_t installed_then;      /* when the reading began */
    uint64_t generation, version; /* highest that was in use */
    unsigned failures;
    uint32_t lazy_now[RELOAD_REASONS];  /* served by the reading under way */
    uint32_t lazy_next[RELOAD_REASONS]; /* by the next */
    struct mono began, fetch_end;
    struct mono clock_at;     /* next reading by the clock */
    struct mono lazy_at;      /* earliest next lazy one */
    struct mono message_at;   /* when the one gathered is used */
    struct mono message_next; /* and no other before */
    struct {
        uint64_t hash;
        struct mono until;
    } health[RELOAD_HEALTH_MAX];
};

void
reload_init(struct reload *r, const struct reload_conf *conf, uint64_t seed);
/* Other settings from now on; the next reading by the clock is timed anew. */
void reload_configure(struct reload *r, const struct reload_conf *conf,
                      struct mono now);
void reload_step(struct reload *r, const struct reload_event *ev,
                 struct reload_out *out);
/* When RELOAD_EV_TIME is due. */
struct mono reload_deadline(const struct reload *r);

const char *reload_source_name(enum reload_source s, bool lazy);
const char *reload_reason_name(enum reload_reason r);
const char *reload_status_name(enum reload_status s);
const char *reload_cause_name(enum reload_cause c); /* "periodic_reload" */
const char *reload_change_name(enum reload_change_type t);

#endif
