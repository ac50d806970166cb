/* index.h - an element's index: a cache of its attr.json files (STO-036) and
 * its change log (D25), in one database, committed with the acknowledgements.
 *
 * Blocking: called from worker threads only (struct work), from any of them at
 * any time: a driver orders the calls itself. A callback must not call the
 * index again. Any part can be rebuilt from the sidecars. Drivers:
 * io/index_sqlite.c (file or memory), port/index_mem.c, port/index_fail.c;
 * port/index_contract.c holds each of them to this page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_INDEX_H
#define PORT_INDEX_H

#include "base/err.h"
#include "base/uuid.h"
#include "wire/attr.h"

enum index_op {
    INDEX_PUBLISH = 1,
    INDEX_DELETE = 2,
    INDEX_EXPIRE = 3,
};

/* One row. BUCKET is the folder below data/, like 2026/11/21/0003. */
struct index_row {
    struct file_attr attr;
    char bucket[32];
};

/* One entry of the change log. Numbers grow by one and are never reused.
 *
 * The log says what to look at, not all that ever was: a driver may keep only
 * the file_id of a change. Then a publish is told with its row as it is now
 * (its attr.seq is the same or later), and as the INDEX_DELETE that it has
 * become when the file is gone. Whoever applies all changes in order has the
 * same files in the end. */
struct index_change {
    uint64_t seq;
    enum index_op op;
    struct wall at;
    struct index_row row; /* DELETE, EXPIRE: file_id, epoch; else zero */
};

struct index_totals {
    uint64_t files;
    uint64_t bytes;     /* content */
    uint64_t stored;    /* on disk */
    uint64_t first_seq; /* oldest that the change log still has; 0: none */
    uint64_t last_seq;  /* the highest ever given; survives trim and reset */
};

struct index;

/* false stops the walk. ROW is valid during the call. */
typedef bool index_row_fn(void *arg, const struct index_row *row);
typedef bool index_change_fn(void *arg, const struct index_change *c);

struct index_ops {
    /* All N in one transaction, in order; a publish of a known file_id replaces
     * its row. Change rows with a seq already there are replaced. */
    enum err (*apply)(struct index *x, const struct index_change *c, size_t n,
                      struct fault *f);
    /* ERR_NOENT is an answer. attr.metadata points into memory that lives until
     * the caller gives ROW to index_row_release(). */
    enum err (*get)(struct index *x, const struct uuid *file_id,
                    struct index_row *row, struct fault *f);
    /* By file_id, after AFTER (nil: from the start), at most MAX. */
    enum err (*list)(struct index *x, const struct uuid *after, size_t max,
                     index_row_fn *fn, void *arg, struct fault *f);
    /* Rows of one bucket (recovery, scrub). */
    enum err (*bucket)(struct index *x, const char *bucket, index_row_fn *fn,
                       void *arg, struct fault *f);
    /* Change log after SINCE, at most MAX, in order. */
    enum err (*changes)(struct index *x, uint64_t since, size_t max,
                        index_change_fn *fn, void *arg, struct fault *f);
    /* Expired rows at NOW (TEMPORARY, expires_at <= NOW, not held). */
    enum err (*expired)(struct index *x, struct wall now, size_t max,
                        index_row_fn *fn, void *arg, struct fault *f);
    /* Forgets rows and change log alike (rebuild); last_seq stays, since
     * numbers are never reused. */
    enum err (*reset)(struct index *x, struct fault *f);
    enum err (*totals)(struct index *x, struct index_totals *out,
                       struct fault *f);
    /* Drops change rows up to SEQ that are older than the feed needs. */
    enum err (*trim)(struct index *x, uint64_t seq, struct fault *f);
    /* All that was applied before survives a power cut (SQLite: a full
     * checkpoint, synced). The element calls it before it forgets that a bucket
     * is dirty or that a file was deleted; at most once a minute and when it
     * closes. NULL: the driver cannot, and nothing is ever forgotten. */
    enum err (*sync)(struct index *x, struct fault *f);
    void (*close)(struct index *x);
};

struct index {
    const struct index_ops *ops;
};

/* Frees what a get() put into the row. */
void index_row_release(struct index_row *row);

#endif
