/* jwt.h - a compact JWS (RFC 7515 section 7.1) taken apart: three parts of
 * base64url with dots between. No cryptography here, and no meaning: nothing in
 * it may be believed before the signature was checked over jwt.signed_part.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JWT_H
#define WIRE_JWT_H

#include "base/slice.h"

#define JWT_MAX           ((size_t)8 * 1024) /* bytes of a whole token */
#define JWT_SIGNATURE_MAX 1024 /* bytes of a signature: RSA-8192 */

struct jwt {
    struct slice header;      /* base64url, of JSON */
    struct slice payload;     /* base64url, of JSON */
    struct slice signature;   /* base64url; empty for "alg": "none" */
    struct slice signed_part; /* header and payload with their dot */
};

/* Exactly three parts of the right alphabet and length; header and payload are
 * not empty. False also when longer than JWT_MAX. */
bool jwt_split(struct slice token, struct jwt *out);
/* The same of a text of up to MAX bytes, for what is no token. */
bool jwt_split_long(struct slice text, size_t max, struct jwt *out);

/* Strict base64url. A part of S.n characters needs S.n * 3 / 4 bytes. */
bool jwt_decode(struct slice part, void *dst, size_t cap, size_t *n);

/* The token of "Authorization: Bearer ...", or an empty slice: another scheme,
 * or characters that RFC 6750 section 2.1 does not allow. */
struct slice jwt_bearer(struct slice authorization);

#endif
