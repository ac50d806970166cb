/* memory.h - how much memory there is for us, and how much of it is in use.
 *
 * The limit of the control group counts when there is one (version 2, then 1),
 * else the machine. File pages are not use: a file server fills whatever it
 * gets with them, and the kernel takes them back when somebody wants memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include "base/slice.h"

struct memory_use {
    uint64_t limit; /* bytes; 0: nothing can be read */
    uint64_t used;
};

void memory_read(struct memory_use *out);

/* The number behind KEY at the begin of a line ("MemTotal:  16 kB",
 * "active_file 4096"); 0 when it is not there. */
uint64_t memory_number(struct slice text, struct slice key);

#endif
