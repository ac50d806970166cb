/* endpoint.h - names and addresses of storage elements, as they may be written
 * (ADM-013, REL-018): the same rules where one is registered, where the list is
 * read, and where a poll's answer is judged.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_ENDPOINT_H
#define WIRE_ENDPOINT_H

#include "base/slice.h"

#define ELEMENT_ID_MAX       64
#define ELEMENT_ENDPOINT_MAX 255

/* [A-Za-z0-9._-]{1,64}, and none of the words that are keys in the coordination
 * store: edit, rw, registry, priorities; nor "." and "..". */
bool element_id_ok(struct slice id);
/* http:// or https://, a host, maybe a port and a path; no user, query,
 * fragment or blank; at most 255 bytes. */
bool element_endpoint_ok(struct slice url);
/* A location is like an id, or empty. */
bool element_location_ok(struct slice location);

/* edit, rw, ro, ar: 0 to 3 (enum blob_mode); -1: none of them. */
int element_mode_of(struct slice s);
const char *element_mode_text(int mode); /* "unknown" beyond them */
/* ok, warning, critical, full: 0 to 3 (enum blob_status); -1. */
int element_status_of(struct slice s);
const char *element_status_text(int status);

/* PATH, which begins with a slash, below ENDPOINT, which may end in one or have
 * a path of its own (CAP-012). False: it does not fit into OUT's N bytes. */
bool element_url(const char *endpoint, const char *path, char *out, size_t n);

#endif
