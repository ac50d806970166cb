/* blob.h - one storage element, as the roles above see it (D26, D27, D38):
 * admit, append, checkpoint, publish, abort, read, delete, list.
 *
 * Drivers: role/storage (an element in this process, over port/disk), and a
 * failing one for tests. A remote element and S3 stand behind the same table.
 *
 * Every call is a request struct that the caller owns and embeds; it is
 * submitted from a loop and its DONE runs later on that same loop, exactly
 * once, with `err` set (and `fault` when err is a fault). A request must stay
 * alive and untouched until then. An element is safe to use from all loops; so
 * is a ticket, whose calls may come from one loop after the other.
 *
 *     admit ----> append* ----> publish        each append is a block
 *        \            \----> abort             nothing stays behind
 *         put (small body: all in one)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_BLOB_H
#define PORT_BLOB_H

#include "base/block.h"
#include "base/err.h"
#include "base/uuid.h"
#include "port/loop.h"
#include "wire/attr.h"

struct blob;
struct blob_ticket; /* an admitted attempt; the driver's */
struct blob_reader; /* an open file; the driver's */

#define BLOB_SIZE_UNKNOWN UINT64_MAX
#define BLOB_PUT_MAX      BLOCK_SIZE /* largest body of one put in one piece */
#define BLOB_PUT_BLOCKS   32         /* and in blocks: 8 MiB */

enum blob_mode {
    BLOB_EDIT,
    BLOB_RW,
    BLOB_RO,
    BLOB_AR,
};

enum blob_status { /* ING-113, with hysteresis (D07) */
                   BLOB_OK,
                   BLOB_WARNING,
                   BLOB_CRITICAL,
                   BLOB_FULL,
};

/* What an element knows of itself; a snapshot (STO-016...STO-027). */
struct blob_capacity {
    char element_id[65];
    struct uuid element_uuid;
    char pool_id[33]; /* elements of one file system share it (D28) */
    char location[65];
    char backend[8]; /* "local" */
    char endpoint[256];
    enum blob_mode mode;
    /* At a gateway MODE is the later of these two: Admin's and its own; as far
     * as either has been heard. */
    bool is_listed, has_reported;
    enum blob_mode listed_mode, reported_mode;
    int priority;
    uint64_t total;
    uint64_t used;
    uint64_t available; /* after reservations and headroom */
    uint64_t reserved;  /* by admitted, unpublished attempts */
    uint64_t inodes_total;
    uint64_t inodes_available;
    uint64_t files;
    uint64_t bytes; /* stored by this element */
    enum blob_status status;
    char health[96]; /* "healthy", "degraded: ...", "unhealthy: ..." */
    bool writable;   /* mode and health allow an upload */
    /* This gateway gives it no uploads until then, since it failed too often of
     * late; {0}: it does. */
    struct mono alone_until;
    uint64_t boot; /* D25 */
    uint64_t seq;
    struct wall last_update;
};

/* Room for one attempt, before the first byte. ERR_NOSPC, ERR_NOINODES: it does
 * not fit (507). ERR_READONLY: the mode forbids it (403). ERR_CONFLICT: this
 * file_id has a later attempt, a tombstone, or is stored already with other
 * content; ERR_EXISTS never (a repetition is settled at publish). */
struct blob_admit {
    struct loop *loop;
    void (*done)(struct blob_admit *r);
    struct uuid file_id;
    uint64_t attempt;
    uint64_t size; /* or BLOB_SIZE_UNKNOWN: room is taken in steps of 64 MiB */
    bool exact;    /* no more will be appended, and no less if it is published;
                      else SIZE is only what may come */
    struct blob_ticket *ticket; /* result; ends with publish or abort */
    enum err err;
    struct fault fault;
    struct work work; /* the driver's */
    void *priv;
};

/* One block at the end of what was appended before. B must be full except the
 * last (LAST set). Several may be in flight; they are written at their own
 * offsets. B is the element's (state WRITE) until DONE, then the caller's.
 * ERR_NOSPC: the disk or the account is full: abort. */
struct blob_append {
    struct loop *loop;
    void (*done)(struct blob_append *r);
    struct blob_ticket *ticket;
    struct block *block;
    bool last;
    enum err err;
    struct fault fault;
    struct file_io io; /* the driver's */
    struct work work;
    struct task task;
    void *priv;
    struct list item;
};

/* Makes the file durable and then visible. ATTR gives names, owner, retention,
 * digests and size; the element completes it (storage_filename when empty,
 * element, epoch, seq, stored size and CRC) and leaves the result there. DONE
 * with ERR_OK means that data, attr.json and names are synced (D10). The same
 * file_id with the same SHA-256 again is ERR_OK with the first result
 * (STO-033); other content ERR_CONFLICT. The ticket is used up in any case and
 * after an error nothing is left behind. All appends must have completed. */
struct blob_publish {
    struct loop *loop;
    void (*done)(struct blob_publish *r);
    struct blob_ticket *ticket;
    struct file_attr *attr;
    enum err err;
    struct fault fault;
    bool unsure;      /* with ERR: see blob_put */
    bool relaxed;     /* result: it is not synced yet (DURABILITY, D10) */
    struct task task; /* the driver's */
    struct list item;
    void *priv;
};

/* admit + append + publish of a body that lies in memory: at most BLOB_PUT_MAX
 * bytes of DATA, or BLOB_PUT_BLOCKS blocks (of which none may change). DATA is
 * only read, until DONE. If ALIGNED, DATA is aligned to BLOCK_ALIGN and may be
 * read up to the next multiple of it. UNSURE: an element far away does not
 * answer, and may have stored it; it is made to take it back when it answers
 * again, so whoever asked may count it as not stored. */
struct blob_put {
    struct loop *loop;
    void (*done)(struct blob_put *r);
    uint64_t attempt;
    struct file_attr *attr; /* file_id and size are set */
    const void *data;
    bool aligned;
    struct block *const *blocks; /* instead of data, when n_blocks is not 0: */
    unsigned n_blocks;           /* each is full but the last */
    enum err err;
    struct fault fault;
    bool unsure;
    bool relaxed;
    struct task task; /* the driver's */
    struct list item;
    void *priv;
};

/* Gives an attempt up; what it wrote is removed. No error is possible that the
 * caller could act on. Leaves a tombstone for (file_id, attempt) (D27). */
struct blob_abort {
    struct loop *loop;
    void (*done)(struct blob_abort *r);
    struct blob_ticket *ticket;
    struct work work; /* the driver's */
    struct task task;
    void *priv;
};

/* Opens a published file. ERR_NOENT is an answer. READER is the caller's until
 * blob_close(). */
struct blob_open {
    struct loop *loop;
    void (*done)(struct blob_open *r);
    struct uuid file_id;
    struct blob_reader *reader; /* result */
    enum err err;
    struct fault fault;
    struct blob *blob; /* the driver's, as is WORK */
    struct work work;
    void *priv;
};

/* Facts of an open file; valid until blob_close(). */
struct blob_info {
    const struct file_attr *attr;
    int fd; /* of the stored bytes, for sendfile; -1 when there is none */
    uint64_t size;  /* of the stored bytes */
    uint64_t valid; /* changes when something was deleted or replaced on this
                       element: a cached reader with an older value must be
                       opened anew (compare with blob_generation()) */
};

/* Reads up to BLOCK_SIZE bytes from OFF into BLOCK (state READ, len set).
 * OFF is a multiple of BLOCK_SIZE when VERIFY: then the block's CRC32C is
 * checked and a mismatch is ERR_CORRUPT (D34). */
struct blob_read {
    struct loop *loop;
    void (*done)(struct blob_read *r);
    struct blob_reader *reader;
    uint64_t off;
    uint32_t n; /* at most; fewer at the end of the file */
    bool verify;
    struct block *block;
    enum err err;
    struct fault fault;
    struct file_io io; /* the driver's */
    struct work work;
    void *priv;
};

/* Removes a published file: durable tombstone, attr.json, data (D30).
 * ERR_NOENT, ERR_READONLY (mode is not edit, STO-005), ERR_CONFLICT (EPOCH is
 * not 0 and differs, or the file is held: D23) are answers. WITHDRAW: it was
 * published for nobody, and its attempt is given up too late (D27); that works
 * in every mode, at an element in this process. */
struct blob_delete {
    struct loop *loop;
    void (*done)(struct blob_delete *r);
    struct uuid file_id;
    uint64_t epoch;
    bool withdraw;
    enum err err;
    struct fault fault;
    struct task task; /* the driver's */
    struct list item;
    void *priv;
};

/* One page of what is stored, by file_id. The metadata of each row is the
 * caller's to free(). */
struct blob_list {
    struct loop *loop;
    void (*done)(struct blob_list *r);
    struct uuid after;      /* nil: from the start */
    unsigned max;           /* rows wanted, at most 1000 */
    struct file_attr *rows; /* result: MAX rows, the caller's memory */
    unsigned n;
    enum err err;
    struct fault fault;
    struct blob *blob; /* the driver's, as is WORK */
    struct work work;
    void *priv;
};

struct blob_ops {
    void (*admit)(struct blob *b, struct blob_admit *r);
    void (*append)(struct blob *b, struct blob_append *r);
    void (*publish)(struct blob *b, struct blob_publish *r);
    void (*put)(struct blob *b, struct blob_put *r);
    void (*abort)(struct blob *b, struct blob_abort *r);
    void (*open)(struct blob *b, struct blob_open *r);
    void (*info)(struct blob_reader *rd, struct blob_info *out);
    void (*read)(struct blob *b, struct blob_read *r);
    /* Immediate, from any thread; the last user closes the descriptor. */
    void (*close)(struct blob_reader *rd);
    void (*del)(struct blob *b, struct blob_delete *r);
    void (*list)(struct blob *b, struct blob_list *r);
    /* Immediate, from any thread, no I/O (the element refreshes by itself). */
    void (*capacity)(struct blob *b, struct blob_capacity *out);
    uint64_t (*generation)(struct blob *b);
    /* Immediate, from any thread. An element that may leave while the process
     * runs stays as long as somebody holds it; both are NULL where it stays
     * anyway. Tickets and readers hold theirs. */
    void (*hold)(struct blob *b);
    void (*drop)(struct blob *b);
};

struct blob {
    const struct blob_ops *ops;
    char element_id[65];
};

static inline struct blob *
blob_hold(struct blob *b)
{
    if (b && b->ops->hold)
        b->ops->hold(b);
    return b;
}

/* Sets *B to NULL; accepts NULL. */
static inline void
blob_drop(struct blob **b)
{
    if (*b && (*b)->ops->drop)
        (*b)->ops->drop(*b);
    *b = NULL;
}

#endif
