/* inform.h - what a gateway has polled, told to Admin: so Admin's list has
 * numbers to choose by when the coordination store is lost (ADM-021, CAP-060),
 * and Admin need not ask the elements itself.
 *
 *     POST /api/v1/internal/storage-elements/{element_id}/capacity
 *
 * At most INFORM_AT_ONCE requests, and INFORM_MAX answers that wait; an element
 * that is polled again before its turn is told once. What is lost is no loss:
 * the next poll brings it. On one loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_INFORM_H
#define ROLE_INGEST_INFORM_H

#include "port/blob.h"
#include "role/common/ask.h"

#define INFORM_AT_ONCE 8
#define INFORM_MAX     4096

struct inform;

/* PEER, of Admin, must outlive it. NULL: no memory. */
struct inform *inform_open(struct fetch_peer *peer, const struct ask_auth *auth,
                           struct dur patience);
/* All on L's thread. DONE there, when nothing is under way any more. */
void inform_start(struct inform *n, struct loop *l);
void inform_put(struct inform *n, const char *element_id,
                const struct blob_capacity *c);
void inform_stop(struct inform *n, void (*done)(void *arg), void *arg);
/* After the stop, or when it was never started. Accepts NULL. */
void inform_close(struct inform **n);

#endif
