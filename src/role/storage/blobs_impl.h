/* blobs_impl.h - what the files of blobs.h share.
 *
 *   blobs.c           the table of attempts, leases, the routes
 *   blobs_attempt.c   admit, publish, abort
 *   blobs_append.c    append
 *   blobs_put.c       put
 *   blobs_read.c      info, blocks, list, delete
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_BLOBS_IMPL_H
#define ROLE_STORAGE_BLOBS_IMPL_H

#include "base/map.h"
#include "role/common/reply.h"
#include "role/storage/blobs.h"
#include "wire/blobs.h"
#include <pthread.h>

struct blobs_api {
    struct element *element;
    struct blob *blob;
    struct blobs_conf conf;
    pthread_mutex_t mu;
    struct map attempts;
    struct list all; /* struct attempt */
    struct loop *loop;
    struct timer timer;
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* Whoever has set BUSY may touch the rest without the lock. */
struct attempt {
    struct map_item item;
    struct list link;
    struct blobs_api *api;
    struct uuid file_id;
    uint64_t number;
    bool busy;
    bool doomed; /* to be given up as soon as it is not busy */
    struct mono touched;
    struct list waiting; /* struct attempt_wait */
    struct blob_ticket *ticket;
    uint64_t size; /* bytes whose footer was good */
    uint32_t crc;  /* of them */
    bool last;     /* a segment ended in the middle of a block */
    struct blob_abort abort;
};

struct attempt_wait {
    struct list item;
    struct loop *loop;
    struct task task; /* run on LOOP when the attempt is gone */
};

/* ERR_OK: *OUT is the caller's until attempt_leave() or attempt_remove().
 * ERR_NOENT; ERR_BUSY: W (if not NULL) will be told when it is gone. */
enum err
attempt_enter(struct blobs_api *a, const struct uuid *id, uint64_t number,
              struct attempt **out, struct attempt_wait *w);
/* A new one, entered. ERR_EXISTS: *OUT is the one that is there, entered.
 * ERR_BUSY; ERR_CONFLICT: it is being given up; ERR_AGAIN: the table is full;
 * ERR_NOMEM. */
enum err attempt_make(struct blobs_api *a, const struct uuid *id,
                      uint64_t number, struct attempt **out);
/* Gives it back; if it was doomed meanwhile, gives it up, on L. */
void attempt_leave(struct attempt *t, struct loop *l);
/* Gives it up, on L; it leaves the table when that is done. */
void attempt_give_up(struct attempt *t, struct loop *l);
/* Its ticket is used up. */
void attempt_remove(struct attempt *t);
/* True when there is one under way, which then dies as soon as it can. False
 * with *OUT: it was idle and is entered now. False with NULL: there is none. */
bool attempt_doom(struct blobs_api *a, const struct uuid *id, uint64_t number,
                  struct attempt **out);

/* {file_id}/{attempt} of the path. False: answered. */
bool blobs_ids(struct call *c, struct uuid *id, uint64_t *attempt);
bool blobs_id(struct call *c, struct uuid *id);
/* A number of the query. False: answered. */
bool blobs_number(struct call *c, struct slice name, uint64_t max,
                  uint64_t otherwise, uint64_t *out);
/* The answer to an enum err: an answer's words, or a fault that is logged. */
void blobs_refuse(struct call *c, enum err e, const struct fault *f);
/* {"file": A}, without the braces, and how durable it is. */
void blobs_put_stored(const struct blobs_api *a, struct json_writer *w,
                      const struct file_attr *attr);
/* 200 with that. */
void blobs_reply_file(struct call *c, const struct file_attr *a);
void blobs_no_memory(struct call *c);

/* Looks whether the file is stored with this size and SHA-256: ANSWERED gets
 * ERR_OK and what is stored, ERR_NOENT, ERR_CONFLICT or a fault. WANT NULL: any
 * content will do. */
struct look {
    struct blob_open open;
    struct blobs_api *api;
    struct uuid file_id;
    bool any;
    uint64_t size;
    uint8_t sha256[32];
    void (*answered)(struct look *k, enum err e, const struct file_attr *a);
};
void look_up(struct blobs_api *a, struct look *k, struct loop *l);

void blobs_admit(struct call *c);
void blobs_publish(struct call *c);
void blobs_abort(struct call *c);
void blobs_append(struct call *c);
void blobs_put(struct call *c);
void blobs_info(struct call *c);
void blobs_blocks(struct call *c);
void blobs_list(struct call *c);
void blobs_delete(struct call *c);

#endif
