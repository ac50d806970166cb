/* index_mem.h - port/index.h in memory. It remembers every transaction, so that
 * a test can have the index as it was after any of them: after a power cut
 * SQLite (synchronous=NORMAL) has some first part of what was committed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_INDEX_MEM_H
#define PORT_INDEX_MEM_H

#include "port/index.h"

/* NULL: no memory. ROWS at most; then apply() answers ERR_NOSPC for what adds
 * any. 0: no limit. */
struct index *index_mem_new(size_t rows);

/* Transactions so far (apply, reset, trim), and how many of them are synced. */
size_t index_mem_commits(const struct index *x);
size_t index_mem_synced(const struct index *x);
/* A new index with the first N transactions of X. */
struct index *index_mem_first(const struct index *x, size_t n);

#endif
