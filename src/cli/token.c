/* token.c - `artstore token`: a bearer token on standard output, and nothing
 * else there.
 *
 * Who may read the private key of a data folder needs nobody's leave: the token
 * is signed here, as the server would, whether it runs or not. Else the server
 * is asked with client credentials. SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "cli/session.h"
#include "sec/bootstrap.h"
#include "sec/token.h"
#include "sec/keys.h"

#define LIFE_DEFAULT_S 3600 /* conf/options.def, TOKEN_TTL */

struct token_args {
    struct cli_common c;
    const char *scope;
    uint64_t ttl;
};

#define AT(member) offsetof(struct token_args, member)

const struct cli_opt token_opts[] = {
    {.name = "scope",
     .kind = OPT_TEXT,
     .at = AT(scope),
     .value = "SCOPES",
     .help = "What the token allows: of read, write, delete, admin, separated "
             "by blanks. The default is all that the account may do."},
    {.name = "ttl",
     .kind = OPT_UINT,
     .at = AT(ttl),
     .value = "SECONDS",
     .min = 1,
     .max = 86400 * 30,
     .help = "How long it is valid (3600). A server that is asked may allow "
             "less."},
    {0},
};

/* A server checks issuer and audience; its configuration may name others than
 * the default, and a running one says which in server.json. */
static const char *
setting(const char *said, const char *variable)
{
    const char *v = getenv(variable);

    return said[0] ? said : v && *v ? v : "artstore";
}

static enum err
sign(const struct place *p, unsigned scopes, uint64_t ttl, struct buf *out,
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
        .life = dur_s(ttl ? (int64_t)ttl : LIFE_DEFAULT_S),
    };
    char dir[600];
    struct keys *keys = NULL;
    struct keyset *ks;
    enum err e;

    snprintf(dir, sizeof(dir), "%s/keys", p->data_dir);
    e = keys_open(&keys, &(struct keys_conf){.dir = dir}, why);
    if (e != ERR_OK)
        return e;
    ks = keys_get(keys);
    e = token_issue(ks, &spec, out, why);
    keyset_unref(&ks);
    keys_close(&keys);
    return e;
}

/* Prints a token signed with the key of the data folder. False: there is none
 * that we may read; then *F says so. */
static bool
sign_and_print(const struct place *p, unsigned scopes, uint64_t ttl,
               struct failure *f)
{
    struct fault why = {0};
    char text[256];
    struct buf b;
    enum err e;

    buf_init(&b, TOKEN_MAX);
    e = sign(p, scopes, ttl, &b, &why);
    if (e == ERR_OK) {
        puts(buf_str(&b));
    } else if (e == ERR_NOENT || e == ERR_UNSUPPORTED) {
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
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_release(&b);
    return e == ERR_OK;
}

static int
fetch_and_print(struct session *s, const struct token_args *a)
{
    struct failure f;

    if (http_fetch_token(&s->http, a->scope, a->ttl, &f) != CLI_OK)
        return (int)session_fail("token", NULL, &f);
    puts(s->place.token);
    return CLI_OK;
}

int
cmd_token(int argc, char **argv)
{
    struct token_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    unsigned scopes = SCOPE_ALL;
    struct session s;
    struct failure f;
    int r = cli_parse("token", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (a.scope && (!scope_parse(slice_str(a.scope), &scopes) || !scopes))
        return cli_usage("token",
                         "--scope %s: must be of read, write, delete, admin",
                         a.scope);
    r = (int)session_open(&s, &a.c, "token", false);
    if (r == CLI_OK) {
        /* Credentials that were given by name mean the account they name. */
        const bool named = s.place.client_id[0] && !s.place.client_of_data_dir;
        const bool here = s.place.data_dir[0] && !named;

        if (here && sign_and_print(&s.place, scopes, a.ttl, &f))
            r = CLI_OK;
        else if (here && !s.place.client_id[0])
            r = (int)session_fail("token", NULL, &f);
        else
            r = fetch_and_print(&s, &a);
    }
    session_close(&s);
    return r;
}
