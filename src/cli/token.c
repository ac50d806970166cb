/* token.c - `artstore token`: a bearer token on standard output, and nothing
 * else there.
 *
 * Signed with the key of the data folder when we may read it, else asked for
 * with client credentials. SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_token.h"
#include "cli/session.h"
#include "sec/claims.h"

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

/* Prints a token signed with the key of the data folder. */
static enum cli_exit
sign_and_print(const struct place *p, unsigned scopes, uint64_t ttl,
               struct failure *f)
{
    enum cli_exit e;
    struct buf b;

    buf_init(&b, TOKEN_MAX);
    e = local_token(p, scopes, ttl ? ttl : LOCAL_TOKEN_LIFE_S, &b, f);
    if (e == CLI_OK)
        puts(buf_str(&b));
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_release(&b);
    return e;
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
        const bool here = local_token_possible(&s.place);

        if (here && sign_and_print(&s.place, scopes, a.ttl, &f) == CLI_OK)
            r = CLI_OK;
        else if (here && !s.place.client_id[0])
            r = (int)session_fail("token", NULL, &f);
        else
            r = fetch_and_print(&s, &a);
    }
    session_close(&s);
    return r;
}
