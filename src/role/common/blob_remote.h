/* blob_remote.h - port/blob.h for an element in another process, reached by
 * HTTP(S) through whatever proxies there are (wire/blobs.h, port/fetch.h).
 *
 * How the calls travel. Small bodies are one request each, and are asked again
 * once when the answer is lost, since the element knows attempts by name (D27).
 * The appends of an upload flow through segments of up to 64 MiB: an append is
 * DONE when the kernel has taken its bytes, the last of a segment when the
 * element has answered that its footer fits; a segment is never repeated. An
 * upload that fails is given up at the element, in the background and once; if
 * that does not reach it, the attempt's lease ends it. Only where the answer to
 * a put or publish is lost is the abort waited for, since it tells whether the
 * file was stored (blob_remote_owed.c).
 *
 * Blocks come with a CRC32C for the way, which is checked here, over bytes that
 * the element has checked against what it stored (D34): so what a proxy or a
 * memory in between has changed is seen. Consecutive reads of one reader share
 * one answer.
 *
 * What an element knows of itself is a snapshot that somebody else brings:
 * blob_remote_set_capacity(). Readers are taken for stale when it says that
 * the element's log has moved.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_BLOB_REMOTE_H
#define ROLE_COMMON_BLOB_REMOTE_H

#include "port/blob.h"
#include "role/common/ask.h"

struct hash_kernels;
struct log;

struct blob_remote_conf {
    const char *element_id; /* until a snapshot says otherwise */
    const char *url;        /* http(s)://host[:port][/prefix] */
    const struct hash_kernels *hash;
    struct ask_auth auth; /* fields NULL: no token */
    struct dur patience;  /* for a commit to be answered; 0: fetch's */
    uint64_t segment_max; /* 0: BLOBS_SEGMENT_MAX; whole blocks */
    struct log *log;      /* or NULL; must outlive it */
};

/* F must outlive it. ERR_INVAL, ERR_UNSUPPORTED as fetch_peer_open(). */
enum err
blob_remote_open(struct blob **out, struct fetch *f,
                 const struct blob_remote_conf *conf, struct fault *fault);
/* It lives on while somebody holds it (blob_hold()), and so do a ticket, a
 * reader and what was given up in the background; who has another request under
 * way must hold it. Sets *B to NULL; accepts NULL. */
void blob_remote_close(struct blob **b);

/* From any thread. The element was reached, so this does what the next does. */
void blob_remote_set_capacity(struct blob *b, const struct blob_capacity *c);
/* From any thread: alone_until of its numbers from now on. It only tells. */
void blob_remote_leave_alone(struct blob *b, struct mono until);
/* From any thread, while the loops of B's callers run: the element may answer
 * by now, and takes back what it may have of attempts in doubt. */
void blob_remote_settle(struct blob *b);
/* What FROM, the same element at another address, is still to take back. */
void blob_remote_inherit(struct blob *b, struct blob *from);

#endif
