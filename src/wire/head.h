/* head.h - the head of an HTTP/1.1 request: bytes in, struct http_head out.
 *
 * Strict RFC 9112 and 9110: whatever two parsers might read in two ways is
 * refused (refuse.h lists every reason). Nothing is allocated.
 *
 * The caller collects bytes in one contiguous buffer and calls
 * http_head_parse() after each arrival with the whole buffer and the same
 * struct http_scan, which remembers how far the end of the head was looked for:
 * a head that comes byte by byte costs the same as one that comes at once. The
 * buffer may move between calls; only struct http_scan (16 bytes) need be kept
 * meanwhile, so that an idle connection holds no struct http_head (2.3 KiB).
 *
 *     struct http_scan scan = {0};
 *     switch (http_head_parse(&head, &scan, &limits, buf, n)) {
 *     case HTTP_MORE:    read more, append, call again
 *     case HTTP_OK:      head.len bytes were the head; the body begins there
 *     case HTTP_REFUSED: answer http_refusal_status(head.refusal) and close
 *     }
 *
 * All slices point into the buffer (or at constants) and live as long as its
 * bytes stay where they are; http_head_rebase() follows them when they move.
 *
 * Not here: what a method means, percent decoding (query.h), bodies (chunked.h,
 * multipart.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_HEAD_H
#define WIRE_HEAD_H

#include "base/slice.h"
#include "wire/refuse.h"

#define HTTP_FIELDS_MAX 64 /* field lines in one head */
#define HTTP_METHOD_MAX 32 /* bytes of a method's name */

#define HTTP_METHOD_TABLE(X) \
    X(HTTP_GET, "GET")       \
    X(HTTP_HEAD, "HEAD")     \
    X(HTTP_POST, "POST")     \
    X(HTTP_PUT, "PUT")       \
    X(HTTP_PATCH, "PATCH")   \
    X(HTTP_DELETE, "DELETE") \
    X(HTTP_OPTIONS, "OPTIONS")

enum http_method {
#define X(id, name) id,
    HTTP_METHOD_TABLE(X)
#undef X
        HTTP_OTHER /* any other token, in http_head.method_name */
};

struct http_limits {
    uint32_t head_max;   /* bytes of the whole head, else 431 */
    uint32_t target_max; /* bytes of the request target, else 414 */
    uint32_t fields_max; /* field lines, at most HTTP_FIELDS_MAX, else 431 */
};

#define HTTP_LIMITS_DEFAULT \
    ((struct http_limits){16 * 1024, 8 * 1024, HTTP_FIELDS_MAX})

/* How far a buffer was looked at. All zero at the first byte of a request. */
struct http_scan {
    uint32_t pos;   /* bytes looked at */
    uint32_t line;  /* where the line began that pos is in */
    uint32_t start; /* where the request line began */
    uint16_t lines; /* whole lines so far, the request line among them */
    uint8_t blank;  /* empty lines before the request line */
    uint8_t method; /* nonzero: the method is behind us */
};

struct http_field {
    struct slice name;  /* as sent; compare with slice_eq_nocase */
    struct slice value; /* without blanks around it */
};

struct http_head {
    enum http_refusal refusal; /* after HTTP_REFUSED; else HTTP_REF_NONE */
    uint32_t len;              /* bytes of the head with its empty line */

    enum http_method method;
    struct slice method_name;
    struct slice target; /* as sent */
    struct slice path;   /* undecoded, begins with '/'; "*" for OPTIONS * */
    struct slice query;  /* behind the '?'; .p is NULL when there is no '?' */
    uint8_t minor;       /* 0 or 1; a later HTTP/1.x counts as 1 */
    bool absolute;       /* the target was a URL ... */
    bool https;          /* ... with the scheme https */

    struct slice host;      /* with the port if sent; empty only in HTTP/1.0 */
    int64_t content_length; /* -1: not given */
    bool chunked;           /* neither this nor a length: there is no body */
    bool expect_continue;   /* never set for HTTP/1.0 */
    bool keep_alive;        /* of the version and Connection; the body's part
                               in it is the server's */

    uint32_t nfields;
    struct http_field field[HTTP_FIELDS_MAX]; /* in the order of the wire */
};

enum http_parse { HTTP_MORE, HTTP_OK, HTTP_REFUSED };

/* P[0..N) is everything since the first byte of this request; it may hold more
 * than the head. *H is filled on HTTP_OK; on HTTP_REFUSED only .refusal (and
 * .method_name and .target when they were readable, for the access log; else
 * they are empty; and the fields in front of what was refused, where lines and
 * request line were in order); on HTTP_MORE *H is not touched. The answer does
 * not depend on how the bytes were cut into arrivals. At most LIMITS->head_max
 * bytes need ever be buffered: with that many HTTP_MORE is not the answer. */
enum http_parse
http_head_parse(struct http_head *h, struct http_scan *scan,
                const struct http_limits *limits, const char *p, size_t n);

/* As if it had no line. */
void http_head_forget(struct http_head *h);

/* The bytes of the head moved from FROM to TO: makes every slice follow. */
void http_head_rebase(struct http_head *h, const char *from, const char *to);

/* The first field of that NAME (any case), or NULL. */
const struct http_field *
http_head_find(const struct http_head *h, struct slice name);
/* The next field of that NAME behind AFTER (NULL: the first), or NULL. */
const struct http_field *
http_head_next(const struct http_head *h, struct slice name,
               const struct http_field *after);
/* The value of the first such field, or an empty slice with .p NULL. */
struct slice http_head_value(const struct http_head *h, struct slice name);
/* Is TOKEN (any case) a member of the comma-separated lists of that NAME?
 * Parameters behind ';' are not looked at. */
bool http_head_has_token(const struct http_head *h, struct slice name,
                         struct slice token);

const char *http_method_name(enum http_method m); /* "GET"; "OTHER" */
/* Methods are case-sensitive (RFC 9110 section 9.1). */
enum http_method http_method_of(struct slice name);

/* Character classes, shared with the other parsers of this folder. */
extern const uint64_t http_tchar_bits[4]; /* one bit per character */

static inline bool
http_is_tchar(char c) /* RFC 9110 section 5.6.2 */
{
    unsigned char u = (unsigned char)c;

    return http_tchar_bits[u >> 6] >> (u & 63) & 1;
}

bool http_is_token(struct slice s);       /* at least one, all tchar */
bool http_is_field_value(struct slice s); /* no control but tab, no DEL */
/* A name, IPv4 address or [IPv6] and an optional port (RFC 3986 section
 * 3.2.2); at most 255 bytes without the port. Empty is false. */
bool http_is_host(struct slice s);

/* Takes the next non-empty member off a comma-separated list (RFC 9110 section
 * 5.6.1), blanks around it removed; commas inside "quoted strings" do not cut.
 * False at the end. */
bool http_list_cut(struct slice *rest, struct slice *item);

#endif
