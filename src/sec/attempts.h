/* attempts.h - how often somebody may be wrong about a secret.
 *
 * A bucket of ten failures for each name, one back every six seconds. The name
 * is the account and the address together: by the account alone a stranger
 * could lock out a service by failing in its name. What is remembered is
 * bounded; the name that failed least lately is forgotten first, which costs an
 * attacker one name per forgotten name. Success clears the name.
 *
 * Safe for any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_ATTEMPTS_H
#define SEC_ATTEMPTS_H

#include "base/mono.h"
#include "base/slice.h"

#define ATTEMPTS_BURST  10
#define ATTEMPTS_BACK_S 6

struct attempts;

/* NAMES: how many are remembered at most. SEED is secret. NULL: no memory. */
struct attempts *attempts_open(size_t names, uint64_t seed);
void attempts_close(struct attempts **a); /* sets *A to NULL */

/* {0}: go ahead; else how long to wait. */
struct dur attempts_wait(struct attempts *a, struct slice client_id,
                         struct slice peer, struct mono now);
void attempts_failed(struct attempts *a, struct slice client_id,
                     struct slice peer, struct mono now);
void
attempts_clear(struct attempts *a, struct slice client_id, struct slice peer);

#endif
