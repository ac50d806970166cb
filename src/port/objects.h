/* objects.h - a bucket in an object store, as a storage element sees it: whole
 * objects under names, reads of a range, uploads in parts, listings in order.
 *
 * Drivers: io/s3.h (any S3 service), port/objects_mem.h (in memory, and failing
 * where it is told to). What the element needs of a store is here and nothing
 * more; what it makes of it is in role/storage/cloud.h.
 *
 * A request is a struct that the caller owns and embeds. It is submitted from a
 * loop and its DONE runs later on that loop, exactly once, with `err` set (and
 * `fault`). objects_call() does the same and waits: for the start and the end
 * of a process, and for worker threads; LOOP and DONE are not used then, and
 * many requests may be called at once. Any thread may submit.
 *
 * A store promises less than a disk does: a request that failed may have been
 * carried out (UNSURE says so), or may still be. What it has answered is
 * durable, and seen by every later request (S3 is strongly consistent since
 * December 2020, radosgw always was). A driver repeats by itself what may be
 * repeated, with growing pauses, before it answers with an error.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_OBJECTS_H
#define PORT_OBJECTS_H

#include "base/err.h"
#include "base/slice.h"
#include "port/loop.h"

#define OBJECT_KEY_MAX  512
#define OBJECT_ID_MAX   511 /* of an upload's id */
#define OBJECT_ETAG_MAX 79
#define OBJECT_PAGE_MAX 1000
/* Of one upload; each but the last has PART_LEAST bytes or more, and they may
 * differ in size. */
#define OBJECT_PARTS_MAX  10000
#define OBJECT_PART_LEAST ((uint64_t)5 * 1024 * 1024)
#define OBJECT_PART_MAX   ((uint64_t)5 * 1024 * 1024 * 1024)

enum object_op {
    OBJECT_PUT,      /* KEY := BODY; replaces */
    OBJECT_GET,      /* at most N bytes from OFF to INTO */
    OBJECT_HEAD,     /* only SIZE */
    OBJECT_DELETE,   /* ERR_OK also when there is none */
    OBJECT_LIST,     /* ROWS whose names begin with KEY */
    OBJECT_BEGIN,    /* an upload of KEY in parts: UPLOAD_ID */
    OBJECT_PART,     /* its part number PART: BODY; ETAG */
    OBJECT_COMPLETE, /* KEY := its PARTS, at once */
    OBJECT_GIVE_UP,  /* the upload and its parts are gone */
    OBJECT_UPLOADS,  /* ROWS of uploads under way below KEY */
    OBJECT_OPS,
};

struct object_entry {
    char key[OBJECT_KEY_MAX + 1];
    char upload_id[OBJECT_ID_MAX + 1]; /* UPLOADS */
    uint64_t size;                     /* LIST */
};

struct object_part {
    char etag[OBJECT_ETAG_MAX + 1];
};

/* ERR_NOENT    no such object, upload or bucket
 * ERR_DENIED   the key pair is not known, or may not
 * ERR_AGAIN    the store is overloaded, or our queue is full
 * ERR_TIMEOUT  no answer in time; ERR_IO: no connection, or an error there
 * ERR_NOSPC    the store's quota
 * ERR_CORRUPT  the bytes changed on the way, or the answer is no S3
 * ERR_INVAL    it understood and refused */
struct object_req {
    struct loop *loop;
    void (*done)(struct object_req *r);
    enum object_op op;
    char key[OBJECT_KEY_MAX + 1];
    const struct slice *body; /* PUT, PART: the pieces, unchanged until DONE */
    unsigned n_body;
    void *into; /* GET */
    size_t n;   /* GET: wanted, at least 1; result: bytes there */
    uint64_t off;
    uint64_t size; /* result of GET, HEAD: of the whole object */
    char upload_id[OBJECT_ID_MAX + 1];
    unsigned part; /* 1 ... OBJECT_PARTS_MAX */
    char etag[OBJECT_ETAG_MAX + 1];
    const struct object_part *parts; /* COMPLETE: all, in order */
    unsigned n_parts;
    char after[OBJECT_KEY_MAX + 1];   /* LIST, UPLOADS: names after this */
    char after_id[OBJECT_ID_MAX + 1]; /* UPLOADS: of AFTER itself, later */
    struct object_entry *rows;        /* the caller's memory, MAX of them */
    unsigned max;
    unsigned n_rows;
    bool more; /* there are others after the last row */
    bool unsure;
    enum err err;
    struct fault fault;
    struct task task; /* the driver's, as are the next two */
    struct list item;
    void *wait;
    void *priv; /* the caller's */
};

struct objects;

struct objects_ops {
    void (*submit)(struct objects *o, struct object_req *r);
    /* All N side by side; returns when the last is answered. */
    void (*call)(struct objects *o, struct object_req *r, size_t n);
    /* Nothing may be under way. */
    void (*close)(struct objects *o);
};

struct objects {
    const struct objects_ops *ops;
    char place[160]; /* "bucket at host", for messages */
};

static inline void
objects_submit(struct objects *o, struct object_req *r)
{
    o->ops->submit(o, r);
}

static inline enum err
objects_call(struct objects *o, struct object_req *r)
{
    o->ops->call(o, r, 1);
    return r->err;
}

static inline void
objects_call_all(struct objects *o, struct object_req *r, size_t n)
{
    o->ops->call(o, r, n);
}

const char *object_op_name(enum object_op op); /* "put" ... */

#endif
