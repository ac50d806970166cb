/* resp.h - the head of an HTTP/1.1 response, for the HTTP client.
 *
 * As strict as head.h and used in the same way. Whether a body follows also
 * depends on the request: see http_resp_body(). Interim answers (1xx) are heads
 * of their own; the caller parses again behind them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_RESP_H
#define WIRE_RESP_H

#include "wire/head.h"

struct http_resp {
    enum http_refusal refusal; /* after HTTP_REFUSED; else HTTP_REF_NONE */
    uint32_t len;              /* bytes of the head with its empty line */
    uint16_t status;           /* 100 to 999 */
    uint8_t minor;
    struct slice reason;    /* may be empty */
    int64_t content_length; /* -1: not given */
    bool chunked;
    bool keep_alive;
    uint32_t nfields;
    struct http_field field[HTTP_FIELDS_MAX];
};

/* As http_head_parse(). LIMITS->target_max bounds the reason. */
enum http_parse
http_resp_parse(struct http_resp *r, struct http_scan *scan,
                const struct http_limits *limits, const char *p, size_t n);

enum http_resp_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH, /* content_length bytes */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_CLOSE, /* until the peer closes: its end cannot be told from a
                        broken connection */
};

/* RFC 9112 section 6.3, for an answer to METHOD. */
enum http_resp_body
http_resp_body(const struct http_resp *r, enum http_method method);

/* As http_head_value(). */
struct slice http_resp_value(const struct http_resp *r, struct slice name);

#endif
