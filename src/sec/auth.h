/* auth.h - from an Authorization header to "who, and may he?".
 *
 * Three steps, because a check that is not in the cache must not run on a loop:
 *
 *     loop    if (auth_try(a, header, need, now, &res)) -> res is the answer
 *     worker  auth_verify(conf, job)            job.token = res.token
 *     loop    auth_done(a, job, need, now, &res)
 *
 * res.why is TOKEN_OK or the reason; auth_refusal() makes the 401 or 403 of it
 * (RFC 6750 section 3). Each answer is counted once in
 * artstore_auth_checks_total. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_AUTH_H
#define SEC_AUTH_H

#include "obs/metric.h"
#include "sec/cache.h"
#include "sec/keys.h"

#define AUTH_CACHE_ENTRIES 1024 /* about 1.5 MiB a loop with tokens of 700 B */

/* One per process; unchanging while loops run. */
struct auth_conf {
    bool enabled; /* AUTH_ENABLED: without, everybody may do everything */
    struct keys *keys;
    struct token_conf token;
    struct metrics *metrics; /* may be NULL */
};

/* One per loop. */
struct auth {
    const struct auth_conf *conf;
    struct token_cache *cache;
    struct series outcome[TOKEN_WHY_COUNT];
    struct series cached;
    struct series disabled;
    struct series hits;
    struct series misses;
    struct series items;
    struct series bytes;
    struct series evicted;
    struct token_cache_stats told; /* what the gauges know of the cache */
};

struct auth_result {
    enum token_why why;
    struct claims claims; /* of TOKEN_OK and SCOPE_MISSING */
    struct slice token;   /* to be verified; points into the header */
};

struct auth_job {
    struct slice token; /* must live until auth_done() */
    struct wall now;
    uint64_t generation;
    struct dur took;
    enum token_why why;
    struct claims claims;
};

/* SEED is secret and random. False: no memory. */
bool auth_open(struct auth *a, const struct auth_conf *conf, size_t entries,
               uint64_t seed);
void auth_close(struct auth *a);

/* The token of "Bearer TOKEN"; any case of the scheme, and nothing behind.
 * TOKEN_MISSING: no header, or another scheme. */
enum token_why auth_bearer(struct slice header, struct slice *token);

/* HEADER.p NULL: there was none. NEED: scopes of sec/scope.h. True: OUT is the
 * answer. False: OUT->token has to be verified by a worker. */
bool auth_try(struct auth *a, struct slice header, unsigned need,
              struct wall now, struct auth_result *out);
/* A worker's part: reads job->token and job->now, sets the rest. */
void auth_verify(const struct auth_conf *conf, struct auth_job *job);
/* Remembers and answers. */
void auth_done(struct auth *a, const struct auth_job *job, unsigned need,
               struct wall now, struct auth_result *out);

struct auth_refusal {
    unsigned status;            /* 401 or 403; 503 when nobody can say yet */
    const char *error;          /* "unauthorized" or "forbidden" (ING-103) */
    const char *reason;         /* "token_expired" */
    const char *message;        /* for people */
    char www_authenticate[256]; /* "": not to be sent */
};

void auth_refusal(enum token_why why, unsigned need, struct auth_refusal *out);

#endif
