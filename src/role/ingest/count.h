/* count.h - what the gateway counts for /metrics (ING-281 to ING-291, PRD-057).
 * Its series are looked up once; counting is a few additions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_COUNT_H
#define ROLE_INGEST_COUNT_H

#include "obs/metric.h"
#include "wire/attr.h"

enum count_result { COUNT_SUCCESS, COUNT_FAILURE, COUNT_ABORTED };

/* How an upload or a deletion ended (ING-155, ING-294). */
enum count_saga { SAGA_COMMITTED, SAGA_REFUSED, SAGA_COMPENSATED };

/* Where the data of a choice came from (CAP-064); elements of this process are
 * asked themselves, as the capacity monitor would. */
enum count_source { COUNT_MONITOR, COUNT_ADMIN, COUNT_NOWHERE, COUNT_SOURCES };

struct counts_ingest {
    struct metrics *metrics;    /* NULL: none */
    struct mono (*clock)(void); /* NULL: no durations of selections */
    struct series uploads[2], upload_took, upload_size, upload_ratio;
    struct series saga[2][3]; /* uploads first; by enum count_saga */
    struct series undone;
    struct series downloads[3], deletes[2];
    struct series selections[2][COUNT_SOURCES]; /* by retention first */
    struct series selection_took[2], selection_took2;
    struct series source[COUNT_SOURCES][2]; /* by result */
};

void counts_ingest_init(struct counts_ingest *c, struct metrics *m,
                        struct mono (*clock)(void));

/* STORED: bytes on the element, 0 if it did not say. */
void count_upload(struct counts_ingest *c, uint64_t size, uint64_t stored,
                  struct dur took);
/* CODE: the error code of the answer, or "client_gone". UNDONE: an element had
 * something of it. */
void
count_upload_failed(struct counts_ingest *c, const char *code, bool undone);
/* What an element may have of an upload is taken back (ING-295). */
void count_undone(struct counts_ingest *c);
void count_download(struct counts_ingest *c, enum count_result r);
void count_delete(struct counts_ingest *c, bool ok);

/* Around one selection; FROM: who had the element, or COUNT_NOWHERE. */
struct mono count_selection_begin(const struct counts_ingest *c);
void count_selection(struct counts_ingest *c, enum retention r,
                     enum count_source from, struct mono began);
/* What it had did not do, and the next source was asked (CAP-065). */
void count_source_failed(struct counts_ingest *c, enum count_source from);

#endif
