/* blobs.h - an element as gateways in other processes see it: port/blob.h over
 * HTTP (wire/blobs.h has the paths).
 *
 * Admitted attempts stand in a table, by (file_id, attempt), with a ceiling. An
 * attempt belongs to whoever speaks for it, over whichever connection; one
 * request at a time. One that nobody has spoken for during `lease` is given up,
 * since its gateway is gone (D27).
 *
 * What a repetition is answered: an admission that was answered already, the
 * same; a publish or put of what is stored already, the first result, also
 * after a restart; an abort, whether it came too late. So a gateway that has
 * lost an answer asks again (D26, D27).
 *
 * Bodies are received into the blocks of the process's pool, no more than one
 * at a time for an append, and up to 8 MiB for a put, whose bytes lie still
 * until its footer has been checked. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_BLOBS_H
#define ROLE_STORAGE_BLOBS_H

#include "role/common/route.h"
#include "role/storage/element.h"

struct blobs_api;

struct blobs_conf {
    const struct hash_kernels *hash;
    unsigned attempts_max; /* 0: 1,024 */
    struct dur lease;      /* 0: 60 s */
    uint64_t seed;
    bool relaxed; /* what E acknowledges is not synced yet: it is told (D10) */
};

/* E must outlive it; it must outlive the router that has its table. NULL: no
 * memory. */
struct blobs_api *blobs_open(struct element *e, const struct blobs_conf *conf);
void blobs_close(struct blobs_api **a); /* after blobs_stop() */
struct route_table blobs_routes(struct blobs_api *a);

/* Begins and ends the watch over leases, on L's thread. blobs_stop() also gives
 * up the attempts that are left; no request may be under way any more. DONE is
 * called there when none is left. */
void blobs_start(struct blobs_api *a, struct loop *l);
void blobs_stop(struct blobs_api *a, void (*done)(void *arg), void *arg);

/* Attempts in the table now. From any thread. */
unsigned blobs_attempts(struct blobs_api *a);

#endif
