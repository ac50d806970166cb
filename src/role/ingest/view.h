/* view.h - what a gateway chooses elements from, on each of its loops.
 *
 * The capacity monitor makes a view on its own loop and hands it to all others.
 * A view never changes; each loop has its own pointer to the one in use, which
 * only that loop touches, and a place where the next one is left for it. So a
 * choice reads memory that nobody writes, takes no lock, and waits for nothing
 * (CAP-056, REL-027).
 *
 *     monitor                      a loop
 *     views_publish() --next--> task: current = next; the one before is let go
 *                                view_of(): until this callback returns
 *
 * A view has two parts, each by itself: what was polled, and what Admin says,
 * which is asked only when the first has no answer (CAP-011, CAP-063).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_VIEW_H
#define ROLE_INGEST_VIEW_H

#include "core/snapshot.h"
#include "port/blob.h"
#include <stdatomic.h>

enum view_source { VIEW_POLLED, VIEW_ADMIN, VIEW_SOURCES };

#define VIEW_WHY 160

/* Elements, and how full they are. Immutable but for its count. */
struct view_part {
    _Atomic(unsigned) refs;
    struct snapshot *snap;
    struct mono until;   /* usable until then */
    struct blob *blob[]; /* beside snap->e, held; NULL: has no good address */
};

struct view {
    _Atomic(unsigned) refs;
    struct view_part *part[VIEW_SOURCES]; /* NULL: nothing is known */
    char why[VIEW_SOURCES][VIEW_WHY];     /* because of this */
    bool polled_off; /* CAPACITY_MONITOR_USE_FOR_SELECTION=off */
};

struct view_slot {
    struct loop *loop;
    struct view *current;
    _Atomic(struct view *) next;
    struct task task;
};

struct views {
    struct view_slot *slot; /* one for each loop */
    unsigned n;
};

/* SNAP is the part's then; BLOBS, of as many, are held by it. NULL: no memory,
 * and nothing has changed hands. */
struct view_part *view_part_new(struct snapshot *snap,
                                struct blob *const *blobs, struct mono until);
struct view_part *view_part_hold(struct view_part *p);
/* Sets *P to NULL; accepts NULL. From any thread, as the two below. */
void view_part_drop(struct view_part **p);

struct view *view_new(void); /* NULL: no memory */
void view_drop(struct view **v);

/* False: no memory. */
bool views_init(struct views *s, struct loop **loops, unsigned n);
/* When no loop runs any more. */
void views_release(struct views *s);
/* V is taken over. From one thread. */
void views_publish(struct views *s, struct view *v);

/* The view of L, on its thread, until the callback returns; NULL: none yet. */
static inline const struct view *
view_of(const struct views *s, const struct loop *l)
{
    assert(l->id < s->n);
    return s->slot[l->id].current;
}

/* The part of V that can be used at NOW, or NULL. */
const struct view_part *
view_part_of(const struct view *v, enum view_source from, struct mono now);

#endif
