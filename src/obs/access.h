/* access.h - the access log: one line per request, cheap enough for each.
 *
 * Lines gather in a buffer of the loop that serves the requests and are written
 * when the loop's turn ends (access_flush) or when 16 KiB are full: at 100,000
 * requests a second a write per line would cost more than the request. A crash
 * loses at most the lines of one turn.
 *
 * One per thread; the sink below is shared. JSON records have the fields of
 * PRD-192; the text format is
 *     TIME CLIENT SUBJECT "METHOD PATH" STATUS IN OUT MILLISECONDS REQUEST_ID
 * Query strings are redacted, addresses hashed by the caller.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_ACCESS_H
#define OBS_ACCESS_H

#include "obs/log.h"

#define ACCESS_BUFFER   ((size_t)16 * 1024)
#define ACCESS_LINE_MAX ((size_t)2048)

/* What is known about a request that has ended. Slices may be empty and are
 * only read during the call. */
struct request_rec {
    struct wall at; /* end of the request */
    struct dur took;
    const char *method;   /* a name we know, or "OTHER" */
    const char *endpoint; /* the route's template, a literal; "unmatched" */
    struct slice path;    /* as it was asked for, with its query */
    unsigned status;
    uint64_t bytes_in; /* of bodies */
    uint64_t bytes_out;
    struct slice client;  /* a hash, never the address */
    struct slice subject; /* who, from the token */
    struct slice agent;
    const char *error;         /* the code in the answer, or NULL */
    const struct trace *trace; /* or NULL */
    bool quiet;                /* probes: only at DEBUG (PRD-193) */
};

struct access {
    struct log *log;   /* not owned; NULL: no access log */
    struct sink *sink; /* not owned; where the lines go */
    size_t n;
    char text[ACCESS_BUFFER];
};

/* The lines go where L's go. */
void access_init(struct access *a, struct log *l);
/* From now on to S, in the form and from the level of L; what has gathered is
 * written to the old place first. L NULL: no access log. Called by whoever may
 * call access_add(), or while nobody does. */
void access_direct(struct access *a, struct log *l, struct sink *s);
void access_add(struct access *a, const struct request_rec *r);
void access_flush(struct access *a);

#endif
