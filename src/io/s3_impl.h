/* s3_impl.h - what the parts of the S3 driver share; nobody else includes it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_S3_IMPL_H
#define IO_S3_IMPL_H

#include "base/buf.h"
#include "io/s3.h"
#include "wire/s3.h"
#include <curl/curl.h>
#include <pthread.h>

#define S3_ANSWER_MAX (4 * MIB) /* a page of 1000 long names */
#define S3_BODY_MAX   (2 * MIB) /* of CompleteMultipartUpload */

struct s3;

/* What requests are signed with. */
struct s3_signer {
    char access_key[256];
    char *secret_key;
    char *token_header; /* "x-amz-security-token: ..." or NULL */
};

/* One request under way, or waiting for its next attempt. */
struct s3_transfer {
    struct s3 *s3;
    struct object_req *r; /* NULL: free */
    CURL *easy;           /* kept for the next request */
    struct curl_slist *headers;
    struct buf url;
    struct buf own;    /* COMPLETE: the body */
    struct buf answer; /* all but what GET wants */
    unsigned attempt;
    bool active; /* curl has it */
    int64_t due; /* ms: else wait until then */
    unsigned piece;
    size_t at; /* in the piece */
    size_t got;
    uint64_t total; /* of the object, as the answer tells */
    int64_t retry_after;
    char etag[OBJECT_ETAG_MAX + 1];
    char error[CURL_ERROR_SIZE];
};

struct s3 {
    struct objects objects;
    /* fixed at birth */
    char scheme[8];
    char host[300]; /* with port */
    char base[512]; /* the path before the key: "/" or "/bucket/" ... */
    char prefix[OBJECT_KEY_MAX + 1];
    char sigv4[128]; /* for curl: "aws:amz:region:s3" */
    char region[64];
    char ca_file[1024];
    unsigned connections, queue_max, retries;
    struct dur connect_timeout, timeout;
    bool manual;
    /* the client thread's */
    CURLM *multi;
    struct s3_signer *signer;
    struct s3_transfer *t; /* CONNECTIONS of them */
    unsigned busy;
    uint64_t random;
    pthread_t thread;
    bool running;
    /* under mu */
    pthread_mutex_t mu;
    struct list queue;
    unsigned queued;
    bool stopping;
    struct s3_signer *fresh; /* NULL, or instead of SIGNER from now on */
    struct s3_stats stats;
};

/* s3_request.c. Makes T's handle carry T->r out; false: no memory. */
bool s3_prepare(struct s3_transfer *t);
/* What CODE and the answer mean: fills the results, r->err and r->fault. True:
 * it may be tried again. */
bool s3_judge(struct s3_transfer *t, CURLcode code);

#endif
