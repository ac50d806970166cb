/* fetch_impl.h - what the files of the HTTP client share.
 *
 *   fetch_pool.c   peers, their pools, who waits, whose turn it is
 *   fetch_conn.c   a connection: connecting, sending, the answer's head, ends
 *   fetch_body.c   the body of an answer, pulled
 *   fetch_link.c   bytes to and from a socket, plain or encrypted
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_FETCH_IMPL_H
#define IO_FETCH_IMPL_H

#include "base/buf.h"
#include "io/fetch_http.h"
#include "io/tls.h"
#include "wire/chunked.h"
#include <netinet/in.h>
#include <stdatomic.h>

#define FETCH_HEAD_MAX  ((size_t)16 * 1024) /* of a request, and of an answer */
#define FETCH_INBUF     (FETCH_HEAD_MAX + NET_POOL_BUF)
#define FETCH_LOOPS_MAX 256

struct fetch_io {
    struct fetch fetch;
    struct fetch_http_conf conf;
    struct ioloop **loops;
    unsigned n_loops;
    _Atomic(unsigned) n_peers;
    _Atomic(unsigned) n_conns;
};

/* Touched by its loop alone. */
struct fetch_pool {
    struct peer_io *peer;
    struct ioloop *l;
    struct list idle;    /* struct fetch_conn, the last used first */
    struct list waiting; /* struct fetch_request */
    unsigned n_conns;
    unsigned n_waiting;
    bool closed;
    struct task close_task;
};

struct peer_io {
    struct fetch_peer peer;
    struct fetch_io *io;
    bool tls;
    char host[256]; /* without brackets */
    char port[8];
    char authority[272]; /* as in Host */
    char prefix[200];    /* "" or "/dc1/se-01" */
    struct sockaddr_storage literal;
    socklen_t literal_len;   /* 0: HOST is a name */
    _Atomic(unsigned) tries; /* which of a name's addresses is next */
    _Atomic(unsigned) pools; /* that are not closed yet */
    struct fetch_pool pool[];
};

enum conn_phase {
    FC_RESOLVE, /* a worker looks the name up */
    FC_HELLO,   /* TLS */
    FC_IDLE,
    FC_BUSY, /* has a request */
    FC_DEAD,
};

struct fetch_tls;

struct fetch_conn {
    struct list item; /* in pool->idle */
    struct fetch_pool *pool;
    struct fetch_request *r;
    enum conn_phase phase;
    int fd;
    struct net_op in, out;
    bool in_busy, out_busy;
    bool resolving;
    bool starting;  /* its start is posted */
    bool connected; /* something has been sent */
    int send_error; /* errno; 0: none */
    struct timer timer;
    struct task start;
    struct work work; /* resolving */
    struct sockaddr_storage addr;
    socklen_t addr_len;
    unsigned n_addr, tried; /* addresses of the name */
    struct fault fault;     /* why it is dead */
    struct fetch_tls *tls;

    /* the request */
    struct buf head;
    bool head_due;  /* not sent yet */
    bool out_piece; /* what is being sent has the caller's piece in it */
    char chunk[32];
    uint64_t sent_body;
    bool all_sent;

    /* the answer */
    uint8_t *inbuf; /* inbuf[in_pos..in_n) is not used yet */
    size_t in_pos, in_n;
    struct http_scan scan;
    struct http_resp resp;
    enum http_resp_body framing;
    uint64_t left; /* of the answer's body */
    unsigned interim;
    bool answered;
    bool body_over;
    bool chunked_end;
    struct chunked *chunked;
    size_t dec_pos, dec_n; /* inbuf[dec_pos..dec_n) is decoded */
    size_t got;            /* of the read that is asked for */
};

/* fetch_pool.c */
struct fetch_pool *pool_of(struct fetch_request *r);
void pool_conn_free(struct fetch_conn *c); /* C is gone for good */
void pool_conn_idle(struct fetch_conn *c);
void fr_post(struct fetch_request *r);
void fr_answered(struct fetch_request *r);
void fr_fail(struct fetch_request *r, const struct fault *f);
void fr_sent(struct fetch_request *r, enum err e);
void fr_got(struct fetch_request *r, int64_t n);
void fr_ended(struct fetch_request *r);

/* fetch_conn.c */
struct fetch_conn *fc_new(struct fetch_pool *p);
void fc_take(struct fetch_conn *c, struct fetch_request *r);
void fc_send(struct fetch_conn *c);
void fc_end(struct fetch_conn *c);
void fc_fail(struct fetch_conn *c, enum err e, int sys, const char *op);
void fc_fail_as(struct fetch_conn *c, const struct fault *f);
void fc_refused(struct fetch_conn *c, int sys); /* while connecting */
void fc_watch(struct fetch_conn *c);            /* which deadline runs now */
void fc_check(struct fetch_conn *c); /* a dead one, when nothing is left */
void fc_bye(struct fetch_conn *c);   /* an idle one */
static inline struct ioloop *
fc_loop(const struct fetch_conn *c)
{
    return c->pool->l;
}
static inline const struct fetch_http_conf *
fc_conf(const struct fetch_conn *c)
{
    return &c->pool->peer->io->conf;
}

/* What the link tells. */
void fc_up(struct fetch_conn *c); /* TLS is there */
void fc_sent(struct fetch_conn *c, int res);
void fc_got(struct fetch_conn *c, const void *p, int n);
/* fetch_body.c */
void fc_body_start(struct fetch_conn *c);
void fc_body_read(struct fetch_conn *c);
void fc_body_filled(struct fetch_conn *c, int res);
void fc_body_got(struct fetch_conn *c, const void *p, int n);

/* fetch_link.c: one send and one receive at a time. */
void link_send(struct fetch_conn *c); /* c->out.iov */
void link_recv(struct fetch_conn *c); /* some bytes: fc_got() */
/* straight into the caller's memory: fc_body_filled() */
void link_recv_into(struct fetch_conn *c, void *p, size_t n, bool all);
void link_cancel(struct fetch_conn *c);
bool link_busy(const struct fetch_conn *c);
bool link_receiving(const struct fetch_conn *c);
bool fc_link_start(struct fetch_conn *c); /* TLS; false: no memory */
void link_free(struct fetch_conn *c);

#endif
