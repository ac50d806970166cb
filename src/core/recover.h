/* recover.h - after an unclean stop: what becomes of each name in a bucket
 * that was being written to (D33, D35).
 *
 * The facts about one file are gathered by the driver from the folder, the
 * journal and the index; this core says what to do. The principles:
 *
 *   - What is proved to have been synced is never removed in silence. Proof is
 *     a number up to the journal's SYNCED, or a row in the index (rows are
 *     committed after the sync). If it is damaged all the same, that is damage:
 *     reported, and what is left is kept in quarantine.
 *   - What is not proved is verified to the last byte: complete files are
 *     synced, then published (their acknowledgement may or may not have left);
 *     all others are removed, since nobody was told of them.
 *   - When the index was lost, a missing row proves nothing: what would have
 *     been removed goes into quarantine then.
 *   - A tombstone wins over everything.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RECOVER_H
#define CORE_RECOVER_H

#include "base/base.h"

enum recover_attr {
    RECOVER_ATTR_NONE,
    RECOVER_ATTR_BAD,     /* torn, damaged, or tells of another file */
    RECOVER_ATTR_FOREIGN, /* whole, but of another element */
    RECOVER_ATTR_LATER,   /* whole, of a later format */
    RECOVER_ATTR_OK,
};

enum recover_check { /* bytes against the checksum in attr.json */
                     RECOVER_UNCHECKED,
                     RECOVER_MATCH,
                     RECOVER_MISMATCH,
};

struct recover_facts {
    bool has_data;
    uint64_t size; /* of the data */
    bool has_sidecar;
    enum recover_attr attr;
    uint64_t attr_seq;
    uint64_t attr_size; /* stored size that attr.json tells */
    bool need_sidecar;
    bool has_row; /* in the index */
    uint64_t row_seq;
    bool index_lost; /* and made anew without this bucket */
    bool tomb;       /* deleted after it was stored */
    bool superseded; /* the index has a later file of this id elsewhere */
    uint64_t synced; /* the journal's promise */
    enum recover_check check;
};

enum recover_verdict {
    RECOVER_VERIFY,     /* compare the bytes, then ask again */
    RECOVER_KEEP,       /* as it is; the index gets its row if it has none */
    RECOVER_PUBLISH,    /* sync its files and the folder, then index it */
    RECOVER_REMOVE,     /* attr.json, sidecar, data; index row if any */
    RECOVER_SETTLE,     /* the same, for a tombstone */
    RECOVER_QUARANTINE, /* damage: aside, with a report; index row removed */
    RECOVER_MISSING,    /* damage: a row without a file; row removed */
    RECOVER_LEAVE,      /* not ours to judge: reported, untouched */
};

enum recover_verdict recover_decide(const struct recover_facts *f);
const char *recover_verdict_name(enum recover_verdict v);

#endif
