/* gen_metrics.c - writes doc/metrics.md to standard output: the table of
 * metrics.def for people. SPDX-License-Identifier: Apache-2.0 */
#include "obs/metric.h"
#include <stdio.h>

static const struct {
    enum metric_group group;
    const char *title;
} groups[] = {
    {METRIC_GROUP_HTTP, "HTTP, loops and memory"},
    {METRIC_GROUP_AUTH, "Tokens and keys"},
    {METRIC_GROUP_INGEST, "Upload gateway"},
    {METRIC_GROUP_MONITOR, "Capacity monitor"},
    {METRIC_GROUP_S3, "Storage element in a bucket"},
    {METRIC_GROUP_STORAGE, "Storage elements"},
    {METRIC_GROUP_DB, "Databases"},
    {METRIC_GROUP_CACHE, "Caches"},
    {METRIC_GROUP_PROCESS, "Process, health and logs"},
};

/* `method`, `result` (ok, corrupt) */
static void
put_labels(const struct metric_desc *d)
{
    bool any = false;

    for (unsigned i = 0; i < METRIC_LABELS_MAX && d->label[i].name; i++) {
        printf("%s`%s`", any ? "; " : "", d->label[i].name);
        any = true;
        if (d->label[i].values == NULL)
            continue;
        printf(": ");
        for (const char *p = d->label[i].values; *p; p++)
            if (*p == '|')
                printf(", ");
            else
                putchar(*p);
    }
}

static void
put_family(const struct metric_desc *d)
{
    static const char *const type[] = {"counter", "gauge", "histogram"};

    printf("| `%s` | %s | ", d->name, type[d->type]);
    put_labels(d);
    printf(" | %s |\n", d->help);
}

int
main(void)
{
    printf("# Metrics\n\n"
           "What `/metrics` shows, in the Prometheus text format 0.0.4. Made "
           "from\n`src/obs/metrics.def` (`ninja metrics-doc`); do not edit. "
           "Times are in seconds, sizes in\nbytes. A label whose values are "
           "listed has all of them from the start, with 0.\n");
    for (size_t g = 0; g < countof(groups); g++) {
        printf("\n## %s\n\n| Family | Type | Labels | |\n|---|---|---|---|\n",
               groups[g].title);
        for (int id = 0; id < METRIC_COUNT; id++)
            if (metric_desc((enum metric)id)->group == groups[g].group)
                put_family(metric_desc((enum metric)id));
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
