/* meta_sqlite.h - port/meta.h over two SQLite files in one folder.
 *
 *     catalogue.db   files, copies, feed positions     synchronous=NORMAL
 *     admin.db       elements, accounts, audit, settings              FULL
 *
 * The first can be fed anew from the elements, so it may lose its last commits
 * in a power cut (in order, never in part); the second may not.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_META_SQLITE_H
#define IO_META_SQLITE_H

#include "port/meta.h"

/* FOLDER exists; NULL: both in memory. The files are made with mode 0600.
 * Answers as sql_open(). OUT ends with ops->close(). */
enum err
meta_sqlite_open(struct meta **out, const char *folder, struct fault *f);

/* Its statements are counted in N. Before other threads use M. */
struct metrics;
void meta_sqlite_observe(struct meta *m, struct metrics *n);

#endif
