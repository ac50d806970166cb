/* scan.h - what stands in the folders of an element, file by file; for recovery
 * and rebuild. Private to role/storage. Blocks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_SCAN_H
#define ROLE_STORAGE_SCAN_H

#include "hash/hash.h"
#include "port/disk.h"
#include "wire/attr.h"
#include <stdatomic.h>

#define SCAN_NAMES_MAX ((size_t)100000) /* in one folder; beyond: ERR_TOOBIG */

/* The names that belong to one file. */
struct scan_file {
    const char *name; /* storage_filename */
    bool has_data;
    bool has_sidecar;
    bool has_attr;
};

typedef enum err
scan_file_fn(void *arg, const struct scan_file *f, struct fault *fault);
/* In order of names. Stops at the first answer that is not ERR_OK. */
enum err scan_folder(struct disk *d, int dir, scan_file_fn *fn, void *arg,
                     struct fault *f);

typedef enum err
scan_bucket_fn(void *arg, const char *bucket, struct fault *fault);
/* All buckets below DATA, in order of their dates. */
enum err scan_buckets(struct disk *d, int data, scan_bucket_fn *fn, void *arg,
                      struct fault *f);

/* Reads NAME's attr.json in DIR. ERR_NOENT, ERR_CORRUPT (also when it is too
 * large or tells of another name), ERR_UNSUPPORTED, or a fault. DOC goes to
 * attr_release() with ERR_OK. */
enum err scan_attr(struct disk *d, int dir, const char *name,
                   const struct hash_kernels *hash, struct attr_doc *doc,
                   struct fault *f);

/* What scan_verify() does besides. */
struct scan_also {
    const atomic_bool *cancel; /* looked at between blocks */
    struct hash_state state;   /* of all that was read */
    uint64_t read;             /* bytes */
};

/* Reads all of the data, from the device, and the sidecar if there is one.
 * ERR_OK, ERR_CORRUPT, ERR_CANCELED, or a fault. ALSO may be NULL. */
enum err scan_verify(struct disk *d, int dir, const struct attr_doc *doc,
                     const struct hash_kernels *hash, struct scan_also *also,
                     struct fault *f);

#endif
