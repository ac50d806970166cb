/* ingest.h - the upload gateway: files in, files out, over HTTP.
 *
 *     upload    params -> select -> admit -> lanes -> element -> 201
 *     download  registry -> element -> conditional, range -> bytes
 *
 * It sees elements as struct blob and the catalogue as struct registry and
 * cannot tell where either lives. One struct ingest serves all loops; what is
 * per loop is touched by that loop alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_INGEST_H
#define ROLE_INGEST_INGEST_H

#include "core/breaker.h"
#include "hash/hash.h"
#include "port/registry.h"
#include "role/common/route.h"

struct ingest;
struct monitor;
struct pull;
struct metrics;
struct log;

struct ingest_conf {
    uint64_t file_max; /* bytes of one file */
    uint64_t
        replay_window; /* bytes of a body that is kept until stored (D04) */
    uint64_t replay_budget; /* of all of them */
    /* All memory for blocks. No more than half of it is kept for replay: bodies
     * that keep what they have while they wait for more would else wait for
     * each other for ever. 0: there is enough. */
    uint64_t block_budget;
    enum retention retention; /* when the client says nothing */
    int64_t ttl_days;         /* of TEMPORARY files; 0: they stay */
    unsigned attempts;        /* elements tried for one upload */
    unsigned fill_width;      /* D08 */
    const char *datacenter;   /* preferred; "" none; copied */
    bool verify_reads;        /* D34 */
    unsigned gather_max; /* large uploads that one loop takes before the next */
    size_t cache_entries; /* open files kept per loop */
    const struct hash_kernels *hash;
    struct registry *registry;
    /* Where elements are in other processes: what is chosen from, and how their
     * logs come to Admin. NULL: the registry's elements, which feed it. */
    struct monitor *monitor;
    struct pull *pull;
    struct breaker_conf breakers; /* of them */
    struct metrics *metrics;
    struct mono (*clock)(void); /* for durations; NULL: not measured */
    struct log *log;
};

/* LOOPS: all that will call. Before they run. */
enum err ingest_open(struct ingest **out, const struct ingest_conf *c,
                     struct loop **loops, unsigned n_loops, struct fault *f);
/* Other file_max, retention, ttl_days, attempts, fill_width, datacenter,
 * breakers and verify_reads from now on; the rest of C is not read. While no
 * loop runs. */
void ingest_adjust(struct ingest *g, const struct ingest_conf *c);
/* When the loops have stopped. */
void ingest_close(struct ingest **g);
/* Drops what the loops keep open, so that elements can be closed. On each
 * loop's thread. */
void ingest_loop_quiesce(struct ingest *g, struct loop *l);

struct route_table ingest_routes(struct ingest *g);
/* Those that only a gateway alone has: in one process with Admin they are
 * Admin's. */
struct route_table ingest_gateway_routes(struct ingest *g);

#endif
