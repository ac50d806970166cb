/* pg_count.h - statements and connections of a pool, counted and timed as
 * PRD-047 to PRD-052 want it. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_PG_COUNT_H
#define IO_PG_COUNT_H

#include "io/sql_words.h"
#include "obs/metric.h"

struct pg_counts;

/* TEXT: N statements. NULL: no memory. */
struct pg_counts *
pg_counts_open(struct metrics *m, const char *const *text, unsigned n);
void pg_counts_close(struct pg_counts **c);

/* Any of these from any thread; C may be NULL. CLASS as in pg_class_of(), NULL
 * when the statement did not fail. */
void pg_count(struct pg_counts *c, unsigned i, int64_t ns, const char *class);
void pg_count_pool(struct pg_counts *c, unsigned active, unsigned idle,
                   unsigned max);

#endif
