/* registry.h - what gateways and elements ask of Admin: where is this file,
 * which files are there, which elements, and "this has changed".
 *
 * Drivers: role/admin/registry.c (in this process, over port/meta);
 * role/common/registry_remote.c (Admin in another process). Requests are
 * structs that the caller owns and embeds: submitted from a loop, their DONE
 * runs later on that loop, exactly once, with `err` (and `fault`, when err is a
 * fault). What is marked "immediate" does no I/O and may be called from any
 * thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_REGISTRY_H
#define PORT_REGISTRY_H

#include "port/blob.h"
#include "port/loop.h"
#include "port/meta.h"

#define REGISTRY_ELEMENTS_MAX 256 /* in one process's view */

struct registry;

/* An element that can be asked; BLOB is held for whoever gets it, to be given
 * to blob_drop(). Mode and priority are what Admin says; how full it is,
 * blob->ops->capacity() says. */
struct registry_element {
    struct blob *blob;
    enum blob_mode mode;
    int priority;
};

/* Where is FILE_ID? ERR_NOENT is an answer. With ERR_OK give FILE to
 * meta_file_release(). */
struct registry_lookup {
    struct loop *loop;
    void (*done)(struct registry_lookup *r);
    struct uuid file_id;
    struct meta_file file; /* result */
    struct blob *blob;     /* result: its element, held; NULL: not reachable */
    bool lost; /* result: for its element is left out of STORAGE_ELEMENTS */
    enum err err;
    struct fault fault;
    struct work work; /* the driver's */
    struct registry *registry;
    void *priv;
};

/* One page of files. The strings of QUERY must live until DONE. ROWS is the
 * caller's memory for query.limit rows; with ERR_OK give each of the N to
 * meta_file_release(). */
struct registry_list {
    struct loop *loop;
    void (*done)(struct registry_list *r);
    struct meta_query query;
    struct meta_file *rows;
    unsigned n;       /* result */
    struct uuid next; /* result: cursor, nil at the end (meta.h) */
    enum err err;
    struct fault fault;
    struct work work; /* the driver's */
    struct registry *registry;
    void *priv;
};

/* What a gateway has learnt of an element in another process: its own publish,
 * or a page of the element's log, which is all that came after SINCE up to
 * NEXT. C must live until DONE. With ERR_OK POSITION is up to where Admin has
 * had the log; when that is before NEXT the page was not taken: go on from
 * there, or, when ANEW is set, wait. Repeating it is harmless. ERR_NOENT: no
 * such element; ERR_CONFLICT: another one than is registered (D31). */
struct registry_push {
    struct loop *loop;
    void (*done)(struct registry_push *r);
    const char *element_id;
    struct uuid element_uuid;
    uint64_t since;
    uint64_t next;
    const struct index_change *c;
    size_t n;
    uint64_t position; /* result */
    bool anew;         /* result */
    enum err err;
    struct fault fault;
    struct work work; /* the driver's, as is NOW */
    struct wall now;
    struct registry *registry;
    void *priv;
};

#define REGISTRY_UNHEARD UINT64_MAX

/* Counters, all since the start; for metrics and health. */
struct registry_stats {
    uint64_t fed; /* changes applied */
    uint64_t feed_errors;
    uint64_t feed_behind; /* changes that came ahead of a missing one */
    uint64_t audit_written;
    uint64_t audit_lost;    /* queue full, or the last flush failed */
    unsigned audit_queued;  /* now */
    uint64_t audit_sealed;  /* the last row that was signed */
    uint64_t audit_repairs; /* rows set aside, heads made anew, as seen */
    bool audit_broken;      /* it is not the log that was signed */
    uint64_t audit_counted; /* refused token requests in entries of others */
    /* Elements that were in STORAGE_ELEMENTS once and are not now; and of the
     * first its name, and how many files it is known to hold (REGISTRY_UNHEARD:
     * its log was never read). */
    unsigned lost;
    char lost_id[65];
    uint64_t lost_files;
};

struct registry_ops {
    void (*lookup)(struct registry *g, struct registry_lookup *r);
    void (*list)(struct registry *g, struct registry_list *r);
    /* Immediate. Copies at most MAX, in order of element_id; returns how many
     * there are. Those copied are held. */
    unsigned (*elements)(struct registry *g, struct registry_element *out,
                         unsigned max);
    /* Immediate. Held; NULL: unknown. */
    struct blob *(*element)(struct registry *g, const char *element_id);
    /* Blocking: by an element's commit job, on a worker thread, after the
     * index has committed and before the files are acknowledged (D25). On
     * error nothing was applied; the element acknowledges all the same (with
     * a route hint) and the registry catches up later. */
    enum err (*feed)(struct registry *g, const struct uuid *element_uuid,
                     const struct index_change *c, size_t n, struct fault *f);
    void (*push)(struct registry *g, struct registry_push *r);
    /* Immediate. Copied into a bounded queue and written soon. */
    void (*audit)(struct registry *g, const struct meta_audit *a);
    /* Immediate. */
    void (*stats)(struct registry *g, struct registry_stats *out);
};

struct registry {
    const struct registry_ops *ops;
};

static inline void
registry_lookup(struct registry *g, struct registry_lookup *r)
{
    g->ops->lookup(g, r);
}

static inline void
registry_list(struct registry *g, struct registry_list *r)
{
    g->ops->list(g, r);
}

static inline unsigned
registry_elements(struct registry *g, struct registry_element *out,
                  unsigned max)
{
    return g->ops->elements(g, out, max);
}

static inline struct blob *
registry_element(struct registry *g, const char *element_id)
{
    return g->ops->element(g, element_id);
}

static inline enum err
registry_feed(struct registry *g, const struct uuid *element_uuid,
              const struct index_change *c, size_t n, struct fault *f)
{
    return g->ops->feed(g, element_uuid, c, n, f);
}

static inline void
registry_push(struct registry *g, struct registry_push *r)
{
    g->ops->push(g, r);
}

static inline void
registry_audit(struct registry *g, const struct meta_audit *a)
{
    g->ops->audit(g, a);
}

static inline void
registry_stats(struct registry *g, struct registry_stats *out)
{
    g->ops->stats(g, out);
}

#endif
