/* http.h - the HTTP/1.1 server: connections on the loops, exchanges to a role.
 *
 * Every loop listens on the same addresses (SO_REUSEPORT), so that a connection
 * is born on the thread that serves it. Each phase of a connection has its own
 * deadline, and none of them can be put off by sending a byte now and then:
 *
 *     idle   between requests                       idle_timeout
 *     head   from its first byte to its end         head_timeout, absolute
 *     body   a read of which no byte comes for body_timeout; or all reads,
 *            slower than body_min_rate by more than body_timeout
 *            or what the role allows (exchange_body_by())
 *     write  the same with write_timeout and write_min_rate
 *
 * A minimum rate of 0 leaves the deadline of silence. Silence may be noticed
 * half of the timeout late. While all blocks are out a piece of a body or of an
 * answer (256 KiB at most) has body_timeout or write_timeout in all, which may
 * be noticed one such time late: whoever waits for a block gets one.
 *
 * An idle plaintext connection holds a struct conn (under 512 bytes) and
 * nothing else; buffers come with the first byte of a request and go with its
 * answer. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "io/ioloop.h"
#include "port/serve.h"

struct http_server;
struct tls_context;

struct http_conf {
    struct http_limits limits;
    struct dur head_timeout;
    struct dur idle_timeout;
    struct dur body_timeout;
    struct dur write_timeout;
    /* A client that goes on sending behind its answer is listened to until it
     * was silent for linger_silence, for linger_timeout or linger_max bytes at
     * most, so that it sees the answer and not a reset. */
    struct dur linger_silence;
    struct dur linger_timeout;
    uint64_t linger_max;
    uint64_t body_min_rate;  /* bytes a second; 0: none */
    uint64_t write_min_rate; /* bytes a second; 0: none */
    uint64_t body_max;  /* of a chunked body; a longer one is 413 at once */
    uint64_t drain_max; /* unread body that is still worth reading away */
    unsigned connections_max;
    unsigned connections_per_address;
    size_t answer_max;       /* largest answer from memory */
    struct tls_context *tls; /* NULL: plaintext */
    /* Sets x->client from the peer's address and the head: the place where
     * trusted proxies are believed. NULL: the peer. */
    void (*client)(void *arg, struct exchange *x, const struct sockaddr *peer);
    void *client_arg;
};

/* What became of one request; for the access log and the metrics. */
struct http_record {
    const struct exchange *x; /* NULL when the head was refused */
    const char *refusal;      /* code of refuse.h, or NULL */
    struct slice method;      /* as far as it was readable */
    struct slice target;
    const char *client;
    int status;
    uint64_t bytes_in;  /* of the body */
    uint64_t bytes_out; /* of the body */
    struct dur took;
    bool broken; /* the answer was not delivered whole */
};

struct http_observer {
    void (*finished)(struct http_observer *o, struct loop *l,
                     const struct http_record *r);
    /* A handshake did not come to its end, WHY in a few words. May be NULL. */
    void (*tls_failed)(struct http_observer *o, struct loop *l,
                       const char *client, const char *why);
    /* No connection can be accepted for now: errno is SYS (EMFILE ...). It is
     * tried again ten times a second, and told each time. May be NULL. */
    void (*accept_failed)(struct http_observer *o, struct loop *l, int sys);
};

struct http_stats {
    uint64_t accepted;
    uint64_t refused_total;       /* over connections_max */
    uint64_t refused_per_address; /* over connections_per_address */
    uint64_t open;
    uint64_t timeouts;
    uint64_t tls_failed;
};

/* OBSERVER may be NULL. Nothing is listened on yet. */
enum err
http_server_open(struct http_server **out, const struct http_conf *c,
                 struct ioloop **loops, unsigned n_loops, struct serve_app *app,
                 struct http_observer *observer, struct fault *f);

/* Other timeouts, rates, connections_max, connections_per_address and body_max
 * from now on; the rest of C is not read. While no loop runs. */
void http_server_adjust(struct http_server *s, const struct http_conf *c);

/* ADDRESS is HOST:PORT, [V6]:PORT or :PORT; port 0 takes a free one. URL gets
 * the address that was taken, as http(s)://host:port. ERR_BUSY: another process
 * has had it for 5 seconds, which is what this waits at most: one that was
 * killed may still be on its way out. */
enum err http_server_listen(struct http_server *s, const char *address,
                            char *url, size_t url_cap, struct fault *f);

/* Accept from now on. Call it before the loops run or from a loop. */
void http_server_start(struct http_server *s);

/* From any thread: no new connections; idle ones close, requests are finished
 * and answered with Connection: close. DRAINED (any thread) when none is left.
 * After GRACE whatever is left is cut off. */
void http_server_drain(struct http_server *s, struct dur grace,
                       void (*drained)(void *arg), void *arg);
/* After the drain, when the loops have stopped and before they are closed. */
void http_server_close(struct http_server **s);
void http_server_stats(const struct http_server *s, struct http_stats *out);

#endif
