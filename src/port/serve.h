/* serve.h - one HTTP exchange, as a role sees it: the head, the body, the
 * answer. io/http offers it, routes in role take it.
 *
 * The server calls app->begin() on the connection's loop when a head is
 * complete and valid. From then on the exchange is the role's until the role
 * has ended it, exactly once, by one of
 *
 *     exchange_answer()    status, headers and a whole body from memory
 *     exchange_end()       after exchange_start() and the pieces
 *     exchange_fail()      the usual answer to a failed read (408, 400, none)
 *
 * The body is pulled: nothing is received that was not asked for, which is the
 * back-pressure. "Expect: 100-continue" is answered by the first read and never
 * otherwise, so a role that answers without reading spares the client its body.
 * What a role leaves unread is drained when it is small, else the connection
 * closes after the answer.
 *
 * A peer that goes away shows as ERR_IO of the read or send in flight, or, when
 * nothing is in flight, of the next one; ending the exchange is always allowed
 * and always needed. At most one read and one send may be in flight. Slices of
 * the head stay valid until the exchange has ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_SERVE_H
#define PORT_SERVE_H

#include "base/err.h"
#include "port/loop.h"
#include "wire/head.h"

struct exchange;
struct exchange_impl;

/* N > 0: bytes. N == 0: the body has ended. N < 0: -enum err: ERR_TIMEOUT (the
 * peer is slower than allowed), ERR_INVAL (the chunked framing is broken),
 * ERR_IO (the peer is gone), ERR_TOOBIG (chunk head or trailers too long). */
typedef void exchange_read_fn(struct exchange *x, int64_t n);
/* ERR_OK or why nothing more can be sent (ERR_IO, ERR_TIMEOUT). */
typedef void exchange_sent_fn(struct exchange *x, enum err e);

struct exchange_ops {
    void (*read)(struct exchange *x, void *p, size_t n, bool fill,
                 exchange_read_fn *done);
    void (*body_by)(struct exchange *x, struct mono at);
    bool (*peek)(struct exchange *x, struct slice *body);
    void (*header)(struct exchange *x, struct slice name, struct slice value);
    void (*answer)(struct exchange *x, int status, struct slice content_type,
                   struct slice body);
    void (*start)(struct exchange *x, int status, struct slice content_type,
                  uint64_t length);
    void (*send)(struct exchange *x, const void *p, size_t n,
                 exchange_sent_fn *done);
    void (*send_file)(struct exchange *x, int fd, uint64_t off, uint64_t n,
                      exchange_sent_fn *done);
    void (*end)(struct exchange *x);
    void (*fail)(struct exchange *x, int64_t n);
    bool (*move)(struct exchange *x, struct loop *to,
                 void (*arrived)(struct exchange *x));
};

struct exchange {
    const struct exchange_ops *ops;
    struct loop *loop; /* changes only by exchange_move() */
    const struct http_head *head;
    uint64_t body_left; /* bytes still to come, or UINT64_MAX when chunked */
    /* What followed a chunked body, when it has ended. */
    const struct http_field *trailer;
    uint32_t n_trailers;
    char client[46]; /* address of the client, behind trusted proxies */
    bool tls;        /* the client's side is encrypted, as far as we know */
    char request_id[129]; /* the client's when valid, else ours */
    char trace_id[33];    /* W3C trace context */
    char span_id[17];     /* this server's span */
    struct mono began;
    /* For the access log and the metrics; the role sets them. */
    const char *route; /* pattern of the route, a constant */
    char user[64];     /* subject of the token */
    const char *error; /* code of the error that it was answered with */
    const void *peer;  /* the same for all exchanges of one connection */
    void *role;        /* the role's own state of this exchange */
};

struct serve_app {
    void (*begin)(struct serve_app *app, struct exchange *x);
};

/* Receives up to N bytes of the body to P. With FILL, DONE waits for N bytes or
 * the end of the body. P must stay valid until DONE. */
static inline void
exchange_read(struct exchange *x, void *p, size_t n, bool fill,
              exchange_read_fn *done)
{
    x->ops->read(x, p, n, fill, done);
}

/* The body has to be there at AT, however steadily it comes: the read of then,
 * if it has to wait for the peer, ends with ERR_TIMEOUT. May be said again,
 * also while a read is in flight: the earliest holds, and one that is over ends
 * that read soon, never inside this call. */
static inline void
exchange_body_by(struct exchange *x, struct mono at)
{
    x->ops->body_by(x, at);
}

/* True when the whole rest of the body is in memory already; BODY is valid
 * until the exchange ends. Does not use it up. Never true for chunked bodies.
 * */
static inline bool
exchange_peek(struct exchange *x, struct slice *body)
{
    return x->ops->peek(x, body);
}

/* Adds a header to the answer, before answer() or start(). Bytes that do not
 * belong into a header value are replaced by spaces. Date, Content-Length,
 * Connection, X-Request-ID and traceparent are the server's. */
static inline void
exchange_header(struct exchange *x, struct slice name, struct slice value)
{
    x->ops->header(x, name, value);
}

/* The whole answer; BODY is copied, or for HEAD only measured. Ends X. An empty
 * content type sends none. 204 and 304 send no body and no length. */
static inline void
exchange_answer(struct exchange *x, int status, struct slice content_type,
                struct slice body)
{
    x->ops->answer(x, status, content_type, body);
}

/* The head of an answer of LENGTH bytes, of which the pieces follow. For HEAD
 * call end() at once. The head leaves with the first piece. */
static inline void
exchange_start(struct exchange *x, int status, struct slice content_type,
               uint64_t length)
{
    x->ops->start(x, status, content_type, length);
}

/* One piece, only read until DONE. */
static inline void
exchange_send(struct exchange *x, const void *p, size_t n,
              exchange_sent_fn *done)
{
    x->ops->send(x, p, n, done);
}

/* One piece straight from a file, which must be in the page cache as far as the
 * caller can tell: it may block the loop otherwise. Works on encrypted
 * connections too (through memory). */
static inline void
exchange_send_file(struct exchange *x, int fd, uint64_t off, uint64_t n,
                   exchange_sent_fn *done)
{
    x->ops->send_file(x, fd, off, n, done);
}

/* Ends X. When fewer bytes than promised were sent the connection is cut, so
 * that the client sees a broken answer and not a short one. */
static inline void
exchange_end(struct exchange *x)
{
    x->ops->end(x);
}

/* Ends X after a failed read: 408, 400, or nothing when the peer is gone. */
static inline void
exchange_fail(struct exchange *x, int64_t n)
{
    x->ops->fail(x, n);
}

/* Hands the connection over to another loop (large uploads gather on one, so
 * that the hash lanes fill). Only before the first read and answer. ARRIVED
 * runs on TO's thread. False, and nothing done, when it cannot be moved. */
static inline bool
exchange_move(struct exchange *x, struct loop *to,
              void (*arrived)(struct exchange *x))
{
    return x->ops->move(x, to, arrived);
}

#endif
