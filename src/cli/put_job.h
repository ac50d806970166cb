/* put_job.h - sending one file: opening it, the request, the answer, and
 * whether it may be sent again.
 *
 *   put_job_begin -> SENDING -done-> put_job_end -> stored | failed
 *                       ^                 |
 *                       +---- WAITING <---+ may be sent again
 *
 * Sending again is right only when the server cannot have stored the file: it
 * said so (503, 429), or the connection broke before the whole body had been
 * handed over. A stream (standard input) cannot be sent again at all, unless it
 * is short: its first MiB is read before the request begins, and when that is
 * all of it, it is sent like a file, with its length. Without one the server
 * asks elements for 64 MiB of room.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PUT_JOB_H
#define CLI_PUT_JOB_H

#include "cli/http.h"
#include "cli/sum.h"
#include "cli/walk.h"

/* What all files of one command share. */
struct put_plan {
    struct http *http;
    const json_t *metadata;   /* object, or NULL */
    const char *retention;    /* "TEMPORARY", "PERMANENT", or NULL */
    const char *name;         /* instead of the file's own, or NULL */
    const char *content_type; /* or NULL: by the ending */
    uint64_t ttl_days;        /* 0: not said */
    uint64_t retries;
};

enum put_state { PUT_IDLE, PUT_WAITING, PUT_SENDING };

struct put_job {
    enum put_state state;
    const struct put_plan *plan;
    const struct walk_file *file;
    const char *name; /* as the server is told */
    int fd;
    uint64_t size; /* HTTP_UNKNOWN for a stream that is not short */
    uint8_t *head; /* of a stream */
    size_t head_n, head_at;
    bool head_read; /* all of it, or as much as there is room for */
    int64_t mtime_ns;
    struct sum sum;
    struct buf path;
    struct http_source source;
    struct http_req req;
    unsigned tries;
    struct mono not_before; /* WAITING ends then */
    bool stalled;           /* a stream that has nothing just now */
    bool renewed;           /* the token, once, after a 401 */
    int read_errno;
};

/* Opens FILE and makes ready; the job is WAITING for its first try. */
enum cli_exit put_job_begin(struct put_job *j, const struct put_plan *plan,
                            const struct walk_file *file, struct failure *f);
/* WAITING: whether there is enough of it to begin. Does not block; a stream is
 * read on. */
bool put_job_ready(struct put_job *j);
/* WAITING -> SENDING. */
enum cli_exit put_job_send(struct put_job *j, struct failure *f);
/* The request is done. CLI_OK: *STORED is the server's answer, the caller's.
 * Otherwise *F; the state says whether it is over (IDLE) or waits to be sent
 * again (WAITING), for *F's reason. */
enum cli_exit
put_job_end(struct put_job *j, json_t **stored, struct failure *f);
/* Lets go of everything, in any state. */
void put_job_release(struct put_job *j);

/* After a failure: may the file be sent again, and after how many seconds?
 * RETRY_AFTER is the header or NULL. -1: no. Where no element can ever take the
 * file the server names no time. */
bool put_in_vain(const struct failure *f, const char *retry_after);
int put_again_after(const struct failure *f, bool rewindable, bool sent_all,
                    bool reached, unsigned tries, uint64_t retries,
                    const char *retry_after);

#endif
