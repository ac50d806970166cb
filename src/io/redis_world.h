/* redis_world.h - for tests: real Redis and Sentinel processes on free loopback
 * ports in directories of their own, and a loop to talk to them from.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_REDIS_WORLD_H
#define IO_REDIS_WORLD_H

#include "io/coord_redis.h"
#include <sys/types.h>

struct redisReply;

/* One redis-server or redis-sentinel; ends with the test's process. */
struct redis_proc {
    pid_t pid;
    uint16_t port;
    char dir[64];
    char clock[96];       /* "" or the file of its clock */
    const char *password; /* NULL: none */
    bool sentinel;
};

/* Ends the test with 77 ("skipped") and plain words where Redis is not
 * installed; with 1 under REQUIRE_REDIS=1 (PRD-258). */
void redis_required(void);

/* Starts with the configuration lines CONF ("a b\nc d\n"); waits until it
 * answers. Where p->port is set it keeps port and directory: a restart. */
void redis_start(struct redis_proc *p, const char *conf);
/* With a clock that stands still: see redis_clock.c. */
void redis_start_clock(struct redis_proc *p, const char *conf);
void
redis_kill(struct redis_proc *p, int sig); /* and waits, if it is the end */
void redis_remove(struct redis_proc *p);   /* SIGKILL, and its directory */

/* One command, said by itself and waited for, as its own client; NULL: no
 * connection. To be freed by the caller. FMT as of redisCommand(). */
struct redisReply *redis_ask(struct redis_proc *p, const char *fmt, ...);
/* The same, for those whose answer must not be an error. */
void redis_do(struct redis_proc *p, const char *fmt, ...);
long long redis_number(struct redis_proc *p, const char *fmt, ...);

/* The loop of the test; "uring" or "epoll". */
struct redis_world {
    struct ioloop *loop;
    bool closed; /* the driver has told so */
    unsigned events[8];
    struct fault last; /* of an event */
};
void redis_world_open(struct redis_world *w, const char *kind);
void redis_world_close(struct redis_world *w);
/* Turns until TRUE_P(arg), at most MS; whether it became true. */
bool redis_world_until(struct redis_world *w, bool (*true_p)(void *arg),
                       void *arg, int64_t ms);
void redis_world_turn(struct redis_world *w, int64_t ms); /* for so long */
/* Turns until what P had to say to this loop before has been heard. */
void redis_world_hear(struct redis_world *w, struct redis_proc *p);
/* A driver whose events are counted in W; conf.host and port of P when it has
 * no Sentinels. */
struct coord *redis_world_coord(struct redis_world *w, struct redis_proc *p,
                                struct coord_redis_conf c);
void redis_world_drop(struct redis_world *w, struct coord *c);
/* One request to its end, at most 30 s; its answer. */
enum err
redis_world_do(struct redis_world *w, struct coord *c, struct coord_request *r);

#endif
