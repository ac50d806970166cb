/* keydoc.h - "these keys verify from now on", signed by a key that the reader
 * trusts already (D36): how a storage element, which cannot ask Admin, hears of
 * a rotation.
 *
 * A document is a compact JWS (RFC 7515), RS256, whose payload is
 *
 *     {"artstore_keys": {"version": 1763..., "made_at": 1763...,
 *         "keys": [{JWK, "until": 1763...}, ...]}}
 *
 * It has no `exp`, so it is no token; and no token has `artstore_keys`. The
 * version is the time in ms at which the keys changed, or one more than the
 * version before, if that is later: it only grows. The documents of a version
 * differ in who has signed; they go together, as text:
 *
 *     {"version": V, "set": "9f86...", "documents": [
 *         {"kid": K1, "jws": "..."}, {"kid": K2, "jws": "..."}]}
 *
 * One for each private key there is, also for those that are over and are in
 * no document any more: so the last act of a key is to say who comes after it,
 * and a stolen one is sent away by itself. When its file is gone its document
 * stays, for who was away meanwhile; who takes that one trusts a newer key, and
 * so on to the newest.
 *
 * Whoever has stolen a key can make such a document too, as long as somebody
 * trusts that key: a file made by hand wins over every document (keys.h). What
 * a reader can do by itself: it believes no version of the future, after which
 * none would be newer; and no key that was over KEYDOC_SIGNER ago, though who
 * was away for so long has to be given a file. (Only documents say when a key
 * is over: one of a file has no end for who reads it.)
 *
 * Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_KEYDOC_H
#define SEC_KEYDOC_H

#include "sec/token.h"

/* Bytes of a document: room for all keys that there may be, of our own and of
 * other Admins, with as many bits as they may have. */
#define KEYDOC_MAX    ((size_t)128 * 1024)
#define KEYDOCS_MAX   ((size_t)512 * 1024)
#define KEYDOCS_MAX_N 32 /* documents in a text */

/* Appends the text of all documents for the keys that SET publishes, signed by
 * each that SIGNERS can sign with, and what BEFORE, the text of the time
 * before or nothing, has of others. The same keys as in BEFORE: BEFORE. When
 * there is not room for all, the oldest signers are left out, and what they
 * have signed before stays as far as it fits. */
struct keydocs_made {
    uint64_t version;
    unsigned left_out; /* signers */
};
enum err keydocs_make(const struct keyset *set, struct keyset *signers,
                      struct slice before, struct wall now, struct buf *out,
                      struct keydocs_made *made, struct fault *f);
#define KEYDOC_FUTURE dur_s(86400)
#define KEYDOC_SIGNER dur_s(90 * 86400)
bool keydoc_is_of_future(uint64_t version, struct wall now);
/* The version of such a text; 0: it is none. */
uint64_t keydocs_version(struct slice text);
/* The same of a text that keydocs_make() has made; 0: it is damaged, and not
 * only that there was no memory to look. */
uint64_t keydocs_own_version(struct slice text);

/* Follows the documents of TEXT from what TRUSTED trusts, above its version, to
 * the newest that can be reached, and appends that document to OUT; *VERSION is
 * what TEXT says of itself. ERR_EXISTS: none is newer, which is no fault.
 * ERR_INVAL: no such text. ERR_DENIED: it says that it is newer, and nothing
 * newer in it is signed by a key that is trusted; or they are of the future.
 * TEXT may be anybody's: nothing in a document is looked at before its
 * signature. */
enum err
keydocs_follow(struct keyset *trusted, struct slice text, struct wall now,
               struct buf *out, uint64_t *version, struct fault *f);

/* The keys and the version of a document that was checked before, to KS. */
enum err keydoc_add(struct keyset *ks, struct slice jws, struct fault *f);

#endif
