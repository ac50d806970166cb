/* superblock.h - the file at the root of a storage element that says which
 * element it is (D31), and what a start after an unclean stop must look at.
 *
 * Identity is the UUID here, never a path or a name. JSON with a checksum of
 * itself, replaced as a whole. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_SUPERBLOCK_H
#define WIRE_SUPERBLOCK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/uuid.h"

#define SUPERBLOCK_FORMAT    1
#define SUPERBLOCK_DIRTY_MAX 1024 /* buckets named; beyond: all are dirty */
#define SUPERBLOCK_TEXT_MAX  (96 * KIB)
#define SUPERBLOCK_BUCKET    32

struct superblock {
    uint32_t format_min; /* oldest and newest form of what is stored here */
    uint32_t format_max;
    struct uuid element_uuid;
    struct uuid installation_id;
    char label[65];
    char mode[8]; /* at birth: "edit", "rw", "ro", "ar" */
    /* The latest that it has served in; "" in one that has not served, and in
     * those of before this was written down. */
    char latest_mode[8];
    char pool_id[33];
    struct wall created_at;
    uint64_t boot;   /* starts so far */
    uint64_t seq;    /* last number of the change log, when CLEAN */
    uint64_t synced; /* at this boot: numbers that are durable for sure */
    /* What the index held when it was last known to be durable; exactly that
     * when CLEAN. An index that holds less is not the one of this element, or
     * an old one. */
    uint64_t index_seq;
    uint64_t index_files;
    uint64_t index_stored;
    bool clean;
    bool index_lost; /* being made anew; until then it proves nothing */
    bool all_dirty;
    uint32_t n_dirty;
    char dirty[SUPERBLOCK_DIRTY_MAX][SUPERBLOCK_BUCKET];
};

struct hash_kernels;

bool superblock_encode(struct buf *out, const struct superblock *s,
                       const struct hash_kernels *k);
/* ERR_CORRUPT: damaged or not a superblock. ERR_UNSUPPORTED: whole, but what is
 * stored needs a later version of artstore. */
enum err superblock_decode(struct superblock *s, struct slice text,
                           const struct hash_kernels *k);

#endif
