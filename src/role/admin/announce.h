/* announce.h - the list of elements, told to gateways: in the coordination
 * store, where they read it, and on channels, where they hear of it (ADM-005,
 * ADM-006, ADM-044, CNF-031).
 *
 *   artstore:storage_elements           the list, with its version (REL-009)
 *   artstore:storage_elements:version   the version alone, to look after
 *   storage:elements:registry           id -> address, and
 *   storage:elements:priorities         id -> number, as JSON (REL-011)
 *
 * All four are one write. Who writes holds a lease, and reads the catalogue
 * after taking it: so of two Admins over one database the one whose lease is
 * later has read later, and the other's write is refused by its epoch (D37).
 * The epoch is the version: it grows with every lease, also over a store that
 * has lost everything, since it is no less than the time in ms; a restored
 * catalogue is therefore newer than what was written before, and the generation
 * stays 0.
 *
 * A change is told at once; changes that come meanwhile are told together.
 * While the store is away the list stays due, tried each second; a store that
 * has lost it, or has an older one, gets it within LOOK_EVERY. Nothing of this
 * fails a change.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_ANNOUNCE_H
#define ROLE_ADMIN_ANNOUNCE_H

#include "base/list.h"
#include "port/coord.h"
#include "port/meta.h"

#define ANNOUNCE_LIST       "artstore:storage_elements"
#define ANNOUNCE_VERSION    "artstore:storage_elements:version"
#define ANNOUNCE_WRITER     "artstore:storage_elements:writer"
#define ANNOUNCE_REGISTRY   "storage:elements:registry"
#define ANNOUNCE_PRIORITIES "storage:elements:priorities"
#define ANNOUNCE_CHANNEL2   "artstore:se:updates" /* CNF-031 */
#define ANNOUNCE_LOOK_EVERY dur_s(5)

struct log;
struct announce;

/* META, COORD and LOG must outlive it; CHANNEL is copied. SEED names this Admin
 * among others. NULL: no memory. */
struct announce *
announce_open(struct meta *meta, struct coord *coord, const char *channel,
              uint64_t seed, struct log *log);
/* Both on L's thread; DONE there, when nothing is under way any more. */
void announce_start(struct announce *a, struct loop *l);
void announce_stop(struct announce *a, void (*done)(void *arg), void *arg);
/* From any thread, at any time: the catalogue has changed. Before the start and
 * after the stop nothing needs to be done about it. */
void announce_changed(struct announce *a);
/* READY on LOOP, never inside the call, when what has changed until now has
 * been told; or cannot be at present, which then follows by itself. No later
 * than the driver's longest wait for each of a handful of requests. Any thread.
 * So whoever has changed something and has the answer finds it in the store. */
struct announce_wait {
    struct loop *loop;
    void (*ready)(struct announce_wait *w);
    struct announce *announce; /* announce's, and the rest */
    struct task task;
    struct list item;
};
void announce_await(struct announce *a, struct announce_wait *w);
/* After the stop, or when it was never started. Accepts NULL. */
void announce_close(struct announce **a);

#endif
