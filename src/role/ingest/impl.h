/* impl.h - between the files of this folder, and for sim/upload.c, which has
 * uploads without bytes placed by place.c.
 *
 *   ingest.c    birth, routes
 *   params.c    what the client says about an upload
 *   place.c     which element
 *   place_view.c  the same, where they are in other processes
 *   upload.c    one upload from head to 201
 *   form.c      its body when it is multipart/form-data
 *   intake.c    the bytes: lanes, blocks, element
 *   cache.c     open files, per loop
 *   search.c    which element has it, when the registry does not know
 *   download.c  one download
 *   files.c     metadata, list, delete
 *   operate.c   for operators
 *   count.c     what of it is counted
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_IMPL_H
#define ROLE_INGEST_IMPL_H

#include "core/select.h"
#include "obs/log.h"
#include "obs/metric.h"
#include "role/common/file.h"
#include "role/common/reply.h"
#include "role/ingest/count.h"
#include "role/ingest/ingest.h"
#include "role/ingest/lanes.h"
#include "role/ingest/params.h"
#include "role/ingest/intake.h"
#include "role/ingest/monitor.h"
#include "role/ingest/pull.h"
#include "wire/cond.h"
#include <stdatomic.h>

#define EXCLUDED_MAX  32
#define STREAM_MEMORY dur_s(300)
#define DOUBTS_MAX    3 /* elements asked although they should have no room */
/* Verdicts on REGISTRY_ELEMENTS_MAX elements, of 2 KiB at most each. */
#define VERDICTS_MAX ((size_t)512 * KIB)

struct cache;

struct ingest_loop {
    struct loop *loop;
    struct lanes lanes;
    struct cache *cache;
    uint8_t random[256]; /* for file ids */
    unsigned random_left;
    _Atomic(unsigned) large;  /* large uploads on this loop */
    struct view_part *part;   /* used last, held; NULL: none */
    struct select_live *live; /* beside part->snap->e */
};

struct ingest {
    struct ingest_conf conf;
    char datacenter[65];
    struct counts_ingest counts;
    unsigned n_loops;
    struct ingest_loop *loop;
    _Atomic(uint64_t) held; /* bytes kept for replay */
    _Atomic(uint64_t) turn; /* spreads over open elements */
    /* place_outgrown(): bytes, and until when (mono) they count. */
    _Atomic(uint64_t) stream_need;
    _Atomic(int64_t) stream_until;
};

static inline struct ingest_loop *
ingest_loop_of(struct ingest *g, const struct loop *l)
{
    return &g->loop[l->id];
}

/* A new file's id, by the loop's clock. */
struct uuid ingest_file_id(struct ingest_loop *il);

/* ---- place.c ---- */

struct place {
    enum retention retention;
    uint64_t size; /* at least; or BLOB_SIZE_UNKNOWN */
    unsigned n_excluded;
    struct {
        char element_id[65];
        bool room;            /* it refused for lack of room, else it failed */
    } excluded[EXCLUDED_MAX]; /* in earlier attempts (ING-118) */
    /* of the last choice */
    enum view_source from; /* VIEW_SOURCES: none */
    bool asked;            /* its breaker waits for place_report() */
    unsigned doubts;       /* elements asked against what was polled */
    uint32_t period;
};

/* The element for the next upload, held, or NULL with *R (503, or 507 with the
 * list of why in DETAILS, which may be NULL). IL is where it is asked, and may
 * be NULL without a monitor. */
struct blob *
place_choose(struct ingest *g, struct ingest_loop *il, struct place *p,
             struct refusal *r, struct buf *details);
/* ROOM: it has none, which is no failure. False: too many already. */
bool place_exclude(struct place *p, const char *element_id, bool room);
/* MAX_FILE_SIZE_MB: 413 in *R, and true. */
bool place_too_large(const struct ingest *g, uint64_t size, struct refusal *r);
/* A stream of unknown length has outgrown its element after SIZE bytes. What
 * an element must have for more of it than that one had; streams to come look
 * for so much first, for STREAM_MEMORY. Nothing else would bring a repetition
 * to another element than the first one. Any thread. */
uint64_t place_outgrown(struct ingest *g, uint64_t size, struct mono now);
/* Or 0: none of late. */
uint64_t place_stream_need(struct ingest *g, struct mono now);
void selection_explain(struct call *c); /* the route behind `se why` */

/* ---- place.c, for place_view.c ---- */

void place_request(struct ingest *g, const struct place *p,
                   struct select_request *q);
void
place_refuse(const struct place *p, enum select_kind kind, struct refusal *r);
void
place_verdict(struct buf *b, const struct select_element *e,
              const struct blob_capacity *c, const struct select_verdict *v);

/* ---- place_view.c ---- */

struct blob *place_far(struct ingest *g, struct ingest_loop *il,
                       struct place *p, struct refusal *r, struct buf *details);
void place_far_explain(struct ingest *g, struct ingest_loop *il,
                       const struct place *p, struct buf *b);
/* Nothing of Admin is at hand: monitor_ask_admin() may help. */
bool place_admin_asks(struct ingest *g, struct ingest_loop *il);
/* What became of the last choice, which was ELEMENT_ID. Harmless without. */
void place_report(struct ingest *g, struct ingest_loop *il, struct place *p,
                  const char *element_id, enum breaker_outcome o);
/* On the loop's thread, or when none runs. */
void place_forget(struct ingest_loop *il);

/* ---- upload.c, form.c ---- */

struct upload;

void upload_begin(struct call *c);

/* ---- search.c ---- */

#define SEARCH_AT_ONCE 16

/* Embedded by who asks; file_id and done are set. */
struct search {
    struct uuid file_id;
    void (*done)(struct search *s);
    /* The result. With ERR_OK the file is open as open.reader, the caller's to
     * close, at BLOB, which is held, the caller's to drop. ERR_NOENT: no
     * element has it. Else (and FAULT) none that could be asked has it. */
    enum err err;
    struct fault fault;
    struct blob *blob;
    struct blob_open open;
    struct registry *registry;
    struct task task;
};

/* LOOKUP: what the registry has answered before. When that was no answer,
 * "there is none" is not said. */
void search_elements(struct search *s, struct ingest *g,
                     const struct registry_lookup *lookup);

/* ---- operate.c ---- */

void config_reload(struct call *c);

/* ---- download.c, files.c ---- */

/* The conditions of a request for the file with these attributes. */
enum http_cond
file_condition(const struct exchange *x, const struct file_attr *a);
void reply_condition_failed(struct call *c); /* 412 */
/* 503: its element was left out of STORAGE_ELEMENTS. */
void reply_lost(struct call *c, const char *element_id);

void download_begin(struct call *c);
void file_metadata(struct call *c);
void file_list(struct call *c);
void file_delete(struct call *c);

#endif
