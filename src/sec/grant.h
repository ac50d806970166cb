/* grant.h - the token endpoint without HTTP: OAuth 2.0 client credentials
 * (ADM-023, ADM-025, RFC 6749 section 4.4).
 *
 *     grant_parse(&g, type, body, authorization)   loop: what was asked
 *     account_get(g.client_id)                     worker: whoever has them
 *     grant_answer(conf, &g, account or NULL, ...) worker: status and JSON
 *     grant_release(&g)                            wipes the secret
 *
 * Errors are those of RFC 6749 section 5.2, as {"error", "error_description"}
 * with `message` and `request_id` of D16 beside. An account that is not there,
 * one that is disabled and a wrong secret give the same answer. The caller adds
 * Cache-Control: no-store, and Retry-After and WWW-Authenticate as told.
 * Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_GRANT_H
#define SEC_GRANT_H

#include "obs/metric.h"
#include "sec/account.h"
#include "sec/attempts.h"
#include "sec/keys.h"

#define GRANT_BODY_MAX ((size_t)4096)

#define GRANT_TABLE(X)                                                  \
    X(GRANT_OK, "issued", 200, "a token was issued")                    \
    X(GRANT_INVALID_REQUEST, "invalid_request", 400,                    \
      "the request is not well formed; send grant_type, client_id and " \
      "client_secret, each once, as a form, or as JSON with "           \
      "Content-Type: application/json")                                 \
    X(GRANT_INVALID_CLIENT, "invalid_client", 401,                      \
      "client_id or client_secret is wrong")                            \
    X(GRANT_DISABLED, "invalid_client", 401, "the account is disabled") \
    X(GRANT_INVALID_SCOPE, "invalid_scope", 400,                        \
      "the account does not have the scopes that were asked for")       \
    X(GRANT_UNSUPPORTED, "unsupported_grant_type", 400,                 \
      "grant_type must be client_credentials")                          \
    X(GRANT_RATE_LIMITED, "rate_limited", 429,                          \
      "too many failed attempts; try again later")                      \
    X(GRANT_SERVER_ERROR, "server_error", 500, "no token could be made")

enum grant_why {
#define X(code, name, status, text) code,
    GRANT_TABLE(X)
#undef X
        GRANT_COUNT
};

const char *grant_name(enum grant_why w);

struct grant {
    enum grant_why why; /* of the parser; GRANT_OK so far */
    bool basic;         /* came by Authorization: Basic */
    bool has_scope;
    const char *request_id; /* named in errors (D16); NULL: none. The caller's,
                               to be set after grant_parse() */
    char client_id[65];
    char client_secret[SECRET_MAX + 1];
    char scope[129];
};

/* BODY is a form or a JSON object, whichever TYPE says; without a type, JSON
 * when it begins with "{". AUTHORIZATION may be empty. Sets g->why. Parameters
 * that are repeated, or credentials in two places, are invalid_request (RFC
 * 6749 sections 3.2 and 2.3). */
void grant_parse(struct grant *g, struct slice type, struct slice body,
                 struct slice authorization);
void grant_release(struct grant *g);

struct grant_conf {
    struct keys *keys;
    const char *audience; /* as in token_conf */
    const char *issuer;
    struct dur life;           /* of a token */
    struct attempts *attempts; /* may be NULL: no bound */
    struct metrics *metrics;   /* may be NULL */
};

struct grant_reply {
    enum grant_why why;
    unsigned status;
    unsigned retry_after_s; /* 0: none */
    bool basic_challenge;   /* WWW-Authenticate: Basic realm="artstore" */
};

/* PEER: a hash of the client's address. Appends the JSON body to OUT. ACCOUNT
 * NULL: there is none of that id (call it all the same). Takes 0.2 s for an
 * account whose secret a person chose: a worker's job. */
void grant_answer(const struct grant_conf *conf, const struct grant *g,
                  const struct meta_account *account, struct slice peer,
                  struct mono mono, struct wall now, struct buf *out,
                  struct grant_reply *reply);

#endif
