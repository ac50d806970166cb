/* range.h - byte ranges: what a client asks for and what is sent (RFC 9110
 * section 14). SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_RANGE_H
#define WIRE_RANGE_H

#include "base/buf.h"

#define HTTP_RANGES_MAX 16 /* asked for in one request; more are ignored */

struct http_range {
    uint64_t first;
    uint64_t n; /* at least 1 */
};

struct http_ranges {
    uint32_t n;
    struct http_range r[HTTP_RANGES_MAX];
};

enum http_range_answer {
    HTTP_RANGE_WHOLE,   /* 200: no range, not bytes, malformed, too many */
    HTTP_RANGE_PARTIAL, /* 206: R has at least one */
    HTTP_RANGE_NEVER,   /* 416: none of them lies in the file */
};

/* What to send of SIZE bytes for the value of Range (.p may be NULL). Ranges
 * are in the order asked for, inside the file, and neither overlap nor touch:
 * such are joined where the first of them stood (section 14.2 allows it), so
 * that no request makes more bytes than the file has. */
enum http_range_answer
http_ranges_resolve(struct slice value, uint64_t size, struct http_ranges *out);

/* Content-Range */
struct http_content_range {
    bool has_range; /* else it was "*": see section 14.4 */
    uint64_t first;
    uint64_t last; /* inclusive, as on the wire */
    bool has_total;
    uint64_t total;
};

/* "bytes 0-499/1234", "bytes 0-499/" and *, "bytes " * "/1234". Strict: false
 * when malformed, another unit, last < first, or not inside the total. */
bool
http_content_range_parse(struct slice value, struct http_content_range *out);

#define HTTP_CONTENT_RANGE_TEXT 70 /* bytes of the longest, with its zero */

/* "bytes 0-499/1234"; returns OUT. */
const char *http_content_range_text(struct http_range r, uint64_t total,
                                    char out[HTTP_CONTENT_RANGE_TEXT]);
/* The form of a 416: the unit, a star for the range, and the total. */
const char *
http_content_range_none(uint64_t total, char out[HTTP_CONTENT_RANGE_TEXT]);

/* One part of multipart/byteranges (section 14.6): what stands before its
 * bytes. CONTENT_TYPE may be empty. */
bool http_byteranges_part(struct buf *b, struct slice boundary,
                          struct slice content_type, struct http_range r,
                          uint64_t total);
/* What stands behind the last. */
bool http_byteranges_end(struct buf *b, struct slice boundary);
/* Length of the whole body, to be announced. */
uint64_t
http_byteranges_length(const struct http_ranges *ranges, struct slice boundary,
                       struct slice content_type, uint64_t total);

#endif
