/* select.h - which storage element takes this upload, and why not the others.
 *
 * Sequential fill (ING-105...ING-111): of the elements whose mode fits the
 * retention, the one with the lowest (priority, element_id) that has room is
 * filled first. FILL_WIDTH opens the first k that have room instead of one, and
 * TURN spreads uploads over them; DATACENTER puts the elements of a location
 * before all others (D08).
 *
 * The answer is a choice and a verdict on every element, with the numbers that
 * led to it, so that `artstore se why` and the 507 body can tell (D06, D08).
 * A function of its arguments: no state, no clock, no memory.
 *
 * Many gateways choose a thousand times a second among up to thousands of
 * elements that change every few seconds. So the order is worked out once for
 * a list (select_order(), core/snapshot.h), and a choice walks it until enough
 * have room: usually past the full ones to the first. How many files there are
 * is not an input. bench/select_bench.c measures it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SELECT_H
#define CORE_SELECT_H

#include "base/base.h"
#include "core/breaker.h"

#define SELECT_MAX          256 /* elements of select_run() */
#define SELECT_WIDTH_MAX    64  /* of fill_width */
#define SELECT_SIZE_UNKNOWN UINT64_MAX
/* Data, attr.json, and a file of block checksums. */
#define SELECT_INODES 3

enum select_mode { /* as enum blob_mode */
                   SELECT_EDIT,
                   SELECT_RW,
                   SELECT_RO,
                   SELECT_AR,
};

enum select_status { /* ING-113, as enum blob_status; with hysteresis (D07) */
                     SELECT_OK,
                     SELECT_WARNING,
                     SELECT_CRITICAL,
                     SELECT_FULL,
};

/* Why an earlier attempt of this request rules the element out (ING-118). */
enum select_excluded {
    SELECT_NOT_EXCLUDED,
    SELECT_FAILED,  /* it did not answer, or answered nonsense */
    SELECT_REFUSED, /* it said 507 */
};

/* What a reason means for the client: try later (503), or not without room
 * (507), or neither. */
enum select_kind {
    SELECT_YES,
    SELECT_LATER,
    SELECT_ROOM,
    SELECT_NEVER,
};

/* code, name, kind, text of the explanation */
#define SELECT_REASONS(X)                                                 \
    X(SELECT_CHOSEN, "chosen", SELECT_YES, "is chosen")                   \
    X(SELECT_WAITS, "waits", SELECT_YES,                                  \
      "has room, but others are filled before it")                        \
    X(SELECT_WRONG_MODE, "wrong_mode", SELECT_NEVER,                      \
      "is of another mode than the retention needs")                      \
    X(SELECT_NO_MORE, "excluded", SELECT_LATER,                           \
      "failed an earlier attempt of this upload")                         \
    X(SELECT_NO_MORE_ROOM, "excluded_full", SELECT_ROOM,                  \
      "refused an earlier attempt of this upload for lack of room")       \
    X(SELECT_UNREACHABLE, "unreachable", SELECT_LATER, "does not answer") \
    X(SELECT_UNHEALTHY, "unhealthy", SELECT_LATER,                        \
      "cannot be written to at present")                                  \
    X(SELECT_CIRCUIT, "circuit_open", SELECT_LATER,                       \
      "failed too often of late")                                         \
    X(SELECT_STALE, "stale", SELECT_LATER,                                \
      "has not said for long how full it is")                             \
    X(SELECT_UNLISTED, "unlisted", SELECT_LATER,                          \
      "is not among those that the poller lists as available")            \
    X(SELECT_IS_FULL, "full", SELECT_ROOM, "is over its full mark")       \
    X(SELECT_NO_SPACE, "no_space", SELECT_ROOM, "has too little room")    \
    X(SELECT_NO_INODES, "no_inodes", SELECT_ROOM, "has too few free inodes")

enum select_reason {
#define X(code, name, kind, text) code,
    SELECT_REASONS(X)
#undef X
        SELECT_REASON_COUNT
};

struct select_element {
    const char *element_id;
    const char *location;
    enum select_mode mode;
    int priority; /* lower is filled earlier (ING-109) */
    enum select_status status;
    uint64_t available;    /* bytes, after reservations and headroom */
    uint64_t inodes_total; /* 0: the file system does not count them */
    uint64_t inodes_available;
    bool unreachable;
    bool unwritable; /* its health forbids writing, whatever its mode */
    bool circuit_open;
    bool stale;
    bool unlisted; /* not in capacity:{mode}:available (CAP-062) */
    enum select_excluded excluded;
    /* CAP-061: stale from then on; {0}: never */
    struct mono fresh_until;
};

/* What changes between two lists and belongs to this gateway: beside element
 * i, place i. */
struct select_live {
    struct breaker breaker;
    uint64_t promised; /* bytes of uploads under way that the element's
                          numbers do not show yet (D28) */
};

/* An element that this request must not have again. */
struct select_out {
    uint32_t index;
    enum select_excluded why;
};

struct select_request {
    uint64_t size;          /* or SELECT_SIZE_UNKNOWN */
    uint64_t unknown_need;  /* room asked for then (64 MiB, D28) */
    uint64_t reserve;       /* kept free besides (ING-111) */
    enum select_mode mode;  /* select_mode_of(retention) */
    const char *datacenter; /* NULL or "": none is preferred; for ordering */
    unsigned fill_width;    /* 0 is 1, SELECT_WIDTH_MAX at most */
    uint64_t turn; /* which of the open elements: any number that changes */
    struct mono now;
    const struct select_live *live;      /* NULL: nothing is known */
    const struct breaker_conf *breakers; /* with live */
    const struct select_out *out;
    unsigned n_out;
    bool doubt; /* take no numbers for granted: select_doubted() */
};

struct select_verdict {
    enum select_reason reason;
    uint64_t need; /* bytes or inodes that were asked for */
    uint64_t have;
    unsigned rank; /* in the order of filling, from 1 */
};

struct select_result {
    int chosen;            /* index of the element, or -1 */
    enum select_kind kind; /* YES; else ROOM (507), LATER (503) or NEVER (503:
                              no element of this mode) */
};

/* ING-106: TEMPORARY is 0, PERMANENT is 1 (enum retention). */
enum select_mode select_mode_of(int retention);

/* Writes the places of E in the order of filling: those of DATACENTER, then by
 * priority, then by id. ORDER and SCRATCH have N places. */
void select_order(const struct select_element *e, size_t n,
                  const char *datacenter, uint32_t *order, uint32_t *scratch);

/* Chooses along ORDER. VERDICT has N places, by element; or it is NULL when
 * only the choice is wanted, which is faster: nobody behind the last that is
 * open is looked at. */
struct select_result
select_pick(const struct select_request *q, const struct select_element *e,
            const uint32_t *order, size_t n, struct select_verdict *verdict);

/* For when select_pick() says that nobody has room: what was polled is seconds
 * old, and the element's ledger is the account (D28). The element that would do
 * but for its numbers, with the largest of them; or ROOM: there is none, or
 * each has refused itself. */
struct select_result select_doubted(const struct select_request *q,
                                    const struct select_element *e, size_t n);

/* Both for N elements, SELECT_MAX at most. */
struct select_result
select_run(const struct select_request *q, const struct select_element *e,
           size_t n, struct select_verdict *verdict);

const char *select_reason_name(enum select_reason r); /* "no_space" */
enum select_kind select_reason_kind(enum select_reason r);

/* "has too little room: 30.0 MiB are needed, 22.6 MiB are free" in at most N
 * bytes; returns OUT. Whose verdict it is the caller says. */
const char *select_explain(const struct select_verdict *v, char *out, size_t n);

#endif
