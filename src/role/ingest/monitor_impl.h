/* monitor_impl.h - between the files of monitor.h only.
 *
 *   monitor.c           birth, the turn, the end, status
 *   monitor_conf.c      settings
 *   monitor_count.c     what of it is counted
 *   monitor_element.c   the elements that are known
 *   monitor_lease.c     who leads
 *   monitor_keys.c      keys, brought to elements that were polled
 *   monitor_poll.c      polls, by the leader's schedule and for once
 *   monitor_write.c     what is written to the store
 *   monitor_read.c      what is read from it: rounds
 *   monitor_changed.c   of that, what has changed
 *   monitor_snapshot.c  facts and lists become views
 *   monitor_reload.c    which elements there are
 *   monitor_list.c      lists as bytes, read by a worker
 *   monitor_admin.c     the other source
 *   monitor_lazy.c      troubles of uploads
 *
 * All of it runs on the monitor's loop, but what is marked. Whatever happens
 * there ends with monitor_turn(), which steps what is due and sets the timer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_MONITOR_IMPL_H
#define ROLE_INGEST_MONITOR_IMPL_H

#include "base/map.h"
#include "obs/log.h"
#include "obs/metric.h"
#include "role/ingest/monitor.h"
#include "wire/capacity.h"
#include "wire/elements.h"
#include <pthread.h>

#define KEY_EDIT "capacity:edit:available"
#define KEY_RW   "capacity:rw:available"
/* The ids, in the order in which their hashes were written last. With two
 * colons it is no element's. */
#define KEY_CHANGED "capacity:all:changed"

#define READ_FIELDS  64  /* of a hash, more is not ours */
#define TROUBLES_MAX 256 /* waiting to be looked at */

/* An address that polls go to. Held by its element and by requests. */
struct mon_peer {
    struct fetch_peer *peer;
    unsigned refs;
};

struct mon_element {
    struct map_item item;
    char id[65];
    char *endpoint;
    char location[65];
    int mode; /* of the list, or RELOAD_MODE_NONE; which one counts:
                 mon_element_mode() */
    int priority;
    bool listed;
    bool gone;             /* our list had it and has it no more */
    bool by_admin;         /* in Admin's last answer */
    uint32_t slot;         /* of the schedule, while listed */
    struct mon_peer *peer; /* NULL: the address is not good */
    struct blob *blob;
    bool have; /* cap is what the store has, or had a moment ago */
    struct capacity cap;
    struct mono polled;  /* when, as far as we know, and */
    struct mono learned; /* when we have heard of it */
    bool in[2];          /* edit, rw: is it in the set, */
    int64_t score[2];    /* and with what */
    uint64_t seen;       /* number of the last round that found it in a set, */
    uint64_t told;       /* and of the one in which the log named it */
    int warned
        [2];    /* modes, listed and reported, that the log was told differ */
    bool fresh; /* its hash may be older than what we ask the log for */
    struct mono lazy_until; /* no lazy update before */
    uint64_t keys_brought;  /* the last version of keys that it was brought, */
    struct mono keys_next;  /* and is not brought again before */
    bool keys_told;         /* that it did not take it */
    unsigned keys_failed;   /* in a row; it was busy, or not reached */
    bool counted, healthy;  /* the metric of its health is there, and says */
};

/* A request to an element. */
struct mon_ask {
    struct ask ask;
    struct list item;
    struct monitor *m;
    struct mon_peer *peer;
    struct poll_ticket ticket;
    char id[65];
    bool lazy; /* once, under a guard of its own */
    char owner[COORD_KEY_MAX + 1];
    uint64_t epoch;
    struct mono began;
};

/* Everything about one element that changes at once. */
struct mon_write {
    struct coord_request r;
    struct monitor *m;
    struct coord_write w[5];
    struct coord_pair pair[CAPACITY_FIELDS];
    struct capacity_fields fields;
    struct coord_guard guard;
    char owner[COORD_KEY_MAX + 1];
    char guard_key[COORD_KEY_MAX + 1];
    char key[2][96]; /* capacity:, health: */
    char health[128];
    char id[65];
    bool lazy;
    bool has_cap; /* it is what the hash becomes */
    bool cleans;
    struct capacity cap;
    bool in[2];
    bool sets; /* IN is what the sets become */
    int64_t score;
};

struct mon_read {
    struct coord_request r;
    struct monitor *m;
    struct coord_pair pair[READ_FIELDS];
    struct buf out;
    struct mon_element *e; /* NULL: it went meanwhile */
    char key[96];
    struct mono began;
    bool busy;
};

struct mon_round {
    bool busy;
    bool failed;
    bool again; /* wanted when this one is over, */
    bool doubt; /* in a while */
    uint64_t number;
    unsigned waiting; /* for answers */
    struct coord_request set[2];
    struct coord_pair *member[2];
    struct buf text[3];
    unsigned cap;
    struct coord_request changed;
    struct coord_pair *changes;
    unsigned batch;
    int64_t since; /* the highest score seen; 0: all is to be read */
    bool full;     /* and is, by this round */
    bool full_next;
    bool logged;   /* there is a log */
    bool empty;    /* nobody has written what he polled */
    uint64_t life; /* of the store that SINCE is of */
    struct mono full_at, began;
    struct mon_element **todo; /* places become NULL when elements go */
    uint32_t n, at;
    struct mono next;  /* when the next one is due */
    struct mono eager; /* since when they follow each other; 0: never */
    struct mon_read read[MONITOR_READS];
    struct fault fault;
};

struct mon_list { /* of reload's; freed when that says so */
    struct reload_list list;
    struct elements el;
    struct reload_element e[];
};

enum mon_list_kind { LIST_TEXT, LIST_MAPS, LIST_ADMIN, LIST_MESSAGE };

/* A list on its way from bytes; parsed by a worker. */
struct mon_parse {
    struct work work;
    struct monitor *m;
    enum mon_list_kind kind;
    uint64_t ticket;
    struct buf text[2]; /* document; or what the maps point into */
    struct coord_pair *pair[2];
    unsigned n[2];
    bool json[2];
    struct mon_list *list; /* result */
    enum err err;
    struct fault fault;
};

struct mon_trouble {
    char id[65];
    enum reload_reason reason;
};

struct monitor {
    struct monitor_conf conf;
    char instance[COORD_KEY_MAX + 1];
    char channel[COORD_KEY_MAX + 1];
    char datacenter[65];
    struct loop *loop;
    struct views views;
    struct timer timer;
    bool started, stopping, stopped, turning, turn_again;
    unsigned under_way; /* requests of every kind */
    void (*done)(void *arg);
    void *done_arg;

    /* lease */
    struct lease lease;
    bool know_store;
    uint64_t life;
    bool probing;
    struct mono probe_at;
    struct coord_sub released;
    bool hears;

    /* elements */
    struct map elements;
    uint32_t n_elements;
    struct mon_element **sorted; /* by id; NULL: to be made anew */
    bool elements_told;          /* conf.elements() has what there is */

    /* polls */
    /* The last of any element that we know of, or since when there can be one:
     * the store and the list have come. */
    struct mono polled;
    struct poll poll;
    struct list asks;
    struct list bringings; /* of keys */
    uint64_t lazy_n;

    /* the store */
    struct mon_round round;
    bool store_ok, store_told;
    struct fault store_fault;

    /* lists */
    struct reload reload;
    struct list readings; /* the operator's, who wait for one */
    const struct reload_list *list;
    struct coord_sub updates;
    uint64_t updates_lost;
    bool listens;
    struct reload_counts counted; /* what the metrics have */

    /* Admin */
    struct monitor_admin_ask admin_ask;
    bool admin_busy, admin_ok;
    struct mono admin_next, admin_asked, admin_limit;
    struct mono admin_pace;   /* not before, whoever wants it */
    struct mono admin_wanted; /* until then it is asked ahead */
    uint64_t admin_ticket;    /* reload waits for this answer; 0: it does not */
    struct fault admin_fault;
    struct list waits; /* of selections; moved here from `inbox` */
    bool waits_over;

    /* views */
    struct view_part *part[VIEW_SOURCES];
    bool dirty;   /* what was polled has changed */
    bool publish; /* a part has */
    struct mono build_at, built;

    /* any thread, under the lock */
    pthread_mutex_t lock;
    struct task wake;
    bool woken;
    struct mon_trouble trouble[TROUBLES_MAX];
    unsigned troubles;
    bool manual;
    struct list inbox; /* struct monitor_wait */
    struct list readings_inbox;
    struct monitor_status status;
};

/* ---- monitor.c ---- */

void monitor_turn(struct monitor *m);
void monitor_began(struct monitor *m); /* a request is under way, */
void monitor_ended(struct monitor *m); /* and not any more; then turn() */
/* From before what may have waited is written. */
struct mono monitor_now(const struct monitor *m);

/* ---- monitor_conf.c: monitor_conf_default(), monitor_conf_check() ---- */

/* ---- monitor_count.c ---- */

void count_open(struct monitor *m);
void count_lease(struct monitor *m, const struct lease_out *out);
void count_leads(struct monitor *m, bool leads);
void count_poll(struct monitor *m, const char *id, const struct poll_out *out);
void count_reload(struct monitor *m, const struct reload_out *out);
void count_read(struct monitor *m, const char *result, struct dur took);
void count_admin(struct monitor *m, struct dur took);
void count_available(struct monitor *m);
/* For each element at each snapshot: it looks the series up at a change. */
void count_health(struct monitor *m, struct mon_element *e, bool healthy);
void count_lazy(struct monitor *m, const char *id, enum reload_reason reason);
void count_latency(struct monitor *m, struct dur d);
void count_forget(struct monitor *m, struct mon_element *e);

/* ---- monitor_element.c ---- */

struct mon_element *mon_element_find(struct monitor *m, const char *id);
/* Found or made, with that address. NULL: no memory, or too many. */
struct mon_element *
mon_element_put(struct monitor *m, const char *id, const char *endpoint);
/* One that only the store's sets name; found or made. */
struct mon_element *mon_element_unlisted(struct monitor *m, const char *id);
/* Forgotten, if nothing speaks for it any more. */
void mon_element_settle(struct monitor *m, struct mon_element *e);
/* All of them, by id; NULL when there is no memory. */
struct mon_element **elements_sorted(struct monitor *m);
/* Tells of them, if there is something to tell. */
void elements_drive(struct monitor *m);
/* CAP is what the store has of it. */
void mon_element_learn(struct monitor *m, struct mon_element *e,
                       const struct capacity *cap);
/* The mode that counts for E, which says REPORTED of itself (-1: nothing): the
 * later of that and the list's, since modes go forward only. Whoever is the
 * first to know of a step, the operator's `ro` at Admin or the element that was
 * started with it, is believed at once. -1: nobody says. */
int mon_element_mode(const struct mon_element *e, int reported);
/* The list has another priority or mode of E. */
void mon_element_listed(struct monitor *m, struct mon_element *e);
/* What C, of E, is for others, as the element says it. */
void mon_element_capacity(const struct mon_element *e, const struct capacity *c,
                          struct blob_capacity *b);
/* Its numbers, to its blob, with the mode that counts: Admin's also while there
 * are no numbers yet, or none any more. */
void mon_element_show(struct mon_element *e);
struct mon_peer *mon_peer_hold(struct mon_peer *p);
void mon_peer_drop(struct mon_peer **p);
void elements_close(struct monitor *m);

/* ---- monitor_lease.c ---- */

void lease_open(struct monitor *m);
void lease_drive(struct monitor *m);
struct mono lease_due(const struct monitor *m);
void lease_end(struct monitor *m);
bool lease_over(const struct monitor *m);
/* After each answer of the store. */
void store_seen(struct monitor *m, const struct coord_request *r);
/* The store refused what was written under EPOCH. */
void lease_refused(struct monitor *m, uint64_t epoch);

/* ---- monitor_keys.c ---- */

/* E was polled at PEER, with STATUS; it trusts the keys of VERSION, if it said
 * so (UINT64_MAX: not). */
void keys_bring(struct monitor *m, struct mon_element *e, struct mon_peer *peer,
                int status, uint64_t version);
void keys_cancel(struct monitor *m);

/* ---- monitor_poll.c ---- */

void poll_drive(struct monitor *m);
struct mono poll_due(const struct monitor *m);
void polls_cancel(struct monitor *m);
/* Once, now; the answer is written under the lease OWNER, EPOCH of the element
 * (monitor_lazy.c). */
void poll_once(struct monitor *m, struct mon_element *e, const char *owner,
               uint64_t epoch);

/* Why it failed, for people: poll_error_name(), or that it is our token. */
const char *poll_reason(const struct poll_out *out);

/* ---- monitor_write.c ---- */

/* What a good poll of E has found, or that E is unhealthy (CAP NULL). */
void
write_poll(struct monitor *m, struct mon_element *e, const struct capacity *cap,
           const struct poll_out *out, enum poll_health health);
void write_lazy(struct monitor *m, struct mon_element *e,
                const struct capacity *cap, const char *owner, uint64_t epoch);
/* E's place in the sets after its priority or mode changed in the list. */
void write_place(struct monitor *m, struct mon_element *e);
/* All keys of an element that is in no list any more (REL-028). */
void write_clean(struct monitor *m, const char *id);
bool mon_is_full(const struct monitor *m, const struct capacity *c);
void lazy_key(char out[COORD_KEY_MAX + 1], const char *id);

/* ---- monitor_read.c ---- */

void round_drive(struct monitor *m);
struct mono round_due(const struct monitor *m);
void round_soon(struct monitor *m); /* one that begins from now on */
/* The store has refused something. One in a second of the last, which finds out
 * whether it is lost. */
void round_doubt(struct monitor *m);
/* The same, and again until all that is listed has its numbers, but not for
 * long. */
void round_eager(struct monitor *m);
void round_forget(struct monitor *m, const struct mon_element *e);
void round_release(struct monitor *m);
void store_failed(struct monitor *m, const struct fault *f);

/* What the store has of E: N fields, or one without a name, a text. */
void round_took(struct monitor *m, struct mon_element *e,
                const struct coord_pair *p, unsigned n, struct dur took);
void round_failed(struct monitor *m, const struct coord_request *r);
void round_log_over(struct monitor *m);
void round_full(struct monitor *m); /* the next one reads all of it */

/* ---- monitor_changed.c ---- */

bool changed_begin(struct monitor *m); /* false: no memory */
void changed_end(struct monitor *m);

/* ---- monitor_snapshot.c ---- */

void view_polled(struct monitor *m); /* something in it has changed */
void view_admin(struct monitor *m, const struct elements *el);
void view_forget(struct monitor *m, enum view_source s);
/* How many of MODE an upload would find, and whether it is Admin's list in
 * which it finds them (place_view.c). */
unsigned view_usable(const struct monitor *m, unsigned mode, bool *by_admin);
void view_drive(struct monitor *m);
struct mono view_due(const struct monitor *m);

/* ---- monitor_reload.c ---- */

void reload_open(struct monitor *m);
void reload_drive(struct monitor *m);
struct mono reload_due(const struct monitor *m);
void reload_end(struct monitor *m);
/* OUT: how it ended; NULL: it does not. */
void readings_release(struct monitor *m, const struct reload_out *out);
void reload_event(struct monitor *m, struct reload_event ev);
void reload_got(struct monitor *m, struct mon_parse *p);

/* ---- monitor_list.c ---- */

struct mon_parse *
parse_new(struct monitor *m, enum mon_list_kind kind, uint64_t ticket);
void parse_run(struct mon_parse *p); /* ends in reload_got() or admin_got() */
void parse_free(struct mon_parse *p);
void list_free(const struct reload_list *l);

/* ---- monitor_admin.c ---- */

void admin_drive(struct monitor *m);
struct mono admin_due(const struct monitor *m);
void admin_got(struct monitor *m, struct mon_parse *p);
void admin_forget(struct monitor *m); /* its answer is not used any more */
void admin_cancel(struct monitor *m); /* nor is the next one waited for */
void waits_release(struct monitor *m);

/* ---- monitor_lazy.c ---- */

void lazy_run(struct monitor *m, const struct mon_trouble *t);

#endif
