/* refresh.h - elements of which nobody has told for a while, asked by Admin.
 *
 * As long as gateways poll and tell, Admin asks nobody. When they cannot, since
 * the coordination store is lost and none of them may lead, its list would be
 * too old to choose by after a minute (ADM-021); so after REFRESH_AFTER it asks
 * the elements itself, one round in REFRESH_EVERY at most, REFRESH_AT_ONCE of
 * them at a time.
 *
 * On one loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_REFRESH_H
#define ROLE_ADMIN_REFRESH_H

#include "role/admin/probe.h"

#define REFRESH_AFTER   dur_s(45)
#define REFRESH_EVERY   dur_s(30)
#define REFRESH_FIRST   dur_s(2) /* after the start */
#define REFRESH_AT_ONCE 8

struct refresh;

/* API has a fetch and must outlive it. NULL: no memory. */
struct refresh *refresh_open(struct admin_api *api);
/* Both on L's thread; DONE there, when nothing is under way any more. */
void refresh_start(struct refresh *r, struct loop *l);
void refresh_stop(struct refresh *r, void (*done)(void *arg), void *arg);
/* After the stop, or when it was never started. Accepts NULL. */
void refresh_close(struct refresh **r);

#endif
