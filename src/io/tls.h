/* tls.h - TLS for listeners: the certificate that is presented and its exchange
 * while running, and OpenSSL over memory instead of over a socket.
 *
 * A context holds what new connections get. A reload swaps it at once for those
 * that come later; connections that stand keep what they began with, since each
 * holds a reference. When a reload fails nothing changes.
 *
 * The same for connections that we make (fetch_http.h), which want a
 * certificate of the peer that somebody vouches for, with its name in it.
 *
 * OpenSSL does no I/O here: it takes ciphertext from a struct tls_wire and
 * gives ciphertext to it, so that the loops move the bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/err.h"
#include "base/mono.h"
#include <stdbool.h>
#include <stdint.h>

struct ssl_st; /* SSL of OpenSSL */
struct tls_context;

struct tls_conf {
    const char *cert_file; /* PEM: the certificate, then its chain */
    const char *key_file;  /* PEM, without a passphrase */
    bool allow_tls12;      /* 1.3 only, otherwise */
};

/* Both ends of the ciphertext of one connection. */
struct tls_wire {
    const uint8_t *in; /* received and not used yet; moves as it is used */
    size_t in_n;
    /* Keeps N bytes to be sent. False: there is no room, and the connection
     * fails. */
    bool (*out)(struct tls_wire *w, const void *p, size_t n);
};

/* Reads both files. A fault names the file and the reason. */
enum err tls_context_open(struct tls_context **out, const struct tls_conf *c,
                          struct fault *f);
void tls_context_close(struct tls_context **t);

/* Reads the same files again. From any thread. */
enum err tls_context_reload(struct tls_context *t, struct fault *f);

/* When the certificate that is presented now ends. From any thread. */
struct wall tls_context_expires(struct tls_context *t);

/* The server's side of a new connection, over W, which must outlive it; to be
 * freed with SSL_free(). NULL: no memory. From any thread. */
struct ssl_st *tls_context_accept(struct tls_context *t, struct tls_wire *w);

/* ---- the client's side ---- */

struct tls_client;

/* CA_FILE: PEM, who may vouch for peers; NULL: whom the system trusts. Peers
 * are asked for their certificate and their name; there is no way around it. */
enum err tls_client_open(struct tls_client **out, const char *ca_file,
                         bool allow_tls12, struct fault *f);
void tls_client_close(struct tls_client **c);

/* A certificate of ours, for peers that ask for one; before the first
 * connection. Files as in struct tls_conf. */
enum err tls_client_present(struct tls_client *c, const char *cert_file,
                            const char *key_file, struct fault *f);

/* The client's side of a new connection to HOST, a name or an address, over W;
 * to be freed with SSL_free(). PROTOCOL: what will be spoken (ALPN, RFC 7301),
 * or NULL, which says nothing of it. NULL: no memory. From any thread. */
struct ssl_st *tls_client_connect(struct tls_client *c, struct tls_wire *w,
                                  const char *host, const char *protocol);

/* Why the last call of OpenSSL on this thread failed, in a few words; empties
 * its queue of errors. Never NULL. */
const char *tls_reason(void);

#endif
