/* openapi.h - the API description, made from the tables of routes: what is not
 * in a table cannot exist, and what is in one cannot be missing here.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_OPENAPI_H
#define ROLE_COMMON_OPENAPI_H

#include "role/common/route.h"
#include "wire/json.h"

#define OPENAPI_MAX ((size_t)512 * 1024)

/* Appends an OpenAPI 3.1 document to OUT. */
void openapi_make(const struct route_table *tables, size_t n,
                  const char *version, struct buf *out);

/* The schemas that route_doc.type may name (with a capital), as an object. */
void openapi_schemas(struct json_writer *w, const char *key);

#endif
