/* join.h - the roles of one process, put together over ports that are open
 * already (D02): the same assembly for the program and for the simulator.
 * Which roles there are is given; the embedded server has all.
 *
 *     elements  role/storage   one for each disk and index given
 *     registry  role/admin     over the catalogue
 *     gateway   role/ingest    sees elements and registry only
 *     router    role/common    all their routes behind one port
 *     blobs     role/storage   an element that gateways in other processes use;
 *                              only where it is alone
 *     far       gateway.h      what a gateway alone stands on instead of
 *                              elements and registry
 *
 * Roles that live together talk through in-process drivers of the same ports,
 * so the embedded server pays for no loopback HTTP.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef JOIN_JOIN_H
#define JOIN_JOIN_H

#include "core/ledger.h"
#include "join/gateway.h"
#include "port/disk.h"
#include "port/index.h"
#include "port/meta.h"
#include "port/objects.h"
#include "role/common/auth.h"
#include "role/common/system.h"
#include "role/ingest/ingest.h"

struct join;

/* One element, in a folder or in a bucket; what is opened for it is the
 * caller's and must outlive the join. */
struct join_element {
    char element_id[65];
    enum blob_mode mode;
    int priority;
    uint64_t quota;
    struct disk *disk;       /* or: */
    struct objects *objects; /* the bucket, */
    uint64_t limit;          /* S3_SOFT_CAPACITY_LIMIT, */
    uint64_t memory;         /* and what parts of uploads may take; 0: 64 MiB */
    struct index *index;
    char place[256]; /* its folder, for messages; "": the bucket tells */
    uint64_t device; /* elements of one file system share an account (D28) */
    bool fresh;      /* has no superblock yet: make one */
};

#define JOIN_INGEST  1u
#define JOIN_STORAGE 2u
#define JOIN_ADMIN   4u
#define JOIN_ALL     7u

struct join_conf {
    /* JOIN_ALL; JOIN_STORAGE with one element; JOIN_ADMIN; JOIN_INGEST */
    unsigned roles;
    struct loop **loops;
    unsigned n_loops;
    struct join_element *elements;
    unsigned n_elements;
    struct meta *meta; /* of Admin; else NULL */
    const struct auth_conf *auth;
    size_t token_cache;
    bool relaxed; /* DURABILITY of the elements here, buckets apart (D10) */
    struct ingest_conf ingest; /* registry, metrics and log are filled in */
    struct ledger_conf ledger;
    uint64_t bucket_limit; /* of elements in buckets: for join_adjust() */
    unsigned batch_max;    /* see struct element_conf */
    uint32_t bucket_files; /* the same */
    struct system_conf system;
    const char *location;
    const char *endpoint;
    const char *audience; /* of tokens, for the token endpoint */
    const char *issuer;
    struct dur token_life;
    struct fetch *fetch; /* for Admin, to try addresses; may be NULL */
    struct coord *coord; /* for Admin alone, to tell gateways of elements, */
    const char *channel; /* on this channel too; may be NULL */
    /* Of JOIN_INGEST alone: where others are; loops, hash, metrics, health, log
     * and clock are filled in. */
    struct gateway_conf far;
    struct log *log;
    struct metrics *metrics;
    struct health *health;
    struct wall now;
    /* Called when the route of a request is known; may be NULL. */
    void (*routed)(void *arg, struct exchange *x);
    void *routed_arg;
    struct mono (*clock)(void); /* of worker threads, for durations; may be
                                   NULL */
};

/* Blocks. The installation's id out of M; MAKE: a new one when there is none,
 * else that is ERR_NOENT. */
enum err
join_installation(struct meta *m, bool make, struct uuid *id, struct fault *f);
/* Blocks. Makes the element of S (D31), whose index is not needed. Answers as
 * element_init(). */
enum err
join_element_make(const struct join_element *s, const struct uuid *installation,
                  const struct hash_kernels *hash, struct wall now,
                  struct fault *f);

/* Blocks: recovers the elements and brings the catalogue up to date. *F names
 * what failed and what to do. */
enum err
join_open(struct join **out, const struct join_conf *c, struct fault *f);
struct serve_app *join_app(struct join *j);

/* Other limits of uploads and reads, thresholds and life of tokens from now on:
 * of C only ingest (see ingest_adjust()), ledger, bucket_limit and token_life
 * are read. While no loop runs. */
void join_adjust(struct join *j, const struct join_conf *c);

/* From any thread: what others know is asked anew; a gateway's list of elements
 * (REL-065). */
void join_reload(struct join *j);

/* The periodic work, on the first loop's thread. */
void join_start(struct join *j, struct loop *l);
/* From any thread, before the server drains: what takes long ends soon. */
void join_drain(struct join *j);
/* No exchange is under way any more. On each loop's thread: lets go of what the
 * loop keeps. */
void join_quiesce(struct join *j, struct loop *l);
/* On the first loop's thread, after the above on all loops; DONE there. */
void join_stop(struct join *j, void (*done)(void *arg), void *arg);
/* When the loops have stopped. */
void join_close(struct join **j);

#endif
