/* file_query.h - struct meta_query as the query string of GET
 * /api/v1/internal/files, both ways: what a gateway was asked, told to Admin.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_FILE_QUERY_H
#define ROLE_COMMON_FILE_QUERY_H

#include "port/meta.h"
#include "wire/json.h"

#define FILE_QUERY_TEXT 512 /* of one condition, with its zero */
/* Each byte of a text may become three. */
#define FILE_QUERY_MAX ((size_t)5 * 3 * FILE_QUERY_TEXT + 1024)

struct file_query {
    struct meta_query q; /* its strings point to what follows */
    char name[FILE_QUERY_TEXT];
    char user[FILE_QUERY_TEXT];
    char element[FILE_QUERY_TEXT];
    char key[FILE_QUERY_TEXT];
    char value[FILE_QUERY_TEXT];
};

/* Appends "?limit=..." to OUT. False: over its ceiling. */
bool file_query_put(struct buf *out, const struct meta_query *q);

/* The first thing that is not as it should be is told by E. Names that are not
 * known are a mistake: a condition that is passed over finds too much. */
bool file_query_read(struct file_query *out, struct slice query,
                     struct json_error *e);

#endif
