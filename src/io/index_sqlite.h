/* index_sqlite.h - port/index.h over SQLite: an element's index in one file, or
 * in memory for tests and the simulator.
 *
 * A file is written through one connection and read through another, so that a
 * reader does not wait for a commit. synchronous=NORMAL: after a power cut the
 * last commits may be missing, which the rescan of dirty buckets repairs
 * (D35). SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_INDEX_SQLITE_H
#define IO_INDEX_SQLITE_H

#include "port/index.h"

/* PATH is a file that is made when missing, or ":memory:". Answers as
 * sql_open(). OUT ends with ops->close(). */
enum err
index_sqlite_open(struct index **out, const char *path, struct fault *f);

/* Its statements are counted in M. Before other threads use X. */
struct metrics;
void index_sqlite_observe(struct index *x, struct metrics *m);

#endif
