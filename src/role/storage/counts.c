/* counts.c - see counts.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/counts.h"

/* In the order of the table in obs/metrics.def. */
enum { ADMITTED, NO_SPACE, NO_INODES, READ_ONLY, TOO_BIG, OTHER };

void
counts_init(struct counts *m, struct metrics *metrics,
            struct mono (*clock)(void), const char *element_id)
{
    *m = (struct counts){.metrics = metrics, .clock = clock};
    m->commit_files = metric_plain(metrics, M_COMMIT_BATCH);
    m->commit_took = metric_plain(metrics, M_COMMIT_DURATION);
    m->sync_errors = metric_series(metrics, M_SYNC_ERRORS, element_id);
    for (unsigned i = 0; i < COUNTS_ADMISSIONS; i++)
        m->admission[i] = metric_nth(metrics, M_ADMISSIONS, i);
    m->block_ok = metric_series(metrics, M_BLOCK_CHECKS, "ok");
    m->block_corrupt = metric_series(metrics, M_BLOCK_CHECKS, "corrupt");
}

void
counts_commit(const struct counts *m, size_t n, struct mono began)
{
    metric_observe(m->metrics, m->commit_files, (int64_t)n);
    if (m->clock && m->metrics)
        metric_observe(m->metrics, m->commit_took,
                       mono_sub(m->clock(), began).ns);
}

void
counts_admission(const struct counts *m, enum err e)
{
    unsigned i = OTHER;

    if (e == ERR_OK)
        i = ADMITTED;
    else if (e == ERR_NOSPC)
        i = NO_SPACE;
    else if (e == ERR_NOINODES)
        i = NO_INODES;
    else if (e == ERR_READONLY)
        i = READ_ONLY;
    else if (e == ERR_TOOBIG)
        i = TOO_BIG;
    metric_inc(m->metrics, m->admission[i]);
}

void
counts_block(const struct counts *m, bool ok)
{
    metric_inc(m->metrics, ok ? m->block_ok : m->block_corrupt);
}
