/* s3.h - the text of the S3 protocol: how names are written into requests, and
 * what answers say.
 *
 * Answers are XML. Only what S3 sends is read of it: elements, character data,
 * the five named entities and numeric ones, comments and the declaration; a
 * DOCTYPE is refused, and nesting has a ceiling. Names are compared without
 * their prefix, attributes are skipped. Amazon S3 API Reference (2006-03-01),
 * XML 1.0 sections 2.3-2.6, 4.1. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_S3_H
#define WIRE_S3_H

#include "base/buf.h"
#include "base/err.h"

#define S3_KEY_MAX    1024 /* of an object's name, in bytes (S3's own limit) */
#define S3_ID_MAX     512  /* of an upload's id */
#define S3_ETAG_MAX   80
#define S3_CODE_MAX   64
#define S3_PARTS_MAX  10000
#define S3_PART_LEAST ((uint64_t)5 * 1024 * 1024) /* but the last one's */

/* Appends S with every byte but A-Z a-z 0-9 - . _ ~ as %XX, as SigV4 wants it
 * in the canonical request (and the same bytes on the wire, so that there is
 * one form only); '/' is kept where PATH. */
bool s3_encode(struct buf *out, struct slice s, bool path);

/* One object or upload of a listing; what is not told is empty. */
struct s3_entry {
    char key[S3_KEY_MAX + 1];
    char upload_id[S3_ID_MAX + 1];
    uint64_t size;
};
/* False stops the walk. */
typedef bool s3_entry_fn(void *arg, const struct s3_entry *e);

/* Calls FN for each <Contents> or <Upload> of a ListBucketResult (version 2) or
 * ListMultipartUploadsResult. *MORE: there is another page. ERR_CORRUPT: it is
 * neither; ERR_NOMEM. */
enum err
s3_list_parse(struct slice xml, s3_entry_fn *fn, void *arg, bool *more);

/* The text of the first element NAME below the root; false when there is none,
 * it does not fit into CAP bytes, or XML is none. */
bool s3_text_parse(struct slice xml, const char *name, char *out, size_t cap);

/* <Code> of an <Error> answer, "" when XML is something else. A part of what S3
 * calls success may hold an error: CompleteMultipartUpload answers 200 before
 * it knows. */
void s3_error_parse(struct slice xml, char code[S3_CODE_MAX]);

/* The body of CompleteMultipartUpload: ETAG(ARG, i) for the parts 1...N. */
bool
s3_complete_format(struct buf *out, const char *(*etag)(void *arg, unsigned i),
                   void *arg, unsigned n);

#endif
