/* element.h - what may be said of a storage element: ids, addresses, modes and
 * their changes, priorities (ADM-012, ADM-013, CNF-003, AMB-026). Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_ELEMENT_H
#define ROLE_ADMIN_ELEMENT_H

#include "base/slice.h"
#include "port/blob.h"
#include "port/meta.h"

#define ADMIN_PRIORITY_DEFAULT 100
#define ADMIN_PRIORITY_MAX     1000000

/* [A-Za-z0-9._-]{1,64}, and none of the words that are keys in the coordination
 * store: edit, rw, registry, priorities; nor "." and "..". */
bool admin_id_ok(struct slice id);
/* http:// or https://, a host, maybe a port and a path; no user, query,
 * fragment or blank; at most 255 bytes. */
bool admin_url_ok(struct slice url);
/* A location is like an id, or empty. */
bool admin_location_ok(struct slice location);

/* edit -> rw -> ro -> ar, also by leaps, never back: what was promised to the
 * files of an element is not taken back. Staying is allowed. */
bool admin_mode_may(enum blob_mode from, enum blob_mode to);

/* NULL when all of E is valid, else which field is not: "element_id",
 * "api_url", "mode", "priority", "location". */
const char *admin_element_invalid(const struct meta_element *e);

#endif
