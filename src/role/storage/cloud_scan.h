/* cloud_scan.h - a bucket being read again; inside the element only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_CLOUD_SCAN_H
#define ROLE_STORAGE_CLOUD_SCAN_H

#include "role/storage/cloud_impl.h"

#define SCAN_MANY 16

struct found {
    struct uuid file_id;
    unsigned what; /* enum cloud_wrote */
    uint64_t size; /* of the data */
    uint64_t side; /* of the sidecar */
};

struct scan {
    struct cloud *c;
    struct element_report *rep;
    bool check_only;
    bool deep;
    bool all; /* not one date: rows are looked at in the end */
    struct object_req list;
    struct found group; /* being gathered */
    struct found want[SCAN_MANY];
    struct object_req get[SCAN_MANY];
    char *text[SCAN_MANY];
    size_t n_want;
    struct index_change change[CLOUD_BATCH];
    size_t n_change;
    struct uuid *seen; /* in order */
    size_t n_seen, cap_seen;
    struct uuid *gone; /* rows without objects */
    size_t n_gone, cap_gone;
    struct index_row row;
};

/* NULL: no memory. */
struct scan *scan_new(struct cloud *c, struct element_report *rep);
void scan_free(struct scan *s);
/* One folder, or the whole bucket; rows that have no objects, too. */
enum err scan_date(struct scan *s, const char *date, struct fault *f);
enum err scan_all(struct scan *s, struct fault *f);
/* Changes gather and are applied a batch at a time. A's metadata is S's. */
enum err scan_add_change(struct scan *s, enum index_op op, uint64_t seq,
                         const struct file_attr *a, struct fault *f);
enum err scan_flush_changes(struct scan *s, struct fault *f);
/* ERR_NOENT: not known. The row is in s->row, without metadata. */
enum err scan_row_of(struct scan *s, const struct uuid *id, struct fault *f);
/* The end of a delete that was begun: objects, then the row under the number
 * that the delete had. */
enum err scan_settle_delete(struct scan *s, const struct found *g,
                            const struct tomb *t, struct fault *f);

#endif
