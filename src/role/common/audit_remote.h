/* audit_remote.h - what a gateway has to say for the audit log, on its way to
 * Admin (ING-060, ADM-034).
 *
 *     POST /api/v1/internal/audit    up to AUDIT_BATCH entries, once a second
 *
 * Each entry has an id, so that a batch whose answer is lost is sent again and
 * is there once. While Admin is away they wait, AUDIT_MAX of them; over it the
 * newest is lost, counted and told. What Admin says is malformed is lost, too:
 * else it would hold up all that comes after. A crash loses the last second.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_AUDIT_REMOTE_H
#define ROLE_COMMON_AUDIT_REMOTE_H

#include "port/meta.h"
#include "role/common/ask.h"

#define AUDIT_MAX   4096
#define AUDIT_BATCH 100
#define AUDIT_STOP  dur_s(3)

struct audit_remote;
struct log;

/* PEER, of Admin, must outlive it. NULL: no memory. */
struct audit_remote *
audit_remote_open(struct fetch_peer *peer, const struct ask_auth *auth,
                  struct dur patience, struct log *log);
/* From any thread. Copied; its id is set here when it has none. */
void audit_remote_put(struct audit_remote *q, const struct meta_audit *a);
/* Both on L's thread. Stop sends what waits, for AUDIT_STOP at most, whatever
 * Admin does; DONE there. */
void audit_remote_start(struct audit_remote *q, struct loop *l);
void
audit_remote_stop(struct audit_remote *q, void (*done)(void *arg), void *arg);
/* After the stop, or when it was never started. Accepts NULL. */
void audit_remote_close(struct audit_remote **q);

struct audit_remote_stats {
    uint64_t written, lost;
    unsigned queued;
};
/* From any thread. */
void audit_remote_stats(struct audit_remote *q, struct audit_remote_stats *out);

#endif
