/* block.h - aligned 256 KiB pieces of memory in which large bodies travel.
 *
 * A block has one owner at a time. Handing it over moves it from one state to
 * the next, and the hand-over asserts what it expects, so that a block used
 * twice stops the process instead of mixing two people's files.
 *
 *     FREE -> RECV -> HASH -> WRITE -> FREE       an upload
 *     FREE -> READ -> SEND -> FREE                a download
 *
 * All blocks of a process come from one pool with one budget (D: "blocks have
 * one process-wide budget"). When it is used up block_get() answers NULL and
 * the caller waits its turn: the queue is the caller's (io/http keeps one per
 * loop and is told by the wake function). The pool is safe for any thread.
 * Memory comes in chunks of 2 MiB (one huge page where the kernel allows it)
 * and goes back to the kernel when a chunk has been idle.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include "base/base.h"

#define BLOCK_SIZE  ((size_t)256 * 1024)
#define BLOCK_ALIGN ((size_t)4096)

enum block_state {
    BLOCK_FREE,
    BLOCK_RECV,
    BLOCK_HASH,
    BLOCK_WRITE,
    BLOCK_READ,
    BLOCK_SEND,
};

struct block {
    uint8_t *data; /* BLOCK_SIZE bytes, aligned to BLOCK_ALIGN */
    uint32_t len;  /* bytes in use */
    enum block_state state;
    struct block *next; /* for the owner's queues */
};

static inline void
block_move(struct block *b, enum block_state from, enum block_state to)
{
    assert(b->state == from);
    b->state = to;
}

#endif
