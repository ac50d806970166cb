/* routes.h - what storage elements answer over HTTP.
 *
 *     GET /api/v1/capacity                   how full (STO-016...STO-027)
 *     GET /api/v1/changes?since=             the change log (D25)
 *     GET /api/v1/files/{file_id}/verify     read whole, and compared (STO-050)
 *
 * One table for all elements of the process: ?element_id= names one; without it
 * the only one is meant, or, for capacity and verify, all.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_ROUTES_H
#define ROLE_STORAGE_ROUTES_H

#include "role/common/route.h"
#include "role/storage/element.h"

#define STORAGE_ELEMENTS_MAX 64
#define CHANGES_PAGE         256  /* when the client says nothing */
#define CHANGES_PAGE_MAX     1000 /* CHANGES_MAX of wire/changes.h */
#define VERIFY_MAX           2 /* at a time: each takes a worker and a disk */

struct storage_api;

/* NULL: no memory. The elements must outlive it; it must outlive the router
 * that has its table. */
struct storage_api *
storage_api_open(struct element *const *element, unsigned n);
void storage_api_close(struct storage_api **a);
struct route_table storage_routes(struct storage_api *a);

/* The keys that gateways bring (trust.h). Before requests come. */
struct keys;
void storage_api_trust(struct storage_api *a, struct keys *keys);

/* From any thread: long readings end soon, and none begins (503). */
void storage_api_drain(struct storage_api *a);

#endif
