/* catalogue.h - which driver of port/meta.h: SQLite files in DATA_DIR, or
 * PostgreSQL where DATABASE_URL is given. The only place that chooses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CATALOGUE_H
#define CLI_CATALOGUE_H

#include "conf/conf.h"
#include "port/meta.h"

struct metrics;

/* Is it PostgreSQL? */
bool catalogue_is_shared(const struct conf *c);

/* Opens it, and counts its statements in M (may be NULL). *FIRST: it belongs to
 * no installation yet. A catalogue that has moved to the other driver, or is
 * still on its way, is refused with ERR_CONFLICT and a hint. */
enum err catalogue_open(struct meta **out, const struct conf *c,
                        struct metrics *m, bool *first, struct fault *f);

/* The setting in SQLite's that says where it has moved (`artstore migrate
 * data`). */
#define CATALOGUE_MOVED "moved_to"

#endif
