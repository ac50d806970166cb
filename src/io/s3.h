/* s3.h - port/objects.h over any S3 service, with libcurl.
 *
 * One thread carries all requests of one bucket (curl_multi); submitters put
 * theirs into a bounded queue and are answered on their loops. Requests are
 * signed by curl (AWS Signature Version 4); we hand it queries in canonical
 * form and the SHA-256 of each body, so that the store refuses what changed on
 * the way, with and without TLS.
 *
 * What may be repeated is repeated: after 5xx, 429 and failed connections,
 * RETRIES times, with pauses that double from 100 ms to 2 s and are jittered.
 * Beginning an upload counts as such: one that nobody knows of is found and
 * given up at the next start.
 *
 * Neither the secret key nor the session token is ever in a fault.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_S3_H
#define IO_S3_H

#include "port/objects.h"

/* Texts are copied; "" or NULL: none. */
struct s3_keys {
    const char *access_key;
    const char *secret_key;
    const char *session_token;
};

struct s3_conf {          /* all texts are copied; "" or NULL: none */
    const char *endpoint; /* http[s]://host[:port][/path] */
    const char *bucket;
    const char *prefix; /* before every key; ends in '/' or is empty */
    const char *region; /* "us-east-1" when empty */
    struct s3_keys keys;
    const char *ca_file;        /* PEM; empty: the system's */
    bool path_style;            /* host/bucket/key, else bucket.host/key */
    unsigned connections;       /* requests under way; 0: 16 */
    unsigned queue_max;         /* requests waiting; 0: 4096 */
    unsigned retries;           /* repetitions of one request; see S3_RETRIES */
    struct dur connect_timeout; /* 0: 5 s */
    /* 0: 30 s. Without body: the whole request; with one: no progress, and all
     * of it at 16 KiB a second. */
    struct dur timeout;
    /* No thread: s3_turn() does the work, on the thread that submits. For tests
     * in virtual time. */
    bool manual;
};

#define S3_RETRIES 5

/* *F: a malformed endpoint, or no memory. Sends nothing yet. */
enum err
s3_open(struct objects **out, const struct s3_conf *conf, struct fault *f);

/* MANUAL only: works for at most MS; false when nothing is under way. */
bool s3_turn(struct objects *o, int ms);

/* Signs with these from now on: requests that come later and repetitions. For
 * keys that are changed and tokens that end. Too long a text, or no memory:
 * false, and the ones before stay. Any thread. */
bool s3_set_keys(struct objects *o, const struct s3_keys *keys);

struct s3_stats {
    uint64_t requests; /* sent, repetitions too */
    uint64_t retries;
    uint64_t failed; /* answered with an error other than ERR_NOENT */
    unsigned queued; /* now, not sent */
};
void s3_stats(struct objects *o, struct s3_stats *out);

#endif
