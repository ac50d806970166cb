/* cloud_rig.h - an element in a bucket in memory, for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_CLOUD_RIG_H
#define ROLE_STORAGE_CLOUD_RIG_H

#include "port/blob_story.h"
#include "port/index_fail.h"
#include "port/index_mem.h"
#include "port/objects_mem.h"
#include "role/storage/cloud.h"

struct cloud_rig {
    struct objects_mem store;
    struct objects *objects; /* STORE's, unless it was given */
    struct index *mem;
    struct index_fail index;
    struct element_pool *pool;
    struct element *element;
    struct element_report report; /* of the last start */
    struct loop_mem loop;
    struct blob_story story;
    struct cloud_conf conf;
    struct fault fault;
    const char *element_id; /* NULL: whichever it is */
    enum blob_mode mode;
};

/* A newborn element; opened. O NULL: in memory; else a bucket that is empty.
 * INDEX NULL: in memory. */
void
cloud_rig_init(struct cloud_rig *r, struct objects *o, struct index *index);
enum err cloud_rig_open(struct cloud_rig *r);
void cloud_rig_close(struct cloud_rig *r);
/* Stops as kill -9 does: the store hears nothing any more. */
void cloud_rig_kill(struct cloud_rig *r);
void cloud_rig_release(struct cloud_rig *r);
/* Rows of the index; asserts that it says what the bucket holds, and that
 * nothing else lies there. The element must be closed. */
unsigned cloud_rig_audit(struct cloud_rig *r);
void cloud_rig_check_log(struct cloud_rig *r);

#endif
