/* sqlite_count.h - statements of a connection, counted and timed (PRD-047 to
 * PRD-052): by operation and table, which are read from the statement's text.
 * The time is that inside SQLite, without what happens between two rows.
 * Under the connection's lock, as all of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_SQLITE_COUNT_H
#define IO_SQLITE_COUNT_H

#include "base/err.h"
#include "io/sql_words.h"
#include "obs/metric.h"

struct sql_counts;

/* TEXT: N statements. NULL: no memory. M is not NULL. */
struct sql_counts *
sql_counts_open(struct metrics *m, const char *const *text, unsigned n);
void sql_counts_close(struct sql_counts **c);

/* Around each step of statement I. RESULT is ERR_OK while rows come. */
int64_t sql_count_begin(void);
void sql_count_step(struct sql_counts *c, unsigned i, int64_t began,
                    enum err result);
/* Statement I begins anew: if it was left before its end it ends here. */
void sql_count_reset(struct sql_counts *c, unsigned i);
/* The connection is in use, or not any more. */
void sql_count_use(struct sql_counts *c, bool begin);

#endif
