/* ask.h - one small question to another process over port/fetch.h: a body that
 * lies in memory, an answer that fits into memory.
 *
 *     struct ask a = {.loop = l, .peer = p, .method = HTTP_POST, ...};
 *     buf_printf(&a.target, "/api/v1/..."); a.piece[a.n_piece++] = ...
 *     ask_send(&a);  ->  a.done(&a): a.err, or a.status and a.answer
 *     ask_release(&a);
 *
 * A transport that breaks is tried once more when AGAIN is set, which is for
 * questions that may be asked twice (D27): reading, and whatever names
 * (file_id, attempt). Not so a peer that is slow, or an answer that is too
 * long: that would be the same again. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_ASK_H
#define ROLE_COMMON_ASK_H

#include "base/buf.h"
#include "port/fetch.h"
#include "wire/json.h"

#define ASK_PIECES 36

/* Appends "Authorization: Bearer ...\r\n", for a request that begins now. */
struct ask_auth {
    void (*fields)(void *arg, struct buf *out);
    void (*refused)(void *arg); /* or NULL: a peer has answered 401; any loop */
    void *arg;
};

struct ask {
    struct loop *loop;
    struct fetch_peer *peer;
    enum http_method method;
    const struct ask_auth *auth; /* or NULL */
    bool again;
    const char *type; /* of the body; NULL: application/octet-stream */
    struct dur patience;
    struct buf target; /* ask_init() makes them */
    struct buf fields;
    struct buf answer;
    struct slice piece[ASK_PIECES];
    unsigned n_piece;
    void (*done)(struct ask *a);
    void *owner;
    /* Result. ERR_OK: an answer with a status below 400; else what the peer
     * said in its error, or why there is no answer. `lost`: the peer may have
     * done what it was asked, and nobody knows. */
    enum err err;
    struct fault fault;
    int status;
    bool lost;
    /* private */
    struct fetch_request req;
    unsigned next;
    bool told;
};

/* ANSWER_MAX bounds the answer. Everything else of A is zero. */
void ask_init(struct ask *a, struct loop *l, struct fetch_peer *p,
              size_t answer_max);
void ask_send(struct ask *a);
/* Between ask_send() and DONE: no answer is waited for any more, DONE comes
 * soon with ERR_CANCELED (or with what had come already). */
void ask_cancel(struct ask *a);
void ask_release(struct ask *a);

/* The object that was answered, or NULL with A's err and fault set. */
json_t *ask_json(struct ask *a, const struct json_limits *limits);

/* What an answer with STATUS >= 400 and BODY means: the name of an enum err in
 * "error" when there is one, else what the status says. An answer without
 * "error" is not the peer's but a proxy's: 404, 502 and 503 are then ERR_IO,
 * since the peer was not reached. */
enum err
ask_refusal(int status, struct slice body, const char *url, struct fault *f);

#endif
