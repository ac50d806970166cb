/* count.c - see count.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/count.h"

static const char *const source_name[COUNT_SOURCES] = {"adaptive_monitor",
                                                       "admin_module", "none"};

void
counts_ingest_init(struct counts_ingest *c, struct metrics *m,
                   struct mono (*clock)(void))
{
    static const char *const retention[] = {"TEMPORARY", "PERMANENT"};

    *c = (struct counts_ingest){.metrics = m, .clock = clock};
    for (unsigned i = 0; i < 2; i++) {
        c->uploads[i] = metric_nth(m, M_UPLOADS, i);
        c->deletes[i] = metric_nth(m, M_DELETES, i);
        for (unsigned k = 0; k < COUNT_SOURCES; k++)
            c->selections[i][k] = metric_series(
                m, M_SELECTIONS, retention[i],
                k == COUNT_NOWHERE ? "failure" : "success", source_name[k]);
        c->selection_took[i] =
            metric_series(m, M_SELECTION_DURATION, retention[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        c->downloads[i] = metric_nth(m, M_DOWNLOADS, i);
    for (unsigned k = 0; k < COUNT_SOURCES; k++) {
        c->source[k][0] =
            metric_series(m, M_SELECTION_SOURCE, source_name[k], "success");
        c->source[k][1] =
            metric_series(m, M_SELECTION_SOURCE, source_name[k], "failed");
    }
    for (unsigned i = 0; i < 3; i++) {
        static const char *const how[] = {"committed", "refused",
                                          "compensated"};

        c->saga[0][i] = metric_series(m, M_SAGAS, "upload", how[i]);
        c->saga[1][i] = metric_series(m, M_SAGAS, "delete", how[i]);
    }
    c->undone = metric_series(m, M_SAGA_UNDONE, "upload", "store");
    c->upload_ratio = metric_plain(m, M_UPLOAD_RATIO);
    c->upload_took = metric_plain(m, M_UPLOAD_DURATION);
    c->upload_size = metric_plain(m, M_UPLOAD_SIZE);
    c->selection_took2 = metric_plain(m, M_SELECTION_DURATION2);
}

void
count_upload(struct counts_ingest *c, uint64_t size, uint64_t stored,
             struct dur took)
{
    metric_inc(c->metrics, c->uploads[COUNT_SUCCESS]);
    metric_inc(c->metrics, c->saga[0][SAGA_COMMITTED]);
    metric_observe(c->metrics, c->upload_ratio,
                   stored && size ? (int64_t)(stored * 1000 / size) : 1000);
    metric_observe(c->metrics, c->upload_took, took.ns);
    metric_observe(c->metrics, c->upload_size, (int64_t)size);
}

void
count_upload_failed(struct counts_ingest *c, const char *code, bool undone)
{
    metric_inc(c->metrics,
               c->saga[0][undone ? SAGA_COMPENSATED : SAGA_REFUSED]);
    metric_inc(c->metrics, c->uploads[COUNT_FAILURE]);
    metric_inc(c->metrics, metric_series(c->metrics, M_UPLOAD_REFUSED, code));
}

void
count_undone(struct counts_ingest *c)
{
    metric_inc(c->metrics, c->undone);
}

void
count_download(struct counts_ingest *c, enum count_result r)
{
    metric_inc(c->metrics, c->downloads[r]);
}

void
count_delete(struct counts_ingest *c, bool ok)
{
    metric_inc(c->metrics, c->deletes[ok ? COUNT_SUCCESS : COUNT_FAILURE]);
    metric_inc(c->metrics, c->saga[1][ok ? SAGA_COMMITTED : SAGA_REFUSED]);
}

struct mono
count_selection_begin(const struct counts_ingest *c)
{
    return c->clock && c->metrics ? c->clock() : (struct mono){0};
}

void
count_source_failed(struct counts_ingest *c, enum count_source from)
{
    metric_inc(c->metrics, c->source[from][1]);
}

void
count_selection(struct counts_ingest *c, enum retention r,
                enum count_source from, struct mono began)
{
    unsigned i = r == RETENTION_PERMANENT;

    metric_inc(c->metrics, c->selections[i][from]);
    metric_inc(c->metrics, c->source[from][from == COUNT_NOWHERE]);
    if (c->clock && c->metrics) {
        int64_t took = mono_sub(c->clock(), began).ns;

        metric_observe(c->metrics, c->selection_took[i], took);
        metric_observe(c->metrics, c->selection_took2, took);
    }
}
