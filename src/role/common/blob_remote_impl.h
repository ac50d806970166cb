/* blob_remote_impl.h - what the files of the remote element share.
 *
 *   blob_remote.c         opening, capacity, put, delete, list
 *   blob_remote_ticket.c  admit, append, publish, abort
 *   blob_remote_read.c    open, read
 *   blob_remote_owed.c    what became of an attempt whose answer was lost
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_BLOB_REMOTE_IMPL_H
#define ROLE_COMMON_BLOB_REMOTE_IMPL_H

#include "hash/hash.h"
#include "role/common/blob_remote.h"
#include "wire/blobs.h"
#include <pthread.h>
#include <stdatomic.h>

#define REMOTE_ANSWER_MAX BLOBS_HEAD_MAX
/* For what an element does at once, while a client waits. */
#define REMOTE_PATIENCE dur_s(5)

struct remote {
    struct blob blob;
    struct fetch_peer *peer;
    struct blob_remote_conf conf;
    _Atomic(unsigned) refs; /* the owner, and what goes on in the background */
    _Atomic(uint64_t) generation;
    pthread_mutex_t mu;
    struct blob_capacity capacity; /* its alone_until counts for nothing */
    struct mono alone_until;
    struct list owed; /* attempts in doubt */
    unsigned n_owed;
    bool paying; /* one of them is out */
};

static inline struct remote *
remote_of(struct blob *b)
{
    return container_of(b, struct remote, blob);
}

void remote_unref(struct remote *m);
/* "/api/v1/blobs/{file_id}/{attempt}/{verb}"; NUMBER 0: without it. */
void remote_path(struct buf *b, const struct uuid *id, uint64_t number,
                 const char *verb);
/* A question with what all of them have. */
void remote_ask(struct remote *m, struct ask *a, struct loop *l,
                enum http_method method, size_t answer_max);
/* What a gateway does with an attempt of which it does not know what became
 * (D27): gives it up, once, and nobody waits for it. */
void remote_forget(struct remote *m, struct loop *l, const struct uuid *id,
                   uint64_t number);
/* Does A, a put or publish that is over, leave open whether it was done? */
bool remote_in_doubt(const struct ask *a);
/* A is asked anew: how the attempt ended. DONE calls remote_verdict(), where F
 * is what the first answer was: ERR_OK: it is stored, as ATTR; else it is not,
 * or (UNSURE) nobody knows, and what there may be is owed. */
void remote_doubt(struct remote *m, struct ask *a, struct loop *l,
                  const struct uuid *id, uint64_t number,
                  void (*done)(struct ask *a));
enum err
remote_verdict(struct remote *m, struct ask *a, struct file_attr *attr,
               uint64_t number, struct fault *f, bool *unsure, bool *relaxed);
void remote_owed_free(struct remote *m);
/* {"file": ...} of an answer into TO, whose metadata stays the caller's. */
enum err remote_take_file(struct ask *a, struct file_attr *to, bool *relaxed);

void remote_admit(struct blob *b, struct blob_admit *r);
void remote_append(struct blob *b, struct blob_append *r);
void remote_publish(struct blob *b, struct blob_publish *r);
void remote_abort(struct blob *b, struct blob_abort *r);
void remote_open(struct blob *b, struct blob_open *r);
void remote_info(struct blob_reader *rd, struct blob_info *out);
void remote_read(struct blob *b, struct blob_read *r);
void remote_close(struct blob_reader *rd);

#endif
