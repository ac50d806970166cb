/* keys_impl.h - what the parts of keys.h know of each other:
 *
 *   keys.c            the set of now: read from all the files, replaced whole
 *   keys_dir.c        the folder of our own private keys: made, turned, removed
 *   keys_documents.c  the signed word of which keys verify: ours, made and
 *                     kept; that of others, handed to us and kept
 *
 * All but keys_dir_open() and keys_dir_path() is called with `writer` held, or
 * before anybody else knows of K. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_KEYS_IMPL_H
#define SEC_KEYS_IMPL_H

#include "sec/keydoc.h"
#include "sec/keys.h"
#include "base/uuid.h"
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>

#define KEYS_FILE_MAX ((size_t)256 * 1024)
#define HANDED_MAX    (2 * KEYDOC_MAX)
/* One more than there are for long: the new one is made before one goes. */
#define KEYS_OWN_ROOM (KEYS_OWN_MAX + 1)

/* A file whose key is over, and since when that is known. */
struct over {
    unsigned number;
    struct mono since;
};

struct keys {
    char dir[PATH_MAX - 64]; /* empty: none */
    char public_path[PATH_MAX];
    bool public_required;
    bool adopts;
    bool creates;
    struct buf adopted; /* the issuer's word; under `writer` */
    struct buf peers;   /* the same of other Admins */
    char hand_dir[PATH_MAX - 64];
    struct buf handed;    /* the text of its file that holds; or empty */
    char root[65];        /* of the bytes of public_path that hold, */
    char root_read[65];   /* and that were read last */
    struct buf documents; /* of ours; under `lock` */
    uint64_t documents_version;
    /* under `writer`: */
    bool documents_read;         /* those of the time before */
    _Atomic bool documents_owed; /* anybody reads it */
    bool documents_told;         /* that they fail */
    bool hand_told; /* that what was handed cannot be written down */
    bool peers_known;
    bool unpublished; /* public_key.pem could not be written */
    struct log *log;
    char owner[UUID_TEXT];
    unsigned bits;
    struct wall now; /* as told last; under `writer` */
    struct over over[KEYS_OWN_ROOM];
    size_t n_over;
    uint8_t digest[32];     /* of all that the set was made from */
    pthread_mutex_t writer; /* one reload or rotation at a time */
    pthread_mutex_t lock;   /* for `set` */
    struct keyset *set;
    _Atomic uint64_t generation;
};

/* ---- keys.c ---- */

/* keys_reload(). */
enum err keys_renew(struct keys *k, bool *changed, struct fault *f);
/* Adds the private key in one file, which nobody else may read, and mixes its
 * bytes into MD unless that is NULL. */
enum err keys_take_private(struct keyset *ks, const char *path, EVP_MD_CTX *md,
                           struct fault *f);

/* ---- keys_dir.c ---- */

/* The folder, the first key and the owner are there afterwards. */
enum err keys_dir_open(struct keys *k, struct fault *f);
/* Where the private key of NUMBER is. */
void keys_dir_path(const struct keys *k, unsigned number, char out[PATH_MAX]);
/* The numbers of all there are, also of those that are over, rising. */
enum err keys_dir_numbers(const struct keys *k, unsigned num[KEYS_OWN_ROOM],
                          size_t *count, struct fault *f);
/* Adds those that are not over, and says who signs. */
enum err keys_dir_read(struct keys *k, struct keyset *ks, EVP_MD_CTX *md,
                       struct fault *f);
/* Removes the files of those that have been over for KEYS_GRACE. After a
 * keys_renew() that has left them out: a crash in between leaves a file that
 * nobody uses, to be removed the next time. */
enum err keys_dir_sweep(struct keys *k, struct mono now, struct fault *f);
/* public_key.pem: for the convenience of others; ours are read from the private
 * files. So what fails is told, and tried again by keys_turn(). */
void keys_dir_publish(struct keys *k);

/* ---- keys_documents.c ---- */

/* Those of the time before are there again; if they can be read. */
void keys_documents_open(struct keys *k);
/* If they are owed, and it is known who else has keys: our documents say what
 * our set says. What fails is told, stays owed, and is for the next
 * keys_turn(). */
void keys_documents_settle(struct keys *k);
/* Adds what was handed to us, if it was beside the PUBLIC_PATH that was read
 * just now. Its file is read when nothing is held, which is at a start; so no
 * disk and no lack of memory leads from what holds back to what was trusted
 * before. ERR_CONFLICT: it was beside another, and is to be forgotten when this
 * one is taken. ERR_NOENT: there is nothing, or nothing that can be read; the
 * file stays, for it may be newer than PUBLIC_PATH and be read again some day.
 * Anything else: nobody knows, so nothing may change. */
enum err keys_handed_take(struct keys *k, struct keyset *ks, EVP_MD_CTX *md,
                          struct fault *f);
/* It must not come back when the PUBLIC_PATH of before does. */
void keys_handed_forget(struct keys *k);

#endif
