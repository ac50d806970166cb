/* man.c - `artstore man`: the manual page, made from the same tables as --help.
 *
 * doc/artstore.1 is its committed output; a test compares them, so that the
 * page in the tree is that of the program.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

/* TEXT for roff: hyphens that can be copied, backslashes, and no line that
 * roff takes for a request. An empty line begins a paragraph. */
static void
put_text(const char *text)
{
    bool at_start = true;

    for (; *text; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n.PP", stdout);
            text++;
        }
        if (at_start && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '`')
            fputs("\\(aq", stdout);
        else if (*text == '\'')
            fputs("\\(aq", stdout);
        else if (*text == '~')
            fputs("\\(ti", stdout);
        else
            putchar(*text);
        at_start = *text == '\n';
    }
    putchar('\n');
}

static void
show_opts(const struct cli_opt *opts)
{
    for (const struct cli_opt *o = opts; o && o->name; o++) {
        fputs(".TP\n", stdout);
        if (o->letter)
            printf("\\fB\\-%c\\fR, ", o->letter);
        fputs("\\fB\\-\\-", stdout);
        for (const char *p = o->name; *p; p++)
            fputs(*p == '-' ? "\\-" : (char[]){*p, '\0'}, stdout);
        fputs("\\fR", stdout);
        if (o->value) {
            fputs(" \\fI", stdout);
            for (const char *p = o->value; *p; p++)
                fputs(*p == '-' ? "\\-" : (char[]){*p, '\0'}, stdout);
            fputs("\\fR", stdout);
        }
        putchar('\n');
        put_text(o->help);
    }
}

static void
put_command(const struct cli_command *c)
{
    printf(".SS artstore %s%s", c->name, *c->usage ? " " : "");
    put_text(c->usage);
    putchar((c->summary[0] & ~0x20)); /* summaries begin with a letter */
    fputs(c->summary + 1, stdout);
    fputs(".\n", stdout);
    if (c->about) {
        fputs(".PP\n", stdout);
        put_text(c->about);
    }
    if (cli_is_role(c))
        printf(".PP\n.B artstore help %s\nlists the options.\n", c->name);
    show_opts(c->opts);
    if (c->example) {
        fputs(".PP\n.in +4n\n.EX\n", stdout);
        put_text(c->example);
        fputs(".EE\n.in\n", stdout);
    }
}

static void
put_notes(const char *title, const struct cli_note *n)
{
    printf(".SH %s\n", title);
    for (; n->name; n++) {
        fputs(".TP\n.B ", stdout);
        put_text(n->name);
        put_text(n->text);
    }
}

int
cmd_man(int argc, char **argv)
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    int r = cli_parse("man", argc, argv, &c, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    fputs(".\\\" Made by `artstore man`; do not edit.\n"
          ".\\\" SPDX-License-Identifier: Apache-2.0\n"
          ".TH ARTSTORE 1 \"\" \"artstore " ARTSTORE_VERSION "\" "
          "\"artstore manual\"\n"
          ".SH NAME\nartstore \\- store files over HTTP: hashed, durable, "
          "findable\n"
          ".SH SYNOPSIS\n.B artstore\n.I command\n"
          "[\\fIoption\\fR]...\\& [\\fIword\\fR]...\n"
          ".SH DESCRIPTION\n"
          "One program is both server and client of an artstore. The commands "
          "below\nare described with the options of their own; those that "
          "talk to a server\ntake the common options too.\n"
          ".SH COMMANDS\n",
          stdout);
    for (const struct cli_command *one = NULL; (one = cli_next(one)) != NULL;)
        put_command(one);
    fputs(".SH COMMON OPTIONS\n", stdout);
    show_opts(cli_common_opts);
    fputs(".SH SERVER AND CREDENTIALS\n", stdout);
    put_text(cli_places);
    put_notes("ENVIRONMENT", cli_environment);
    put_notes("FILES", cli_files);
    fputs(".SH EXIT STATUS\n", stdout);
#define X(name, number, text)       \
    printf(".TP\n.B %d\n", number); \
    put_text(text);
    CLI_EXIT_TABLE(X)
#undef X
    return CLI_OK;
}
