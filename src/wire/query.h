/* query.h - percent encoding, query strings, form bodies, path segments (RFC
 * 3986, and the WHATWG's application/x-www-form-urlencoded).
 *
 * Strict: a '%' that two hexadecimal digits do not follow, and %00, are errors
 * and not text. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_QUERY_H
#define WIRE_QUERY_H

#include "base/buf.h"

/* DST may be S.p itself and needs S.n bytes; *N is how many are used. */
bool pct_decode(struct slice s, char *dst, size_t *n);

/* Appends S with all but unreserved characters (letters, digits, -._~) as
 * %XX; with SLASH a '/' stays as well. */
bool pct_encode(struct buf *b, struct slice s, bool slash);

enum query_result {
    QUERY_OK,
    QUERY_END,
    QUERY_BAD,  /* a bad escape */
    QUERY_LONG, /* a pair is longer than the space for it, or there are too
                   many: the limits of struct query */
};

/* Goes through key=value pairs; '+' is a blank. */
struct query {
    struct slice rest;
    char *text; /* a pair is decoded into this */
    size_t cap;
    uint32_t left; /* pairs still allowed */
};

/* TEXT[0..CAP) is the caller's and holds one pair at a time. */
void query_init(struct query *q, struct slice s, char *text, size_t cap,
                uint32_t pairs_max);
/* KEY and VALUE are valid until the next call. A key without '=' has an empty
 * value whose .p is NULL; empty pairs ("&&") are passed over. */
enum query_result
query_next(struct query *q, struct slice *key, struct slice *value);

#define QUERY_PAIRS_MAX 64
#define QUERY_KEY_MAX   64 /* bytes of a key that query_get() can look for */

/* The value of KEY in the query string S, decoded into DST with a zero behind;
 * *N (may be NULL) is its length. QUERY_END: it is not there. QUERY_BAD: it is
 * there twice, or it or a key has a bad escape. */
enum query_result
query_get(struct slice s, struct slice key, char *dst, size_t cap, size_t *n);

/* Takes the next segment off a path ("/a/b": "a", then "b"; "/a/": "a", then
 * an empty one) and decodes it into DST[0..CAP). Refused (QUERY_BAD): bad
 * escapes, what decodes to '.', '..' or holds '/', '\' or a control byte, so
 * that no segment can leave its place. */
enum query_result
path_next(struct slice *path, char *dst, size_t cap, struct slice *segment);

#endif
