/* lease_world.h - for tests: instances of lease.h around a store, in a time
 * that is only a number.
 *
 * The store is naive and knows the rules of D09 and D32: a lock that expires by
 * the store's own clock, an epoch, and a fence before each write. The instances
 * do what a driver does, and write once a second while they may. Between them
 * is a network that takes its time, and loses. A request belongs to the
 * connection it was sent on, so it never reaches a store that came later.
 *
 * Whatever must never happen is put into `bad`, the first of it in words.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LEASE_WORLD_H
#define CORE_LEASE_WORLD_H

#include "core/lease.h"

#define WORLD_MAX      6 /* instances */
#define WORLD_MSGS     512
#define WORLD_ACQUIRED 4096

struct world_store {
    unsigned owner; /* 0: none */
    int64_t until_ms;
    uint64_t epoch;
};

struct world_inst {
    struct lease lease;
    unsigned owner;     /* another number at each start; 0: not running */
    uint64_t conn;      /* the store it is connected to */
    int64_t t0, local0; /* its clock showed local0 at t0 */
    int64_t ppm;        /* how much too fast it is */
    bool frozen;        /* the clock stands, and so does the process */
    int64_t paused_until;
    int64_t write_at;
    int64_t slow_until;          /* what it sends or hears till then is slow */
    unsigned lose_to, lose_from; /* percent */
    /* what it did */
    unsigned takes, changes[LEASE_RELEASED + 1];
    enum lease_why why;
    int64_t acquired_at, lost_at;
};

enum world_kind {
    WORLD_TO_STORE,
    WORLD_ANSWER,
    WORLD_WRITE,
    WORLD_REFUSED,
    WORLD_HINT,
    WORLD_STORE,
};

struct world_msg {
    enum world_kind kind;
    int64_t at;
    unsigned inst, owner;
    uint64_t conn;
    enum lease_action action;
    struct lease_event ev; /* or what it will be */
    uint64_t epoch, floor;
};

struct world {
    int64_t now; /* ns of a time that nobody has */
    struct prng random;
    struct lease_conf conf;
    struct world_store store, behind; /* behind: without its last change */
    uint64_t run;                     /* run id; 0 while it is down */
    uint64_t last_run;
    int64_t skew_ms; /* of the store's clock */
    bool fence;      /* usually on */
    bool exclusive;  /* clocks are good: nobody may even believe to lead */
    uint64_t admin;  /* highest epoch that Admin has been told of */
    unsigned slow_percent; /* messages that take up to 20 s */
    struct world_inst inst[WORLD_MAX];
    unsigned n, owners;
    struct world_msg msg[WORLD_MSGS];
    unsigned msgs;
    /* what was seen */
    uint64_t acquired[WORLD_ACQUIRED];
    unsigned acquired_n, accepted, refused, stale_answers;
    uint64_t write_epoch;
    unsigned write_owner;
    char bad[160];
};

/* N instances, not started. A good network (1-20 ms), clocks that agree. */
void world_init(struct world *w, unsigned n, uint64_t seed);
void world_run(struct world *w, struct dur d);

void world_start(struct world *w, unsigned i);
void world_kill(struct world *w, unsigned i);
void world_stop(struct world *w, unsigned i);                /* SIGTERM */
void world_pause(struct world *w, unsigned i, struct dur d); /* SIGSTOP */
void
world_freeze(struct world *w, unsigned i, struct dur d);    /* its clock, too */
void world_jump(struct world *w, unsigned i, struct dur d); /* of its clock */
void world_rate(struct world *w, unsigned i, int64_t ppm);
void world_lose(struct world *w, unsigned i, unsigned to, unsigned from);

void world_down(struct world *w);
/* It is back under another run id: with what it knew, without its last change,
 * or with nothing. */
enum world_memory { WORLD_ALL, WORLD_NOT_LAST, WORLD_NOTHING };
void world_up(struct world *w, enum world_memory memory);
void world_steal(struct world *w); /* someone deletes the lock */

/* The one that may write now; -1: none; -2: more than one. */
int world_leader(const struct world *w);
/* Runs until there is one, for at most D; the time it took in ms, or -1. */
int64_t world_until_leader(struct world *w, struct dur d);

#endif
