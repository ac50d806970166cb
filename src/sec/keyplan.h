/* keyplan.h - which of our keys signs now, and which are over: what a rotation
 * has decided, said in the key files themselves.
 *
 *     artstore-signs-from: 2026-01-02T15:30:45.000Z
 *     artstore-others-until: 2026-02-01T15:40:45.000Z
 *     -----BEGIN PRIVATE KEY-----
 *
 * A new key is published at once and signs from a later moment on, when all who
 * verify have heard of it; those with lower numbers verify until the last token
 * that they may have signed has ended. One file is written for all that, so
 * there is nothing that could be half done: whatever time it is at the next
 * start, the files say who signs and who is over. A file without these lines
 * signs from the beginning, and leaves the others alone (the hand-made one of
 * doc/auth.md).
 *
 * Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_KEYPLAN_H
#define SEC_KEYPLAN_H

#include "base/buf.h"
#include "base/mono.h"

struct key_plan {
    unsigned number;
    struct wall signs_from;   /* {0}: always */
    struct wall others_until; /* of those with lower numbers; {0}: no end */
};

/* What stands before the key in TEXT. False: a line of ours that cannot be
 * read; then nobody may guess. */
bool key_plan_parse(struct slice text, struct key_plan *out);
/* Appends the two lines. */
bool key_plan_put(struct buf *b, const struct key_plan *p);

/* Of N > 0 plans in rising order of numbers. */

/* Which signs: the last whose time has come; if there is none, the first. */
size_t key_plan_signer(const struct key_plan *p, size_t n, struct wall now);
/* Until when plan I verifies; {0}: no end. Never before who follows signs. */
struct wall key_plan_until(const struct key_plan *p, size_t n, size_t i);
static inline bool
key_plan_over(const struct key_plan *p, size_t n, size_t i, struct wall now)
{
    struct wall until = key_plan_until(p, n, i);

    return until.ms && until.ms <= now.ms;
}

#endif
