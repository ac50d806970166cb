/* ledger.h - how much room is left, and who has been promised it (D28).
 *
 * A file system may carry several elements, so the account belongs to the file
 * system (struct ledger) and each element is a member with its own quota. An
 * upload reserves before its first byte and cannot be refused afterwards. Both
 * bytes and inodes are counted, always alike (D07).
 *
 *     reserve ----> take ----> free        admitted, on disk, deleted
 *         \-------> release                given up
 *
 * What others do on the file system is only seen by measuring it, and a measure
 * takes time: what is taken between begin and end may be in its result or not.
 * It is then counted twice, until the next one, rather than not at all. So the
 * account may be too pessimistic for seconds, but the sum of what it has
 * promised never exceeds what was there (0 overshoot).
 *
 * The owner serialises the calls. No clock: the owner measures when it likes.
 * Tests: ledger_test.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include "base/base.h"
#include "base/err.h"

/* Room for an upload of unknown length is taken in steps of this (D28). */
#define LEDGER_STEP ((uint64_t)64 * 1024 * 1024)

struct ledger_room {
    uint64_t bytes;
    uint64_t inodes;
};

enum ledger_status { /* the values of enum blob_status */
                     LEDGER_OK,
                     LEDGER_WARNING,
                     LEDGER_CRITICAL,
                     LEDGER_FULL,
};

struct ledger_conf {
    struct ledger_room headroom; /* kept for deletes and metadata; at most an
                                    eighth of the whole */
    unsigned percent[4];    /* used percent from which WARNING ... holds; [0]
                               is not used */
    uint64_t free_below[4]; /* or free bytes less than; 0: no such rule */
    unsigned hysteresis;    /* points to fall below before a status is left */
};

struct ledger {
    struct ledger_conf conf;
    struct ledger_room total; /* as measured; inodes 0: no such limit */
    struct ledger_room free;  /* as measured */
    struct ledger_room reserved;
    int64_t taken_bytes; /* since the measure began; freed counts negative */
    int64_t taken_inodes;
    int64_t begun_bytes; /* the same since a measure under way began */
    int64_t begun_inodes;
    bool measured;
    bool measuring;
};

struct ledger_member {
    uint64_t quota;  /* bytes; 0: none */
    uint64_t stored; /* bytes on disk */
    uint64_t reserved;
    enum ledger_status status;
};

void ledger_init(struct ledger *l, const struct ledger_conf *conf);

void ledger_measure_begin(struct ledger *l);
void ledger_measure_end(struct ledger *l, struct ledger_room total,
                        struct ledger_room free);
/* The measure failed: what is known stays. */
void ledger_measure_cancel(struct ledger *l);

/* ERR_OK, ERR_NOSPC, ERR_NOINODES; with the latter two nothing changed. */
enum err
ledger_reserve(struct ledger *l, struct ledger_member *m, struct ledger_room r);
void
ledger_release(struct ledger *l, struct ledger_member *m, struct ledger_room r);
/* Less is left than has been promised: somebody else took it meanwhile. */
bool ledger_overdrawn(const struct ledger *l);
/* R of what was reserved is now on disk. */
void
ledger_take(struct ledger *l, struct ledger_member *m, struct ledger_room r);
/* R is on disk, without a reservation: what is there anyway must be counted. */
void
ledger_add(struct ledger *l, struct ledger_member *m, struct ledger_room r);
/* R is on disk no more. */
void
ledger_free(struct ledger *l, struct ledger_member *m, struct ledger_room r);

/* What another upload could reserve now. */
struct ledger_room
ledger_available(const struct ledger *l, const struct ledger_member *m);
/* Bytes: of the file system, or the quota where that is less (STO-020). */
uint64_t ledger_total(const struct ledger *l, const struct ledger_member *m);
uint64_t ledger_used(const struct ledger *l, const struct ledger_member *m);
/* How full something is, whoever has measured it. */
struct ledger_fill {
    uint64_t total;
    uint64_t used;
    uint64_t inodes_total; /* 0: no such limit */
    uint64_t inodes_used;
};

/* The status of F when it was BEFORE so far: by percent, by free bytes, by
 * inodes, whichever is the worst, with hysteresis (D07). No room at all, total
 * 0, is FULL. */
enum ledger_status
ledger_judge(const struct ledger_conf *conf, enum ledger_status before,
             const struct ledger_fill *f);
/* Moves m->status and returns it. FULL as well where no file fits, however far
 * its mark is: on small file systems the headroom is above the mark. */
enum ledger_status ledger_step(const struct ledger *l, struct ledger_member *m);

/* What a file of SIZE stored bytes takes with all that stands beside it. */
struct ledger_room ledger_file(uint64_t size);

#endif
