/* monitor.h - the capacity monitor of a gateway: who leads, how full the
 * elements are, which ones there are; doc/capacity.md.
 *
 *   core/lease    who polls            over port/coord (the lock)
 *   core/poll     whom, when           over port/fetch (GET /api/v1/capacity)
 *   core/reload   which elements       over port/coord, else Admin
 *   core/snapshot what selection reads from what the store has of all of them
 *
 * Every gateway has one, on its first loop. The leader's polls, writes what
 * they say to the store, each under its epoch; all of them, the leader too,
 * read the store in intervals, off the path of any request, and hand what they
 * found to selection as a view (view.h). Leading changes nothing else.
 *
 *   the store answers         selection from what was polled
 *   it does not               from Admin's list, at most 5 s old (CNF-004)
 *   neither does Admin        refused, with the reason; all is tried again
 *
 * Memory and requests under way are bounded by `elements_max`, poll.concurrent
 * and MONITOR_READS. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_MONITOR_H
#define ROLE_INGEST_MONITOR_H

#include "core/ledger.h"
#include "core/lease.h"
#include "core/poll.h"
#include "core/reload.h"
#include "port/coord.h"
#include "port/fetch.h"
#include "role/common/ask.h"
#include "role/ingest/view.h"

#define MONITOR_LOCK     "capacity_monitor:leader_lock"
#define MONITOR_RELEASED "capacity_monitor:leader_released" /* a channel */
#define MONITOR_READS    64 /* hashes that are read at the same time */

struct hash_kernels;
struct log;
struct metrics;
struct monitor;

/* Admin's list of elements with their numbers (ADM-017), asked for once. The
 * asker owns it; DONE comes on LOOP, once, with ERR_OK and the body in OUT, or
 * with a fault. No answer takes longer than `patience`. */
struct monitor_admin_ask {
    struct loop *loop;
    void (*done)(struct monitor_admin_ask *q);
    struct dur patience;
    struct buf out; /* the asker's; empty at first */
    enum err err;
    struct fault fault;
    void *priv;
};

struct monitor_admin {
    void (*list)(struct monitor_admin *a, struct monitor_admin_ask *q);
    /* No answer is waited for any more: DONE comes soon. May be NULL. */
    void (*cancel)(struct monitor_admin *a);
};

/* An element that is known, with an address. Valid during the call; BLOB is to
 * be held by whoever keeps it. */
struct monitor_element {
    const char *element_id;
    const char *endpoint;
    struct uuid uuid; /* nil: not known yet */
    int mode;         /* enum blob_mode; -1: not known yet */
    int priority;
    struct blob *blob;
};

struct monitor_conf {
    const char *instance_id;     /* "": made from SEED; copied */
    struct coord *coord;         /* NULL: there is none, Admin only (CAP-017) */
    struct fetch *fetch;         /* to elements */
    struct ask_auth auth;        /* of polls (CAP-042) and of uploads */
    struct monitor_admin *admin; /* NULL: none */
    /* What elements are to hear of Admin's keys: the version, and the text to
     * OUT unless that is NULL. 0: nothing. May be NULL. */
    uint64_t (*documents)(void *arg, struct buf *out);
    void *documents_arg;
    const struct hash_kernels *hash;
    bool select_polled; /* CAPACITY_MONITOR_USE_FOR_SELECTION (CAP-066) */
    struct lease_conf lease;
    struct poll_conf poll;
    struct reload_conf reload; /* redis and admin are set here */
    struct dur cache_ttl;      /* of capacity:{id} and the sets (CAP-049) */
    struct dur health_ttl;
    struct dur refresh;        /* of the view, from the store */
    struct dur admin_ttl;      /* of Admin's answer */
    struct dur admin_patience; /* for it */
    bool pubsub;
    const char *channel;      /* copied */
    struct ledger_conf marks; /* D07 */
    const char *datacenter;   /* preferred; copied */
    uint32_t elements_max;
    uint64_t floor; /* no epoch below it: Admin's, or 0 */
    bool doubt;     /* the store may have forgotten, and nobody gave a floor */
    /* An epoch was acquired (for Admin's floor); may be NULL. */
    void (*acquired)(void *arg, uint64_t epoch);
    void *acquired_arg;
    /* Which elements there are has changed, or where, or whose; on the
     * monitor's loop. May be NULL. */
    void (*elements)(void *arg, const struct monitor_element *e, unsigned n);
    /* The leader has polled ELEMENT_ID, which said C. The same. */
    void (*polled)(void *arg, const char *element_id,
                   const struct blob_capacity *c);
    void *elements_arg; /* of both */
    uint64_t seed;
    struct mono (*clock)(void); /* CLOCK_BOOTTIME, for what may have waited;
                                   NULL: the loop's */
    struct metrics *metrics;
    struct log *log;
};

/* What the specification says, without ports. */
struct monitor_conf monitor_conf_default(void);
/* NULL, or what is wrong with it, to be shown to the operator. */
const char *monitor_conf_check(const struct monitor_conf *c);

/* LOOPS: all that will choose; the monitor lives on the first. C has passed the
 * check. Before they run. */
enum err monitor_open(struct monitor **out, const struct monitor_conf *c,
                      struct loop **loops, unsigned n_loops, struct fault *f);
/* Both on the first loop's thread. Stop gives the lock back and announces it;
 * DONE comes when nothing is under way any more, after 3 s at most. */
void monitor_start(struct monitor *m);
void monitor_stop(struct monitor *m, void (*done)(void *arg), void *arg);
/* When no loop runs any more. Sets *M to NULL; accepts NULL. */
void monitor_close(struct monitor **m);

/* What L chooses from, as view_of(). */
const struct view *monitor_view(const struct monitor *m, const struct loop *l);

/* The rest from any thread. */

/* An upload has found ELEMENT_ID to be otherwise than the view says: the
 * element is polled once, by one gateway (CAP-068...CAP-072), the list is read
 * again (REL-060), Admin's answer forgotten. Ignored over a ceiling. */
void monitor_trouble(struct monitor *m, const char *element_id,
                     enum reload_reason reason);
/* The operator: read the list again now (REL-065). READY on LOOP, never inside
 * the call, when a reading has ended that began after it. W may be NULL. */
struct monitor_reading {
    struct loop *loop;
    void (*ready)(struct monitor_reading *w);
    /* result */
    bool good; /* there was a list to be had */
    enum reload_source source;
    unsigned elements, change[3]; /* by reload_change_type */
    struct dur took;
    struct task task; /* the monitor's */
    struct list item;
};
void monitor_reload(struct monitor *m, struct monitor_reading *w);

/* Nothing polled can be chosen from: Admin is asked, unless that was done a
 * moment ago. READY is called on LOOP when its view has the answer, or when
 * there is none, and never inside the call. */
struct monitor_wait {
    struct loop *loop;
    void (*ready)(struct monitor_wait *w);
    struct task task; /* the monitor's */
    struct list item;
};
void monitor_ask_admin(struct monitor *m, struct monitor_wait *w);

struct monitor_status {
    bool started;
    bool leads;
    uint64_t epoch;
    char instance_id[COORD_KEY_MAX + 1];
    bool has_store, store_ok;
    bool has_admin, admin_ok;
    bool listed;       /* there is a list of elements */
    unsigned elements; /* in it */
    bool store_empty;  /* nobody has polled yet */
    unsigned edit, rw; /* usable, by mode: where uploads would go */
    bool stands_in;    /* these are Admin's, for want of polled ones */
    uint64_t generation, version; /* of the list */
    /* For so long no element was polled, by whoever leads, though there were a
     * store and a list; 0: not too long. */
    unsigned quiet_s;
    char why[VIEW_WHY]; /* what is wrong, or "" */
};
void monitor_status(struct monitor *m, struct monitor_status *out);

#endif
