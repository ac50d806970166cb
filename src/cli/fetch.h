/* fetch.h - one file coming in: what the server promises of it, its bytes, and
 * whether they are what was promised.
 *
 * The bytes go to a descriptor, and through SHA-256 on the way. When the
 * connection breaks, the rest is asked for, RETRIES times without a byte at
 * most. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "cli/resume.h"
#include "cli/session.h"
#include "cli/sum.h"

struct fetch {
    /* the caller's */
    struct http *http;
    char id[37];
    uint64_t retries;
    int fd;       /* where the bytes go */
    bool is_file; /* it can be cut and read again; false: a stream */

    /* what the server promises, after fetch_head() */
    uint64_t total; /* RESUME_UNKNOWN: it did not say */
    char etag[256];
    char name[1024]; /* as the server says it: see cli/name.h */
    bool has_digest;
    uint8_t digest[SUM_BYTES];

    /* how far it is */
    uint64_t have;
    uint64_t resumed_from;
    struct sum sum; /* of the HAVE bytes */
    struct http_req *req;
    bool judged; /* the head of the running answer */
    enum resume_answer answer;
    int write_errno;
};

/* Asks for size, name, digest. */
enum cli_exit fetch_head(struct fetch *f, struct failure *why);
/* Reads what is in the file already, so that the sum is that of all. */
enum cli_exit fetch_take_part(struct fetch *f, struct failure *why);
/* Gets what is missing. */
enum cli_exit fetch_body(struct fetch *f, struct failure *why);
/* Size and SHA-256 against the promise; CLI_MISMATCH. */
enum cli_exit fetch_verify(const struct fetch *f, struct failure *why);
/* Forgets the bytes; a file is cut to nothing. */
bool fetch_restart(struct fetch *f);

#endif
