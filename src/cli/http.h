/* http.h - the client's half of HTTP: libcurl, one thread, one connection pool.
 *
 * struct http is the session: where, as whom, and the pool. struct http_req is
 * one exchange; several may be under way at once, and all move in http_turn().
 * The token is fetched when first needed, kept in memory, fetched again shortly
 * before it expires, and never shown.
 *
 * Redirects are not followed, since a token belongs to one server. There is no
 * limit on the whole of an exchange, only on time without progress.
 *
 * What may be repeated is the caller's to know: a request that breaks off says
 * whether all of its body had been handed over (`sent_all`), because only then
 * can the server have acted on it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "base/mono.h"
#include "cli/place.h"
#include <curl/curl.h>
#include <jansson.h>

#define HTTP_BODY_MAX (32 * MIB)
#define HTTP_UNKNOWN  UINT64_MAX
#define HTTP_NOT_NOW  ((size_t)-1)
#define HTTP_STOP     ((size_t)-2)

struct http {
    CURLM *multi;
    struct place *place;
    uint64_t timeout_s;
    struct mono token_until; /* fetch another then */
    bool token_fetched;
    bool reached; /* in this session: an answer came, or bytes went there */
    size_t active;
    void (*tick)(void *arg); /* while http_call() waits; may be NULL */
    void *tick_arg;
};

/* Where the body of a request comes from. read() fills at most N bytes and
 * returns how many, 0 at the end, HTTP_NOT_NOW (then resume with
 * http_continue()), HTTP_STOP to call it off. rewind() may be NULL: cannot. */
struct http_source {
    size_t (*read)(void *owner, void *p, size_t n);
    bool (*rewind)(void *owner);
    void *owner;
    uint64_t size; /* or HTTP_UNKNOWN */
};

/* Takes body bytes of a 2xx answer; false calls it off. */
typedef bool http_sink(void *owner, const void *p, size_t n);

struct http_req {
    /* The caller's, set before http_start(); the rest zero. */
    const char *method;
    const char *path;         /* "/api/files?..." already encoded */
    const char *content_type; /* of a body, else NULL */
    const char *range;        /* "bytes=5-", or NULL */
    const char *if_range;
    struct slice body;                /* small one; must stay until the end */
    const struct http_source *source; /* large one */
    http_sink *sink;                  /* NULL: kept in `reply` */
    void *owner;                      /* of the sink */
    bool anonymous;                   /* no token */
    bool patient; /* no bound on time without progress: a slow producer */

    /* The answer, once `done`. */
    bool done;
    long status; /* 0: none came */
    struct buf reply;
    bool called_off; /* by source or sink */
    bool sent_all;   /* the whole body had been handed over */
    uint64_t sent;
    enum cli_exit exit; /* CLI_OK: an answer came, of whatever status */
    char error[CURL_ERROR_SIZE];

    /* ours */
    const char *where; /* for messages */
    CURL *easy;
    struct curl_slist *headers;
    struct http *http;
};

bool http_open(struct http *h, struct place *place, uint64_t timeout_s);
void http_close(struct http *h);

/* Sends off R. False: it could not even begin, and *F says why. */
bool http_start(struct http *h, struct http_req *r, struct failure *f);
/* Moves all exchanges, waiting at most WAIT_MS for something to do; FD, unless
 * -1, is one more descriptor whose readability ends the wait. */
void http_turn(struct http *h, int wait_ms, int fd);
void http_continue(struct http_req *r); /* after HTTP_NOT_NOW */
/* Breaks off an exchange, or tidies up after one. */
void http_finish(struct http_req *r);

/* A header of the answer, or NULL; valid until http_finish(). */
const char *http_header(const struct http_req *r, const char *name);
/* Of the answer's body; HTTP_UNKNOWN: not said. */
uint64_t http_length(const struct http_req *r);

/* After `done`: CLI_OK for 2xx, else fills *F and returns its code. */
enum cli_exit http_judge(struct http_req *r, struct failure *f);

/* Start, turn until done, judge. The caller finishes R in any case. A 401 with
 * a token that we fetched ourselves is tried once more with a new one. */
enum cli_exit http_call(struct http *h, struct http_req *r, struct failure *f);
/* GET of a JSON object; the caller's to decref, NULL on failure. */
json_t *http_get_json(struct http *h, const char *path, struct failure *f);

/* Credentials must be there: else CLI_AUTH with the places looked at. Fetches
 * the token when it is none yet. SCOPE, TTL may be NULL, 0: the default. */
enum cli_exit http_authorize(struct http *h, struct failure *f);
enum cli_exit http_fetch_token(struct http *h, const char *scope, uint64_t ttl,
                               struct failure *f);

/* Adds "?" or "&", KEY=VALUE percent-encoded; VALUE NULL adds nothing. */
void query_add(struct buf *path, const char *key, const char *value);

#endif
