/* publish.h - the order in which a batch of uploads and deletes becomes
 * durable, then visible, then acknowledged (D10, D24, D30).
 *
 * Problem. Every acknowledged file must survive a power cut with its name, its
 * attr.json and all its bytes, and every acknowledged delete must stay a
 * delete; a file that was not acknowledged may be there complete or not at all.
 * A sync costs milliseconds, so many files must share it.
 *
 * Idea. The batch is a program of small operations, and this core says which
 * is next. The driver carries it out and reports the answer.
 *
 *   WRITE    bodies, sidecars, attr.json into files without names
 *   LINK     data, sidecar, attr.json get their names. Unsynced names are
 *            harmless: recovery believes nothing that is not proved
 *   UNDO     names of those that failed so far are removed again
 *   JOURNAL  tombstones of deletes and aborts
 *   SYNC     all files, the folder, the journal, as one set
 *   INDEX    rows and change log, one transaction: now they are visible
 *   UNLINK   attr.json, then sidecar and data, of what was deleted
 *   ACK      each item its answer
 *
 * Rules, which publish_test.c tries with a failure at every operation:
 *   1. No item is acknowledged before a SYNC that answered ERR_OK.
 *   2. After a SYNC that failed nothing of the batch is acknowledged, nothing
 *      is synced again, and POISON is told once (D24).
 *   3. A put that is not acknowledged leaves no name; where a name could not
 *      be removed before the sync, `stuck` is set, and the driver must not
 *      claim that its number is durable.
 *   4. A delete that was synced succeeds even if the index is full: its
 *      tombstone settles it later.
 *   5. Nothing is unlinked for a delete before its tombstone is synced.
 *   6. A journal that cannot be written fails the deletes, not the puts.
 *
 * No clock, no allocation; items are the caller's memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PUBLISH_H
#define CORE_PUBLISH_H

#include "base/base.h"
#include "base/err.h"

enum publish_kind {
    PUBLISH_PUT,
    PUBLISH_DELETE,
    PUBLISH_ABORT,
};

enum publish_name { /* bits */
                    PUBLISH_DATA = 1,
                    PUBLISH_SIDECAR = 2,
                    PUBLISH_ATTR = 4,
};

struct publish_item {
    enum publish_kind kind; /* set by the caller */
    bool sidecar;           /* set by the caller: a file of block checksums */
    /* the core's */
    enum err err;
    unsigned names; /* that are there, or are to be removed */
    unsigned stuck; /* that could not be removed */
};

enum publish_do {
    PUBLISH_DO_WRITE, /* NAME of ITEM, without a name yet */
    PUBLISH_DO_LINK,  /* NAME of ITEM */
    PUBLISH_DO_UNLINK,
    PUBLISH_DO_JOURNAL,
    PUBLISH_DO_SYNC,
    PUBLISH_DO_POISON,
    PUBLISH_DO_INDEX, /* all items with err ERR_OK */
    PUBLISH_DO_ACK,   /* ITEM, with ERR */
    PUBLISH_DO_END,
};

struct publish_op {
    enum publish_do what;
    size_t item;
    enum publish_name name;
    enum err err;
};

enum publish_phase {
    PUBLISH_PH_WRITE,
    PUBLISH_PH_LINK,
    PUBLISH_PH_UNDO,
    PUBLISH_PH_JOURNAL,
    PUBLISH_PH_SYNC,
    PUBLISH_PH_POISON,
    PUBLISH_PH_INDEX,
    PUBLISH_PH_UNLINK,
    PUBLISH_PH_ACK,
    PUBLISH_PH_END,
};

struct publish {
    struct publish_item *items;
    size_t n;
    enum publish_phase phase;
    size_t i;
    unsigned name;        /* of the item, next in this phase; a bit */
    struct publish_op op; /* the one that is out */
    bool out;
    bool synced;
    bool poisoned;
    bool stuck;     /* rule 3 */
    bool unsettled; /* rule 4: the index does not know of the deletes */
};

void publish_init(struct publish *p, struct publish_item *items, size_t n);
/* The next operation; PUBLISH_DO_END at the end, again and again. Each other
 * one must be answered before the next is asked for. */
struct publish_op publish_next(struct publish *p);
/* What came of it. ERR_NOENT of an UNLINK is success. */
void publish_done(struct publish *p, enum err e);

#endif
