/* admin_link.h - what a process needs of an Admin elsewhere before it can do
 * anything else: a token for itself, and the keys that tokens of others are
 * verified with.
 *
 *     POST /api/v1/auth/token       client credentials (ING-189); asked anew
 *                                   when three quarters of its life are over
 *     GET  /.well-known/jwks.json   every KEYS_EVERY; when a token names a key
 *                                   that is not there, at most every KEYS_ANEW;
 *                                   when the documents below are new, since
 *                                   that is a rotation. Into sec/keys
 *                                   (keys_adopt())
 *
 *     GET  /.well-known/key-documents  every DOCUMENTS_EVERY, and with a new
 *                                   token: what storage elements are to hear of
 *                                   the keys (sec/keydoc.h)
 *
 * All are tried again after 1, 2, 4 ... 30 s for as long as Admin does not
 * answer; what there was stays until then. One question of each kind at a time
 * (ING-192). All on one loop; the token is given out on any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_ADMIN_LINK_H
#define ROLE_COMMON_ADMIN_LINK_H

#include "role/common/ask.h"
#include "role/common/auth.h"
#include "sec/keys.h"

struct admin_link;
struct log;

struct admin_link_conf {
    const char *url;           /* http(s)://host[:port][/prefix] */
    const char *client_id;     /* "": no token is asked for; copied */
    const char *client_secret; /* copied, and wiped in the end */
    struct keys *keys;         /* NULL: no keys are asked for */
    bool documents;            /* elements will be told of keys */
    struct dur patience;       /* for an answer */
    /* The first token has come, or none is wanted; on the loop, once, and never
     * inside admin_link_start(). May be NULL. */
    void (*ready)(void *arg);
    void *arg;
    struct log *log;
};

/* F must outlive it. ERR_INVAL, ERR_UNSUPPORTED as fetch_peer_open(). */
enum err
admin_link_open(struct admin_link **out, struct fetch *f,
                const struct admin_link_conf *conf, struct fault *fault);
/* Both on L's thread; DONE there, when nothing is under way any more. */
void admin_link_start(struct admin_link *k, struct loop *l);
void admin_link_stop(struct admin_link *k, void (*done)(void *arg), void *arg);
/* After the stop, or when it was never started. Sets *K to NULL; accepts NULL.
 * The peer is closed, so loops must go on (fetch_peer_close()). */
void admin_link_close(struct admin_link **k);
/* The peer's half of that, while the loops go on: fields and refusals may still
 * be asked for. K may be NULL. */
void admin_link_unplug(struct admin_link *k);

/* Requests that want our token: they get none while there is none. K must
 * outlive them. */
struct ask_auth admin_link_auth(struct admin_link *k);
/* From any thread: somebody was refused with the token of now. It is asked for
 * anew, but not more often than once a second (ING-190, ING-192). */
void admin_link_refused(struct admin_link *k);
struct fetch_peer *admin_link_peer(struct admin_link *k);

/* For authority_issuer(): K's keys, of which a token's is none. From any
 * thread. */
enum authority_keys admin_link_key_unknown(void *k, struct mono now);

/* The version of the documents that have come, and appends them to OUT unless
 * that is NULL; 0: none, or no memory. From any thread. */
uint64_t admin_link_documents(void *k, struct buf *out);

struct admin_link_status {
    bool has_token; /* or none is wanted */
    bool has_keys;  /* the same */
    bool refused;   /* no token is valid, since Admin refuses the account */
    char why[320];  /* the last thing that failed, or "" */
};
/* From any thread. */
void admin_link_status(struct admin_link *k, struct admin_link_status *out);

#endif
