/* json.h - JSON from outside, bounded; and JSON to the outside, without a tree.
 *
 * Reading: the text is measured before the library sees it (bytes, depth,
 * number of values), keys must not repeat, and each getter says in words which
 * field is not as it should be.
 *
 *     struct json_error e;
 *     json_t *j = json_read(body, &e);
 *     name = json_get_str(j, "name", JSON_REQUIRED, &e);
 *     size = json_get_int(j, "size", JSON_OPTIONAL, 0, INT64_MAX, 0, &e);
 *     if (e.text[0]) answer 400 with e.text
 *     json_decref(j);
 *
 * The first error stays; getters after it, and getters of NULL, do nothing, so
 * that one look at the end is enough.
 *
 * Writing appends to a struct buf: json_out_str() and its like for single
 * values, struct json_writer where commas are to be somebody else's business.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "base/buf.h"
#include "base/mono.h"
#include <jansson.h>

struct json_error {
    char text[160]; /* "" : none; for people, may quote keys of the input */
};

struct json_limits {
    size_t bytes_max;
    uint32_t depth_max; /* objects and arrays inside each other */
    uint32_t values_max;
    bool any; /* the top may be a string, a number ...; else {} or [] */
};

/* 4,096 values are at most about 0.5 MB of library objects. */
#define JSON_LIMITS_DEFAULT \
    ((struct json_limits){(size_t)64 * 1024, 16, 4096, false})

/* The caller's reference, or NULL and E->text. What stood in E before, be it
 * nothing at all, is gone. */
json_t *json_read(struct slice text, struct json_error *e);
json_t *json_read_limited(struct slice text, const struct json_limits *limits,
                          struct json_error *e);

/* Only the measuring: true when TEXT keeps the limits. It need not be valid
 * JSON for that. */
bool json_measure(struct slice text, const struct json_limits *limits,
                  struct json_error *e);

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

/* Of the object O. null counts as absent. What is returned lives as long as O.
 * Absent or wrong: an empty slice with .p NULL, OTHERWISE, NULL. */
struct slice json_get_str(const json_t *o, const char *key, enum json_need need,
                          struct json_error *e);
int64_t
json_get_int(const json_t *o, const char *key, enum json_need need, int64_t min,
             int64_t max, int64_t otherwise, struct json_error *e);
bool json_get_bool(const json_t *o, const char *key, enum json_need need,
                   bool otherwise, struct json_error *e);
const json_t *json_get_obj(const json_t *o, const char *key,
                           enum json_need need, struct json_error *e);
const json_t *json_get_list(const json_t *o, const char *key,
                            enum json_need need, struct json_error *e);

/* ---- writing ------------------------------------------------------------- */

/* S with quotation marks and escapes; what is not UTF-8 becomes U+FFFD. */
bool json_out_str(struct buf *b, struct slice s);
/* A tree, compact, keys in the order of the text that it came from; numbers
 * that are no integers in the fewest digits, 15 at least. It recurs as deep as
 * the tree is. */
bool json_out_value(struct buf *b, const json_t *j);

#define JSON_WRITER_DEPTH 32

/* A value on the stack. Commas and colons are its business; KEY is NULL inside
 * arrays and at the top. */
struct json_writer {
    struct buf *b;
    uint32_t depth;
    uint32_t filled; /* bit per depth: something stands before */
};

void json_begin(struct json_writer *w, struct buf *b);
void json_put_object(struct json_writer *w, const char *key);
void json_end_object(struct json_writer *w);
void json_put_list(struct json_writer *w, const char *key);
void json_end_list(struct json_writer *w);
void json_put_str(struct json_writer *w, const char *key, struct slice s);
void json_put_text(struct json_writer *w, const char *key, const char *s);
void json_put_u64(struct json_writer *w, const char *key, uint64_t v);
void json_put_i64(struct json_writer *w, const char *key, int64_t v);
/* Not a number and infinities become null. */
void json_put_double(struct json_writer *w, const char *key, double v);
void json_put_bool(struct json_writer *w, const char *key, bool v);
void json_put_null(struct json_writer *w, const char *key);
/* RFC 3339 with milliseconds; null for {0}. */
void json_put_time(struct json_writer *w, const char *key, struct wall t);
/* RAW is JSON already. */
void json_put_raw(struct json_writer *w, const char *key, struct slice raw);

#endif
