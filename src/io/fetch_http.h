/* fetch_http.h - port/fetch.h over sockets: our HTTP/1.1 client on the loops,
 * for bodies between gateway and element. Other outgoing HTTP is libcurl's.
 *
 * Each peer has a pool of connections on each loop that has called it; a
 * connection stays with its loop. An idle one has a receive in flight, so that
 * it is known at once when the peer closes it, and is closed by us before most
 * servers would. Each phase of a request has its own deadline:
 *
 *     waiting   for a connection of a full pool    connect_timeout
 *     connect   name, TCP, TLS, head sent          connect_timeout
 *     sending   of one piece                       progress_timeout
 *     answer    its head, since the body left      first_byte_timeout
 *     reading   of one piece                       progress_timeout
 *
 * While the caller neither sends nor reads no deadline runs: that is its own
 * time. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_FETCH_HTTP_H
#define IO_FETCH_HTTP_H

#include "io/ioloop.h"
#include "port/fetch.h"

struct fetch_http_conf {
    unsigned connections_max; /* of one peer on one loop */
    unsigned waiting_max;     /* requests that wait for one of them */
    struct dur connect_timeout;
    struct dur first_byte_timeout;
    struct dur progress_timeout;
    struct dur idle_timeout;
    const char *user_agent;
    struct tls_client *tls; /* for https peers; NULL: there can be none */
};

/* 32 connections, 1,024 waiting; 3, 60, 30 and 15 s. */
struct fetch_http_conf fetch_http_defaults(void);

enum err
fetch_http_open(struct fetch **out, const struct fetch_http_conf *c,
                struct ioloop **loops, unsigned n_loops, struct fault *f);
/* Connections that are open; of all peers, or of those that were closed and are
 * not gone yet when it is waited for. From any thread. */
unsigned fetch_http_connections(struct fetch *f);
/* Peers that have not gone, closed ones among them. From any thread. */
unsigned fetch_http_peers(struct fetch *f);
/* When all peers are gone. */
void fetch_http_close(struct fetch **f);

#endif
