/* json_scan.h - JSON as a row of tokens, without a tree and without memory.
 *
 * For long lists: of 10,000 storage elements the library's tree costs many
 * times what the list itself takes, in time and in memory
 * (bench/reload_bench.c). For single objects wire/json.h is the handier one.
 *
 *     struct json_scan s;
 *     struct slice text;
 *     json_scan_init(&s, body, 16);
 *     while ((t = json_scan_next(&s, &text)) != JSON_DONE)
 *         if (t == JSON_BAD) ...
 *
 * Strict RFC 8259: one value, UTF-8, no comments, no trailing commas; no U+0000
 * and no lone surrogates, as in wire/json.h. Repeated keys are not noticed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JSON_SCAN_H
#define WIRE_JSON_SCAN_H

#include "base/slice.h"

#define JSON_SCAN_DEPTH 60 /* at most, whatever the caller allows */

enum json_token {
    JSON_BAD, /* from then on always; s->why says what, s->at where */
    JSON_DONE,
    JSON_OPEN,  /* { */
    JSON_CLOSE, /* } */
    JSON_LIST,  /* [ */
    JSON_LIST_END,
    JSON_KEY, /* TEXT: between the marks, escapes as they are */
    JSON_TEXT,
    JSON_NUM, /* TEXT: the number as written */
    JSON_YES, /* true */
    JSON_NO,  /* false */
    JSON_NIL, /* null */
};

struct json_scan {
    const char *begin, *p, *end;
    const char *why; /* after JSON_BAD: words for people */
    size_t at;       /* and the byte */
    uint64_t object; /* bit per depth: an object, else a list */
    unsigned depth, depth_max;
    unsigned state;
    bool escapes; /* the last KEY or TEXT has some */
};

void json_scan_init(struct json_scan *s, struct slice text, unsigned depth_max);
/* *TEXT is set with KEY, TEXT and NUM, and points into the input. */
enum json_token json_scan_next(struct json_scan *s, struct slice *text);
/* Passes over what T began: all of a list or object. False: JSON_BAD came. */
bool json_scan_skip(struct json_scan *s, enum json_token t);
/* RAW of a KEY or TEXT without its escapes, and a zero behind; DST has room for
 * RAW.n + 1 bytes. Returns the length. */
size_t json_scan_text(struct slice raw, char *dst);

#endif
