/* params.h - what a client says about an upload, from wherever it says it.
 *
 * The same names count in the query, as form fields and, for some, as headers
 * (D38): filename, retention_policy, ttl_days, metadata, content_type, md5,
 * sha256, checksum. Each may be repeated but not contradicted. A name that is
 * none of these is a mistake in a query, since what it says would be lost.
 * Forms of browsers carry fields of their own (_charset_, the button), so there
 * only a name that is nearly one of ours is a mistake. A refusal names the
 * field, the value and what would be right.
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
    /* Said by the client; what params_part() takes is not. */
    bool has_filename, has_content_type, has_retention, has_ttl;
    bool placed; /* params_settle() */
};

void params_init(struct params *p);
void params_release(struct params *p);

/* False with *R filled, also when NAME is none of ours. */
bool params_set(struct params *p, struct slice name, struct slice value,
                struct refusal *r);
/* Is NAME one of ours? */
bool params_known(struct slice name);
/* NAME, which is none of ours, in a form. False with *R filled: it is so near
 * to one that it was meant. */
bool params_foreign(struct slice name, struct refusal *r);
/* What the file's part of a form says counts where nothing else is said; .p
 * NULL: it does not say. Without any name it is "unnamed". */
bool params_part(struct params *p, struct slice filename, struct slice type,
                 struct refusal *r);
/* The file is about to be placed: with the retention that was said, or
 * OTHERWISE. From here on a contrary word is a contradiction (D38). May be
 * repeated. */
bool
params_settle(struct params *p, enum retention otherwise, struct refusal *r);
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
