/* changes.h - what elements tell gateways and gateways tell Admin, as JSON: a
 * page of an element's change log, and pages of files (D25, ADM-035).
 *
 *     {"changes": [{"seq", "op", "at", "file_id", "epoch", "file"}, ...],
 *      "element_id", "element_uuid", "boot", "first_seq", "seq", "since",
 *      "next", "more"}
 *     {"files": [file, ...], "next_cursor": uuid or null}
 *
 * A page says all that the log has after `since` up to `next`; `first_seq` and
 * `seq` are where the whole log begins and ends. The `file` of a publish is
 * that of blobs.h; deletes and expiries have none.
 *
 * Reading: the text is measured first, and numbers must go up from row to row,
 * so that a page that was mixed up on its way is refused and not applied.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_CHANGES_H
#define WIRE_CHANGES_H

#include "wire/attr.h"
#include "wire/blobs.h"

#define CHANGES_MAX   1000              /* rows of one page */
#define CHANGES_BYTES ((size_t)8 * MIB) /* of one that is pushed */
#define CHANGES_TEXT  (CHANGES_MAX * (size_t)24 * KIB) /* of one answered */

enum change_op {
    CHANGE_PUBLISH = 1,
    CHANGE_DELETE = 2,
    CHANGE_EXPIRE = 3,
};

struct change {
    uint64_t seq;
    enum change_op op;
    struct wall at;
    struct file_attr attr; /* DELETE, EXPIRE: file_id, epoch; else zero */
};

struct changes_head {
    char element_id[65];
    struct uuid element_uuid;
    uint64_t boot;
    uint64_t first_seq; /* 0: the log is empty */
    uint64_t seq;
    uint64_t since;
    uint64_t next; /* the last number told; since when there is none */
    bool more;
};

/* Writing: an object, a list "changes" with a put_row for each, and the head
 * behind the list, when it is known. */
void changes_put_row(struct json_writer *w, const struct change *c);
void changes_put_head(struct json_writer *w, const struct changes_head *h);

/* A page that is being read: rows come one by one, so that a caller turns them
 * into its own kind without a second array. */
struct changes_page {
    struct changes_head head;
    size_t n; /* rows */
    /* private */
    json_t *root;
    const json_t *rows;
    size_t at;
    uint64_t last;
};

/* TEXT is only read during the call. False: *E says why, nothing to release. */
bool
changes_open(struct changes_page *p, struct slice text, struct json_error *e);
/* Row after row, N of them. False: *E. C->attr.metadata is the caller's to
 * free(). */
bool
changes_row(struct changes_page *p, struct change *c, struct json_error *e);
void changes_release(struct changes_page *p);

/* ---- files ---- */

/* "next_cursor"; nil is null. */
void files_put_next(struct json_writer *w, const struct uuid *next);

struct files_page {
    json_t *root; /* for further members */
    size_t n;
    struct uuid next; /* nil: the end, or not told */
    /* private */
    const json_t *rows;
    size_t at;
};

/* At most MAX rows. As above. */
bool files_open(struct files_page *p, struct slice text, size_t max,
                struct json_error *e);
bool files_row(struct files_page *p, struct file_attr *a, struct json_error *e);
void files_release(struct files_page *p);

#endif
