/* chunked.h - a chunked body undone in the buffer that it came in (RFC 9112
 * section 7.1).
 *
 * The decoder moves the data bytes to the front of the buffer and says how many
 * bytes it has used. It is a small struct by value and may be stopped after any
 * byte. Lines (sizes, extensions, trailers) are taken apart byte by byte, data
 * is moved as a whole; the decoder never needs bytes again that it has used.
 *
 *     chunked_init(&c, &limits);
 *     for (;;) {
 *         read n bytes into buf
 *         r = chunked_decode(&c, buf, n, &used, &data);
 *         data bytes at buf[0 .. data)          (also before CHUNKED_REFUSED)
 *         CHUNKED_MORE: used == n; CHUNKED_DONE: buf[used .. n) is the next
 *         request; CHUNKED_REFUSED: c.refusal, close the connection
 *     }
 *
 * Trailer fields are collected in the struct and given as slices once the body
 * is done. Extensions are checked, counted and dropped.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_CHUNKED_H
#define WIRE_CHUNKED_H

#include "wire/head.h"

#define CHUNKED_TRAILER_MAX  1024 /* bytes of the whole trailer section */
#define CHUNKED_TRAILERS_MAX 16   /* trailer fields */

struct chunked_limits {
    uint64_t body_max;    /* decoded bytes, else 413 */
    uint32_t ext_max;     /* bytes of extensions over the whole body ... */
    uint32_t trailer_max; /* at most CHUNKED_TRAILER_MAX, else 431 */
};

/* Extensions: 16 KiB in all, so that they cannot be the larger part of a body
 * of tiny chunks. */
#define CHUNKED_LIMITS_DEFAULT \
    ((struct chunked_limits){INT64_MAX, 16 * 1024, CHUNKED_TRAILER_MAX})

enum chunked_state {
    CHUNKED_SIZE_FIRST, /* the first digit of a size */
    CHUNKED_SIZE,
    CHUNKED_EXT,    /* behind the size, up to CR */
    CHUNKED_QUOTED, /* inside "..." of an extension */
    CHUNKED_ESCAPE, /* behind \ inside "..." */
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER,    /* inside a trailer line */
    CHUNKED_TRAILER_LF, /* behind the CR of a trailer line */
    CHUNKED_END,
    CHUNKED_FAILED,
};

struct chunked {
    struct chunked_limits limits;
    uint64_t left;  /* of this chunk's data */
    uint64_t total; /* decoded so far */
    uint32_t ext;   /* extension bytes so far */
    uint16_t line;  /* where the trailer line began, in text */
    uint16_t ntext;
    uint8_t digits; /* of the size */
    bool last;      /* the chunk of size 0 was there */
    enum chunked_state state;
    enum http_refusal refusal;
    uint32_t ntrailers;
    struct http_field trailer[CHUNKED_TRAILERS_MAX];
    char text[CHUNKED_TRAILER_MAX];
};

enum chunked_result { CHUNKED_MORE, CHUNKED_DONE, CHUNKED_REFUSED };

void chunked_init(struct chunked *c, const struct chunked_limits *limits);

/* *USED is how many of the N bytes were eaten, *DATA how many decoded bytes
 * stand at the front of BUF now (those behind them are garbage up to *USED).
 * After CHUNKED_DONE or CHUNKED_REFUSED further calls eat nothing and say the
 * same. Once done, c->trailer[0 .. c->ntrailers) are valid while *C stays where
 * it is. */
enum chunked_result chunked_decode(struct chunked *c, void *buf, size_t n,
                                   size_t *used, size_t *data);

/* Fields that would change framing, routing or who asks must not come after
 * the body (RFC 9110 section 6.5.1): for those, false. */
bool chunked_trailer_allowed(struct slice name);

#endif
