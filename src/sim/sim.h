/* sim.h - gateways, elements, a store and an Admin in virtual time, from one
 * seed; doc/simulator.md.
 *
 * The gateways run their own capacity monitors (role/ingest/monitor.h). What
 * is simulated are the ports below them and what goes wrong there: messages
 * that are late or lost, stores that forget, clocks that stop, elements that
 * die or fill up, lists that change. After each event the world is looked at
 * from outside, by one who knows all of it:
 *
 *   writer     no write under an epoch below one that was seen, and no epoch
 *              under which two have written
 *   choice     no element that has been full, sick or removed for longer than
 *              is allowed would be chosen by any gateway
 *   room       no file system has promised more than it has, and nobody is
 *              refused for lack of room that has been there for long
 *   leader     when nothing is wrong there is one, soon
 *   end        when the faults have ended all gateways see the same elements,
 *              those that there are
 *
 * The same configuration gives the same run, event by event.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/err.h"
#include "base/mono.h"

#define SIM_INGESTERS_MAX 1000
#define SIM_ELEMENTS_MAX  20000
#define SIM_HOURS_MAX     10000

/* What may go wrong: code, name, what it is. */
#define SIM_FAULTS(X)                                                        \
    X(SIM_CUT, "cut", "a gateway loses the store, or its answers, or some")  \
    X(SIM_FAR, "far", "a gateway loses some of the elements, or all")        \
    X(SIM_SLOW, "slow", "messages take up to 20 s")                          \
    X(SIM_PAUSE, "pause", "a gateway stands still, as after SIGSTOP")        \
    X(SIM_CLOCK, "clock",                                                    \
      "its clocks stand still too, or its wall clock "                       \
      "jumps")                                                               \
    X(SIM_KILL, "kill", "a gateway is killed and comes back, or is stopped") \
    X(SIM_STORE, "store", "the store is gone for a while")                   \
    X(SIM_FORGET, "forget", "and has forgotten everything")                  \
    X(SIM_FAILOVER, "failover",                                              \
      "a replica follows that lacks the last "                               \
      "writes, perhaps the last epoch")                                      \
    X(SIM_DEATH, "death", "elements die and come back")                      \
    X(SIM_FULL, "full", "elements fill up and empty")                        \
    X(SIM_CHURN, "churn", "elements are added, removed, moved, changed")

/* What can be taken out of the product, to see that the checks find it. */
#define SIM_BREAKS(X)                                             \
    X(SIM_NO_FENCE, "fence", "the store does not compare epochs") \
    X(SIM_NO_SIT_OUT, "sit-out",                                  \
      "nobody notices that the store is another "                 \
      "one")                                                      \
    X(SIM_NO_ACCOUNT, "account",                                  \
      "elements promise what is free, to whoever asks")           \
    X(SIM_NO_READ, "read", "gateways hardly ever read the store") \
    X(SIM_NO_LIST, "list", "Admin does not write its list again")

#define X(code, name, text) code##_BIT,
enum sim_fault_bit { SIM_FAULTS(X) SIM_FAULT_COUNT };
enum sim_break_bit { SIM_BREAKS(X) SIM_BREAK_COUNT };
#undef X
#define X(code, name, text) code = 1 << code##_BIT,
enum sim_fault { SIM_FAULTS(X) };
enum sim_break { SIM_BREAKS(X) };
#undef X
#define SIM_ALL ((1u << SIM_FAULT_COUNT) - 1)

struct sim_conf {
    uint64_t seed;
    struct dur length; /* of the part in which things go wrong */
    struct dur quiet;  /* behind it; the end is checked then (0: it is not) */
    unsigned ingesters;
    unsigned elements;
    unsigned faults;    /* bits of enum sim_fault */
    unsigned breaks;    /* bits of enum sim_break */
    struct dur refresh; /* 0: the gateway's default */
    unsigned uploads;   /* that begin in an hour, at all gateways */
    /* A line for each fault and each change of leader; may be NULL. */
    void (*tell)(void *arg, const char *line);
    void *tell_arg;
};

struct sim_report {
    char bad[192];  /* what was wrong, with the time; "": nothing */
    uint64_t hash;  /* of the run: the same twice, or it was not the same run */
    struct dur ran; /* virtual time */
    uint64_t events;
    uint64_t polls;    /* requests that arrived at elements */
    uint64_t requests; /* that arrived at the store, */
    uint64_t bytes;    /* and of them and the answers, without the protocol's */
    uint64_t writes;   /* accepted, under an epoch */
    uint64_t refused;  /* as stale */
    uint64_t epochs;   /* acquired */
    uint64_t faults;   /* that began */
    uint64_t judged;   /* verdicts on elements that were checked */
    /* Uploads: all, and what became of them. */
    uint64_t uploads, stored, failed;
    uint64_t no_room;  /* refused with 507 */
    uint64_t unplaced; /* with 503 */
    uint64_t promised; /* bytes at a time on one file system, at most */
    /* The longest that was seen, while nothing else was wrong. */
    struct dur leaderless;
    struct dur crash, release; /* of a leader: until there is another */
    struct dur full_seen, sick_seen, removed_seen;
};

/* ERR_NOMEM is all that can fail; what is wrong in the world is in *OUT. */
enum err sim_run(const struct sim_conf *c, struct sim_report *out);

const char *sim_fault_name(unsigned bit);
const char *sim_fault_text(unsigned bit);
const char *sim_break_name(unsigned bit);

#endif
