/* redis_cleanup.h - removes from a Redis what elements of an earlier design
 * left there when they still reported by themselves (CAP-054, CAP-091...095):
 *
 *     storage:elements:*            but :registry and :priorities, which are
 *                                   today's list (CNF-022, CAP-094)
 *     storage:rw:by_priority, storage:edit:by_priority
 *
 * Keys are found with SCAN, a thousand at a time, so that Redis goes on serving
 * others, and are gathered first: what is told is sorted and has each key once,
 * and nothing is removed while it is being looked for. Doing it again does no
 * harm. Blocks; for commands, not for servers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_REDIS_CLEANUP_H
#define IO_REDIS_CLEANUP_H

#include "base/err.h"
#include "base/slice.h"

#define REDIS_CLEANUP_MAX 1000000 /* keys in one go; more: do it again */

struct coord_redis_conf;

struct redis_cleanup {
    bool execute; /* else nothing is changed */
    /* Each key that is, or would be, removed; TYPE as Redis calls it, "none"
     * when it has gone meanwhile. May be NULL. */
    void (*key)(void *arg, struct slice key, const char *type);
    void *arg;
    /* results, also with an error: as far as it came */
    uint64_t found;
    uint64_t removed;
    uint64_t kept; /* keys of the pattern that must stay */
    bool more;     /* there were over REDIS_CLEANUP_MAX */
};

/* WHERE: as for coord_redis_open(); with Sentinels the master that they name.
 * ERR_UNSUPPORTED: TLS. Else what connecting, signing in or a command met. No
 * fault names a password. */
enum err
redis_cleanup_run(struct redis_cleanup *c, const struct coord_redis_conf *where,
                  struct fault *f);

/* Is KEY to be removed? For tests, too. */
bool redis_cleanup_is_legacy(struct slice key);

#endif
