/* impl.h - what the files of Admin's registry share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_IMPL_H
#define ROLE_ADMIN_IMPL_H

#include "role/admin/element.h"
#include "role/admin/feed.h"
#include "role/admin/refusals.h"
#include "role/admin/registry.h"
#include "sec/seal.h"
#include <pthread.h>

/* Of an element in this process: lives until the end, and its blob, uuid and
 * element_id never change. Of one elsewhere: blob is NULL, its uuid changes
 * once at most (under gate and lock), and it lives as long as somebody has a
 * reference. */
struct admin_slot {
    struct blob *blob;
    struct uuid uuid;
    char element_id[65];
    struct meta_element record; /* under the lock */
    unsigned refs;              /* the same */
    struct blob_capacity cap;   /* of one elsewhere; the same */
    struct wall heard;          /* the same */
    pthread_mutex_t gate;       /* one feed or page of catching up at a time */
    struct admin_source source;
    struct feed feed;   /* under the lock */
    bool deletes_ahead; /* a delete was fed while numbers before it were
                            missing; under the gate */
    bool behind;        /* something was not fed: the tick sees to it */
    bool unsaved;       /* its record, until admin_attached() */
    unsigned stuck;     /* ticks with a hole in the numbers */
    uint64_t stuck_at;
};

struct admin_audit_queue {
    struct meta_audit *a;
    unsigned n;
    unsigned cap;
};

/* seal.c */
struct admin_seal {
    struct seal last;           /* what was signed last; all zero: nothing */
    char kid[CLAIM_TEXT];       /* by which key; "": before the start */
    char text[ADMIN_SEAL_TEXT]; /* under the lock */
    struct audit_chain chain;   /* from there to the head, while walking */
    enum audit_verdict verdict;
    uint64_t cursor;
    uint64_t repairs;
    bool walking;
    bool met; /* the row that was signed last is there */
    bool told, failed;
    bool blocked; /* the last is not known */
    bool in_turn; /* in this work */
    struct mono due;
    struct log *log;
};

struct admin {
    struct registry registry;
    struct meta *meta;
    pthread_mutex_t lock;
    pthread_mutex_t changing; /* one change of an element at a time */
    pthread_mutex_t flushing; /* one writer of audit entries at a time */
    struct admin_slot *slot[ADMIN_ELEMENTS_MAX]; /* by element_id */
    unsigned n;
    struct admin_lost lost[ADMIN_LOST_MAX]; /* under the lock */
    unsigned n_lost;
    struct registry_stats stats;
    struct admin_audit_queue queue; /* under the lock */
    struct refusals refusals;       /* the same */
    struct admin_audit_queue batch; /* under `flushing`; its n also `lock` */
    /* the tick; on the home loop */
    struct loop *home;
    struct timer timer;
    struct work work;
    bool working;
    struct wall work_wall; /* when the work was submitted */
    struct keys *keys;     /* NULL: none */
    struct mono keys_at;   /* to be looked at */
    bool keys_turn;        /* in this work */
    struct mono work_mono; /* as work_wall */
    struct wall shared_at; /* of the work */
    unsigned keys_refused; /* rows of others that are not believed */
    bool share_failed;     /* told */
    struct admin_seal seal;
    struct announce *announce;  /* NULL: nobody is told */
    void (*stopped)(void *arg); /* at the end of the last tick */
    void (*stopping)(void *arg);
    void *stopped_arg;
};

/* slots.c. Both under the lock; NULL: unknown. */
struct admin_slot *admin_slot_by_id(struct admin *a, const char *element_id);
struct admin_slot *admin_slot_by_uuid(struct admin *a, const struct uuid *uuid);
/* The slot of ELEMENT_ID with a reference, or NULL. */
struct admin_slot *admin_slot_get(struct admin *a, const char *element_id);
void admin_slot_put(struct admin *a, struct admin_slot *s);
/* With one reference, for admin_slot_insert(). NULL: no memory. */
struct admin_slot *admin_slot_new(const struct meta_element *record);
void admin_slot_insert(struct admin *a, struct admin_slot *s);
/* Out of the table; its reference is given back. */
void admin_slot_remove(struct admin *a, struct admin_slot *s);

/* lost.c. The first under the lock; NULL: it is none of those. The second as
 * admin_element_remove(), under `changing`. */
struct admin_lost *admin_lost_by_uuid(struct admin *a, const struct uuid *uuid);
enum err admin_lost_remove(struct admin *a, const char *element_id, bool force,
                           struct fault *f);
/* elements.c: out of the database. Without FORCE ERR_BUSY while it has files
 * there. */
enum err admin_element_forget(struct admin *a, const struct uuid *uuid,
                              bool force, struct fault *f);

/* catch_up.c. At the start: by the log if it reaches back to the position
 * without a hole, else from the rows. */
enum err
admin_catch_up_first(struct admin *a, struct admin_slot *s, struct fault *f);
/* While running: what the log has after the position. */
enum err admin_catch_up(struct admin *a, struct admin_slot *s, struct fault *f);
/* Makes deletes of the publishes among C whose files are gone by now: their
 * deletes may have been fed already, and will not be again. */
enum err admin_drop_gone(struct admin_slot *s, struct index_change *c, size_t n,
                         struct fault *f);

/* keys.c. The first and the last on the home loop. */
bool admin_keys_due(const struct admin *a);
void admin_keys_turn(struct admin *a, struct wall now);
void admin_keys_again(struct admin *a);

/* seal.c. As those of keys.c. */
bool admin_seal_due(const struct admin *a);
void admin_seal_turn(struct admin *a, struct wall now);
void admin_seal_again(struct admin *a);
void admin_seal_open(struct admin *a, struct log *log);

/* tick.c. The second before the last flush: what was counted is told. */
void admin_audit_add(struct registry *g, const struct meta_audit *entry);
void admin_audit_last(struct admin *a);
/* ENTRY with an id; and E, of a change that one entry went with. */
struct meta_audit admin_audit_named(const struct meta_audit *entry);
enum err admin_audit_with(struct admin *a, enum err e);

#endif
