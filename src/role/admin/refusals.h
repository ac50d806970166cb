/* refusals.h - refused token requests, few enough for the audit log.
 *
 * Anybody may ask for a token and be refused, as often as the line allows; if
 * each were an entry, whoever has no credentials at all could push everybody
 * else's out of the queue and fill the disk. So of one account, address and
 * reason the first is told at once, and those that follow are counted and told
 * once a minute. What is remembered is bounded: when all places are taken the
 * rest is counted together, of `(others)`, whatever its name was.
 *
 * So strangers cause REFUSALS_MAX + 1 entries a minute at most.
 *
 * Pure, no lock of its own. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_REFUSALS_H
#define ROLE_ADMIN_REFUSALS_H

#include "port/meta.h"

#define REFUSALS_MAX     64
#define REFUSALS_EVERY   dur_s(60)
#define REFUSALS_OTHERS  "(others)"
#define REFUSALS_COUNTED 999999 /* more are this many */

struct refusal {
    struct meta_audit last; /* the latest */
    char address[46];
    struct mono since;
    unsigned count; /* that nobody was told of */
};

struct refusals {
    struct refusal row[REFUSALS_MAX + 1]; /* the last of them: all others */
    unsigned n;
    bool others;
    uint64_t counted; /* since the start; for metrics */
};

/* True: the entry is to be told as it is. False: it is counted. */
bool refusals_add(struct refusals *r, const struct meta_audit *entry,
                  const char *address, struct mono now);
/* Is there anything that refusals_take() would give or drop? */
bool refusals_due(const struct refusals *r, struct mono now);
/* The next entry that says how many there were, with ALL also of those whose
 * minute is not over. False: none. */
bool refusals_take(struct refusals *r, struct mono now, bool all,
                   struct meta_audit *out);

#endif
