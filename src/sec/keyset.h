/* keyset.h - the RSA keys of one moment: which may sign, which may verify.
 *
 * A set never changes once it is made; keys.h replaces the whole. It is shared
 * by counting references, so a worker may verify with the old set while the
 * new one is already in use. Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_KEYSET_H
#define SEC_KEYSET_H

#include "base/buf.h"
#include "base/err.h"
#include "sec/claims.h"
#include <openssl/types.h>
#include <stdatomic.h>

/* Of our own, of other Admins, of an issuer's file, and as adopted: each kind
 * has a ceiling, so that one cannot take the room of another. */
#define KEYSET_MAX     192
#define KEYSET_FOREIGN 64 /* in one PEM or JWKS */
#define KEYSET_PEERS   40 /* of all other Admins */
/* Bytes of a JWKS: room for KEYSET_FOREIGN keys of KEY_BITS_MAX. */
#define KEYSET_TEXT    ((size_t)128 * 1024)
#define KEY_THUMBPRINT 44 /* base64url of a SHA-256, and the zero */
/* Below 2048 bits RS256 is not allowed (RFC 7518 section 3.3); above 8192 a
 * check would cost whoever can make us read such a key very little. */
#define KEY_BITS_MIN 2048
#define KEY_BITS_MAX 8192

struct key {
    EVP_PKEY *pkey;
    char kid[CLAIM_TEXT];
    /* From a PEM of someone else, whose name for it we cannot know: tried for
     * tokens with any kid or none. */
    bool any_kid;
    bool is_ours; /* published in our JWKS */
    bool is_peer; /* of another Admin of this installation: published too */
    bool can_sign;
    struct wall signs_from; /* of our own; {0}: always */
    struct wall until;      /* verifies; {0}: no end */
};

struct keyset {
    _Atomic unsigned refs;
    uint64_t generation; /* rises with each set of a process; never 0 */
    uint64_t version;    /* that its text gives itself (keydoc.h); 0: none */
    size_t n;
    int signer; /* index, or -1: nobody can sign here */
    struct key key[KEYSET_MAX];
};

/* An empty set with one reference; NULL: no memory. */
struct keyset *keyset_new(uint64_t generation);
struct keyset *keyset_ref(struct keyset *ks);
void keyset_unref(struct keyset **ks); /* sets *KS to NULL */

/* Takes PKEY over, also when it fails. KID NULL: its thumbprint. ERR_EXISTS:
 * the key is in already (harmless). ERR_INVAL: not RSA, or of a size or an
 * exponent that we do not take. ERR_TOOBIG: the set is full. */
enum err keyset_add(struct keyset *ks, EVP_PKEY *pkey, const char *kid,
                    unsigned flags, struct fault *f);
#define KEY_ANY_KID 1u
#define KEY_OURS    2u
#define KEY_SIGNS   4u /* it becomes the signer */

/* The keys of a PEM text: PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE. A private
 * key is refused: whoever verifies must not have one. ERR_INVAL also when there
 * is none: an empty file must not look like a missing one. A line
 * `artstore-keys-version: N` before them is the set's version. */
enum err keyset_add_pem(struct keyset *ks, struct slice text, struct fault *f);
/* Those of a JWKS, or one JWK, that are RSA for signatures; others are passed
 * over (RFC 7517 section 5), but it must not name more than KEYSET_FOREIGN.
 * When it fails the set is what it was. */
enum err keyset_add_jwks(struct keyset *ks, struct slice text, struct fault *f);

/* The same, parsed; a `version` in it is the set's from then on, an `until` the
 * key's. */
struct json_t;
enum err
keyset_add_list(struct keyset *ks, const struct json_t *jwks, struct fault *f);

/* Appends {"version": VERSION, "keys": [...]} with the public halves of our own
 * keys; without the version when that is 0. */
bool keyset_jwks(const struct keyset *ks, uint64_t version, struct buf *out);
/* The same of key I alone, a JWK. */
bool keyset_jwk(const struct keyset *ks, size_t i, struct buf *out);
/* Adds the keys of a JWKS as those of peers, as many as there is room for; what
 * is there already stays as it is. */
enum err
keyset_add_peers(struct keyset *ks, struct slice text, struct fault *f);
/* Appends our public halves as PEM, with the version unless that is 0. */
bool keyset_pem(const struct keyset *ks, uint64_t version, struct buf *out);

/* RFC 7638: the SHA-256 of {"e":..,"kty":"RSA","n":..}. */
bool key_thumbprint(const EVP_PKEY *pkey, char out[KEY_THUMBPRINT]);

#endif
