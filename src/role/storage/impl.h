/* impl.h - what the parts of the element share; nobody else includes it.
 *
 * Locks, in the order in which they are taken:
 *     folder_mu   the current bucket, its making, the superblock (may do I/O)
 *     journal_mu  appends to the journal and its replacement (may do I/O)
 *     mu          queue, batches, tickets, tombstones (never across I/O)
 *     pool->gate  taking room (does I/O)
 *     pool->look  measuring the file system (reads its counters)
 *     pool->mu    the account (never across I/O)
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_IMPL_H
#define ROLE_STORAGE_IMPL_H

#include "base/map.h"
#include "core/bucket.h"
#include "core/publish.h"
#include "core/tomb.h"
#include "role/storage/element.h"
#include "role/storage/counts.h"
#include "role/storage/kind.h"
#include "wire/journal.h"
#include "wire/superblock.h"
#include <pthread.h>
#include <stdatomic.h>

#define COMMIT_BATCH_MAX   64                          /* items of one batch */
#define COMMIT_BATCH_BYTES ((uint64_t)8 * 1024 * 1024) /* of the puts */
#define COMMIT_SLOTS       2    /* batches being written at a time */
#define COMMIT_BATCHES     4    /* and waiting for their turn at the index */
#define COMMIT_QUEUE_MAX   8192 /* items; beyond: ERR_AGAIN */
#define TICKETS_MAX        8192
#define TOMBS_MAX          ((size_t)128 * 1024)
#define TOMBS_PINNED_MAX   ((size_t)64 * 1024) /* then a clean point is due */
#define TOMB_KEEP_MS       ((int64_t)72 * 3600 * 1000)
#define UNSETTLED_MAX      ((size_t)1024)
#define RUN_MAX            ((size_t)COMMIT_BATCHES * COMMIT_BATCH_MAX)
#define DIRECT_MIN         (64 * KIB) /* smaller: through the page cache */
#define JOURNAL_STEP       ((uint64_t)1024 * 1024)
#define JOURNAL_COMPACT    ((uint64_t)8 * 1024 * 1024)
#define JOURNAL_MAX        ((uint64_t)256 * 1024 * 1024) /* compacted */
#define SIDECAR_SUFFIX     ".crc32c"
#define ATTR_SUFFIX        ".attr.json"
#define NAME_TEXT          256

struct element_pool {
    pthread_mutex_t gate; /* held by whoever is in the file system's */
    pthread_mutex_t look; /* and by whoever measures it */
    pthread_mutex_t mu;
    struct ledger ledger;
    int64_t looked_ms; /* when the file system was last looked at */
};

/* What an upload has of the account. */
struct account_claim {
    struct ledger_room reserved;
    struct ledger_room on_disk; /* allocated in its file, from the beginning */
};

enum commit_type {
    COMMIT_PUT,
    COMMIT_PUBLISH,
    COMMIT_DELETE,
    COMMIT_EXPIRE,
    COMMIT_ABORT,
};

struct sweep;

union commit_req {
    struct blob_put *put;
    struct blob_publish *publish;
    struct blob_delete *del;
    struct blob_abort *abort;
    struct sweep *sweep;
};

/* One request on its way through a batch. */
struct commit_item {
    struct list link;        /* in the queue, a batch, or another's waiting */
    struct map_item pending; /* by file_id, from submission to answer */
    struct list waiting;     /* items of the same file_id that came later */
    enum commit_type type;
    union commit_req req;
    struct uuid file_id;
    uint64_t attempt;
    uint64_t epoch; /* delete: 0 any */
    struct account_claim claim;
    uint64_t seq;
    bool settled; /* answered without being part of the program */
    enum err err;
    struct fault fault;
    struct attr_doc doc; /* put, publish; delete: attr only */
    char bucket[BUCKET_TEXT];
    struct blob_ticket *ticket; /* publish */
    bool cut; /* the data file has more room, or bytes, than it needs */
    int fd_data;
    int fd_side;
    int fd_attr;
    unsigned temps; /* names in tmp/, bits of enum publish_name */
};

struct batch {
    struct list order; /* in element.order, from forming to answer */
    struct list items;
    struct element *element;
    size_t n;
    uint64_t first_seq;
    uint64_t last_seq;
    struct wall now;
    struct mono began; /* for the metrics */
    char bucket[BUCKET_TEXT];
    struct folder *folder; /* NULL: nothing is published */
    int dir;               /* its handle */
    size_t tombs;          /* written to the journal by this batch */
    bool used;             /* not free */
    bool synced;           /* its sync is behind it, or was not needed */
    bool ready;            /* waits for its turn at the index */
    struct fault fault;    /* of journal, sync or index */
    struct publish program;
    struct publish_op op; /* out, not yet carried out */
    struct publish_item pitem[COMMIT_BATCH_MAX];
    struct commit_item *item[COMMIT_BATCH_MAX]; /* of pitem */
    size_t n_program;
};

struct slot {
    struct work work;
    struct element *element;
    bool busy;
};

struct folder { /* an open bucket, shared by the batches that use it */
    int fd;
    unsigned refs;
    char name[BUCKET_TEXT];
};

struct element {
    const struct element_kind *kind; /* first: see kind.h */
    struct blob blob;
    struct element_conf conf;
    struct counts counts;
    char element_id[65];
    char location[65];
    char endpoint[256];
    char label[65];
    const struct hash_kernels *hash;
    struct disk *disk;
    struct index *index;
    struct element_pool *pool;
    struct ledger_member account; /* under pool->mu */
    int lock;
    int data;
    int tmp; /* DISK_NONE where it is not needed */

    pthread_mutex_t folder_mu;
    struct superblock *sb;
    struct folder *folder; /* current */

    pthread_mutex_t journal_mu;
    int journal;
    int journal_old; /* the one before, for syncs that are under way */
    unsigned journal_users;
    uint64_t journal_end;
    uint64_t journal_room;   /* allocated up to here */
    bool no_alloc;           /* the file system cannot */
    uint64_t journal_synced; /* the last SYNCED written */

    pthread_mutex_t mu;
    struct bucket bucket;
    struct list queue;
    size_t queued;
    struct map pending;
    struct list order; /* batches */
    struct batch batch[COMMIT_BATCHES];
    struct slot slot[COMMIT_SLOTS];
    bool applying;
    uint64_t next_seq;
    uint64_t told_seq;   /* all up to here are in the index, as readers see */
    uint64_t done_seq;   /* all up to here are answered */
    uint64_t synced_seq; /* all up to here are durable */
    bool synced_frozen;  /* rule 3 of core/publish.h */
    struct tombs tombs;
    size_t pinned;
    struct map tickets; /* by file_id */
    uint64_t ticket_number;
    struct index_change *changes; /* of the holder of the gate; RUN_MAX +
                                     UNSETTLED_MAX */
    _Atomic(size_t) n_unsettled;
    struct index_change *unsettled; /* deletes that the index could not take;
                                       NULL until there is one */
    struct {
        uint64_t batches, published, deleted, expired, failed;
    } count;

    struct periodic *periodic;
    bool serves;             /* its mode is written down */
    uint64_t clean_seq;      /* done_seq at the last clean point */
    _Atomic(int64_t) now_ms; /* wall time, as last seen on a loop */
    _Atomic(int) mode;
    _Atomic(bool) poisoned;
    char trouble[192]; /* written once, before `poisoned` is set */
    _Atomic(uint64_t) generation;
    _Atomic(uint64_t) n_files;
    _Atomic(uint64_t) n_bytes;
    _Atomic(uint64_t) n_reads, n_corrupt, n_refused;
    _Atomic(uint64_t) n_open; /* readers */
};

static inline struct element *
element_of(struct blob *b)
{
    return container_of(b, struct element, blob);
}

/* element.c, periodic.c, ticket.c, verify.c: element.h's functions. */
extern const struct element_kind local_kind;
void local_start(struct element *e, struct loop *l);
void local_stop(struct element *e, void (*done)(void *arg), void *arg);
bool local_give_up(struct element *e, const struct uuid *file_id,
                   uint64_t number, struct blob_abort *r);
enum err local_verify(struct element *e, const struct uuid *file_id,
                      const atomic_bool *cancel, struct element_verified *out,
                      struct fault *f);

/* account.c */
enum err
account_reserve(struct element *e, struct ledger_room r, struct fault *f);
void account_release(struct element *e, struct ledger_room r);
void account_take(struct element *e, struct ledger_room r);
void account_free(struct element *e, struct ledger_room r);
/* The end of an upload: what was reserved and what its file has taken so far
 * are replaced by what it takes now (zero when it is gone). */
void account_settle(struct element *e, struct ledger_room reserved,
                    struct ledger_room on_disk, struct ledger_room final);
enum err account_measure(struct element *e, struct fault *f);
/* Like account_reserve(), for what will be allocated in any case: when only the
 * promises to others are in the way, of which some may be on disk and counted
 * twice, *R becomes zero instead. */
enum err
account_promise(struct element *e, struct ledger_room *r, struct fault *f);
/* So little is left that others on the file system matter. */
bool account_near_end(struct element *e);
/* R more in the upload's file FD, if there is so much; PROMISED: C holds it
 * reserved. Where the file system cannot allocate, it stays reserved. With
 * ERR_NOSPC and the like the upload has come to its end. Blocks, as does the
 * gate; see account.c. */
enum err account_allocate(struct element *e, struct account_claim *c, int fd,
                          struct ledger_room r, bool promised, struct fault *f);
void account_gate_enter(struct element *e);
void account_gate_leave(struct element *e);
void account_capacity(struct element *e, struct blob_capacity *out);

/* Nothing open yet; NULL: no memory. */
struct element *element_new(const struct element_conf *conf);
void element_free(struct element *e);
/* element.c: why nothing may be written, or ERR_OK. */
enum err element_may_write(struct element *e, struct fault *f);
void element_poison(struct element *e, const struct fault *why);
/* Poisons if ERR came from a sync (F->op); F is not NULL. */
void element_check_sync(struct element *e, const struct fault *f, enum err err);
void element_saw(struct element *e, const struct loop *l);
struct wall element_now(struct element *e);

/* boot.c: superblock, journal. */
enum err boot_superblock(struct superblock *sb, struct disk *disk,
                         const struct hash_kernels *hash, struct fault *f);
enum err
boot_write_superblock(struct disk *disk, const struct superblock *sb,
                      const struct hash_kernels *hash, struct fault *f);
enum err boot_lock(struct disk *disk, int *fd, struct fault *f);

/* ---- identity.c ---- */

/* ERR_CONFLICT: SB is not that of element ID (NULL: of any). */
enum err
identity_name(const struct superblock *sb, const char *id, struct fault *f);
/* Is SB that of the element that CONF means, and may it serve in CONF's mode?
 * *MODE is the one that it serves in. ERR_CONFLICT: no; *F has what to do. */
enum err
identity_check(const struct superblock *sb, const struct element_conf *conf,
               enum blob_mode *mode, struct fault *f);
/* SB, not written yet, knows that it has served in MODE. False: it did. */
bool identity_note_mode(struct superblock *sb, enum blob_mode mode);
enum err journal_load(struct element *e, struct fault *f);
enum err journal_start(struct element *e, struct fault *f);
enum err journal_append(struct element *e, struct slice text, struct fault *f);
/* Replaces the journal by one that holds only what is still needed. */
enum err journal_compact(struct element *e, struct fault *f);

/* folder.c: buckets. Opens the bucket NAME, making and syncing whatever is
 * missing, and writes down that it is dirty. */
enum err folder_use(struct element *e, const char *name, struct folder **out,
                    struct fault *f);
void folder_drop(struct element *e, struct folder *f);
enum err folder_unlink(struct element *e, const char *bucket,
                       const char *storage_filename, enum publish_name which,
                       struct fault *f);
/* attr.json, sidecar and data of a file, whichever are there. */
enum err clear_names(struct element *e, int dir, const char *storage_filename,
                     struct fault *f);
/* The same of all N places ("bucket storage_filename"), for good: each folder
 * is opened and synced once. Sorts PLACE. */
enum err
folder_settle(struct element *e, char **place, size_t n, struct fault *f);
const char *folder_name(const char *storage_filename, enum publish_name which,
                        char out[NAME_TEXT]);
enum err folder_last(struct element *e, struct fault *f);

/* commit.c. False: the queue is full, and IT stays the caller's. */
bool commit_submit(struct element *e, struct loop *l, struct commit_item *it);
/* IT leaves its batch and the pending map. */
void commit_leave(struct element *e, struct commit_item *it);
struct commit_item *
commit_item_new(enum commit_type type, const struct uuid *file_id);
void commit_item_free(struct element *e, struct commit_item *it);
void commit_init(struct element *e);
void commit_put(struct blob *b, struct blob_put *r);
void commit_delete(struct blob *b, struct blob_delete *r);

/* batch.c: carries one batch out, up to the index, and from there. */
void batch_before(struct batch *b);
void batch_after(struct batch *b, enum err index_err, const struct fault *f);
size_t batch_changes(const struct batch *b, struct index_change *out);

/* apply.c: the index, the feed, then batch_after() of each. */
void apply_run(struct element *e, struct batch **run, size_t n);

/* prepare.c: what an item asks for, looked at before it is written. */
void prepare_item(struct element *e, struct batch *b, struct commit_item *it);
/* A name that can only mean a file in its own folder. */
bool attr_name_ok(const char *name);

/* answer.c: the end of an item, which is freed. */
void answer_item(struct element *e, struct commit_item *it, enum err err);
/* F may be NULL: the request has it already. */
void
answer_publish(struct blob_publish *r, enum err err, const struct fault *f);
void answer_abort(struct blob_abort *r);
/* A copy of what the caller said, in IT's document. False: no memory. */
bool copy_metadata(struct commit_item *it, const struct file_attr *a);

/* periodic.c: is this row still past its time? */
bool sweep_still_due(const struct commit_item *it, const struct file_attr *a);
void sweep_answer(struct sweep *s, enum err err);

/* ticket.c, reader.c */
void ticket_admit(struct blob *b, struct blob_admit *r);
void ticket_append(struct blob *b, struct blob_append *r);
void ticket_publish(struct blob *b, struct blob_publish *r);
void ticket_abort(struct blob *b, struct blob_abort *r);
/* Gives up what a ticket holds; its file is closed. On a worker. */
void ticket_free(struct element *e, struct blob_ticket *t);
/* Fills IT's document with what was stored, and hands the handle over, of a
 * file that is still to be cut. On a worker. */
void ticket_finish(struct blob_ticket *t, struct commit_item *it);
/* All block checksums as bytes; empty when they fit into attr.json. */
struct slice ticket_sidecar(const struct blob_ticket *t);
const char *ticket_temp(const struct blob_ticket *t); /* its name in tmp/ */
void ticket_renamed(struct blob_ticket *t);           /* it has none there */
enum err reader_make(struct element *e, const struct uuid *id,
                     struct blob_reader **out, struct fault *f);
void reader_open(struct blob *b, struct blob_open *r);
void reader_info(struct blob_reader *rd, struct blob_info *out);
void reader_read(struct blob *b, struct blob_read *r);
void reader_close(struct blob_reader *rd);
void reader_list(struct blob *b, struct blob_list *r);

/* recovery.c: adds to *REP. */
enum err
recovery_run(struct element *e, struct element_report *rep, struct fault *f);

/* rebuild.c: the index from the sidecars of all buckets that are not dirty. */
enum err
rebuild_index(struct element *e, struct element_report *rep, struct fault *f);
/* Of an index that was made anew: its log begins now. */
enum err rebuild_log(struct index *x, struct fault *f);

/* fit.c: does the index belong to what the superblock tells? */
bool fit_check(const struct superblock *sb, const struct index_totals *t);
/* Syncs the index and notes in e->sb what it holds now. */
enum err fit_sync(struct element *e, struct fault *f);
/* Around a rebuild: the superblock says that it has begun; it has ended. The
 * second leaves it to the caller to write the superblock. */
enum err fit_begin(struct element *e, struct fault *f);
enum err fit_end(struct element *e, struct fault *f);

#endif
