/* redact.h - takes secrets out of text before it is written anywhere (ING-315,
 * PRD-194).
 *
 * It lies in obs, below sec, because the log itself sends every string through
 * it: a net under the rule that nobody logs a secret, not a licence to do so.
 * What it knows:
 *   Bearer X, Basic X, Negotiate X            -> Bearer ***
 *   anything that looks like a JWT            -> ***
 *   name=X, name: X, "name": "X" where the name says that it is a secret
 *   (password, client_secret, token, api_key, cookie, x-amz-signature ...),
 *   also as a part: REDIS_PASSWORD            -> name=***
 *   scheme://user:X@host                      -> scheme://user:***@host
 *   -----BEGIN ... PRIVATE KEY-----           -> ***
 *   artsec_X, a secret that we made           -> ***
 *
 * Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_REDACT_H
#define OBS_REDACT_H

#include "base/slice.h"

#define REDACTED "***"

/* IN with its secrets masked. When there is nothing to mask, IN itself comes
 * back and OUT is not touched; else the answer lies in OUT, cut at CAP. */
struct slice redact_text(struct slice in, char *out, size_t cap);

/* Whether a field, header or option of this name holds a secret. */
bool redact_is_secret_name(struct slice name);

/* The value of header NAME as it may be logged: the scheme of Authorization
 * stays, the rest is masked; others go through redact_text(). */
struct slice
redact_header(struct slice name, struct slice value, char *out, size_t cap);

#endif
