/* claims.h - the header and the claims of a JSON Web Token (wire/jwt.h splits
 * it).
 *
 * Nothing here trusts anybody: the signature is token.h's. Of the header only
 * `alg` and `kid` are used, and `alg` must be the string RS256: an attacker who
 * may choose the algorithm chooses `none`, or HS256 with our public key as the
 * secret (RFC 8725 sections 2.1 and 3.1). `jku`, `jwk`, `x5u` and `x5c` are not
 * looked at. Whoever repeats a member, adds `crit`, or needs two spellings of
 * the same bytes is refused.
 *
 * Pure but for the JSON library's memory; any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_CLAIMS_H
#define SEC_CLAIMS_H

#include "base/mono.h"
#include "base/slice.h"
#include "sec/scope.h"
#include "wire/jwt.h"

#define TOKEN_MAX       JWT_MAX
#define TOKEN_DEPTH_MAX 8
#define CLAIM_TEXT      129 /* 128 bytes and the zero */

/* Why a token is refused: the code that answers, logs, metrics and the CLI
 * show, and a line for people. The order is that of the checks. */
#define TOKEN_TABLE(X)                                                       \
    X(TOKEN_OK, "ok", "the token is valid")                                  \
    X(TOKEN_MISSING, "token_missing",                                        \
      "no bearer token was sent; it goes into Authorization: Bearer TOKEN")  \
    X(TOKEN_MALFORMED, "token_malformed", "the token is not well formed")    \
    X(TOKEN_ALGORITHM, "token_algorithm", "the algorithm must be RS256")     \
    X(TOKEN_KEY_UNKNOWN, "token_key_unknown",                                \
      "the token is signed with a key that is not known here")               \
    X(TOKEN_KEYS_ABSENT, "token_keys_absent",                                \
      "the keys that verify tokens have not come from Admin yet; try again") \
    X(TOKEN_SIGNATURE, "token_signature", "the signature is wrong")          \
    X(TOKEN_EXPIRED, "token_expired", "the token has expired")               \
    X(TOKEN_NOT_YET_VALID, "token_not_yet_valid",                            \
      "the token is not valid yet; are the clocks right?")                   \
    X(TOKEN_ISSUER, "token_issuer", "the token is from another issuer")      \
    X(TOKEN_AUDIENCE, "token_audience", "the token is for another audience") \
    X(SCOPE_MISSING, "scope_missing", "the token does not grant this")

enum token_why {
#define X(code, name, text) code,
    TOKEN_TABLE(X)
#undef X
        TOKEN_WHY_COUNT
};

const char *token_why_name(enum token_why w); /* "token_expired" */
const char *token_why_text(enum token_why w);

enum token_kind { TOKEN_USER, TOKEN_SERVICE_ACCOUNT };

struct token_header {
    char kid[CLAIM_TEXT];
    bool has_kid;
};

/* Strings are empty when the claim is not there. */
struct claims {
    char sub[CLAIM_TEXT];
    char username[CLAIM_TEXT];
    char client_id[CLAIM_TEXT];
    char role[CLAIM_TEXT];
    char rate_tier[32];
    char jti[CLAIM_TEXT];
    enum token_kind kind;
    unsigned scopes;
    int64_t exp_s; /* since 1970; always there */
    int64_t nbf_s; /* 0: none */
    int64_t iat_s;
};

struct token_conf {
    /* NULL or "": any. */
    const char *audience;
    const char *issuer;
    /* By which the clocks of issuer and reader may differ: 60 s (D36). */
    struct dur leeway;
};

/* PART is still base64url. TOKEN_MALFORMED or TOKEN_ALGORITHM. */
enum token_why token_header_read(struct slice part, struct token_header *out);

/* PART is still base64url. `exp` must be there: what never ends could never be
 * taken back. Scopes come from `scope` if it is there, else from
 * `permissions`, else from `role`: a list that is there restricts.
 * TOKEN_MALFORMED, TOKEN_ISSUER or TOKEN_AUDIENCE. */
enum token_why claims_read(struct slice part, const struct token_conf *conf,
                           struct claims *out);

/* TOKEN_EXPIRED from exp + leeway on, TOKEN_NOT_YET_VALID before nbf - leeway
 * (RFC 7519 sections 4.1.4 and 4.1.5). */
enum token_why
claims_time(const struct claims *c, struct dur leeway, struct wall now);

#endif
