/* local_token.c - see local_token.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_token.h"
#include "cli/clock.h"
#include "sec/bootstrap.h"
#include "sec/keys.h"
#include "sec/token.h"
#include <stdlib.h>

/* A server checks issuer and audience; its configuration may name others than
 * the default, and a running one says which in server.json. */
static const char *
setting(const char *said, const char *variable)
{
    const char *v = getenv(variable);

    return said[0] ? said : v && *v ? v : "artstore";
}

static enum err
sign(const struct place *p, unsigned scopes, uint64_t life_s, struct buf *out,
     struct fault *why)
{
    const struct token_spec spec = {
        .sub = BOOTSTRAP_CLIENT_ID,
        .username = BOOTSTRAP_CLIENT_ID,
        .client_id = BOOTSTRAP_CLIENT_ID,
        .audience = setting(p->audience, "AUTH_AUDIENCE"),
        .issuer = setting(p->issuer, "AUTH_ISSUER"),
        .kind = TOKEN_SERVICE_ACCOUNT,
        .scopes = scopes,
        .now = wall_now(),
        .life = dur_s((int64_t)life_s),
    };
    char dir[600];
    struct keys *keys = NULL;
    struct keyset *ks;
    enum err e;

    snprintf(dir, sizeof(dir), "%s/keys", p->data_dir);
    e = keys_open(&keys, &(struct keys_conf){.dir = dir, .now = wall_now()},
                  why);
    if (e != ERR_OK)
        return e;
    ks = keys_get(keys);
    e = token_issue(ks, &spec, out, why);
    keyset_unref(&ks);
    keys_close(&keys);
    return e;
}

enum cli_exit
local_token(const struct place *p, unsigned scopes, uint64_t life_s,
            struct buf *out, struct failure *f)
{
    struct fault why = {0};
    char text[256];
    enum err e = sign(p, scopes, life_s, out, &why);

    if (e == ERR_OK)
        return CLI_OK;
    if (e == ERR_NOENT || e == ERR_UNSUPPORTED) {
        failure_set(f, CLI_AUTH, "no_key", "there is no key in %s/keys",
                    p->data_dir);
        failure_remedy(f,
                       "the first start makes one: `artstore server --data-dir "
                       "%s`",
                       p->data_dir);
    } else {
        failure_set(f, CLI_AUTH, "key", "the key in %s/keys cannot be used: %s",
                    p->data_dir, fault_text(&why, text, sizeof(text)));
        failure_remedy(f, "run it as the user that the server runs as");
    }
    return f->exit;
}
