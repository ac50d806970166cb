/* redis_tls.h - TLS between the commands for a Redis and their socket: bytes
 * in, bytes out, no I/O (tls.h), so that the connection on a loop and the one
 * that blocks share it.
 *
 * The certificate of the peer is always asked for, and its name. Redis wants
 * one of ours too unless it is told otherwise (tls-auth-clients). A fault says
 * which option to look at. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_REDIS_TLS_H
#define IO_REDIS_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "io/coord_redis.h"
#include "io/tls.h"

/* Of ciphertext over plaintext: 256 records of 4 MiB, and our certificates. */
#define REDIS_TLS_MORE (128 * KIB)

/* Whom to trust and who we are, of C's options; *OUT is NULL when C wants no
 * TLS. To be closed with tls_client_close(). */
enum err redis_trust_open(struct tls_client **out,
                          const struct coord_redis_conf *c, struct fault *f);

struct redis_tls;

/* A new connection to HOST, the name that the certificate must have; OUT_MAX:
 * ciphertext that waits at most. NULL: no memory. */
struct redis_tls *
redis_tls_new(struct tls_client *trust, const char *host, size_t out_max);
void redis_tls_free(struct redis_tls **t);
bool redis_tls_up(const struct redis_tls *t); /* the handshake is over */

/* What is to be sent now into OUT, which must be empty and of the same ceiling:
 * the handshake's part and, after it, what PLAIN holds, which is emptied. *F
 * begins with ADDRESS. */
enum err redis_tls_seal(struct redis_tls *t, struct buf *plain, struct buf *out,
                        const char *address, struct fault *f);

/* The ciphertext P[0..N) has come. SINK gets the plaintext in pieces until it
 * answers false. Afterwards there may be something to seal. ERR_END: the peer
 * is done. */
enum err redis_tls_take(struct redis_tls *t, const void *p, size_t n,
                        bool (*sink)(void *arg, const void *p, size_t n),
                        void *arg, const char *address, struct fault *f);

#endif
