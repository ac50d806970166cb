/* params.h - what a client says about an upload, from wherever it says it.
 *
 * The same names count in the query, as form fields and, for some, as headers
 * (D38): filename, retention_policy, ttl_days, metadata, content_type, md5,
 * sha256, checksum. How long the file stays and what its digests are may be
 * repeated but not contradicted; of the others the last word counts. A refusal
 * names the field, the value and what would be right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_PARAMS_H
#define ROLE_INGEST_PARAMS_H

#include "base/buf.h"
#include "role/common/route.h"
#include "wire/attr.h"
#include "wire/digest.h"
#include "wire/disposition.h"

struct refusal {
    int status; /* 0: none */
    const char *code;
    bool for_good; /* waiting will not help: no Retry-After */
    char text[240];
};

struct params {
    char filename[FILENAME_MAX_BYTES + 1]; /* sanitised; "" when not given */
    char content_type[128];
    struct buf metadata; /* JSON object text; .n == 0: none */
    enum retention retention;
    int64_t ttl_days;          /* 0: none */
    struct digest_set digests; /* that the client expects */
    bool has_retention, has_ttl;
    bool placed; /* the file is on its way: retention is settled */
};

void params_init(struct params *p);
void params_release(struct params *p);

/* False with *R filled. NAME that is none of ours is true and ignored: forms of
 * browsers carry fields of their own. */
bool params_set(struct params *p, struct slice name, struct slice value,
                struct refusal *r);
/* Is NAME one of ours? */
bool params_known(struct slice name);
/* The name of the file as the last segment of the path, percent-encoded. */
bool params_path(struct params *p, struct slice segment, struct refusal *r);
/* Everything that the head of X says: query, then headers. */
bool params_head(struct params *p, const struct exchange *x, struct refusal *r);
/* Does a body of this type hold the file among other things? */
bool params_is_form(struct slice content_type);
/* Content-MD5, Content-Digest, Repr-Digest; also those of a multipart part. */
bool params_digest_field(struct params *p, struct slice name,
                         struct slice value, struct refusal *r);

bool retention_parse(struct slice s, enum retention *out);

void refuse(struct refusal *r, int status, const char *code, const char *fmt,
            ...) PRINTF_LIKE(4, 5);

#endif
