/* coord_redis.h - port/coord.h in a Redis that many processes share: a single
 * one, or the master that Sentinels name. doc/redis.md shows keys and scripts,
 * and says what may be lost.
 *
 * One connection per process carries all requests, pipelined, and lives on one
 * loop; other loops hand their requests over. So requests keep their order, a
 * hundred gateways cost Redis two hundred connections and not two hundred times
 * the loops, and there is one place for ceilings and reconnecting. A second
 * connection listens to channels from the first subscription on; with
 * Sentinels a third one waits for a new master.
 *
 * Bounds. A request ends after `timeout` or its own `wait`, whatever Redis
 * does. While there is no connection and the last attempt failed, requests are
 * answered at once with the reason; in the first attempt they wait their time.
 * Over `requests_max`, or REDIS_OUT_MAX bytes, the answer is ERR_NOMEM at once.
 * A request that was sent is never repeated, but when Redis did not know its
 * script.
 *
 * With TLS all connections speak it, those to Sentinels too; its files are read
 * when it is opened.
 *
 * Not supported: Redis Cluster (a guard and what it guards are different keys):
 * told as a failed attempt. Needs Redis 5. Scores must be
 * exact in a double (+-2^53), else ERR_TOOBIG. Keys that end in ":epoch" or
 * ":until" are the driver's and ERR_INVAL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_COORD_REDIS_H
#define IO_COORD_REDIS_H

#include "io/ioloop.h"
#include "port/coord.h"

#define COORD_REDIS_SENTINELS 16
#define COORD_REDIS_RUN_ID    41

enum coord_redis_event {
    COORD_REDIS_CONNECTED, /* requests are carried out */
    COORD_REDIS_LOST,      /* the connection ended */
    COORD_REDIS_FAILED,    /* no attempt since succeeded; told once */
    COORD_REDIS_OTHER,     /* connected to another life of the store (D32) */
    COORD_REDIS_DEAF,      /* the connection for channels ended */
};

struct coord_redis_conf {
    const char *host; /* without Sentinels */
    uint16_t port;    /* 0: 6379 */
    unsigned db;
    const char *username;      /* NULL or "": the default user */
    const char *password;      /* NULL or "": none */
    bool tls;                  /* also to the Sentinels */
    const char *tls_ca_file;   /* NULL or "": whom the system trusts */
    const char *tls_cert_file; /* ours; NULL or "": none */
    const char *tls_key_file;
    const char *tls_name; /* in their certificates; NULL or "": the host */
    /* "host:port,host,[v6]:port"; NULL or "": no Sentinels. */
    const char *sentinels;
    const char *master; /* their name of it */
    const char *sentinel_username;
    const char *sentinel_password;
    unsigned connections_max;   /* with 1 there are no subscriptions; 0: any */
    struct dur connect_timeout; /* 0: 1 s */
    struct dur timeout;         /* 0: 500 ms */
    struct dur retry_min;       /* 0: 100 ms; doubles up to */
    struct dur retry_max;       /* 0: 5 s (ALR-338); each with jitter */
    unsigned requests_max;      /* 0: 4096 */
    uint64_t seed;              /* of the jitter */
    /* Both on HOME; may be NULL. CLOSED is the last that comes. */
    void (*told)(void *arg, enum coord_redis_event ev, const struct fault *f);
    void (*closed)(void *arg);
    void *arg;
};

/* Begins to connect; whether that works is told by events and answers. What C
 * points to is copied. ERR_INVAL, or what a file answers: *F says which.
 *
 * close() may be called on any thread and ends later, with conf.closed(): HOME
 * must go on until then. */
enum err coord_redis_open(struct coord **out, const struct coord_redis_conf *c,
                          struct ioloop *home, struct fault *f);

struct conf;

/* The options REDIS_*; what OUT points to lives in C or OUT's own. ERR_NOENT:
 * no Redis is wanted (no host, no URL, no Sentinels). */
struct coord_redis_text {
    char text[2048]; /* the parts of a URL; holds secrets */
};
enum err coord_redis_from_conf(struct coord_redis_conf *out,
                               struct coord_redis_text *room,
                               const struct conf *c, struct fault *f);

struct coord_redis_stats {
    bool connected;
    bool subscribed;   /* to everything that is wanted */
    unsigned requests; /* under way, and given up but still unanswered */
    uint64_t connects, losses, failures, timeouts, refused, reloads;
    uint64_t life;    /* see coord.h; the last that was seen */
    uint64_t changes; /* how often it became another one */
    char run_id[COORD_REDIS_RUN_ID];
    char address[300]; /* of the Redis last spoken to */
};
void coord_redis_stats(struct coord *c, struct coord_redis_stats *out);

#endif
