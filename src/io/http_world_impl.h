/* http_world_impl.h - between http_world.c and http_client.c only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_HTTP_WORLD_IMPL_H
#define IO_HTTP_WORLD_IMPL_H

#include "io/http_world.h"
#include "io/tls.h"
#include <stdatomic.h>

#define N_LOOPS 2

struct world {
    struct serve_app app;
    struct http_observer observer;
    struct blocks *blocks;
    struct block *taken; /* by world_take_blocks() */
    struct workers *workers;
    struct ioloop *loop[N_LOOPS];
    pthread_t thread[N_LOOPS];
    struct tls_context *tls;
    struct http_server *http;
    char url[256];
    char dir[256];
    int file;
    bool running;
    bool draining;
    _Atomic(bool) is_drained, released;
    _Atomic(uint64_t) bytes_in;
    _Atomic(unsigned) live, begun, broken, tls_failed;
};

/* A key on P-256 and a certificate for NAME that signs itself, good for a
 * day. */
void cert_make(const char *cert, const char *key, const char *name);

#endif
