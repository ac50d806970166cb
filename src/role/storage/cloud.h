/* cloud.h - a storage element in a bucket: port/blob.h on top of port/objects.h
 * and port/index.h (STO-008, D38).
 *
 *     superblock                     which element this is (wire/superblock.h)
 *     owner                          the process that serves it
 *     data/2026/11/21/{file_id}      the bytes
 *     data/.../{file_id}.crc32c      block checksums, of large files
 *     data/.../{file_id}.attr.json   the authority (wire/attr.h)
 *     tombs/{file_id}.{what}         deletes, and attempts given up
 *
 * The bytes have the file's id for a name and its birthday (UUIDv7) for a
 * folder: an upload in parts must be named before anything but the id is
 * known, and a bucket does not rename. The storage_filename is in attr.json.
 *
 * An upload is: the data (one put, or parts that are made into an object at the
 * end), the checksums, attr.json, the index, the answer. attr.json makes the
 * file visible: what comes before is nothing until then, and is removed when
 * something fails, now or at the next start. A delete is: tombstone, attr.json,
 * data (D30).
 *
 * What a disk promises by a sync a bucket promises by an answer. But a request
 * without an answer may have been carried out, or still may be: whatever could
 * not be removed is remembered as a debt, tried again every few seconds, and
 * keeps other attempts at that file away until it is paid.
 *
 * The index is local and can be made anew from the bucket. After an unclean
 * stop only the folders that were written to are read again.
 *
 * Memory: bodies are gathered into parts of PART_SIZE (8 MiB) at least, since
 * S3 wants at most 10,000 parts of 5 MiB or more; larger ones when the length
 * is known to need them, or grows so far (cloud_part_size()). All parts of an
 * element share one budget, served first come, first served; an upload whose
 * parts would not fit into it is refused.
 *
 * A bucket has no lock. Who opens the element writes a random word into
 * `owner`; who finds another's word there stops taking writes (every 30 s).
 * That is a net under a mistake, not a way to run two.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_CLOUD_H
#define ROLE_STORAGE_CLOUD_H

#include "port/objects.h"
#include "role/storage/element.h"

#define CLOUD_PART_LEAST ((uint64_t)8 * 1024 * 1024)

struct cloud_conf {
    uint64_t limit;  /* S3_SOFT_CAPACITY_LIMIT (STO-021); 0: not set, nothing is
                       taken */
    uint64_t memory; /* of all parts; 0: 64 MiB */
    uint64_t part_size; /* 0: CLOUD_PART_LEAST; multiple of BLOCK_SIZE */
    uint64_t nonce;     /* random: the word in `owner` */
};

/* As element_init(). Blocks. */
enum err cloud_init(struct objects *o, const struct element_birth *birth,
                    const struct hash_kernels *hash, struct fault *f);

/* As element_open(): what comes out is an element like any other. O, INDEX and
 * POOL, which is this element's alone, must outlive it. Blocks. */
enum err cloud_open(struct element **out, const struct element_conf *conf,
                    const struct cloud_conf *cloud, struct objects *o,
                    struct index *index, struct element_pool *pool,
                    struct element_report *report, struct fault *f);

/* As element_rebuild(). */
enum err
cloud_rebuild(struct objects *o, struct index *index, const char *id,
              const struct hash_kernels *hash, bool check_only, bool deep,
              struct element_report *report, struct fault *f);

/* As element_rename(), after an orderly stop only: a bucket has no lock, and
 * while its element is served the superblock is not ours. ERR_BUSY: it was not
 * stopped so. */
enum err cloud_rename(struct objects *o, const char *id,
                      const struct hash_kernels *hash, struct fault *f);

/* Another limit from now on. E is a cloud's. Any thread. */
void cloud_set_limit(struct element *e, uint64_t limit);

/* Bytes of part NUMBER (from 1), a multiple of BLOCK_SIZE. With SIZE known all
 * parts are as large as 10,000 of them must be; else they double every 1,000
 * parts, so that 10,000 are more than 5 TiB and the first 7.8 GiB cost no more
 * memory than LEAST. */
uint64_t cloud_part_size(uint64_t least, uint64_t size, unsigned number);

#endif
