/* token.h - bearer tokens: RS256 signatures made and checked.
 *
 * OpenSSL's EVP is called directly and not through cjose: cjose picks the check
 * by the header's `alg` and would take RS384 or PS256 with the same key, reads
 * repeated members, and makes a JWK of its own for each call; here the
 * algorithm is fixed before a byte of the token is looked at. (The tests have
 * cjose as a second opinion.)
 *
 * A check takes about 45 us with 3,072 bits, 35 of them the power; so it
 * runs on a worker, and cache.h remembers. Any thread, no state.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_TOKEN_H
#define SEC_TOKEN_H

#include "sec/keyset.h"

/* Checks everything: shape, algorithm, key, signature, then the claims. OUT is
 * filled for TOKEN_OK, all zero otherwise. No claim is believed, nor reported
 * as the reason, before the signature is right. */
enum token_why
token_verify(const struct keyset *ks, const struct token_conf *conf,
             struct slice token, struct wall now, struct claims *out);

/* The first half of it: shape, algorithm, key and signature. *PAYLOAD is still
 * base64url, and in TOKEN. For what is signed but is no token (seal.h). */
enum token_why token_signed(const struct keyset *ks, struct slice token,
                            struct slice *payload);
/* The same of a text of up to MAX bytes, by a key that was not over at THEN
 * (keydoc.h). */
enum token_why
token_signed_long(const struct keyset *ks, struct slice text, size_t max,
                  struct wall then, struct slice *payload);

struct token_spec { /* NULL or "": the claim is left out */
    const char *sub;
    const char *username;
    const char *client_id;
    const char *role;
    const char *audience;
    const char *issuer;
    enum token_kind kind;
    unsigned scopes;
    struct wall now;
    struct dur life; /* from now; at least a second */
};

/* Appends a token to OUT, signed by the set's signer. ERR_UNSUPPORTED: the set
 * has none. */
enum err token_issue(const struct keyset *ks, const struct token_spec *spec,
                     struct buf *out, struct fault *f);
/* The same of any PAYLOAD, a JSON object, which stays the caller's. What has no
 * `exp` is nobody's token. */
struct json_t;
enum err token_sign(const struct keyset *ks, struct json_t *payload,
                    struct buf *out, struct fault *f);

#endif
