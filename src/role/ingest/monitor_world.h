/* monitor_world.h - gateways' monitors, elements, a store and an Admin in one
 * process and in virtual time, for tests. Every gateway has a loop of its own,
 * so that it can be paused; elements and Admin answer when and how they are
 * told. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_MONITOR_WORLD_H
#define ROLE_INGEST_MONITOR_WORLD_H

#include "obs/metric.h"
#include "port/coord_fail.h"
#include "port/loop_mem.h"
#include "role/ingest/monitor.h"

#define WORLD_NODES    4
#define WORLD_ELEMENTS 128

enum fake_way {
    FAKE_GOOD,
    FAKE_SILENT,  /* takes the request and says nothing */
    FAKE_REFUSES, /* the connection */
    FAKE_ERROR,   /* `status` */
    FAKE_NONSENSE,
};

struct fake_element {
    char id[32];
    char url[64]; /* where it is */
    const char *mode, *status, *location;
    const char *listed; /* the mode that lists have; NULL: the same */
    unsigned priority;  /* of lists */
    uint64_t total, used;
    enum fake_way way;
    int http; /* of FAKE_ERROR */
    struct dur takes;
    unsigned requests, answered;
    /* Of keys that are brought: how many, and to how many of the next it says
     * KEYS_STATUS before it takes them. */
    unsigned keys_asked, keys_refused;
    int keys_status;
    char auth[64]; /* of the last request */
};

struct world;
struct admin_call;

struct node {
    struct world *w;
    struct admin_call *call; /* the last question to Admin */
    unsigned n;
    struct loop_mem lm;
    struct loop *loops[1];
    struct coord_fail store;
    struct fetch fetch;
    struct monitor_admin admin;
    struct metrics *metrics;
    struct monitor_conf conf;
    struct monitor *m;
    bool up;     /* started and not stopped */
    bool paused; /* its loop does not turn */
    bool stopped;
    bool cut; /* from all elements */
    char name[32];
};

struct world {
    struct mono now;
    int64_t wall_base;
    struct coord *store; /* shared */
    struct loop_mem lm;  /* of the test itself */
    struct node node[WORLD_NODES];
    unsigned n;
    struct fake_element e[WORLD_ELEMENTS];
    unsigned n_elements;
    /* Admin */
    bool admin_down;
    struct dur admin_takes;
    unsigned admin_asked, admin_canceled;
    uint64_t admin_used_percent; /* what it says of all */
    uint64_t version;            /* of the list in the store */
};

void world_open(struct world *w, unsigned nodes, unsigned elements);
void world_close(struct world *w);
/* ELEMENTS that are in the list, by the first N; written to the store. */
void world_list(struct world *w, unsigned n);
/* Only [FROM, TO). */
void world_list_range(struct world *w, unsigned from, unsigned to);
void world_start(struct world *w, unsigned node);
void world_stop(struct world *w, unsigned node); /* in order, to its end */
void world_pause(struct world *w, unsigned node);
void world_resume(struct world *w, unsigned node);
void world_run(struct world *w, struct dur d);

/* One operation on the store, by the test. */
enum err world_do(struct world *w, struct coord_request *r);
/* The fields of a hash as "name=value ", of a text its value, of a set its
 * members; "" when there is none. In a static buffer. */
const char *world_hash(struct world *w, const char *key, const char *field);
const char *world_text(struct world *w, const char *key);
const char *world_set(struct world *w, const char *key);

int world_leader(const struct world *w); /* -1: none, -2: several */
/* The id that a gateway would choose now, "" for none. */
const char *world_choice(struct world *w, unsigned node, enum view_source from,
                         enum select_mode mode);
int64_t world_count(struct world *w, unsigned node, struct series s);

#endif
