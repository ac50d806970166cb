/* gauges.h - numbers that are cheaper to read than to keep: process, sockets,
 * loops, blocks, workers, keys. Read when somebody asks for /metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GAUGES_H
#define CLI_GAUGES_H

#include "base/mono.h"

struct blocks;
struct http_server;
struct ioloop;
struct keys;
struct metrics;
struct objects;
struct workers;

struct gauges_conf {
    struct metrics *metrics;
    const struct http_server *http;
    bool tls; /* what HTTP accepts is encrypted */
    struct ioloop *const *loop;
    unsigned n_loops;
    const struct blocks *blocks;
    struct workers *workers;
    struct keys *keys;      /* NULL: AUTH_ENABLED=off */
    struct objects *bucket; /* io/s3.h's, or NULL */
    struct wall started;
    const char *version;
};

struct gauges;

/* What CONF names must live as long as the exposition may be asked for. NULL:
 * no memory. */
struct gauges *gauges_open(const struct gauges_conf *conf);
void gauges_close(struct gauges **g);

#endif
