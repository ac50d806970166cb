/* journal.h - one line per fact that an element must not forget between a
 * promise and its fulfilment.
 *
 *     \n CRC D file_id epoch seq ms bucket name    deleted; unlink what is left
 *     \n CRC X ...the same...                      expired
 *     \n CRC A file_id attempt ms                  given up; never publish it
 *     \n CRC S seq                                 all up to seq is durable
 *
 * Text, so that a person can read it. The CRC32C is of what follows it on the
 * line. Each append begins with an empty line, because what stood before it may
 * be missing after a power cut (two batches sync at the same time) and the
 * reader finds its place again at the next line. Damaged lines are skipped and
 * counted: they are appends that were never acknowledged.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOURNAL_H
#define WIRE_JOURNAL_H

#include "base/buf.h"
#include "base/mono.h"
#include "base/uuid.h"

enum journal_type {
    JOURNAL_DELETE = 'D',
    JOURNAL_EXPIRE = 'X',
    JOURNAL_ABORT = 'A',
    JOURNAL_SYNCED = 'S',
};

struct journal_record {
    enum journal_type type;
    struct uuid file_id;
    uint64_t number; /* DELETE, EXPIRE: epoch; ABORT: attempt */
    uint64_t seq;
    struct wall at;
    char bucket[32];
    char name[208];
};

struct hash_kernels;

bool journal_encode(struct buf *out, const struct journal_record *r,
                    const struct hash_kernels *k);
/* Takes the next whole record off *REST; false at the end. *DAMAGED counts the
 * lines that were none. */
bool journal_next(struct slice *rest, struct journal_record *out,
                  uint64_t *damaged, const struct hash_kernels *k);

#endif
