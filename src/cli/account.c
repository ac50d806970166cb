/* account.c - `artstore account create | ls | disable | enable | rotate-secret
 * | rm`. SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"
#include "sec/account.h"
#include "sec/scope.h"
#include "wire/json.h"
#include <inttypes.h>

#define DAY_S 86400

struct account_args {
    struct cli_common c;
    const char *scope, *name;
    uint64_t keep;
    bool at_once;
};

#define AT(member) offsetof(struct account_args, member)

const struct cli_opt account_create_opts[] = {
    {.name = "scope",
     .kind = OPT_TEXT,
     .at = AT(scope),
     .value = "SCOPES",
     .help = "What its tokens may allow: of read, write, delete, admin, "
             "gateway, separated by blanks (\"read write\")."},
    {.name = "name",
     .kind = OPT_TEXT,
     .at = AT(name),
     .value = "TEXT",
     .help = "For people: what it is for."},
    {0},
};

const struct cli_opt account_rotate_opts[] = {
    {.name = "keep",
     .kind = OPT_UINT,
     .at = AT(keep),
     .value = "SECONDS",
     .min = 1,
     .max = 90 * DAY_S,
     .help = "For how long the secret before is taken as well (86400)."},
    {.name = "at-once",
     .kind = OPT_FLAG,
     .at = AT(at_once),
     .help = "The secret before is not taken any more: somebody else has it."},
    {0},
};

/* ---- asking ---- */

/* METHOD PATH with BODY (NULL: none). The object of the answer, the caller's
 * to decref; NULL: *F, or an answer without one (CLI_OK). */
static json_t *
ask(struct http *h, const char *method, const char *path, const char *body,
    struct failure *f)
{
    struct http_req r = {.method = method, .path = path};
    struct json_error ignored = {0};
    json_t *o = NULL;

    if (body) {
        r.content_type = "application/json";
        r.body = slice_str(body);
    }
    f->exit = http_call(h, &r, f);
    if (f->exit == CLI_OK && r.reply.n)
        o = json_read(buf_slice(&r.reply), &ignored);
    if (r.reply.p)
        explicit_bzero(r.reply.p, r.reply.n); /* it may hold a secret */
    http_finish(&r);
    return o;
}

/* An account's id goes into a path. */
static bool
id_ok(const char *command, const char *id)
{
    if (account_id_ok(slice_str(id)))
        return true;
    cli_usage(command,
              "'%s' is no account: 1 to 64 letters, digits, dots, dashes, "
              "underscores",
              id);
    return false;
}

static void
print_secret(const json_t *o, const struct cli_common *c)
{
    if (c->json) {
        print_json(o);
        return;
    }
    fputs("client_id      ", stdout);
    print_safe(member_text(o, "client_id"));
    fputs("\nclient_secret  ", stdout);
    print_safe(member_text(o, "client_secret"));
    putchar('\n');
    if (!c->quiet)
        say("the secret is not shown again; only its hash is kept");
}

/* ---- create ---- */

int
cmd_account_create(int argc, char **argv)
{
    struct account_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct session s;
    struct failure f;
    struct json_writer w;
    struct buf body;
    unsigned scopes;
    json_t *o = NULL;
    int r = cli_parse("account create", argc, argv, &a, 1, 1, &words);

    if (r != CLI_GO)
        return r;
    if (!id_ok("account create", words.v[0]))
        return CLI_USAGE;
    if (!a.scope || !scope_parse(slice_str(a.scope), &scopes) || !scopes)
        return cli_usage("account create",
                         "--scope: must be of read, write, delete, admin, "
                         "gateway");
    buf_init(&body, 4 * KIB);
    json_begin(&w, &body);
    json_put_object(&w, NULL);
    json_put_text(&w, "client_id", words.v[0]);
    json_put_text(&w, "scope", a.scope);
    if (a.name)
        json_put_text(&w, "name", a.name);
    json_end_object(&w);
    r = (int)session_open(&s, &a.c, "account create", true);
    if (r == CLI_OK &&
        !(o = ask(&s.http, "POST", "/api/v1/accounts", buf_str(&body), &f)))
        r = (int)session_fail("account create", words.v[0], &f);
    if (o)
        print_secret(o, &a.c);
    json_decref(o);
    session_close(&s);
    buf_release(&body);
    return r;
}

/* ---- ls ---- */

static void
ls_row(struct table *t, const json_t *o)
{
    table_cell(t, member_text(o, "client_id"));
    table_cell(t, member_text(o, "scope"));
    table_cell(t, json_is_true(json_object_get(o, "disabled")) ? "disabled"
                                                               : "enabled");
    table_cell(t, member_text(o, "created_at"));
    table_cell(t, member_text(o, "old_secret_until"));
    table_cell(t, member_text(o, "name"));
}

static enum cli_exit
ls_pages(struct http *h, bool json, struct failure *f)
{
    static const char *const head[] = {
        "ACCOUNT", "SCOPE", "STATE", "CREATED", "OLD SECRET UNTIL", "NAME"};
    char path[160] = "/api/v1/accounts?limit=200", next[65] = "";
    const char *cursor;
    struct table t;
    json_t *page, *o;
    size_t i;

    table_init(&t, head, countof(head));
    do {
        page = http_get_json(h, path, f);
        json_array_foreach(json_object_get(page, "accounts"), i, o)
        {
            if (json)
                print_json(o);
            else
                ls_row(&t, o);
        }
        if (page && !json && (t.cells || !t.header_done))
            table_print(&t, stdout);
        cursor = member_text(page, "next_cursor");
        if (!cursor || !account_id_ok(slice_str(cursor)) ||
            strcmp(cursor, next) <= 0) /* else it would go on for ever */
            cursor = NULL;
        if (cursor) {
            snprintf(next, sizeof(next), "%s", cursor);
            snprintf(path, sizeof(path), "/api/v1/accounts?limit=200&cursor=%s",
                     next);
        }
        i = page != NULL;
        json_decref(page);
    } while (i && cursor && !interrupted());
    table_release(&t);
    return i ? CLI_OK : f->exit;
}

int
cmd_account_ls(int argc, char **argv)
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    struct session s;
    struct failure f;
    int r = cli_parse("account ls", argc, argv, &c, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = (int)session_open(&s, &c, "account ls", true);
    if (r == CLI_OK && ls_pages(&s.http, c.json, &f) != CLI_OK)
        r = (int)session_fail("account ls", NULL, &f);
    session_close(&s);
    return r;
}

/* ---- disable, enable, rotate-secret, rm ---- */

struct act {
    const char *command; /* "account disable" */
    const char *method;
    const char *below; /* of the account's path */
    const char *body;
    const char *done; /* what is said then; NULL: the secret is shown */
};

static int
act(const struct act *x, const struct cli_common *c, const char *id)
{
    char path[160];
    struct session s;
    struct failure f;
    json_t *o = NULL;
    int r;

    if (!id_ok(x->command, id))
        return CLI_USAGE;
    snprintf(path, sizeof(path), "/api/v1/accounts/%s%s", id, x->below);
    r = (int)session_open(&s, c, x->command, true);
    if (r == CLI_OK) {
        o = ask(&s.http, x->method, path, x->body, &f);
        if (!o && f.exit != CLI_OK)
            r = (int)session_fail(x->command, id, &f);
    }
    if (r == CLI_OK && o && !x->done)
        print_secret(o, c);
    else if (r == CLI_OK && o && c->json)
        print_json(o);
    else if (r == CLI_OK && !c->quiet && x->done)
        printf(c->json ? "{\"client_id\":\"%s\",\"%s\":true}\n" : "%s  %s\n",
               id, x->done);
    json_decref(o);
    session_close(&s);
    return r;
}

static int
act_plain(const struct act *x, int argc, char **argv)
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    int r = cli_parse(x->command, argc, argv, &c, 1, 1, &words);

    return r == CLI_GO ? act(x, &c, words.v[0]) : r;
}

int
cmd_account_disable(int argc, char **argv)
{
    static const struct act x = {"account disable", "PATCH", "",
                                 "{\"disabled\":true}", "disabled"};

    return act_plain(&x, argc, argv);
}

int
cmd_account_enable(int argc, char **argv)
{
    static const struct act x = {"account enable", "PATCH", "",
                                 "{\"disabled\":false}", "enabled"};

    return act_plain(&x, argc, argv);
}

int
cmd_account_rm(int argc, char **argv)
{
    static const struct act x = {"account rm", "DELETE", "", NULL, "removed"};

    return act_plain(&x, argc, argv);
}

int
cmd_account_rotate(int argc, char **argv)
{
    struct account_args a = {.c = CLI_COMMON_DEFAULT, .keep = DAY_S};
    struct opt_words words;
    char body[40];
    const struct act x = {"account rotate-secret", "POST", "/rotate-secret",
                          body, NULL};
    int r = cli_parse(x.command, argc, argv, &a, 1, 1, &words);

    if (r != CLI_GO)
        return r;
    snprintf(body, sizeof(body), "{\"keep_s\":%" PRIu64 "}",
             a.at_once ? 0 : a.keep);
    return act(&x, &a.c, words.v[0]);
}
