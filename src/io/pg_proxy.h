/* pg_proxy.h - stands between a test and its PostgreSQL, and cuts the wire at
 * the worst moment: when COMMIT has been sent.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_PROXY_H
#define IO_PG_PROXY_H

enum pg_cut {
    CUT_NOTHING,
    CUT_BEFORE_COMMIT, /* the server never sees it */
    CUT_AFTER_COMMIT   /* the server does it, nobody hears of it */
};

struct pg_proxy;

/* Listens on *PORT of the loopback and passes on to SERVER_PORT. */
struct pg_proxy *pg_proxy_open(int server_port, int *port);
void pg_proxy_close(struct pg_proxy *x);
/* What happens to the next COMMIT; once. */
void pg_proxy_cut(struct pg_proxy *x, enum pg_cut cut);
/* How many were cut so far. */
unsigned pg_proxy_cuts(struct pg_proxy *x);

#endif
