/* auth.h - who calls: a bearer token before a handler runs.
 *
 * Every route with a scope asks for a token (D41). sec/auth.h decides; here the
 * decision is carried over the loop and its workers: a token that this loop has
 * seen is answered from its cache, others are verified on a worker, so that a
 * power of a 3072-bit number never holds up a loop. A refusal is 401 with
 * WWW-Authenticate and the reason's stable code, or 403 when the token is right
 * and its scopes are too few.
 *
 * Where the keys are somebody else's, a token that names none of them may be
 * right all the same: then the issuer is asked anew, within bounds, before it
 * is refused, and 503 while there is nothing to refuse it by.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_AUTH_H
#define ROLE_COMMON_AUTH_H

#include "role/common/route.h"
#include "sec/auth.h"

/* CONF must outlive it. NULL: no memory. */
struct authority *authority_open(const struct auth_conf *conf,
                                 size_t cache_entries, unsigned n_loops);
void authority_close(struct authority **a);

/* What is known of the issuer's keys when a token names none of ours. */
enum authority_keys {
    AUTHORITY_KEYS_ABSENT, /* not come yet; being asked for */
    AUTHORITY_KEYS_ASKED,  /* anew; say it again soon */
    AUTHORITY_KEYS_KNOWN,  /* all of them, as of now */
};
/* Before the first check. UNKNOWN is called on any loop, NOW is its time. */
void
authority_issuer(struct authority *a,
                 enum authority_keys (*unknown)(void *arg, struct mono now),
                 void *arg);

/* Runs the route's handler, now or when the token has been verified, or
 * refuses. */
void authority_check(struct authority *a, struct call *c);

#endif
