/* account.h - service accounts: how a secret is made, kept and compared.
 *
 * Two ways to keep a secret, told apart by the word before the first "$":
 *   sha256         HMAC-SHA-256 keyed by a salt, for secrets that we made: they
 *                  have 256 random bits, nobody can try those out however fast
 *                  the hash is, and the token endpoint stays cheap
 *   pbkdf2-sha256  600,000 rounds (OWASP's figure for PBKDF2-HMAC-SHA-256), for
 *                  those that people brought along (ADM-028): about 0.2 s of a
 *                  worker for each attempt, which attempts.h bounds
 *
 * The account itself is port/meta.h's. Any thread; account_secret_check and
 * account_make are for workers. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_ACCOUNT_H
#define SEC_ACCOUNT_H

#include "base/err.h"
#include "port/meta.h"

#define SECRET_TEXT 51  /* "artsec_", 43 characters of base64url, the zero */
#define SECRET_MAX  128 /* of one that people bring along */
#define SECRET_MIN  8
#define SECRET_HASH 160

/* A new secret of 256 random bits, with the prefix by which redaction and
 * scanners of repositories know it. */
const char *account_secret_new(char out[SECRET_TEXT]);

/* What is kept of SECRET. False: no memory. */
bool account_secret_hash(struct slice secret, char out[SECRET_HASH]);

/* In a time that does not tell how much of it was right. HASH NULL: there is
 * no such account; it then takes as long as an account of the first kind. */
bool account_secret_check(struct slice secret, const char *hash);

/* Is SECRET that of A (NULL: there is no such account), or the one before while
 * that is still taken? */
bool account_secret_right(const struct meta_account *a, struct slice secret,
                          struct wall now);
/* HASH, of account_secret_hash(), is A's secret from NOW on; the one before is
 * taken until OLD_UNTIL ({0}: no longer), so that whoever has it can be given
 * the new one without an interruption (PRD-233). */
void account_secret_rotate(struct meta_account *a, const char hash[SECRET_HASH],
                           struct wall now, struct wall old_until);

/* [A-Za-z0-9._-]{1,64} */
bool account_id_ok(struct slice client_id);

/* Fills *OUT. ERR_INVAL: client_id, an unknown scope, or a secret shorter than
 * 8 or longer than 128 bytes. */
enum err account_make(struct meta_account *out, const char *client_id,
                      const char *name, unsigned scopes, struct slice secret,
                      struct wall now, struct fault *f);

#endif
