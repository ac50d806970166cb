/* resume.h - continuing a download: what to ask for, and what the answer means.
 *
 * A part of a file is worth something only if it is a beginning of the same
 * bytes. If-Range makes the server say so, and the SHA-256 of the whole decides
 * in the end. Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RESUME_H
#define CLI_RESUME_H

#include "base/slice.h"

#define RESUME_UNKNOWN UINT64_MAX

enum resume_ask {
    RESUME_ALL,  /* from the beginning */
    RESUME_REST, /* the range from HAVE on */
    RESUME_DONE, /* all bytes are here; verify them */
};

/* HAVE bytes of TOTAL (or RESUME_UNKNOWN) are there. ETAG may be NULL; a weak
 * one (W/"...") cannot guard a range, RFC 9110 section 13.1.5. */
enum resume_ask resume_ask(uint64_t have, uint64_t total, const char *etag);

enum resume_answer {
    RESUME_GO_ON,   /* the bytes continue at HAVE */
    RESUME_RESTART, /* the bytes are the whole from 0: drop what is there */
    RESUME_REFUSED, /* the range does not exist: ask for all */
    RESUME_WRONG,   /* an answer that makes no sense */
};

/* To a request for the bytes from HAVE on (0: for all). CONTENT_RANGE may be
 * NULL. TOTAL is what is known or RESUME_UNKNOWN. */
enum resume_answer resume_judge(long status, const char *content_range,
                                uint64_t have, uint64_t total);

/* "bytes 5-9/10" -> 5, 9, 10 (RESUME_UNKNOWN for "*"). False: not that. */
bool
content_range(struct slice s, uint64_t *first, uint64_t *last, uint64_t *total);

/* The SHA-256 in a Repr-Digest header (RFC 9530): sha-256=:BASE64:, perhaps
 * among others. False: none, or not well formed. */
bool repr_digest(struct slice header, uint8_t out[32]);

#endif
