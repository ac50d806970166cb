/* snapshot.h - the storage elements as one gateway sees them at a moment, ready
 * to choose from.
 *
 * Two things are brought together, each sorted by id: the list of elements
 * (core/reload.h: who is there) and facts (who is how full: the poller's hashes
 * in Redis, or Admin's answer). The result is an array for core/select.h, by
 * id, and the order of filling. It is made off the request path, immutable, and
 * swapped in as a whole, so that a choice touches no network and no lock
 * (CAP-056, REL-027).
 *
 *   listed, no fact          stale: never polled, or its hash has expired
 *   listed, a fact           the fact's numbers and mode, the list's priority:
 *                            that is nobody's to poll, and a list that was read
 *                            a moment ago counts at once (CAP-052)
 *   a fact, not listed       taken along: our list is the older of the two
 *                            (CAP-058); a reload will tell
 *
 * One allocation, which snapshot_make() makes and snapshot_free() returns.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "base/err.h"
#include "core/ledger.h"
#include "core/reload.h"
#include "core/select.h"

#define SNAPSHOT_MAX 100000 /* elements */

enum snapshot_set {                  /* is it in capacity:{mode}:available? */
                    SNAPSHOT_NO_SET, /* the source has no such set */
                    SNAPSHOT_IN_SET,
                    SNAPSHOT_NOT_IN_SET,
};

#define SNAPSHOT_STATUS_NONE (-1)

struct snapshot_fact {
    const char *element_id;
    const char *endpoint;
    const char *location; /* or NULL */
    int mode;             /* enum select_mode */
    int priority;         /* counts where the list does not have it (CAP-062) */
    enum snapshot_set set;
    int status;      /* enum select_status as the element or Admin says, which
                   then wins (ING-114); or SNAPSHOT_STATUS_NONE */
    bool unhealthy;  /* health:{se_id} says so, or its own health */
    bool unwritable; /* it says itself that it takes no files */
    uint64_t total, used, available;
    uint64_t inodes_total, inodes_available; /* total 0: not known */
    struct dur age; /* since the poll; below zero counts as 0 */
};

struct snapshot_conf {
    struct ledger_conf marks; /* D07; headroom is not used */
    struct dur fresh_for;     /* 600 s: CAP-061 */
    const char *datacenter;   /* SELECTOR_DATACENTER, or NULL */
};

struct snapshot {
    size_t n;
    const struct select_element *e; /* in order of element_id */
    const char *const *endpoint;    /* beside it */
    const uint32_t *order;          /* of filling: for select_pick() */
    struct mono made;
    unsigned facts;      /* elements with one */
    unsigned unlisted;   /* facts without an entry in the list */
    unsigned by_mode[4]; /* usable: for storage_elements_available */
};

/* FACTS must be sorted by element_id, each once. BEFORE, or NULL, lends its
 * statuses for the hysteresis. ERR_TOOBIG: over SNAPSHOT_MAX; ERR_NOMEM. */
enum err snapshot_make(struct snapshot **out, const struct reload_list *list,
                       const struct snapshot_fact *facts, size_t n,
                       const struct snapshot *before,
                       const struct snapshot_conf *conf, struct mono now);
void snapshot_free(struct snapshot *s); /* NULL does nothing */

/* Place of an element, or -1: for excluded ids, breakers, reports. */
long snapshot_find(const struct snapshot *s, const char *element_id);

/* Carries what this gateway knows over to the next snapshot: breakers of
 * elements that have gone or have another endpoint start anew (ING-151), and
 * so do new ones. AFTER_LIVE has after->n places. BEFORE may be NULL. */
void
snapshot_carry(const struct snapshot *before,
               const struct select_live *before_live,
               const struct snapshot *after, struct select_live *after_live);

#endif
