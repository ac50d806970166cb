/* workers.h - threads for what blocks: file names, syncs, databases.
 *
 * One queue, first in first out, with a ceiling: the loops bound what they
 * submit (uploads, reads and batches are all bounded), so the ceiling is
 * asserted and not waited for. DONE is handed to the home loop by the function
 * given at birth. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_WORKERS_H
#define IO_WORKERS_H

#include "base/err.h"
#include "port/loop.h"

struct workers;

enum err workers_open(struct workers **out, unsigned threads,
                      void (*finished)(struct work *w), struct fault *f);
/* Waits until everything submitted has been worked off. */
void workers_close(struct workers **w);
void workers_submit(struct workers *w, struct work *job);

struct workers_stats {
    unsigned queued; /* jobs that nobody has begun */
    uint64_t taken;  /* begun, since the start */
};
void workers_stats(struct workers *w, struct workers_stats *out);

#endif
