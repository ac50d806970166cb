/* impl.h - between the files of sim.h only.
 *
 *   sim.c       the queue, the run
 *   gateway.c   a gateway: its loop, its clocks, its monitor
 *   store.c     port/coord over a network, to a store that may be another one
 *   copy.c      the store as a replica has it
 *   element.c   port/fetch over a network, to elements
 *   room.c      file systems below them, and the elements' accounts
 *   upload.c    uploads without bytes
 *   admin.c     the list: asked for, and written to the store
 *   faults.c    what goes wrong, and when
 *   check.c     what must hold
 *
 * There is one queue of events; what is in it is all that will ever happen. A
 * gateway's loop is one of them, at the time of its first timer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_IMPL_H
#define SIM_IMPL_H

#include "base/prng.h"
#include "core/ledger.h"
#include "port/coord_store.h"
#include "port/loop_mem.h"
#include "role/ingest/monitor.h"
#include "sim/sim.h"

#define SIM_WALL ((int64_t)1760000000000) /* at the start, in ms */

struct sim;

struct sim_event {
    struct heap_item item;
    void (*run)(struct sim *s, struct sim_event *e);
};

enum sim_state {
    SIM_DOWN,
    SIM_UP,
    SIM_ENDING, /* stops in order */
    SIM_GHOST,  /* was killed: nothing of it gets out any more */
};

struct sim_link {
    unsigned lose_to, lose_from; /* percent */
    bool slow;
    struct mono last_to, last_from; /* messages of a connection keep order */
};

struct sim_gateway {
    struct sim *s;
    unsigned n;
    struct sim_event wake;
    struct sim_event start;
    struct loop_mem lm;
    struct loop *loops[1];
    struct coord coord;
    struct fetch fetch;
    struct monitor_admin admin;
    struct monitor *m;
    enum sim_state state;
    bool ended; /* its monitor is done */
    unsigned life;
    char name[32];
    struct list subs; /* struct sim_sub */
    struct mono paused_until;
    int64_t boot_off; /* of its monotonic clock, ns */
    int64_t wall_off; /* ms */
    struct sim_link store;
    unsigned far; /* percent of the elements that it does not reach */
    bool leads;
    struct mono thawed; /* its clocks stood still until then */
    struct mono judge_at;
    int64_t judged;            /* when the view was made */
    struct sim_client *client; /* its uploads */
};

/* A file system, of one element or of two (D28). */
struct sim_fs {
    struct ledger ledger;
    uint64_t total, others; /* bytes: all of it, and what is not ours */
    uint64_t stored;        /* ours, on disk */
    uint64_t promised;      /* and not there yet */
    bool allocates;         /* at admission */
    struct sim_event measure;
    uint64_t seen_free; /* when the measure under way began */
    struct sim_element *e[2];
};

struct sim_ticket;

struct sim_element {
    char id[24];
    unsigned moved; /* where it is */
    int mode, priority;
    struct sim_fs *fs;
    struct ledger_member account;
    struct list tickets, files;
    bool listed, dead, silent;
    /* Since when it may not be chosen, for this reason; MONO_NEVER: it may. */
    struct mono full, sick, removed;
    struct mono known_from; /* its address, to all gateways */
    struct mono back_from;  /* that it answers again */
    struct mono roomy;      /* it could take any file; MONO_NEVER: not */
    /* What Admin has been told. */
    uint64_t known_used;
    bool known;
    unsigned seen; /* by check.c */
};

enum sim_place { /* of the store */
                 SIM_SERVES,
                 SIM_REFUSES,
                 SIM_SILENT,
};

/* How long something may take, when nothing else is wrong (check.c). */
struct sim_allowed {
    struct dur leader; /* until there is one, after all has become well */
    struct dur lists;  /* until all gateways have Admin's list */
    struct dur full, sick, removed; /* may still be chosen */
    struct dur back;  /* until who was dead is seen as it is now */
    struct dur admin; /* the same of removed, by Admin's list */
};

struct sim {
    struct sim_conf conf;
    struct sim_allowed allowed;
    struct sim_report *out;
    struct prng random;
    struct mono now, end; /* of the faults */
    struct heap queue;
    struct sim_gateway *g;
    struct sim_element *e;
    struct sim_fs *fs;
    struct sim_event next_upload;
    /* the store */
    struct coord_store store, replica;
    bool has_replica;
    bool copy_at_take; /* the replica is what there is before the next epoch */
    enum sim_place place;
    uint64_t store_life;
    int64_t store_wall_off;
    uint64_t top_epoch; /* that was seen in an accepted write */
    char top_owner[32];
    struct list ops;            /* to be used again */
    struct sim_event *failover; /* waits for an epoch that will be lost */
    /* Admin */
    uint64_t version, written;
    uint64_t written_life;
    struct sim_event publish;
    struct buf list;
    /* faults */
    struct sim_event next_fault, next_change;
    bool ending; /* no new ones */
    bool stopping;
    unsigned active;
    struct mono calm; /* since when none is active; MONO_NEVER: one is */
    struct list fault_list;
    /* checks */
    struct select_verdict *verdict;
    struct mono leaderless; /* since; MONO_NEVER: there is a leader */
    unsigned leaders;
    struct mono left; /* a leader has left, when all was well, in this way */
    bool left_killed;
};

/* ---- sim.c ---- */

void sim_at(struct sim *s, struct sim_event *e, struct mono at);
void sim_bad(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_tell(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool sim_chance(struct sim *s, unsigned percent);
int64_t sim_between(struct sim *s, int64_t least, int64_t most);
struct dur sim_between_ms(struct sim *s, int64_t least, int64_t most);
/* How long a message takes; SLOW: perhaps longer than anybody waits. */
struct dur sim_latency(struct sim *s, bool slow);

/* ---- gateway.c ---- */

bool sim_gateway_open(struct sim *s, unsigned i);
void sim_gateway_close(struct sim_gateway *g);
void sim_gateway_start(struct sim_gateway *g);
/* In order, or killed; it is SIM_DOWN some time later. */
void sim_gateway_stop(struct sim_gateway *g, bool kill);
void sim_gateway_pause(struct sim_gateway *g, struct dur d, bool clocks);
/* Its loop is given the time; false: it stands still until g->paused_until. */
bool sim_gateway_enter(struct sim_gateway *g);
/* All that can be done now is done. After sim_gateway_enter(). */
void sim_gateway_leave(struct sim_gateway *g);
struct mono sim_gateway_local(const struct sim_gateway *g);
/* What all have in common, with all safeguards. */
struct monitor_conf sim_gateway_settings(const struct sim *s);

/* ---- store.c ---- */

void sim_store_open_gateway(struct sim_gateway *g);
/* What was announced meanwhile may be lost. */
void sim_store_gap(struct sim_gateway *g);
/* An operation of Admin's, at once; r->out as it wishes. */
enum err sim_store_do(struct sim *s, struct coord_request *r);
void sim_store_announce(struct sim *s, const char *channel, struct slice text);
void sim_store_release(struct sim *s);

/* ---- copy.c ---- */

/* FROM, at NOW, into TO, which is made. */
bool sim_store_copy(struct coord_store *to, const struct coord_store *from,
                    struct mono now);
bool sim_store_empty(struct coord_store *to);

/* ---- element.c ---- */

void sim_element_open_gateway(struct sim_gateway *g);
bool sim_elements_open(struct sim *s);
bool sim_element_full(const struct sim_element *e);
/* The reasons above, after something has changed. */
void sim_element_changed(struct sim *s, struct sim_element *e);
void sim_element_url(const struct sim_element *e, char *out, size_t n);
unsigned sim_element_moved(const char *url); /* as it was when this was so */
/* A fault keeps G from reaching it. */
bool sim_element_far(const struct sim_gateway *g, const struct sim_element *e);
struct sim_element *sim_element_find(struct sim *s, const char *id);

/* ---- room.c ---- */

#define SIM_ROOMY (5 * GIB) /* free, that is */

bool sim_room_open(struct sim *s);
void sim_room_measure(struct sim *s, struct sim_event *ev);
/* Others fill E's file system to so many parts of a thousand, or, up to 500,
 * have so many. */
void sim_room_others(struct sim *s, struct sim_element *e, unsigned per_mille);
/* A ticket for SIZE, or SELECT_SIZE_UNKNOWN, at *HOLDER, which becomes NULL
 * when the element has given the upload up. */
enum err sim_room_admit(struct sim *s, struct sim_element *e, uint64_t size,
                        struct sim_ticket **holder);
/* SIZE bytes have come so far. */
enum err sim_room_write(struct sim *s, struct sim_ticket *t, uint64_t size);
/* T is gone after both; LIFE: of the file. */
void sim_room_publish(struct sim *s, struct sim_ticket *t, uint64_t size,
                      struct dur life);
void sim_room_abort(struct sim *s, struct sim_ticket *t);
/* Nobody holds T any more, and the element does not know. */
void sim_room_left(struct sim_ticket *t);
/* E's process has died, and with it all uploads there. */
void sim_room_died(struct sim *s, struct sim_element *e);
void sim_room_end(struct sim *s);
void sim_room_release(struct sim *s);

/* ---- upload.c ---- */

void sim_uploads_begin(struct sim *s);
/* With the gateway's monitor: before it runs, when it stops, when it is over.
 */
void sim_uploads_open(struct sim_gateway *g);
void sim_uploads_stop(struct sim_gateway *g);
void sim_uploads_close(struct sim_gateway *g);

/* ---- admin.c ---- */

void sim_admin_open_gateway(struct sim_gateway *g);
void sim_admin_changed(struct sim *s); /* the list has */
void sim_admin_begin(struct sim *s);

/* ---- faults.c ---- */

void sim_faults_begin(struct sim *s);
/* No new ones; all that is wrong is right again, in a moment. */
void sim_faults_end(struct sim *s);
void sim_faults_release(struct sim *s);

/* ---- check.c ---- */

void sim_check_begin(struct sim *s);
struct mono sim_later(struct mono a, struct mono b);
/* An accepted write of G's under EPOCH. */
void sim_check_write(struct sim *s, const struct sim_gateway *g, uint64_t epoch,
                     const char *owner);
void sim_check_gateway(struct sim_gateway *g);
void sim_check_leads(struct sim_gateway *g, bool leads);
/* G, who leads, is about to leave. */
void sim_check_leaves(struct sim_gateway *g, bool kill);
void sim_check_calm(struct sim *s);
void sim_check_end(struct sim *s);

#endif
