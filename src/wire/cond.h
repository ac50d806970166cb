/* cond.h - entity tags and conditional requests (RFC 9110 sections 8.8 and 13).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_COND_H
#define WIRE_COND_H

#include "base/mono.h"
#include "wire/head.h"

struct http_etag {
    struct slice tag; /* between the quotation marks */
    bool weak;
};

enum http_etag_result { HTTP_ETAG_OK, HTTP_ETAG_END, HTTP_ETAG_BAD };

/* Takes the next tag off a list such as: W/"a", "b" */
enum http_etag_result http_etag_next(struct slice *rest, struct http_etag *out);
/* Section 8.8.3.2: strong needs both to be strong. */
bool
http_etag_eq(const struct http_etag *a, const struct http_etag *b, bool strong);

/* What there is. For a resource that does not exist, all zero. */
struct http_validators {
    bool exists;
    struct http_etag etag; /* .tag.p NULL: it has none */
    bool has_modified;
    struct wall modified; /* compared by whole seconds */
};

enum http_cond {
    HTTP_COND_PROCEED,
    HTTP_COND_NOT_MODIFIED, /* 304 */
    HTTP_COND_FAILED,       /* 412 */
    HTTP_COND_IGNORE_RANGE, /* proceed, but send the whole: 200 */
};

/* The order of section 13.2.2: If-Match, else If-Unmodified-Since; then
 * If-None-Match, else If-Modified-Since; then If-Range. To be asked just before
 * the method is performed, and not when the answer would be other than 2xx or
 * 412 anyway. A malformed date is as if it were not there; a malformed list of
 * tags fails what would change something, and matches nothing otherwise. */
enum http_cond http_cond_eval(const struct http_head *h,
                              const struct http_validators *v, struct wall now);

#endif
