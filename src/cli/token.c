/* token.c - `artstore token`: a bearer token on standard output, and nothing
 * else there. SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

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
     .max = 86400 * 365,
     .help = "How long it is valid. The server has a default and a limit."},
    {0},
};

int
cmd_token(int argc, char **argv)
{
    struct token_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct session s;
    struct failure f;
    int r = cli_parse("token", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = (int)session_open(&s, &a.c, "token", false);
    if (r == CLI_OK && http_fetch_token(&s.http, a.scope, a.ttl, &f) != CLI_OK)
        r = (int)session_fail("token", NULL, &f);
    if (r == CLI_OK)
        puts(s.place.token);
    session_close(&s);
    return r;
}
