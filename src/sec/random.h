/* random.h - randomness for secrets, from OpenSSL's generator, which the kernel
 * seeds. Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_RANDOM_H
#define SEC_RANDOM_H

#include "base/base.h"

/* Fills P with N bytes, or stops the process: no answer could be safe. */
void sec_random(void *p, size_t n);

#endif
