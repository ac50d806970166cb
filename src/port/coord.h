/* coord.h - what gateways agree on while they run: who leads, how full elements
 * are, who may ask how often, how much room is promised (architecture.md
 * section 6). Nothing here is the only truth of anything: all of it may vanish
 * and is made anew.
 *
 * Drivers: port/coord_mem.c (this process), io/coord_redis.c; port/coord_fail.c
 * for tests. port/coord_contract.c holds each of them to this page, 100,000
 * random operations against a naive model among it.
 *
 * One kind of request for all operations, so that a driver has one entry and a
 * remote one can send many at once. The caller owns and embeds it; it is
 * submitted from a loop, and DONE runs later on that loop, exactly once, with
 * `err` set (and `fault`, when err is a fault). What it points to must live
 * until then. Each operation is atomic, in the order in which they arrive.
 *
 *     struct coord_request r = {.loop = l, .done = got, .op = COORD_LEASE_TAKE,
 *                               .key = "capacity_monitor:leader_lock",
 *                               .owner = me, .ttl = dur_s(30)};
 *     coord_submit(c, &r);
 *
 * Keys are of one kind each; to use one as another kind is ERR_INVAL. Ceilings
 * are answers: ERR_TOOBIG for one value, ERR_NOMEM when the driver is full.
 * A key without a member left is gone. Times are whole milliseconds.
 *
 * A remote driver answers ERR_IO, ERR_TIMEOUT (its own, or `wait`) or
 * ERR_DENIED when it could not learn what happened: the operation was done, or
 * it was not. No operation waits for ever.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_H
#define PORT_COORD_H

#include "base/buf.h"
#include "base/err.h"
#include "port/loop.h"

#define COORD_KEY_MAX    250               /* bytes of a key, owner or member */
#define COORD_VALUE_MAX  ((size_t)8192)    /* of a field */
#define COORD_PAIRS_MAX  64                /* fields of one hash_put */
#define COORD_TEXT_MAX   ((size_t)2 * MIB) /* of a text, or a message */
#define COORD_WRITES_MAX 16                /* of one COORD_ALL */

enum coord_op {
    /* Lease (D09, D32). TAKE: ERR_BUSY when someone else holds it; `left` is
     * how long for. Else the lease is OWNER's for TTL, under a new epoch: the
     * highest of the last one + 1, the time in ms, and `floor`. An owner may
     * take what it holds already. Epochs never expire. */
    COORD_LEASE_TAKE,  /* key, owner, ttl, floor -> epoch, left */
    COORD_LEASE_RENEW, /* key, owner, epoch, ttl; ERR_CONFLICT: lost */
    COORD_LEASE_FREE,  /* key, owner, epoch; ERR_CONFLICT: not yours */

    /* Hash. PUT sets the fields of `pairs` and leaves others; TTL is of the
     * whole key, and 0 leaves it as it is (a new key: for ever). GET appends
     * all fields, by name, to `pairs` (their bytes to `out`); ERR_NOENT. */
    COORD_HASH_PUT, /* key, pairs, n, ttl, guard */
    COORD_HASH_GET, /* key, pairs, cap, out -> n; ERR_TOOBIG: cap or out */
    /* Removes any key but a lease; ERR_NOENT when it was not there. */
    COORD_DEL, /* key, guard */

    /* Text. PUT replaces what is there, with its TTL; 0: for ever. GET appends
     * to `out` (ERR_TOOBIG: its ceiling); ERR_NOENT. To LEASE_TAKE a text is a
     * lock that somebody took by other means: ERR_BUSY, unless it is OWNER. */
    COORD_TEXT_PUT, /* key, value, ttl, guard */
    COORD_TEXT_GET, /* key, out */

    /* Sorted set: members with a score, in the order of (score, bytes). TTL as
     * above. DEL: ERR_NOENT when it was not in. RANGE: no key is an empty
     * set. */
    COORD_ZSET_PUT,   /* key, member, score, ttl, guard */
    COORD_ZSET_DEL,   /* key, member, guard */
    COORD_ZSET_RANGE, /* key, pairs, cap, out -> n: the first CAP */

    /* A sorted set as a log of changes. RAISE: MEMBER comes behind all others;
     * its score becomes the highest that there was + 1, and at least `score`
     * (which is 1 or more). CHANGED: the hashes PREFIX + member of the first
     * AMOUNT members whose score is above `score`, in order; `member` is the
     * prefix. In `pairs` each is its name with its score, followed by its
     * fields, by name, whose scores are 0: none when there is no such hash, a
     * nameless one when it is a text. `number` is the highest score of all, 0
     * when there is none; lower than `score`, it is another set than was asked
     * before. ERR_TOOBIG: cap or out; one member needs up to 257 pairs. */
    COORD_ZSET_RAISE, /* key, member, score, ttl, guard */
    COORD_CHANGED,    /* key, member, score, amount, pairs, cap, out -> n,
                         number */

    /* Several changes as one: all of `writes` or, unless ERR_OK, none of them.
     * Each key comes once; what a DEL or ZSET_DEL does not find is no error.
     * `number` is how many changed something. */
    COORD_ALL, /* writes, n, guard */

    /* To all who are subscribed; `number` is how many there were (a remote
     * driver counts processes). A message is a hint: it can be lost, never
     * doubled. */
    COORD_PUBLISH, /* key, value */

    /* Token bucket: BURST tokens at most, one more every PER. Takes AMOUNT, or
     * none: ERR_AGAIN, `left` is how long until there are enough. `number` is
     * how many tokens remain. ERR_TOOBIG: more than BURST. PER and BURST may
     * be others than before: what lacks is never more than BURST. */
    COORD_BUCKET_TAKE, /* key, per, burst, amount */

    /* Reservation: MEMBER asks for AMOUNT of a total of LIMIT for TTL; what it
     * had reserved is replaced. ERR_NOSPC, and what it had stays, when the sum
     * of all would exceed the limit. `number` is the sum. RELEASE: ERR_NOENT
     * when there was none (any more). */
    COORD_RESERVE, /* key, member, amount, limit, ttl (not 0) */
    COORD_RELEASE, /* key, member */

    COORD_OPS
};

struct coord_pair {
    struct slice name;
    struct slice value; /* hashes */
    int64_t score;      /* sorted sets */
};

/* One of COORD_ALL: HASH_PUT (64 pairs in all of them together), TEXT_PUT, DEL,
 * ZSET_PUT, ZSET_RAISE or ZSET_DEL, with the fields of the same names. */
struct coord_write {
    enum coord_op op;
    const char *key;
    const char *member;
    struct slice value;
    const struct coord_pair *pairs;
    unsigned n;
    struct dur ttl;
    int64_t score;
};

/* "Only while this lease is mine": else ERR_CONFLICT, and nothing is done. */
struct coord_guard {
    const char *key;
    const char *owner;
    uint64_t epoch;
};

struct coord_request {
    struct loop *loop;
    void (*done)(struct coord_request *r);
    enum coord_op op;
    const char *key;
    const char *owner;
    const char *member;
    struct slice value;
    const struct coord_guard *guard; /* may be NULL */
    struct coord_pair *pairs;
    const struct coord_write *writes;
    unsigned n;
    unsigned cap;
    struct buf *out;
    struct dur ttl;
    struct dur per;
    uint64_t epoch;
    uint64_t floor;
    int64_t score;
    uint64_t burst;
    uint64_t amount;
    uint64_t limit;
    struct dur wait; /* for a remote store; 0: as long as the driver was told */
    /* results */
    enum err err;
    struct fault fault;
    struct dur left;
    uint64_t number;
    /* Which life of which store answered; 0: none did. Another value than
     * before means that the store may have forgotten what it had told: who
     * leads sits out one TTL then (D32). */
    uint64_t life;
    /* With an error: it certainly was not carried out, nothing was sent. */
    bool unsent;
    /* the driver's */
    struct task task;
    void (*passed)(struct coord_request *r);
    void *driver;
    void *priv; /* the caller's */
};

/* A subscription. MESSAGE runs on LOOP; MSG is valid during the call. */
struct coord_sub {
    struct loop *loop;
    const char *channel; /* lives as long as the subscription */
    void (*message)(struct coord_sub *s, struct slice msg);
    /* Messages dropped because too many were waiting; and one for each time
     * that the way to the store was cut, since some may have been missed. */
    uint64_t lost;
    void *node; /* the driver's */
    void *priv;
};

struct coord;

struct coord_ops {
    void (*submit)(struct coord *c, struct coord_request *r);
    /* Both immediate, on s->loop's thread. ERR_NOMEM: too many. After
     * unsubscribe() no message comes; it may be called twice. */
    enum err (*subscribe)(struct coord *c, struct coord_sub *s);
    void (*unsubscribe)(struct coord *c, struct coord_sub *s);
    /* Nothing is under way and nobody subscribed. */
    void (*close)(struct coord *c);
};

struct coord {
    const struct coord_ops *ops;
};

static inline void
coord_submit(struct coord *c, struct coord_request *r)
{
    c->ops->submit(c, r);
}

static inline enum err
coord_subscribe(struct coord *c, struct coord_sub *s)
{
    return c->ops->subscribe(c, s);
}

static inline void
coord_unsubscribe(struct coord *c, struct coord_sub *s)
{
    c->ops->unsubscribe(c, s);
}

const char *coord_op_name(enum coord_op op); /* "lease_take" */

#endif
