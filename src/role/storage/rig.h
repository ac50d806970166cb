/* rig.h - an element in memory for tests: disk_rec and index_mem, each behind
 * its failing driver. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_RIG_H
#define ROLE_STORAGE_RIG_H

#include "port/blob_story.h"
#include "port/disk_fail.h"
#include "port/disk_rec.h"
#include "port/index_fail.h"
#include "port/index_mem.h"
#include "role/storage/element.h"

struct rig {
    struct disk *rec;
    struct index *mem;
    struct disk_fail disk;
    struct index_fail index;
    struct element_pool *pool;
    struct ledger_conf ledger;
    struct element *element;
    struct element_report report; /* of the last start */
    struct loop_mem loop;
    struct blob_story story;
    struct fault fault;
    const char *element_id; /* NULL: whichever it is */
    enum blob_mode mode;
    uint64_t journal_max;
    bool relaxed;
    unsigned batch_max;
    uint32_t bucket_files;
};

/* A newborn element; opened. CONF may be NULL. */
void rig_init(struct rig *r, const struct disk_rec_conf *conf);
/* Around a disk (of a crash, say) and an index that are there; both are the
 * rig's then. Not opened. */
void rig_adopt(struct rig *r, struct disk *rec, struct index *mem);
enum err rig_open(struct rig *r);
void rig_close(struct rig *r); /* the element, if it is open */
/* Stops as kill -9 does: nothing is written any more. */
void rig_kill(struct rig *r);
void rig_release(struct rig *r);

/* Rows of the index; asserts that a rebuild would say the same, that no file
 * lies around, and that no handle was leaked. The element must be closed. */
unsigned rig_audit(struct rig *r);
/* Asserts that the change log of the open element has every number, once. */
void rig_check_log(struct rig *r);

#endif
