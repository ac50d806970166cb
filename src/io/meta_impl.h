/* meta_impl.h - what the two halves of meta_sqlite.h share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_META_IMPL_H
#define IO_META_IMPL_H

#include "base/base.h"
#include "io/sqlite_attr.h"
#include "port/meta.h"

struct meta_sqlite {
    struct meta meta;
    struct sql *w;     /* catalogue.db */
    struct sql *r;     /* the same to read; W itself when in memory */
    struct sql *admin; /* admin.db */
    uint64_t files;    /* totals, under W's lock, as committed */
    uint64_t bytes;
    struct uuid element; /* the one that fed last, and its number */
    int64_t element_n;   /* 0: none */
};

static inline struct meta_sqlite *
meta_self(struct meta *m)
{
    return container_of(m, struct meta_sqlite, meta);
}

/* meta_catalogue.c: who writes. */
enum err
catalogue_open(struct meta_sqlite *s, const char *path, struct fault *f);
enum err catalogue_feed(struct meta *m, const struct uuid *element_uuid,
                        const char *element_id, const struct index_change *c,
                        size_t n, uint64_t position, struct fault *f);
enum err
catalogue_feed_position(struct meta *m, const struct uuid *element_uuid,
                        uint64_t *seq, struct fault *f);
enum err catalogue_feed_reset(struct meta *m, const struct uuid *element_uuid,
                              struct fault *f);
enum err catalogue_reset(struct meta *m, struct fault *f);
enum err catalogue_count(struct meta *m, uint64_t *files, uint64_t *bytes,
                         struct fault *f);

/* meta_query.c: who reads. */
enum err catalogue_get(struct meta *m, const struct uuid *file_id,
                       struct meta_file *out, struct fault *f);
enum err
catalogue_list(struct meta *m, const struct meta_query *q, meta_file_fn *fn,
               void *arg, struct uuid *next, struct fault *f);

/* The one table of statements of catalogue.db. */
#define CATALOGUE_COLUMNS                                               \
    "file.file_id, original_filename, storage_filename, content_type,"  \
    " content_encoding, uploaded_by, size, md5, sha256, uploaded_at,"   \
    " expires_at, retention, metadata, copy.epoch, seq, state, format," \
    " stored_size, stored_crc, element.uuid, element.element_id"
#define CATALOGUE_AT_COPY ATTR_FILE_N
#define CATALOGUE_AT_UUID (ATTR_FILE_N + ATTR_COPY_N)
#define CATALOGUE_AT_ID   (CATALOGUE_AT_UUID + 1)

enum catalogue_stmt {
    Q_ELEMENT_GET,
    Q_ELEMENT_ADD,
    Q_ELEMENT_MOVE,
    Q_ELEMENT_ZERO,
    Q_FILE_ADD,
    Q_FILE_PUT,
    Q_FILE_GET,
    Q_FILE_DEL,
    Q_COPY_PUT,
    Q_COPY_DEL,
    Q_COPY_ANY,
    Q_COPIES_DEL,
    Q_ORPHANS_DEL,
    Q_TOTAL_PUT,
    Q_TOTAL_GET,
    Q_COUNT,
    Q_GET,
    Q_RESET_FILE,
    Q_RESET_COPY,
    Q_RESET_ELEMENT,
    Q_LIST,               /* [drive][descending] */
    Q_BOUND = Q_LIST + 6, /* [drive][descending] */
    Q_N = Q_BOUND + 6
};

#endif
