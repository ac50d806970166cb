/* trust.h - which keys an element trusts, brought by the gateway that polls it
 * (D36; sec/keydoc.h).
 *
 *     PUT /api/v1/trusted-keys    the text of GET /.well-known/key-documents
 *
 * No token is asked, as for a JWKS: the one who brings it may have a token of
 * just that key of which this element has not heard yet, and what is believed
 * is the signature in it. 200 {"version": V, "taken": true}: these keys hold
 * from now on, also after a restart. "taken" false: they did already, or newer
 * ones. 400: no such text. 403: none of the newer documents is signed by a key
 * that is trusted here; then the operator has to bring the file. Since anybody
 * may bring something, a text has 10 s to come, the oldest of too many that are
 * on their way is given up (408), and on each loop one is looked at at a time,
 * the shortest of those that wait; the longest of too many is refused (503).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_TRUST_H
#define ROLE_STORAGE_TRUST_H

#include "role/common/route.h"
#include "sec/keys.h"

struct log;
struct metrics;
struct trust_api;

/* All must outlive it; N_LOOPS call it. NULL: no memory. */
struct trust_api *trust_open(struct keys *keys, struct log *log,
                             struct metrics *metrics, unsigned n_loops);
void trust_close(struct trust_api **a);
struct route_table trust_routes(struct trust_api *a);

#endif
