/* cpu.h - what the processor can do, for hash_select. Here and not in hash/,
 * which asks nobody. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CPU_H
#define CLI_CPU_H

#include "hash/hash.h"

/* Only what the operating system saves as well counts as there. All false on
 * other architectures than x86-64. Any thread. */
struct hash_cpu cpu_read(void);

#endif
