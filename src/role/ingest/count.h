/* count.h - what the gateway counts for /metrics (ING-281 to ING-291, PRD-057).
 * Its series are looked up once; counting is a few additions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_COUNT_H
#define ROLE_INGEST_COUNT_H

#include "obs/metric.h"
#include "wire/attr.h"

enum count_result { COUNT_SUCCESS, COUNT_FAILURE, COUNT_ABORTED };

struct counts_ingest {
    struct metrics *metrics;    /* NULL: none */
    struct mono (*clock)(void); /* NULL: no durations of selections */
    struct series uploads[2], upload_took, upload_size;
    struct series downloads[3], deletes[2];
    /* by retention, then by result */
    struct series selections[2][2], selection_took[2], selection_took2;
    struct series source[2];
};

void counts_ingest_init(struct counts_ingest *c, struct metrics *m,
                        struct mono (*clock)(void));

void count_upload(struct counts_ingest *c, uint64_t size, struct dur took);
/* CODE: the error code of the answer, or "client_gone". */
void count_upload_failed(struct counts_ingest *c, const char *code);
void count_download(struct counts_ingest *c, enum count_result r);
void count_delete(struct counts_ingest *c, bool ok);

/* Around one selection. */
struct mono count_selection_begin(const struct counts_ingest *c);
void count_selection(struct counts_ingest *c, enum retention r, bool ok,
                     struct mono began);

#endif
