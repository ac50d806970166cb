/* http_impl.h - between the http_*.c files only.
 *
 *   http_server.c   listening, limits, drain
 *   http_conn.c     a connection: idle, head, keep-alive, closing
 *   http_deadline.c its deadlines
 *   http_exchange.c an exchange's memory, results, operations
 *   http_body.c     the body on its way in
 *   http_answer.c   the answer on its way out
 *   http_tls.c      the same over TLS
 *
 * States of a connection:
 *
 *   IDLE -bytes-> HEAD -whole-> ROLE -ended-> FINISH -> IDLE | DRAIN | LINGER
 *                   \-refused-> FINISH                         \-> CLOSING
 *
 * In ROLE the exchange is the role's. FINISH waits for the answer to leave.
 * DRAIN reads away a small rest of the body, LINGER what a client still
 * sends that did not ask for the end, so that it sees our answer and not a
 * reset; it holds as little as IDLE. CLOSING waits for operations in flight;
 * the connection is freed when there is none.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_HTTP_IMPL_H
#define IO_HTTP_IMPL_H

#include "base/buf.h"
#include "base/map.h"
#include "base/prng.h"
#include "io/http.h"
#include "wire/chunked.h"
#include "wire/problem.h"
#include <netinet/in.h>
#include <stdatomic.h>

#define INBUF_SIZE ((size_t)16 * 1024)
#define SPARE_MAX  64 /* exchanges kept for the next request, per loop */

enum conn_state {
    CONN_HANDSHAKE,
    CONN_IDLE,
    CONN_HEAD,
    CONN_ROLE,
    CONN_FINISH,
    CONN_DRAIN,
    CONN_LINGER,
    CONN_CLOSING,
    CONN_MOVING,
};

struct http_loop;
struct exim;
struct tls;
struct tls_loop;

/* Connections of one address (IPv6: of one /64), for the limit. */
struct peer {
    struct map_item item;
    uint8_t addr[16];
    unsigned n;
};

#define CONN_LOWAT (128 * 1024)

struct conn {
    struct http_loop *hl;
    struct exim *x; /* NULL when idle */
    struct peer *peer;
    struct tls *tls;  /* NULL: plaintext */
    struct list item; /* of the loop's connections */
    struct timer timer;
    struct mono deadline; /* the timer may fire earlier and look here */
    struct mono linger_by;
    uint64_t linger_left; /* bytes */
    struct http_scan scan;
    uint8_t addr[16]; /* of the peer; IPv4 as ::ffff:a.b.c.d */
    int fd;
    uint8_t state;
    bool in_busy;  /* c->in is in flight */
    bool out_busy; /* x->out is in flight */
    bool timed_out;
    bool eof;
    bool used;  /* has served a request */
    bool lowat; /* conn_lowat() */
    struct net_op in;
};

/* The read that a role waits for. */
struct pull {
    uint8_t *p;
    size_t n;
    size_t got;
    bool fill;
    exchange_read_fn *done;
    bool busy;   /* a role waits for it */
    int64_t res; /* result, when deferred */
    struct mono began;
    struct dur waited; /* in all reads of this body */
    struct mono by;    /* no read waits for longer; MONO_NEVER: not said */
};

static_assert(sizeof(struct conn) < 512, "there are many of them");

/* How the peer has moved in the operation that the deadline is for. */
struct watch {
    struct mono since;
    struct dur timeout;
    struct dur spare; /* timeout, less what the peer was behind before */
    uint64_t rate;    /* bytes a second; 0: none */
    uint64_t base;    /* bytes that had moved at its start */
    uint64_t last;    /* ... and when the deadline was last looked at */
    bool looked;
};

/* An exchange and all that it needs; allocated with the first byte. */
struct exim {
    struct exchange x; /* first */
    struct conn *c;
    struct http_head head;
    struct chunked chunked;
    struct pull pull;
    struct net_op out;
    struct buf head_out; /* status line, headers, and small bodies */
    struct buf extra;    /* headers that the role added */
    exchange_sent_fn *sent;
    uint64_t body_in;
    uint64_t body_out;
    uint64_t promised; /* Content-Length of the answer */
    struct mono sending_since;
    struct dur sending; /* in all sends of this answer */
    uint64_t left;      /* of a body with a length */
    struct watch watch;
    int status;
    size_t in_pos; /* inbuf[in_pos..in_n) was received and not used */
    size_t in_n;
    const char *refusal;
    void (*arrived)(struct exchange *x);
    struct task move;
    struct http_loop *to;
    struct exim *next;
    struct list defer; /* of hl->deferred, when something is to be delivered */
    bool pull_due;
    bool sent_due;
    enum err sent_res;
    /* What follows the send in flight. */
    struct {
        const void *p;
        size_t n;
        int fd; /* -1: memory */
        uint64_t off;
    } piece;
    bool is_chunked;
    bool body_done;
    bool peeked;        /* the role has seen what is LEFT */
    bool continue_due;  /* 100 Continue was asked for and not sent */
    bool continue_busy; /* it is being sent */
    bool started;       /* the answer's head is made */
    bool head_left;     /* ... and has not left yet */
    bool ended;
    bool keep;
    bool broken;
    bool send_due; /* waits for continue_busy to end */
    uint8_t inbuf[INBUF_SIZE];
};

struct http_loop {
    struct http_server *s;
    struct ioloop *l;
    struct list conns;
    struct list deferred; /* exchanges with results, delivered by the hook */
    struct hook hook;
    struct exim *spare;
    unsigned n_spare;
    struct tls_loop *tls; /* NULL: plaintext */
    struct prng rnd;
    char date[32];
    int64_t date_s;
    struct net_listener listener[8];
    unsigned n_listeners;
    struct timer drain_timer;
    struct task start_task, drain_task;
    bool draining;
    bool cut; /* the grace is over */
};

struct http_server {
    struct http_conf conf;
    struct serve_app *app;
    struct http_observer *observer;
    struct http_loop *loop;
    unsigned n_loops;
    pthread_mutex_t mu; /* peers */
    struct map peers;
    _Atomic(uint64_t) open, accepted, refused_total, refused_per_address,
        timeouts, tls_failed;
    _Atomic(unsigned) listening; /* listeners that are open */
    _Atomic(bool) draining, told;
    struct dur grace;
    void (*drained)(void *arg);
    void *drained_arg;
};

static inline struct exim *
exim_of(struct exchange *x)
{
    return container_of(x, struct exim, x);
}

/* http_deadline.c */
void conn_deadline(struct conn *c, struct dur d);
/* The same, but not later than BY. */
void conn_deadline_by(struct conn *c, struct dur d, struct mono by);
/* The deadline of an operation, when the peer has had WAITED for BEFORE bytes
 * of the same body so far. It is over when no byte moved for TIMEOUT (which may
 * be noticed half of it later), or when all is slower than RATE (0: none) by
 * more than TIMEOUT. */
void conn_watch(struct conn *c, struct dur timeout, uint64_t rate,
                uint64_t before, struct dur waited);
/* The operation in flight has no more time than until PULL.by. */
void conn_by(struct conn *c);
void conn_fire(struct loop *l, struct timer *t);

/* http_conn.c */
void conn_accepted(struct ioloop *l, struct net_listener *ln, int fd);
void conn_close(struct conn *c);
void conn_finish_check(struct conn *c); /* after each end of an operation */
void
conn_refuse(struct conn *c, int status, const char *code, const char *text);
void conn_next(struct conn *c);  /* the next request, if the body is read */
void conn_ready(struct conn *c); /* the handshake is over */
/* The peer of a TLS port begins with FIRST, which no handshake does. */
void conn_plain(struct conn *c, uint8_t first);
void conn_tls_failed(struct conn *c, const char *why);
void conn_drain_start(struct conn *c);
bool conn_move(struct exchange *x, struct loop *to,
               void (*arrived)(struct exchange *x));
void http_server_check(struct http_server *s);

/* http_body.c */
void body_init(struct exim *x);
void body_read(struct exchange *x, void *p, size_t n, bool fill,
               exchange_read_fn *done);
void body_by(struct exchange *x, struct mono at);
bool body_peek(struct exchange *x, struct slice *body);
void body_arrived(struct ioloop *l, struct net_op *op, int res);
/* Reads away what is left, from CONN_DRAIN. */
void body_drain(struct conn *c);

/* http_answer.c */
extern const struct exchange_ops exchange_ops;
void answer_error(struct exim *x, enum problem_form form, int status,
                  const char *code, const char *text);
void answer_sent(struct ioloop *l, struct net_op *op, int res);
void answer_continue(struct exim *x);

/* http_exchange.c */
struct exim *exim_get(struct conn *c); /* NULL: no memory */
void exim_put(struct exim *x);
/* Results that were known inside the role's own call are delivered later. */
void exim_defer(struct exim *x);
void exim_deliver(struct http_loop *hl);
/* Through TLS, or straight to the socket. What is canceled must be in flight
 * and still completes. */
void conn_recv(struct conn *c, void *p, size_t n, bool all, net_done_fn *done);
void conn_recv_pool(struct conn *c, net_done_fn *done);
/* HIGH: a receive needs not wake for less than CONN_LOWAT bytes, which are sure
 * to come, or the end. */
void conn_lowat(struct conn *c, bool high);
void conn_sendv(struct conn *c, struct net_op *op, net_done_fn *done);
void conn_sendfile(struct conn *c, struct net_op *op, int file, uint64_t off,
                   size_t n, net_done_fn *done);
void conn_cancel_in(struct conn *c);
void conn_cancel_out(struct conn *c);

/* http_tls.c */
bool tls_loop_open(struct http_loop *hl);
void tls_loop_close(struct http_loop *hl);
bool tls_start(struct conn *c); /* false: no memory */
void tls_free(struct conn *c);
bool tls_busy(const struct conn *c); /* sends something of its own */
void tls_bye(struct conn *c);        /* close_notify; nothing is in flight */
void tls_recv(struct conn *c, void *p, size_t n, bool all, net_done_fn *done);
void tls_sendv(struct conn *c, struct net_op *op, net_done_fn *done);
void tls_sendfile(struct conn *c, struct net_op *op, int file, uint64_t off,
                  size_t n, net_done_fn *done);
void tls_cancel_in(struct conn *c);
void tls_cancel_out(struct conn *c);

static inline struct conn *
conn_of_in(struct net_op *op)
{
    return container_of(op, struct conn, in);
}

#endif
