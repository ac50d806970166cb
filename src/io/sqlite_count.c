/* sqlite_count.c - see sqlite_count.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/sqlite_count.h"
#include <stdlib.h>
#include <time.h>

struct count {
    char operation[SQL_WORD];
    char table[SQL_WORD];
    struct series took;
    struct series done;
    int64_t spent; /* ns, of a statement that has not ended */
};

struct sql_counts {
    struct metrics *metrics;
    struct series active, idle, max; /* of all connections together */
    unsigned n;
    struct count count[];
};

/* ---- counting ---- */

struct sql_counts *
sql_counts_open(struct metrics *m, const char *const *text, unsigned n)
{
    struct sql_counts *c = calloc(1, sizeof(*c) + n * sizeof(c->count[0]));

    if (!c)
        return NULL;
    c->metrics = m;
    c->n = n;
    c->active = metric_series(m, M_DB_ACTIVE, "sqlite");
    c->idle = metric_series(m, M_DB_IDLE, "sqlite");
    c->max = metric_series(m, M_DB_MAX, "sqlite");
    metric_move(m, c->idle, 1);
    metric_move(m, c->max, 1);
    for (unsigned i = 0; i < n; i++) {
        struct count *k = &c->count[i];

        sql_words(slice_str(text[i] ? text[i] : ""), k->operation, k->table);
        k->took = metric_series(m, M_DB_DURATION, k->operation, k->table);
        k->done = metric_series(m, M_DB_QUERIES, k->operation, k->table);
    }
    return c;
}

void
sql_counts_close(struct sql_counts **c)
{
    if (*c) {
        metric_move((*c)->metrics, (*c)->idle, -1);
        metric_move((*c)->metrics, (*c)->max, -1);
    }
    free(*c);
    *c = NULL;
}

int64_t
sql_count_begin(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
ended(struct sql_counts *c, struct count *k)
{
    metric_observe(c->metrics, k->took, k->spent);
    metric_inc(c->metrics, k->done);
    k->spent = 0;
}

static const char *
class_of(enum err e)
{
    switch (e) {
    case ERR_BUSY:
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_CONFLICT:
        return "constraint";
    default:
        return "other";
    }
}

void
sql_count_step(struct sql_counts *c, unsigned i, int64_t began, enum err result)
{
    struct count *k = &c->count[i];

    assert(i < c->n);
    k->spent += sql_count_begin() - began;
    if (result == ERR_OK)
        return;
    if (result != ERR_END)
        metric_inc(c->metrics,
                   metric_series(c->metrics, M_DB_ERRORS, k->operation,
                                 k->table, class_of(result)));
    ended(c, k);
}

void
sql_count_reset(struct sql_counts *c, unsigned i)
{
    if (c->count[i].spent)
        ended(c, &c->count[i]);
}

void
sql_count_use(struct sql_counts *c, bool begin)
{
    metric_move(c->metrics, c->active, begin ? 1 : -1);
    metric_move(c->metrics, c->idle, begin ? -1 : 1);
}
