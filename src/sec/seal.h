/* seal.h - where the audit log ended at a moment, signed.
 *
 *     {"audit_seal": {"first": 1, "n": 57, "hash": "9f86...", "at": 1763...}}
 *
 * as a compact JWS (RFC 7515) under the key that signs tokens, so whoever has
 * the public keys can tell it from one that somebody else has made. It has no
 * `exp`, so it is no token; and no token has `audit_seal`.
 *
 * Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_SEAL_H
#define SEC_SEAL_H

#include "sec/token.h"
#include "wire/audit.h"

struct seal {
    struct audit_head head;
    struct wall at;
};

/* Appends the text. ERR_UNSUPPORTED: nobody can sign here. */
enum err seal_make(const struct keyset *ks, const struct seal *s,
                   struct buf *out, struct fault *f);
/* TOKEN_OK: the signature is right. TOKEN_MALFORMED: also of a token. */
enum token_why
seal_read(const struct keyset *ks, struct slice text, struct seal *out);
/* Of a text that nobody else can have written: without a look at who signed. */
bool seal_parse(struct slice text, struct seal *out);

#endif
