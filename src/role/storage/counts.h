/* counts.h - what an element counts for /metrics. Without a registry (tests,
 * tools) nothing is counted and no clock is read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_COUNTS_H
#define ROLE_STORAGE_COUNTS_H

#include "base/err.h"
#include "base/mono.h"
#include "obs/metric.h"

enum { COUNTS_ADMISSIONS = 6 };

struct counts {
    struct metrics *metrics;    /* NULL: none */
    struct mono (*clock)(void); /* of worker threads; NULL: none */
    struct series commit_files;
    struct series commit_took;
    struct series sync_errors;
    struct series admission[COUNTS_ADMISSIONS];
    struct series block_ok;
    struct series block_corrupt;
};

void counts_init(struct counts *m, struct metrics *metrics,
                 struct mono (*clock)(void), const char *element_id);

static inline struct mono
counts_now(const struct counts *m)
{
    return m->clock && m->metrics ? m->clock() : (struct mono){0};
}

/* A batch of N that began at BEGAN has been answered. */
void counts_commit(const struct counts *m, size_t n, struct mono began);
/* The answer to an admission, or to a put, which asks for one. */
void counts_admission(const struct counts *m, enum err e);
void counts_block(const struct counts *m, bool ok);

#endif
