/* account.c - see account.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/account.h"
#include "base/hex.h"
#include "sec/random.h"
#include "sec/scope.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define PREFIX     "artsec_"
#define SALT       16
#define DIGEST     32
#define ROUNDS     600000
#define ROUNDS_MAX 10000000 /* a row of the database must not stop a worker */

struct kept {
    uint64_t rounds; /* 0: HMAC */
    uint8_t salt[SALT];
    uint8_t digest[DIGEST];
};

const char *
account_secret_new(char out[SECRET_TEXT])
{
    uint8_t random[DIGEST];

    sec_random(random, sizeof(random));
    memcpy(out, PREFIX, sizeof(PREFIX));
    base64url_encode(random, sizeof(random), out + sizeof(PREFIX) - 1);
    OPENSSL_cleanse(random, sizeof(random));
    return out;
}

static bool
is_ours(struct slice secret)
{
    return secret.n == SECRET_TEXT - 1 && slice_starts(secret, SLICE(PREFIX));
}

static bool
digest_make(struct slice secret, struct kept *k)
{
    unsigned n = DIGEST;

    if (k->rounds)
        return PKCS5_PBKDF2_HMAC(secret.p, (int)secret.n, k->salt, SALT,
                                 (int)k->rounds, EVP_sha256(), DIGEST,
                                 k->digest) == 1;
    return HMAC(EVP_sha256(), k->salt, SALT, (const uint8_t *)secret.p,
                secret.n, k->digest, &n) != NULL &&
           n == DIGEST;
}

bool
account_secret_hash(struct slice secret, char out[SECRET_HASH])
{
    char salt[2 * SALT + 1], digest[2 * DIGEST + 1];
    struct kept k = {.rounds = is_ours(secret) ? 0 : ROUNDS};

    out[0] = 0;
    sec_random(k.salt, sizeof(k.salt));
    if (!digest_make(secret, &k))
        return false;
    hex_encode(k.salt, SALT, salt);
    hex_encode(k.digest, DIGEST, digest);
    if (k.rounds)
        snprintf(out, SECRET_HASH, "pbkdf2-sha256$%u$%s$%s", ROUNDS, salt,
                 digest);
    else
        snprintf(out, SECRET_HASH, "sha256$%s$%s", salt, digest);
    return true;
}

static bool
kept_parse(struct slice rest, struct kept *k)
{
    struct slice word, rounds, salt;

    k->rounds = 0;
    if (!slice_cut(&rest, '$', &word))
        return false;
    if (slice_eq(word, SLICE("pbkdf2-sha256"))) {
        if (!slice_cut(&rest, '$', &rounds) || !slice_u64(rounds, &k->rounds) ||
            k->rounds == 0 || k->rounds > ROUNDS_MAX)
            return false;
    } else if (!slice_eq(word, SLICE("sha256"))) {
        return false;
    }
    return slice_cut(&rest, '$', &salt) && hex_decode(salt, k->salt, SALT) &&
           hex_decode(rest, k->digest, DIGEST);
}

bool
account_secret_check(struct slice secret, const char *hash)
{
    struct kept want = {0}, got;
    bool there, same;

    there = kept_parse(slice_str(hash), &want);
    if (!there) /* nobody, or a damaged row: some work all the same */
        want = (struct kept){0};
    got = want;
    if (secret.n > SECRET_MAX || !digest_make(secret, &got))
        return false;
    same = CRYPTO_memcmp(want.digest, got.digest, DIGEST) == 0;
    OPENSSL_cleanse(&got, sizeof(got));
    return there && same;
}

bool
account_secret_right(const struct meta_account *a, struct slice secret,
                     struct wall now)
{
    if (account_secret_check(secret, a ? a->secret_hash : NULL))
        return true;
    return a && a->old_hash[0] && now.ms < a->old_until.ms &&
           account_secret_check(secret, a->old_hash);
}

void
account_secret_rotate(struct meta_account *a, const char hash[SECRET_HASH],
                      struct wall now, struct wall old_until)
{
    a->old_until = old_until;
    if (old_until.ms > now.ms)
        memcpy(a->old_hash, a->secret_hash, sizeof(a->old_hash));
    else
        a->old_hash[0] = '\0';
    memcpy(a->secret_hash, hash, SECRET_HASH);
    a->updated_at = now;
}

bool
account_id_ok(struct slice id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return id.n >= 1 && id.n <= 64;
}

enum err
account_make(struct meta_account *out, const char *client_id, const char *name,
             unsigned scopes, struct slice secret, struct wall now,
             struct fault *f)
{
    char text[SCOPE_TEXT];

    *out = (struct meta_account){.created_at = now, .updated_at = now};
    if (!account_id_ok(slice_str(client_id)))
        return fault_set(f, ERR_INVAL, "account", "client_id is not valid");
    if (secret.n < SECRET_MIN || secret.n > SECRET_MAX)
        return fault_set(f, ERR_INVAL, "account",
                         "the secret must have 8 to 128 bytes");
    if (!scopes || (scopes & ~(unsigned)SCOPE_KNOWN))
        return fault_set(f, ERR_INVAL, "account", "scopes are not valid");
    (void)slice_copy(slice_str(client_id), out->client_id,
                     sizeof(out->client_id));
    (void)slice_copy(slice_str(scope_text(scopes, text)), out->scopes,
                     sizeof(out->scopes));
    (void)slice_copy(slice_head(slice_str(name), sizeof(out->name) - 1),
                     out->name, sizeof(out->name));
    return account_secret_hash(secret, out->secret_hash)
               ? ERR_OK
               : fault_set(f, ERR_NOMEM, "account", client_id);
}
