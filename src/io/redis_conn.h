/* redis_conn.h - one connection to a Redis or a Sentinel, over our loop.
 *
 * hiredis gives the protocol (its reader and its formatter, which do no I/O);
 * socket, deadlines and ceilings are ours. Commands are pipelined: all that are
 * sent within a turn leave in one system call, and answers come to the calls in
 * the order of the commands. What a Redis says unasked (messages of channels)
 * comes through `push` when no call waits. With `trust` all of it goes through
 * TLS.
 *
 * A connection is opened and closed many times. Everything happens on its loop;
 * no callback comes inside a call, and answer(NULL) comes for each call that
 * the end of a connection leaves without an answer. A peer that owes an answer
 * and says nothing for `timeout` is taken for dead, since a stopped Redis keeps
 * its sockets. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_REDIS_CONN_H
#define IO_REDIS_CONN_H

#include "base/buf.h"
#include "base/err.h"
#include "io/ioloop.h"
#include "io/redis_fault.h"

#define REDIS_OUT_MAX      (4 * MIB)    /* waiting to be sent, or being sent */
#define REDIS_REPLY_MAX    (32 * MIB)   /* bytes of one answer, about */
#define REDIS_ELEMENTS_MAX (128 * 1024) /* of one array in it */
#define REDIS_ADDRESS      280          /* "host:port" */

/* One command's place in the row. The owner's until it is sent, and again from
 * answer() on. */
struct redis_call {
    struct list item;
    /* R is valid during the call; NULL: the connection ended first. */
    void (*answer)(struct redis_call *c, const struct redisReply *r);
};

struct redis_conn;

struct redis_conn_ops {
    /* There is a socket: send the greeting; redis_conn_up() when it went well.
     * That the peer cannot be reached shows by closed(). */
    void (*opened)(struct redis_conn *c);
    void (*push)(struct redis_conn *c, const struct redisReply *r);
    /* All calls are answered; c->fault says why. It may be opened again. */
    void (*closed)(struct redis_conn *c);
};

enum redis_conn_state {
    REDIS_CLOSED,
    REDIS_LOOKUP,
    REDIS_GREETING,
    REDIS_UP,
    REDIS_CLOSING
};

struct redis_tls;
struct tls_client;

struct redis_conn {
    struct ioloop *loop;
    const struct redis_conn_ops *ops;
    struct dur connect_timeout; /* until redis_conn_up(), for each address */
    struct dur timeout;
    struct dur ping_every;    /* silence after which the peer is asked */
    struct tls_client *trust; /* NULL: no TLS */
    const char *tls_name; /* in the peer's certificate; NULL or "": the host */
    bool sentinel, told;  /* as in struct redis_moment */
    /* the connection's own */
    enum redis_conn_state state;
    struct fault fault;
    char host[256];
    uint16_t port;
    char address[REDIS_ADDRESS]; /* for people */
    struct addrinfo *found, *next;
    struct work lookup;
    bool looking;
    int lookup_res;
    int fd;
    struct net_op in, out;
    bool receiving, sending, connected;
    bool spoke; /* the peer has said something */
    struct redis_tls *tls;
    struct buf waits, leaves;
    struct task flush, end;
    bool flush_posted, end_posted;
    struct redisReader *reader;
    redisReplyObjectFunctions fn;
    redisReplyObjectFunctions *usual;
    size_t unparsed;
    struct list calls;
    struct timer timer;
    struct mono began, heard, owed_since;
    bool owed;
    struct redis_call ping;
};

/* The three durations, ops, trust, tls_name, sentinel and told are the caller's
 * to set before the first open. */
void redis_conn_init(struct redis_conn *c, struct ioloop *l);
/* Of a closed one. */
void redis_conn_release(struct redis_conn *c);

/* Of a closed one. A host with several addresses is tried one address after the
 * other: the next open of the same host goes on where the last one failed, and
 * redis_conn_untried() says whether there is one. */
void redis_conn_open(struct redis_conn *c, const char *host, uint16_t port);
bool redis_conn_untried(const struct redis_conn *c);
void redis_conn_up(struct redis_conn *c);
/* closed() comes later. Harmless when it is closing already. */
void redis_conn_close(struct redis_conn *c, const struct fault *why);

/* CALL may be NULL: the answer comes by push(). ERR_NOMEM: over a ceiling, and
 * nothing was sent; ERR_IO: there is no connection. */
enum err redis_conn_send(struct redis_conn *c, struct redis_call *call,
                         unsigned argc, const struct slice *argv);
/* AUTH, with or without a user. */
enum err redis_conn_auth(struct redis_conn *c, struct redis_call *call,
                         const char *username, const char *password);

/* Adds a command, as the protocol has it, to TO. False: that would be over MAX,
 * or there is no memory, and nothing was added. */
bool redis_command_add(struct buf *to, size_t max, unsigned argc,
                       const struct slice *argv);

/* For a fault of this connection. */
struct redis_moment redis_conn_moment(const struct redis_conn *c);

#endif
