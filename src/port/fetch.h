/* fetch.h - one HTTP request to another process, as a role sees it. The mirror
 * image of port/serve.h.
 *
 * A peer is an origin with a path prefix, "https://proxy:8443/dc1/se-01"; it is
 * opened once and used from all loops, and keeps connections for each of them.
 * A request is a struct that the caller owns:
 *
 *     fetch_begin()    takes a connection, or waits for one
 *     fetch_send()...  the body in pieces, one at a time
 *     answered()       called once: the head of the answer, or why none came
 *     fetch_read()...  the body of the answer, pulled
 *     fetch_end()      always; ENDED when nothing of it is in flight any more
 *
 * Nothing is buffered but heads: a piece is SENT when the kernel has taken it,
 * and nothing is received that was not asked for, so both directions push back
 * as far as the caller. Callbacks run on the request's loop and never inside a
 * call. The answer may come before the body was sent: what is still to be sent
 * then fails or is dropped.
 *
 * Nothing is ever repeated here: only the caller knows what may be (D27).
 * Ceilings (connections and waiting requests for each peer and loop, bytes of a
 * head, deadlines of each phase) are given to the driver at birth.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_FETCH_H
#define PORT_FETCH_H

#include "base/err.h"
#include "base/list.h"
#include "port/loop.h"
#include "wire/resp.h"

#define FETCH_CHUNKED UINT64_MAX /* the length of the body is not known yet */

struct fetch;
struct fetch_request;

struct fetch_peer {
    struct fetch *fetch;
    char url[256]; /* for messages */
};

typedef void fetch_fn(struct fetch_request *r);
typedef void fetch_sent_fn(struct fetch_request *r, enum err e);
/* N > 0: bytes; 0: the body has ended; < 0: -enum err. */
typedef void fetch_got_fn(struct fetch_request *r, int64_t n);

struct fetch_request {
    struct loop *loop;
    struct fetch_peer *peer;
    enum http_method method;
    /* Both must stay until ANSWERED. */
    struct slice target; /* "/api/v1/...?...", behind the peer's prefix */
    struct slice fields; /* whole lines that end in CR LF, or nothing */
    uint64_t length;     /* of the body; 0: none; FETCH_CHUNKED */
    struct dur patience; /* for the answer, once the body has left; 0: the
                            driver's */
    /* With ERR_OK there is RESP. Else nobody knows what the peer has done:
     * ERR_AGAIN   nothing was sent: too many requests are waiting
     * ERR_TIMEOUT a phase took too long
     * ERR_IO      no connection, or it broke, or the answer is malformed */
    fetch_fn *answered;
    enum err err;
    struct fault fault;
    const struct http_resp *resp; /* until fetch_end() */
    void *owner;                  /* the caller's */
    struct fetch_private {        /* the driver's */
        struct list item;
        struct task task;
        struct timer timer;
        void *conn;
        struct slice piece[2];
        fetch_sent_fn *sent;
        fetch_got_fn *got;
        fetch_fn *ended;
        uint64_t left; /* of the body still to be sent */
        void *p;
        size_t n;
        int64_t res;
        enum err sent_err;
        bool fill;
        bool waiting, posted, ending, begun;
        bool due_answered, due_sent, due_got, due_ended;
        bool is_answered, send_failed;
    } x;
};

struct fetch_ops {
    enum err (*open)(struct fetch *f, const char *url, struct fetch_peer **out,
                     struct fault *fault);
    void (*close)(struct fetch_peer *p);
    void (*begin)(struct fetch_request *r);
    void (*send)(struct fetch_request *r, struct slice a, struct slice b,
                 fetch_sent_fn *sent);
    void (*read)(struct fetch_request *r, void *p, size_t n, bool fill,
                 fetch_got_fn *got);
    void (*end)(struct fetch_request *r, fetch_fn *ended);
};

struct fetch {
    const struct fetch_ops *ops;
};

/* From any thread. ERR_INVAL: URL is not http(s)://host[:port][/prefix]. Names
 * are looked up when a connection is made, not here. */
static inline enum err
fetch_peer_open(struct fetch *f, const char *url, struct fetch_peer **out,
                struct fault *fault)
{
    return f->ops->open(f, url, out, fault);
}

/* From any thread, when no request to *P is under way: its connections are
 * closed by their loops, later. Accepts NULL. */
static inline void
fetch_peer_close(struct fetch_peer **p)
{
    if (*p)
        (*p)->fetch->ops->close(*p);
    *p = NULL;
}

static inline void
fetch_begin(struct fetch_request *r)
{
    r->peer->fetch->ops->begin(r);
}

/* The next bytes of the body, A and then B, only read until SENT. Nothing at
 * all ends a chunked body. May be called at once after begin: a short request
 * then leaves in one packet. */
static inline void
fetch_send(struct fetch_request *r, struct slice a, struct slice b,
           fetch_sent_fn *sent)
{
    r->peer->fetch->ops->send(r, a, b, sent);
}

/* After ANSWERED with ERR_OK. With FILL, GOT waits for N bytes or the end. */
static inline void
fetch_read(struct fetch_request *r, void *p, size_t n, bool fill,
           fetch_got_fn *got)
{
    r->peer->fetch->ops->read(r, p, n, fill, got);
}

/* After fetch_begin(), once, at any time. No other callback comes from now on,
 * and after ENDED the request and its memory are the caller's again. A request
 * that was sent and answered whole gives its connection to the next one; else
 * it is cut. */
static inline void
fetch_end(struct fetch_request *r, fetch_fn *ended)
{
    r->peer->fetch->ops->end(r, ended);
}

#endif
