/* pull.h - the change logs of elements in other processes, brought to Admin by
 * a gateway, since elements never call out (D25).
 *
 *     the element's number has moved --> where is Admin? --> pages since there
 *       (capacity: seq)                   (a push of nothing)   --> push each
 *
 * A gateway pushes what it has stored itself before it answers 201; what it
 * could not push, and deletes and expiries, come this way. Numbers are looked
 * at every PULL_EVERY by the gateway that leads the polling (or by each where
 * none can lead): who else would, would bring the same. A delete is pulled at
 * once by whoever has asked for it.
 *
 * Admin itself may go back, to a backup of its database: so it is asked every
 * PULL_ASK where it is in each log, and what it has lost is brought again. Logs
 * of which there is news do not wait for these questions.
 *
 * An element whose log does not reach back to where Admin is is told anew, file
 * by file (pull_anew.h). So is one that is before that itself, because it was
 * restored from a copy: it is noticed when its number goes down, and looked for
 * once by whoever begins to lead.
 *
 * One element at a time is asked once; at most PULL_AT_ONCE elements are. All
 * on one loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_PULL_H
#define ROLE_INGEST_PULL_H

#include "port/registry.h"
#include "role/common/ask.h"
#include "role/ingest/monitor.h"

#define PULL_EVERY   dur_s(2)
#define PULL_ASK     dur_s(15)
#define PULL_AT_ONCE 8
#define PULL_ROWS    250

struct metrics;
struct pull;

struct pull_conf {
    struct registry *registry; /* of Admin */
    struct fetch_peer *admin;  /* the same, for what a registry is not asked */
    struct fetch *fetch;
    struct ask_auth auth;
    struct dur patience; /* for a page */
    /* Is it ours to look at the numbers? On the loop; NULL: always. */
    bool (*ours)(void *arg);
    void *arg;
    struct metrics *metrics;
    struct log *log;
};

/* NULL: no memory. */
struct pull *pull_open(const struct pull_conf *c);
/* All three on L's thread. DONE there, when nothing is under way any more. */
void pull_start(struct pull *p, struct loop *l);
void pull_elements(struct pull *p, const struct monitor_element *e, unsigned n);
void pull_stop(struct pull *p, void (*done)(void *arg), void *arg);
/* After the stop, or when it was never started. Loops go on
 * (fetch_peer_close()). Sets *P to NULL; accepts NULL. */
void pull_close(struct pull **p);

/* From any thread: what ELEMENT_ID has logged until now is brought to Admin.
 * READY on LOOP when it is there, or cannot be brought now, or after `patience`
 * at the latest; never inside the call. */
struct pull_wait {
    struct loop *loop;
    void (*ready)(struct pull_wait *w);
    char element_id[65];
    struct task task; /* the puller's */
    struct list item;
    struct mono until;
    uint64_t after;
};
void pull_now(struct pull *p, struct pull_wait *w);

#endif
