/* request.h - one call when a request has ended feeds the http_ metrics and the
 * access log; one when it begins feeds the number in progress.
 *
 * One struct per loop, used by that loop only. It remembers the handles of the
 * series it has met (route, method, status), so that a request costs a few
 * additions and one line of text: see request_test.c for the figure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_REQUEST_H
#define OBS_REQUEST_H

#include "obs/access.h"
#include "obs/metric.h"

#define REQUEST_KNOWN 256u

struct request_known {
    const char *method; /* compared by address: both are literals */
    const char *endpoint;
    unsigned status;
    struct series running;
    struct series count; /* this and the next are of a status only */
    struct series took;
    struct series size_in;
    struct series size_out;
};

struct requests {
    struct metrics *metrics; /* not owned; may be NULL */
    struct series bytes_in;
    struct series bytes_out;
    struct request_known known[REQUEST_KNOWN];
    struct access access;
};

/* About 50 KiB. L and M may be NULL. */
void requests_init(struct requests *q, struct metrics *m, struct log *l);

/* METHOD and ENDPOINT must be literals or live as long as Q. */
void
request_began(struct requests *q, const char *method, const char *endpoint);
/* The same two as in request_began(); the rest is read during the call. */
void request_ended(struct requests *q, const struct request_rec *r);

/* At the end of the loop's turn. */
static inline void
requests_flush(struct requests *q)
{
    access_flush(&q->access);
}

/* The literal of a method that we know, or "OTHER" (PRD-036). */
const char *request_method(struct slice method);

#endif
