/* blocks.h - the pool behind base/block.h: one budget for the process.
 *
 * Chunks of 2 MiB, aligned to 2 MiB so that the kernel may back each with one
 * huge page (pinning and copying then touch one entry instead of 512), of which
 * eight blocks are made. An idle chunk is given back to the kernel, so memory
 * falls again after a burst. Safe for any thread. When nothing is left, a loop
 * registers as hungry and is woken by the next put of another loop.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_BLOCKS_H
#define IO_BLOCKS_H

#include "base/block.h"
#include "base/err.h"
#include "port/loop.h"

struct blocks;

/* BUDGET in bytes, at least one chunk. */
enum err blocks_open(struct blocks **out, size_t budget, struct fault *f);
void blocks_close(struct blocks **b);

struct block *blocks_get(struct blocks *b); /* state RECV, or NULL */
void blocks_put(struct blocks *b, struct block *k);
/* L wants to be told (by posting TASK) when a block is free again. */
void blocks_hungry(struct blocks *b, struct loop *l, struct task *task);

size_t blocks_used(const struct blocks *b);   /* blocks out */
size_t blocks_total(const struct blocks *b);  /* blocks allowed */
size_t blocks_mapped(const struct blocks *b); /* bytes held from the kernel */

#endif
