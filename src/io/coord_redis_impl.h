/* coord_redis_impl.h - what the files of coord_redis.h share.
 *
 *   coord_redis.c           requests: in, out, deadlines, ceilings; life
 *   coord_redis_link.c      the connection: where to, greeting, again
 *   coord_redis_sentinel.c  who is master
 *   coord_redis_sub.c       the connection for channels
 *   coord_redis_script.c    a request as a script's arguments
 *   coord_redis_lua.c       the scripts
 *   coord_redis_reply.c     an answer as a request's results
 *   coord_redis_conf.c      from options
 *   redis_tls.c             TLS, of all three connections
 *
 * All of it runs on the home loop, but what is marked "any thread".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_COORD_REDIS_IMPL_H
#define IO_COORD_REDIS_IMPL_H

#include "base/prng.h"
#include "conf/items.h"
#include "io/coord_redis.h"
#include "io/redis_conn.h"
#include "port/coord_subs.h"
#include <pthread.h>

#define SHA_HEX   40
#define ARGS_MAX  256
#define NOTES_MAX 3072 /* numbers and names made for one command */

/* ---- scripts (coord_redis_lua.c): one for each operation but publish ---- */

/* A script is the prelude and its own part. */
extern const char coord_lua_prelude[];
extern const char *const coord_lua[COORD_OPS]; /* NULL: no script */

/* ---- requests as commands (coord_redis_script.c) ---- */

struct coord_args {
    struct slice argv[ARGS_MAX];
    unsigned n;
    char notes[NOTES_MAX]; /* what was written for it */
    size_t used;
};

/* What can be said without asking: ERR_OK, ERR_INVAL, ERR_TOOBIG. */
enum err coord_redis_check(const struct coord_request *r);
/* The command for R: EVALSHA with SHA, or with SHA empty EVAL with the text.
 * BODY has room for the text. */
void coord_redis_args(const struct coord_request *r, struct slice sha,
                      struct buf *body, struct coord_args *a);
/* The whole text of OP's script into BODY. */
void coord_redis_text(enum coord_op op, struct buf *body);

/* ---- answers as results (coord_redis_reply.c) ---- */

/* Sets the results of R from a script's answer, or PUBLISH's. ERR_CORRUPT: it
 * is not an answer to R. */
enum err
coord_redis_result(struct coord_request *r, const struct redisReply *said);

/* ---- the driver ---- */

struct coord_redis;

struct call {
    struct redis_call rc;
    struct list item; /* of the driver's calls */
    struct timer timer;
    struct coord_redis *d;
    struct coord_request *r; /* NULL: given up; its answer will be dropped */
    bool sent;
    bool whole; /* with the text of the script */
};

enum greet { GREET_AUTH, GREET_SELECT, GREET_ROLE, GREET_INFO, GREET_SCRIPT };

struct greet_call {
    struct redis_call rc;
    struct coord_redis *d;
    enum greet what;
    enum coord_op op;
};

enum link_phase {
    LINK_IDLE, /* waits for the retry timer */
    LINK_FINDING,
    LINK_CONNECTING,
    LINK_UP,
    LINK_OVER /* the driver closes */
};

struct link {
    struct redis_conn conn;
    enum link_phase phase;
    struct greet_call greet[4 + COORD_OPS];
    unsigned greetings; /* sent and not answered */
    char host[256];     /* where to; "" before a Sentinel has said */
    uint16_t port;
    bool moved;  /* host and port are new: no need to ask */
    bool failed; /* no attempt succeeded since the last connection */
    bool warned; /* and it was told */
    unsigned attempts;
    struct fault fault; /* why */
    struct mono up_since;
    struct timer retry;
    uint64_t life;
    char run_id[COORD_REDIS_RUN_ID];
    char sha[COORD_OPS][SHA_HEX + 1];
};

struct sentinel {
    struct redis_conn conn;
    struct redis_call auth, ask;
    struct conf_listen at[COORD_REDIS_SENTINELS];
    unsigned n; /* 0: none are used */
    unsigned next;
    unsigned tried; /* since it was wanted */
    bool wanted;    /* the link waits for an answer */
    unsigned attempts;
    struct timer retry;
};

struct channel {
    struct channel *next;
    bool wanted, sent, confirmed;
    char name[];
};

struct sub {
    struct redis_conn conn;
    struct redis_call auth;
    struct channel *channels;
    bool ready; /* SUBSCRIBE may be sent */
    unsigned attempts;
    struct timer retry;
    struct task sync;
    _Atomic(bool) sync_posted;
};

struct coord_redis {
    struct coord coord;
    struct coord_redis_conf conf; /* its texts are the driver's own */
    struct ioloop *home;
    struct prng prng;
    struct tls_client *trust; /* NULL: no TLS */
    struct link link;
    struct sentinel sentinel;
    struct sub sub;
    struct coord_subs subs;
    struct list calls; /* those without an answer; the unsent ones in order */
    struct buf body;   /* for the text of a script */
    _Atomic(unsigned) n_calls;
    struct task close;
    bool closing;
    pthread_mutex_t lock;
    struct coord_redis_stats stats; /* under it */
};

/* Changes a figure: STAT(d, st->losses++). */
#define STAT(d, what)                               \
    do {                                            \
        struct coord_redis_stats *st = &(d)->stats; \
                                                    \
        (void)pthread_mutex_lock(&(d)->lock);       \
        what;                                       \
        (void)pthread_mutex_unlock(&(d)->lock);     \
    } while (0)

/* coord_redis.c */
void coord_redis_tell(struct coord_redis *d, enum coord_redis_event ev,
                      const struct fault *f);
void coord_redis_go(struct coord_redis *d); /* sends what waits */
void coord_redis_give_up(struct coord_redis *d, const struct fault *f);
void coord_redis_closed(struct coord_redis *d); /* one part has closed */
/* Durations and trust of one of the three connections. */
void coord_redis_prepare(struct coord_redis *d, struct redis_conn *c);
/* Doubles with each attempt, up to the ceiling; the upper half is random. */
struct dur coord_redis_pause(struct coord_redis *d, unsigned attempts);

/* coord_redis_link.c */
void link_init(struct coord_redis *d);
void link_start(struct coord_redis *d);
void link_found(struct coord_redis *d, const char *host, uint16_t port);
void link_unfound(struct coord_redis *d, const struct fault *f);
void link_close(struct coord_redis *d);

/* coord_redis_sentinel.c */
enum err sentinel_init(struct coord_redis *d, struct fault *f);
void sentinel_find(struct coord_redis *d); /* link_found() or link_unfound() */
void sentinel_close(struct coord_redis *d);

/* coord_redis_sub.c */
void sub_init(struct coord_redis *d);
void sub_wake(struct coord_redis *d); /* any thread: what is wanted changed */
void sub_link_up(struct coord_redis *d);
void sub_close(struct coord_redis *d);
void sub_release(struct coord_redis *d);

#endif
