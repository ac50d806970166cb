/* random.c - see random.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/random.h"
#include <limits.h>
#include <openssl/rand.h>

void
sec_random(void *p, size_t n)
{
    int ok;

    assert(n <= INT_MAX);
    ok = RAND_priv_bytes(p, (int)n);
    assert(ok == 1);
    (void)ok;
}
