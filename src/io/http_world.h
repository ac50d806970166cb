/* http_world.h - for tests: a whole HTTP server with a small role on real
 * loops, and a client that sends byte by byte what it is told.
 *
 * The role answers by the path of the request:
 *
 *     /echo?k     the body, read in pieces of K bytes that are filled; what
 *                 followed it as headers
 *     /some?k     the same, taking whatever is there
 *     /peek       the body, if it was all there with the head; else 404
 *     /none       200 "none" without a look at the body
 *     /late?ms    200 "late" after so long, the body unread
 *     /held       the same, when the world is released
 *     /size       how long the body was
 *     /big?n      N bytes of the pattern in pieces from memory
 *     /whole?n    the same as one answer from memory
 *     /file?n     the same from a file, in pieces of 1 MiB; n <= FILE_SIZE
 *     /cold?n     the same from a file that is on no page of the cache
 *     /stub       promises 1,000 bytes, sends ten and ends
 *     /by?ms      as /echo; the whole body has so long
 *     /cut?ms     the same, which is only said then
 *     /put-off?ms as /by, and never is said behind it
 *     /pause?ms   as /echo, and waits so long behind the first byte
 *     /move?k     moves to the next loop, then as /echo; header X-Loop
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_HTTP_WORLD_H
#define IO_HTTP_WORLD_H

#include "io/http.h"

#define WAIT_MS   20000 /* for a machine that has other things to do */
#define FILE_SIZE ((size_t)6 * 1024 * 1024 + 123)

struct variant {
    const char *loop; /* "uring", "epoll" */
    bool tls;
};

struct world;

/* Deadlines so long that no test meets them; to be changed before opening. */
struct http_conf world_conf(void);
/* Two loops on two threads. NULL when this kernel does not allow such loops. */
struct world *world_open(const struct variant *v, const struct http_conf *c);
/* Drains, stops, and checks that nothing is left: no connection, no exchange
 * of the role, no block. */
void world_close(struct world **w);

void world_stats(struct world *w, struct http_stats *out);
unsigned world_live(struct world *w);     /* exchanges that the role has */
unsigned world_broken(struct world *w);   /* answers not delivered, so far */
uint64_t world_bytes_in(struct world *w); /* of bodies, as reported so far */
unsigned world_tls_failed(struct world *w);
unsigned world_begun(struct world *w); /* exchanges that the role ever had */
/* These wait at most 20 s for a number. An exchange may begin and end between
 * two looks: who waits for its begin waits for the number of those begun. */
void world_wait_open(struct world *w, unsigned n);
void world_wait_live(struct world *w, unsigned n);
void world_wait_begun(struct world *w, unsigned n);
/* All blocks that are free are taken by somebody else; and given back. */
void world_take_blocks(struct world *w);
void world_give_blocks(struct world *w);
void world_release(struct world *w); /* /held */
/* Drain with GRACE; returns when it has ended. world_close() is still due. */
void world_drain(struct world *w, struct dur grace);
void world_drain_begin(struct world *w, struct dur grace);
bool world_drained(struct world *w, int ms); /* within so long? */

void pattern_fill(uint8_t *p, uint64_t off, size_t n);
bool pattern_is(const uint8_t *p, uint64_t off, size_t n);

/* ---- the client ---- */

struct client;
struct answer {
    int status;
    int interim;    /* how many 100 came before */
    bool keep;      /* no Connection: close */
    int64_t length; /* Content-Length, -1: none */
    char head[4096];
    uint8_t *body; /* of the client, until its next answer */
    size_t body_n;
    bool whole; /* as long as promised */
};

struct client *client_open(struct world *w); /* handshake done */
struct client *client_open_plain(struct world *w);
/* NULL: turned away before or during the handshake. */
struct client *client_try(struct world *w, int receive_buffer);
void client_close(struct client **c);
void client_reset(struct client **c); /* RST, no goodbye */
bool client_send(struct client *c, const void *p, size_t n);
bool client_say(struct client *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* False: the peer closed or nothing came within 10 s. HEAD: no body follows. */
bool client_hear(struct client *c, struct answer *a, bool head);
/* The peer has closed, or does within MS; false when bytes come instead. */
bool client_closed(struct client *c, int ms);
/* Nothing comes and it stays open for MS. */
bool client_silent(struct client *c, int ms);
ssize_t client_read(struct client *c, void *p, size_t n);
struct ssl_st *client_ssl(struct client *c); /* NULL: plain */

void sleep_ms(int ms);

/* Runs each of TESTS on each loop, plain and encrypted. STATE is a struct
 * variant *. */
struct world_test {
    const char *name;
    void (*run)(void **state);
    bool plain_only;
};
int world_run(const char *group, const struct world_test *tests, size_t n);

#endif
