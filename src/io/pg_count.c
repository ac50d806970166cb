/* pg_count.c - see pg_count.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/pg_count.h"
#include <stdlib.h>

struct pg_counts {
    struct metrics *metrics;
    struct series active, idle, max;
    unsigned n;
    struct {
        char operation[SQL_WORD], table[SQL_WORD];
        struct series took, done;
    } stmt[];
};

struct pg_counts *
pg_counts_open(struct metrics *m, const char *const *text, unsigned n)
{
    struct pg_counts *c = calloc(1, sizeof(*c) + n * sizeof(c->stmt[0]));

    if (!c)
        return NULL;
    c->metrics = m;
    c->n = n;
    c->active = metric_series(m, M_DB_ACTIVE, "postgresql");
    c->idle = metric_series(m, M_DB_IDLE, "postgresql");
    c->max = metric_series(m, M_DB_MAX, "postgresql");
    for (unsigned i = 0; i < n; i++) {
        sql_words(slice_str(text[i] ? text[i] : ""), c->stmt[i].operation,
                  c->stmt[i].table);
        c->stmt[i].took = metric_series(m, M_DB_DURATION, c->stmt[i].operation,
                                        c->stmt[i].table);
        c->stmt[i].done = metric_series(m, M_DB_QUERIES, c->stmt[i].operation,
                                        c->stmt[i].table);
    }
    return c;
}

void
pg_counts_close(struct pg_counts **c)
{
    free(*c);
    *c = NULL;
}

void
pg_count(struct pg_counts *c, unsigned i, int64_t ns, const char *class)
{
    if (!c)
        return;
    assert(i < c->n);
    metric_observe(c->metrics, c->stmt[i].took, ns);
    metric_inc(c->metrics, c->stmt[i].done);
    if (class)
        metric_inc(c->metrics,
                   metric_series(c->metrics, M_DB_ERRORS, c->stmt[i].operation,
                                 c->stmt[i].table, class));
}

void
pg_count_pool(struct pg_counts *c, unsigned active, unsigned idle, unsigned max)
{
    if (!c)
        return;
    metric_set(c->metrics, c->active, active);
    metric_set(c->metrics, c->idle, idle);
    metric_set(c->metrics, c->max, max);
}
