/* cloud_impl.h - what the parts of the element in a bucket share; nobody else
 * includes it.
 *
 *   cloud.c         birth and end, capacity, the table of functions
 *   cloud_boot.c    superblock, owner, tombstones
 *   cloud_scan.c    the bucket read again
 *   cloud_recover.c for recovery, for a rebuild, to give uploads up
 *   cloud_item.c    one put, publish, delete or abort, step by step
 *   cloud_call.c    how they come in, and how they are answered
 *   cloud_look.c    what an item asks for, before anything is sent
 *   cloud_gate.c    index, change log, registry
 *   cloud_ticket.c  admit, append, publish, abort
 *   cloud_part.c    parts and their memory
 *   cloud_debt.c    what could not be removed
 *   cloud_read.c    open, read, list, verify
 *   cloud_tick.c    the periodic work
 *
 * Locks, in the order in which they are taken:
 *     sb_mu     the superblock (across requests)
 *     mu        items, tickets, tombstones, debts, numbers (never across I/O)
 *     pool->mu  the account
 * An item and a ticket belong to the loop of their request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_CLOUD_IMPL_H
#define ROLE_STORAGE_CLOUD_IMPL_H

#include "role/storage/cloud.h"
#include "role/storage/impl.h"

#define CLOUD_ITEMS_MAX 2048 /* beyond: ERR_AGAIN */
#define CLOUD_DEBTS_MAX 1024
#define CLOUD_DEBT_MS   ((int64_t)30000) /* a request dies sooner */
#define CLOUD_BATCH     64
#define CLOUD_DATE      16 /* "2026/11/21" */

struct cloud;
struct cloud_item;

/* Parts in memory. Buffers of the ordinary size are used again, since a heap
 * that gets and gives 8 MiB all the time ends up half as large again. */
#define CLOUD_KEPT_MAX 8

struct cloud_memory {
    pthread_mutex_t mu;
    uint64_t budget, used;
    struct list waiting; /* struct cloud_want */
    uint64_t size;       /* of those that are kept */
    void *kept[CLOUD_KEPT_MAX];
    unsigned n_kept;
};

struct cloud_want {
    struct list item; /* zero, or in the queue */
    uint64_t size;
    struct loop *loop;
    struct task task; /* run on LOOP when it has been granted */
    bool asked;       /* queued, or TASK is on its way */
};

/* SIZE: of the parts that are kept for the next. */
void cloud_memory_init(struct cloud_memory *m, uint64_t budget, uint64_t size);
void cloud_memory_release(struct cloud_memory *m);
/* A buffer of SIZE, which has been granted; NULL: no memory. */
void *cloud_memory_take(struct cloud_memory *m, uint64_t size);
/* And back; NULL is nothing. The grant is given back on its own. */
void cloud_memory_drop(struct cloud_memory *m, void *p, uint64_t size);
/* Frees what is kept while nobody uploads. */
void cloud_memory_trim(struct cloud_memory *m);
/* True: granted. Else W->task runs when it is. */
bool cloud_memory_ask(struct cloud_memory *m, struct cloud_want *w);
void cloud_memory_give(struct cloud_memory *m, uint64_t size);
/* True: W waits no more. False: it has been granted, and its task comes. */
bool cloud_memory_cancel(struct cloud_memory *m, struct cloud_want *w);

struct cloud_part {
    struct blob_ticket *ticket;
    uint8_t *p;
    uint64_t n, cap;
    unsigned number;
    struct slice body;
    struct object_req req;
};

/* What may lie in the bucket of an item; to be removed when it fails. */
enum cloud_wrote {
    CLOUD_DATA = 1,
    CLOUD_SIDE = 2,
    CLOUD_ATTR = 4,
    CLOUD_UPLOAD = 8, /* parts of one that is not complete */
    CLOUD_TOMB = 16,  /* of a delete that was answered with an error */
    CLOUD_FILE = CLOUD_DATA | CLOUD_SIDE | CLOUD_ATTR,
};

enum cloud_step {
    STEP_LOOK,     /* worker: does it exist, may it, what is it called */
    STEP_DATA,     /* put, or complete */
    STEP_DATA_SEE, /* was it completed? */
    STEP_SIDE,
    STEP_ATTR,
    STEP_TOMB,
    STEP_RM_TOMB,
    STEP_RM_UPLOAD,
    STEP_RM_ATTR,
    STEP_RM_SIDE,
    STEP_RM_DATA,
    STEP_INDEX, /* worker: gate */
    STEP_END,
};

struct cloud_item {
    struct cloud *cloud;
    struct map_item pending; /* by file_id, from submission to answer */
    struct list waiting;     /* items of the same file_id that came later */
    struct list link;        /* there, or ready for the index */
    struct list order;       /* in cloud->order while it has a number */
    struct loop *loop;
    enum commit_type type;
    union commit_req req;
    enum cloud_step step;
    struct uuid file_id;
    uint64_t attempt;
    uint64_t epoch;          /* delete: 0 any */
    struct ledger_room room; /* reserved for it */
    uint64_t seq;            /* 0: no number yet */
    unsigned wrote;          /* enum cloud_wrote */
    bool settled;            /* answered by the look already */
    bool indexed;            /* the index has been told */
    bool tombed;             /* delete: the tombstone is durable */
    bool unsure;             /* what failed may still be carried out */
    enum err err;
    struct fault fault;
    struct attr_doc doc; /* put, publish; delete: attr only */
    char date[CLOUD_DATE];
    struct wall now;
    struct mono began;
    struct blob_ticket *ticket; /* publish, abort */
    struct buf text;            /* attr.json, tombstone */
    struct slice body[BLOB_PUT_BLOCKS];
    unsigned n_body;
    struct object_req obj;
    struct work work;
    struct task task;
};

struct cloud_debt {
    struct uuid file_id;
    unsigned what; /* enum cloud_wrote */
    struct wall since;
    char ref[OBJECT_KEY_MAX + 1]; /* UPLOAD: its id; TOMB: its name */
};

struct cloud {
    const struct element_kind *kind; /* first: see kind.h */
    struct blob blob;
    struct element_conf conf;
    struct cloud_conf cc;
    _Atomic(uint64_t) limit; /* cc's, until it is set anew */
    struct counts counts;
    char element_id[65];
    char location[65];
    char endpoint[256];
    const struct hash_kernels *hash;
    struct objects *objects;
    struct index *index;
    struct element_pool *pool;
    struct ledger_member account; /* under pool->mu */
    struct cloud_memory memory;

    pthread_mutex_t sb_mu;
    struct superblock *sb;
    bool opened; /* the superblock says that we have it */
    bool serves; /* its mode is written down */

    pthread_mutex_t mu;
    struct map pending;
    size_t queued;
    struct list order; /* items with a number that the index has not seen */
    struct list ready;
    bool applying;
    struct work gate;
    struct index_change *changes; /* of the gate */
    struct cloud_item *taken[CLOUD_BATCH];
    uint64_t next_seq;
    uint64_t done_seq; /* all up to here are in the index */
    size_t n_unsettled;
    struct index_change *unsettled; /* what the index could not take */
    struct tombs tombs;
    struct map tickets;
    struct cloud_debt *debt;
    size_t n_debt;
    bool debts_lost; /* there was no place for one */
    bool sweeping;   /* no upload in blocks is admitted */
    struct {
        uint64_t batches, published, deleted, expired, failed;
    } count;

    struct cloud_tick *tick;
    _Atomic(int64_t) now_ms;
    _Atomic(int) mode;
    _Atomic(bool) fenced;
    _Atomic(bool) stray; /* an upload may have begun that nobody knows of */
    _Atomic(bool) away;  /* the store did not answer the last time */
    char trouble[160];   /* written once, before `fenced` is set */
    char away_why[160];  /* under mu */
    _Atomic(uint64_t) generation;
    _Atomic(uint64_t) n_files, n_bytes;
    _Atomic(uint64_t) n_reads, n_corrupt, n_refused;
    _Atomic(uint64_t) n_open;
};

static inline struct cloud *
cloud_of(struct blob *b)
{
    return container_of(b, struct cloud, blob);
}

static inline struct cloud *
cloud_self(const struct element *e)
{
    return (struct cloud *)(uintptr_t)e;
}

/* cloud.c */
struct cloud *
cloud_new(const struct element_conf *conf, const struct cloud_conf *cc);
void cloud_free(struct cloud *c);
void cloud_saw(struct cloud *c, const struct loop *l);
struct wall cloud_now(struct cloud *c);
enum err cloud_may_write(struct cloud *c, struct fault *f);
void cloud_fence(struct cloud *c, const char *why);
/* R's answer, as our callers may hear it: what is wrong between us and the
 * store (keys, bucket, protocol) is ERR_IO to them, never ERR_DENIED or
 * ERR_INVAL, which would be about their own request; ERR_NOENT only of GET,
 * HEAD and what ends an upload. Notes whether the store serves us. R->err is
 * the same. */
enum err cloud_answer(struct cloud *c, struct object_req *r);
struct ledger_room cloud_room(uint64_t size);
enum err cloud_reserve(struct cloud *c, struct ledger_room r, struct fault *f);
/* RESERVED is given back, STORED is taken. */
void cloud_settle(struct cloud *c, struct ledger_room reserved,
                  struct ledger_room stored);

/* Names. DATE of FILE_ID; KEY has OBJECT_KEY_MAX + 1 bytes. */
const char *cloud_date(const struct uuid *file_id, char out[CLOUD_DATE]);
const char *
cloud_key(const struct uuid *file_id, enum cloud_wrote which, char *key);

/* cloud_boot.c */
enum err cloud_read_superblock(struct cloud *c, struct fault *f);
/* With sb_mu held, or before anybody else knows of C. */
enum err cloud_write_superblock(struct cloud *c, struct fault *f);
enum err cloud_take_over(struct cloud *c, struct fault *f);
enum err cloud_serve(struct element *e, struct fault *f);
enum err cloud_check_owner(struct cloud *c, struct fault *f);
/* DATE is noted as being written to. Blocks when it is the first time. */
enum err cloud_dirty(struct cloud *c, const char *date, struct fault *f);
enum err cloud_load_tombs(struct cloud *c, struct fault *f);
/* Forgets tombstones older than TOMB_KEEP_MS, a few at a time. */
void cloud_expire_tombs(struct cloud *c, struct wall now);
void cloud_tomb_key(const struct journal_record *r, char *key);
/* All that was written is in the index for sure, and nothing is dirty. CLEAN:
 * and we stop. */
enum err cloud_clean_point(struct cloud *c, bool clean, struct fault *f);
/* One request that waits for its answer. The body is S. */
enum err
cloud_put(struct cloud *c, const char *key, struct slice s, struct fault *f);
enum err
cloud_get(struct cloud *c, const char *key, struct buf *out, struct fault *f);
enum err cloud_delete(struct cloud *c, const char *key, struct fault *f);

/* cloud_recover.c */
enum err
cloud_recover(struct cloud *c, struct element_report *rep, struct fault *f);
/* Gives up all uploads; none of ours may be under way. */
enum err cloud_sweep_uploads(struct cloud *c, struct fault *f);
/* The same, if there may be one that nobody knows of, and it can be done. */
void cloud_sweep_strays(struct cloud *c);

/* cloud_item.c */
struct cloud_item *
cloud_item_new(struct cloud *c, struct loop *l, enum commit_type type,
               const struct uuid *file_id);
void cloud_item_free(struct cloud_item *it);
/* False: too many; IT stays the caller's. */
bool cloud_submit(struct cloud_item *it);
/* It is answered: whoever waited for its file_id is next. */
void cloud_leave(struct cloud_item *it);
/* The index has been told of it, or has refused it: IT->err. Any thread. */
void cloud_indexed(struct cloud_item *it);
static inline bool
cloud_is_upload(const struct cloud_item *it)
{
    return it->type == COMMIT_PUT || it->type == COMMIT_PUBLISH;
}

/* cloud_call.c. Answers, and frees IT. */
void cloud_end(struct cloud_item *it);
/* HERE is where we are: at once, or on the loop of R. */
void cloud_answer_publish(const struct loop *here, struct blob_publish *r);
void cloud_answer_abort(const struct loop *here, struct blob_abort *r);
void cloud_put_blob(struct blob *b, struct blob_put *r);
void cloud_del_blob(struct blob *b, struct blob_delete *r);
bool cloud_give_up(struct element *e, const struct uuid *file_id,
                   uint64_t number, struct blob_abort *r);

/* cloud_look.c: on a worker. */
void cloud_look(struct cloud_item *it);
bool cloud_copy_attr(struct cloud_item *it, const struct file_attr *a);

/* cloud_gate.c */
void cloud_number(struct cloud_item *it);
void cloud_gate(struct cloud_item *it);

/* cloud_ticket.c, cloud_part.c */
void cloud_admit(struct blob *b, struct blob_admit *r);
void cloud_append(struct blob *b, struct blob_append *r);
void cloud_publish(struct blob *b, struct blob_publish *r);
void cloud_abort(struct blob *b, struct blob_abort *r);
struct cloud_ticket_facts {
    uint64_t attempt;
    uint64_t size;
    struct ledger_room reserved;
    const uint32_t *crc;
    size_t n_crc;
    const char *upload_id; /* "": one put */
    const struct object_part *parts;
    unsigned n_parts;
    struct slice body; /* of one put */
};
void
cloud_ticket_facts(const struct blob_ticket *t, struct cloud_ticket_facts *out);
void cloud_ticket_free(struct blob_ticket *t);

/* cloud_debt.c. Any thread. */
void cloud_owe(struct cloud *c, const struct uuid *file_id, unsigned what,
               const char *ref);
/* ERR_AGAIN while something is owed for FILE_ID. */
enum err
cloud_owes(struct cloud *c, const struct uuid *file_id, struct fault *f);
void cloud_pay_all(struct cloud *c); /* blocks */

/* cloud_read.c */
bool cloud_is_dead(struct cloud *c, const struct uuid *id);
void cloud_open_blob(struct blob *b, struct blob_open *r);
void cloud_info(struct blob_reader *rd, struct blob_info *out);
void cloud_read(struct blob *b, struct blob_read *r);
void cloud_close_reader(struct blob_reader *rd);
void cloud_list(struct blob *b, struct blob_list *r);
enum err cloud_verify(struct element *e, const struct uuid *file_id,
                      const atomic_bool *cancel, struct element_verified *out,
                      struct fault *f);

/* cloud_tick.c */
bool cloud_tick_new(struct cloud *c);
void cloud_tick_free(struct cloud *c);
void cloud_start(struct element *e, struct loop *l);
void cloud_stop(struct element *e, void (*done)(void *arg), void *arg);
bool cloud_still_due(struct cloud *c, const struct file_attr *a);
void cloud_expired(struct cloud *c, enum err err);

#endif
