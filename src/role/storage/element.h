/* element.h - a storage element over a local file system: port/blob.h on top
 * of port/disk.h and port/index.h.
 *
 *     superblock    which element this is (wire/superblock.h)
 *     lock          held while open
 *     journal       tombstones, and what is durable (wire/journal.h)
 *     data/2026/11/21/0003/
 *         {storage_filename}               the bytes
 *         {storage_filename}.attr.json     the authority (wire/attr.h)
 *         {storage_filename}.crc32c        block checksums, of large files
 *     quarantine/   what recovery found damaged
 *     tmp/          only where files without a name are not possible
 *
 * Uploads and deletes become durable in batches (core/publish.h): commit.c
 * gathers what is ready, batch.c carries a batch out on a worker thread, up to
 * two at a time.
 *
 * Calls marked "blocks" are for the start and the end of a process, or for a
 * worker thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_ELEMENT_H
#define ROLE_STORAGE_ELEMENT_H

#include "core/ledger.h"
#include "hash/hash.h"
#include "port/blob.h"
#include "port/disk.h"
#include "port/index.h"
#include "port/registry.h"
#include <stdatomic.h>

struct element;
struct metrics;

/* The account of one file system. Elements that live on the same one share it
 * (D28): whoever opens them makes one per pool_id. */
struct element_pool;
struct element_pool *element_pool_new(const struct ledger_conf *conf);
/* Other thresholds and headroom from now on. Any thread. */
void element_pool_adjust(struct element_pool *p, const struct ledger_conf *c);
void element_pool_free(struct element_pool **p); /* after its elements */
/* D07's and the options' defaults. */
struct ledger_conf element_ledger_conf(void);

struct element_conf {
    const char *element_id; /* must be the superblock's label; NULL: is it */
    const char *location;   /* "default" when NULL */
    const char *endpoint;
    enum blob_mode mode; /* not before one that it has served in ... */
    bool keep_mode;      /* ... or then that one instead, and no refusal */
    int priority;
    uint64_t quota;              /* bytes; 0: none */
    bool relaxed;                /* DURABILITY=relaxed: answers first (D10) */
    struct uuid installation_id; /* nil: any element will do */
    struct registry *registry;   /* fed before acknowledgements; may be NULL */
    const struct hash_kernels *hash; /* NULL: portable */
    unsigned batch_max;    /* items committed together; 0: 64, the most */
    uint32_t bucket_files; /* of one folder, 64 to 8,192; 0: the most */
    uint64_t journal_max;  /* rewritten beyond so many bytes; 0: 8 MiB */
    uint64_t seed;         /* random; for hash tables */
    struct wall now;
    struct metrics *metrics;    /* NULL: none */
    struct mono (*clock)(void); /* of worker threads, for durations; NULL:
                                      they are not measured */
};

/* What recovery and rebuild did. */
struct element_report {
    uint64_t files;     /* whole */
    uint64_t bytes;     /* stored */
    uint64_t published; /* found complete, not known before */
    uint64_t removed;   /* leftovers of what was never acknowledged */
    uint64_t settled;   /* deletes brought to their end */
    uint64_t missing;   /* damage: known, but not there */
    uint64_t damaged;   /* damage: there, but not whole */
    uint64_t extra;     /* not ours: left alone */
    uint64_t buckets;   /* looked at */
    bool rebuilt;       /* the index was lost or old: made anew (fit.c) */
    bool no_alloc;      /* the file system cannot allocate: an account that
                           other processes on it do not share (account.c) */
};

/* Makes a new element in the folder of DISK, which must hold nothing but maybe
 * an index database. Blocks. ERR_EXISTS: there is an element already, or
 * something else; *F says what. */
struct element_birth {
    struct uuid element_uuid;
    struct uuid installation_id;
    const char *label;
    enum blob_mode mode;
    const char *pool_id;
    struct wall now;
};
enum err element_init(struct disk *disk, const struct element_birth *birth,
                      const struct hash_kernels *hash, struct fault *f);

/* Opens the element in the folder of DISK and, after an unclean stop, recovers
 * it; an INDEX that was lost, or is an old copy, is made anew. Blocks. DISK,
 * INDEX and POOL stay the caller's and must outlive it.
 * REPORT may be NULL. *F says what to do:
 *   ERR_NOENT        no superblock: artstore storage init
 *   ERR_CORRUPT      the superblock is damaged
 *   ERR_CONFLICT     it belongs to another installation, is another element
 *                    (D31), or has served in a later mode (AMB-026)
 *   ERR_UNSUPPORTED  it was written by a later version
 *   ERR_BUSY         another process has it */
enum err
element_open(struct element **out, const struct element_conf *conf,
             struct disk *disk, struct index *index, struct element_pool *pool,
             struct element_report *report, struct fault *f);
/* No request may be under way and no reader open. Blocks. Marks the element
 * clean unless a sync has failed. Sets *E to NULL; accepts NULL. */
void element_close(struct element **e);

struct blob *element_blob(struct element *e);
const struct uuid *element_uuid(const struct element *e);

/* Once, before element_start() and before anything is asked of it, when nothing
 * can refuse the start any more: from here on it has served in its mode, and
 * no earlier one will do. Blocks. */
enum err element_serve(struct element *e, struct fault *f);

/* Begins and ends the periodic work on L: measuring the file system (every 5 s,
 * STO-026), expiry (STO-043), clean points. After element_stop() DONE is called
 * on L when nothing of it is under way. Both on L's thread. */
void element_start(struct element *e, struct loop *l);
void element_stop(struct element *e, void (*done)(void *arg), void *arg);

/* From any thread. */
void element_set_mode(struct element *e, enum blob_mode mode);
void element_set_quota(struct element *e, uint64_t quota);
/* NULL while all is well, else why the element takes nothing any more (D24). */
const char *element_trouble(struct element *e);

struct element_stats { /* since the start; for metrics */
    uint64_t batches;
    uint64_t published;
    uint64_t deleted;
    uint64_t expired;
    uint64_t failed;
    uint64_t reads;
    uint64_t corrupt; /* blocks whose checksum did not match */
    uint64_t refused; /* no room, mode, tombstones */
    uint64_t queued;  /* now */
    uint64_t tickets; /* now */
    uint64_t tombs;   /* now */
};
void element_stats(struct element *e, struct element_stats *out);

/* Gives up attempt NUMBER of FILE_ID, whether or not there is a ticket for it:
 * a tombstone, in every mode (D27). What is published already stays. R has loop
 * and done; its ticket is not looked at. False: the queue is full, and nothing
 * was done. */
bool element_give_up(struct element *e, const struct uuid *file_id,
                     uint64_t number, struct blob_abort *r);

/* Changes after SINCE, at most MAX, all of them complete: none with a lower
 * number will come later. Blocks. */
enum err element_changes(struct element *e, uint64_t since, size_t max,
                         index_change_fn *fn, void *arg, struct fault *f);

/* What numbers the log has: from *FIRST (0: it is empty) to *LAST, which are
 * all complete. Blocks. */
enum err element_log(struct element *e, uint64_t *first, uint64_t *last,
                     struct fault *f);

/* Forgets the index and makes it anew from the attr.json files, or with
 * CHECK_ONLY only says how the two differ. DEEP reads all bytes against their
 * checksums. The element must not be open. After an unclean stop the next start
 * does it again, since only recovery can tell which files are whole.
 * ERR_CONFLICT: it is not element ID (NULL: any). Blocks, long. */
enum err
element_rebuild(struct disk *disk, struct index *index, const char *id,
                const struct hash_kernels *hash, bool check_only, bool deep,
                struct element_report *report, struct fault *f);

/* Which installation the element belongs to: nil, none. Blocks. */
enum err
element_installation(struct disk *disk, const struct hash_kernels *hash,
                     struct uuid *out, struct fault *f);

/* Writes ID, which must be one, into the superblock as the element's name. The
 * element must not be open. Blocks. */
enum err element_rename(struct disk *disk, const char *id,
                        const struct hash_kernels *hash, struct fault *f);

/* Reads FILE_ID whole, from the device, against its checksums and digests.
 * Blocks, long; looks at CANCEL (may be NULL) between blocks. OUT tells what
 * was read, with ERR_OK and with ERR_CORRUPT, of which *F says the kind.
 * ERR_NOENT, ERR_CANCELED, ERR_IO. */
struct element_verified {
    uint64_t size;
    struct hash_digests digests;
};
enum err element_verify(struct element *e, const struct uuid *file_id,
                        const atomic_bool *cancel, struct element_verified *out,
                        struct fault *f);

#endif
