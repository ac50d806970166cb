/* index_impl.h - what the two halves of index_sqlite.h share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_INDEX_IMPL_H
#define IO_INDEX_IMPL_H

#include "base/base.h"
#include "io/sqlite_attr.h"
#include "port/index.h"

/* A whole row, as every reading statement gives it. */
#define ROW_COLUMNS \
    ATTR_FILE_COLUMNS "," ATTR_COPY_COLUMNS ", element_uuid, element_id, name"
#define AT_COPY   ATTR_FILE_N
#define AT_UUID   (ATTR_FILE_N + ATTR_COPY_N)
#define AT_ID     (AT_UUID + 1)
#define AT_BUCKET (AT_UUID + 2)
#define AT_END    (AT_UUID + 3)
#define ROW_FROM  " FROM file JOIN bucket ON bucket.n = file.bucket "

/* The one table of statements. */
enum index_stmt {
    Q_BUCKET_GET,
    Q_BUCKET_ADD,
    Q_FILE_ADD,
    Q_FILE_PUT,
    Q_FILE_SIZES,
    Q_FILE_DEL,
    Q_CHANGE_PUT,
    Q_TOTAL_PUT,
    Q_TOTAL_GET,
    Q_FIRST_SEQ,
    Q_GET,
    Q_LIST,
    Q_BUCKET,
    Q_CHANGES,
    Q_EXPIRED,
    Q_TRIM,
    Q_RESET_FILE,
    Q_RESET_BUCKET,
    Q_RESET_CHANGE,
    Q_N
};

struct index_sqlite {
    struct index index;
    struct sql *w;
    struct sql *r;         /* to read, and */
    struct sql *k;         /* to checkpoint; both are W itself when in memory */
    struct index_totals t; /* under W's lock, as committed */
    char bucket[32];       /* the one used last, and its number */
    int64_t bucket_n;      /* 0: none */
};

static inline struct index_sqlite *
index_self(struct index *x)
{
    return container_of(x, struct index_sqlite, index);
}

/* index_read.c */
enum err index_get(struct index *x, const struct uuid *file_id,
                   struct index_row *row, struct fault *f);
enum err index_list(struct index *x, const struct uuid *after, size_t max,
                    index_row_fn *fn, void *arg, struct fault *f);
enum err index_bucket(struct index *x, const char *bucket, index_row_fn *fn,
                      void *arg, struct fault *f);
enum err index_expired(struct index *x, struct wall now, size_t max,
                       index_row_fn *fn, void *arg, struct fault *f);
enum err index_changes(struct index *x, uint64_t since, size_t max,
                       index_change_fn *fn, void *arg, struct fault *f);
enum err
index_totals(struct index *x, struct index_totals *out, struct fault *f);
enum err
index_totals_read(struct sql *db, struct index_totals *t, struct fault *f);

#endif
