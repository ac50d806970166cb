/* meta_attr.h - the columns of attr_columns.h through db.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_META_ATTR_H
#define IO_META_ATTR_H

#include "io/attr_columns.h"
#include "io/db.h"

/* Copied at once, but for A's metadata and texts, which are read until the
 * statement ends. */
void meta_bind_file(struct db_tx *t, int first, const struct file_attr *a);
void meta_bind_copy(struct db_tx *t, int first, const struct file_attr *a);

/* False: no row of ours has such values. A->metadata belongs to the statement
 * until its next step; attr_own() makes it the caller's. */
bool meta_read_file(struct db_tx *t, int first, struct file_attr *a);
bool meta_read_copy(struct db_tx *t, int first, struct file_attr *a);

#endif
