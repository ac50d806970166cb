/* audit_json.h - rows of the audit log as JSON.
 *
 *     {"n", "at", "id", "actor", "action", "object", "element_id", "result",
 *      "request_id", "source", "hash"}
 *     "head": {"first", "n", "hash"}
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_AUDIT_JSON_H
#define WIRE_AUDIT_JSON_H

#include "wire/audit.h"
#include "wire/json.h"

/* An element of a list. HASH NULL: not sealed. */
void audit_put_row(struct json_writer *w, const struct audit_row *r,
                   const uint8_t *hash);
/* The same read; the texts live as long as O. *SEALED: HASH was there. False:
 * *E. */
bool
audit_get_row(const json_t *o, struct audit_row *r, uint8_t hash[AUDIT_HASH],
              bool *sealed, struct json_error *e);
/* "head": null when nothing was appended yet. */
void audit_put_head(struct json_writer *w, const struct audit_head *h);
/* Of the object that has "head". */
bool
audit_get_head(const json_t *o, struct audit_head *h, struct json_error *e);

#endif
