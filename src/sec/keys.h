/* keys.h - where keys come from: our own in a folder, those of others in a
 * file; made at the first start, read again when they change.
 *
 *   DIR/key-0001.pem     our first private key, RSA of 3072 bits, mode 0600
 *   DIR/key-0002.pem     after a rotation; the highest number whose time has
 *                        come signs, the lower ones still verify until they
 *                        are over (keyplan.h) or their file is removed
 *   DIR/owner            a UUID, by which Admins over one database tell whose
 *                        keys are whose (keys_peers())
 *   DIR/public_key.pem   the public halves, for AUTH_PUBLIC_KEY_PATH elsewhere,
 *                        with the version of the documents that say the same
 *   PUBLIC_PATH          keys of an issuer elsewhere: PEM or JWKS (ING-183)
 *   keys_adopt()         the same, brought by whoever has asked the issuer
 *   DIR/documents.json   signed documents of which keys verify (keydoc.h)
 *   keys_hand()          these, brought to where nobody can ask the issuer
 *
 * What keys_hand() took holds instead of PUBLIC_PATH, also after a restart, for
 * as long as PUBLIC_PATH says what it said then. A file with other bytes is an
 * operator's word, and wins at the next keys_reload(): the document is thrown
 * away and versions begin anew, with the file's if it has one.
 *
 * A key is named (kid) by its RFC 7638 thumbprint. Two processes that start
 * together on an empty folder agree on one key: the second finds the first's.
 *
 * A clock that is wrong for a while removes nothing: a key that is over is left
 * out at once, but its file goes only when it has been over for a day by the
 * clock that nobody sets.
 *
 * keys_open, keys_reload and keys_rotate read and write files, block, and take
 * up to a second (making a key): start-up and workers only. keys_get and
 * keys_generation are for any thread at any time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_KEYS_H
#define SEC_KEYS_H

#include "sec/keyset.h"

struct keys;
struct log;

struct keys_conf {           /* copied */
    const char *dir;         /* NULL: we have no keys of our own */
    const char *public_path; /* NULL: we trust only our own */
    bool create;             /* make DIR and the first key if missing */
    bool public_required;    /* a missing PUBLIC_PATH is ERR_NOENT */
    bool adopts;             /* there may be none until keys_adopt() */
    const char *hand_dir;    /* NULL: keys_hand() is not for us */
    unsigned bits;           /* of new keys; 0: 3072 */
    struct wall now;
    struct log *log; /* NULL: nobody is told of what fails but is tried again */
};

/* The longest that a token of ours may live: TOKEN_TTL and `artstore token
 * --ttl` go so far; and by which clocks may differ (AUTH_LEEWAY). */
#define KEYS_TOKEN_LIFE_S ((int64_t)30 * 86400)
#define KEYS_LEEWAY_S     ((int64_t)600)
/* Twice what /.well-known/jwks.json may be kept for. */
#define KEYS_LEAD_S ((int64_t)600)

/* ERR_NOENT: there is no key at all, and none may be made. ERR_DENIED: a
 * private key is readable by others. On success *OUT goes to keys_close. */
enum err
keys_open(struct keys **out, const struct keys_conf *conf, struct fault *f);
void keys_close(struct keys **k); /* sets *K to NULL */

/* The set of now, with a reference that the caller gives back. */
struct keyset *keys_get(struct keys *k);
/* Changes with the set; for caches. */
uint64_t keys_generation(const struct keys *k);

/* Reads the files again. When they differ from what was read last a new set
 * takes effect; when they cannot be read, the old one stays (ING-188). */
enum err keys_reload(struct keys *k, bool *changed, struct fault *f);

/* TEXT, a JWKS, is what the issuer says now; it takes the place of what it said
 * before, beside our own files. Blocks as keys_reload(). ERR_INVAL: no JWKS, or
 * none of its keys is of use; then nothing changes. */
enum err
keys_adopt(struct keys *k, struct slice text, bool *changed, struct fault *f);

/* Appends our documents; a word for whoever asks us. ERR_NOENT: there are none,
 * or none yet. */
enum err keys_documents(struct keys *k, struct buf *out);
/* The keys are others than they say: they could not be signed or written yet,
 * which the log tells, or keys_peers() was not said yet. Any thread. */
bool keys_documents_owed(struct keys *k);
/* Their version, or that of what we were handed; 0: none. One less while they
 * are owed: who is given the keys of now takes what is signed all the same, and
 * these may not be all that it names. Any thread. */
uint64_t keys_version(struct keys *k);
/* TEXT, the documents of our issuer, is what somebody has brought. ERR_OK: it
 * holds, and is kept in HAND_DIR (hand_dir/trusted-keys.json) unless the disk
 * takes nothing, which the log tells. Else, and
 * *VERSION, as keydocs_follow(), or ERR_UNSUPPORTED. Blocks as keys_reload().
 */
enum err keys_hand(struct keys *k, struct slice text, struct wall now,
                   uint64_t *version, struct fault *f);

/* It is NOW: another key may sign from now on, and files of those that are
 * over, and have been for KEYS_GRACE by MONO, are removed; at once if nothing
 * was to be kept of them. Reads the files again as keys_reload(); so two
 * processes over one folder follow each other. For a worker, every few seconds.
 */
#define KEYS_GRACE dur_s(86400)
enum err keys_turn(struct keys *k, struct wall now, struct mono mono,
                   bool *changed, struct fault *f);

/* Who we are; "" when we make no keys. */
const char *keys_owner(const struct keys *k);
/* TEXT, a JWKS or empty: the keys of the other Admins, which verify here and
 * are published beside ours. Until it was said once no documents are made, for
 * they would not have those keys, and whoever follows them would refuse the
 * tokens of the others. Blocks as keys_reload(). */
enum err
keys_peers(struct keys *k, struct slice text, bool *changed, struct fault *f);

/* A small file of ours beside the keys, NAME, mode 0600: of those who may read
 * the keys, and nobody else's. Both block. ERR_UNSUPPORTED: there is no folder
 * of our own; ERR_NOENT is an answer. */
enum err
keys_keep(struct keys *k, const char *name, struct slice text, struct fault *f);
enum err
keys_kept(struct keys *k, const char *name, struct buf *out, struct fault *f);

struct keys_rotation {
    struct wall now;
    struct dur lead; /* published for so long before it signs */
    struct dur keep; /* for how long the others verify after that; < 0: for
                        ever */
};
struct keys_rotated {
    char kid[CLAIM_TEXT];
    /* Which has made room; "": none had to. */
    char removed[CLAIM_TEXT];
    struct wall removed_until; /* it would have verified; {0}: no end */
};

/* Makes the next key of our own, at any time: when there are KEYS_OWN_MAX of
 * them the oldest that does not sign makes room, and what it has signed is
 * refused from now on. ERR_BUSY: somebody else does it; ERR_UNSUPPORTED: we
 * have none. OUT may be NULL. */
#define KEYS_OWN_MAX 16
enum err keys_rotate(struct keys *k, const struct keys_rotation *r,
                     struct keys_rotated *out, struct fault *f);

#endif
