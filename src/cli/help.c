/* help.c - finding a command, reading its line, explaining it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"
#include "cli/role_opts.h"
#include "cli/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLS 80

const struct cli_command *
cli_next(const struct cli_command *c)
{
    bool passed = c == NULL;

    for (size_t t = 0; cli_tables[t]; t++)
        for (const struct cli_command *one = cli_tables[t]; one->name; one++) {
            if (passed)
                return one;
            passed = one == c;
        }
    return NULL;
}

const struct cli_command *
cli_find(const char *name)
{
    const struct cli_command *c = NULL;

    while ((c = cli_next(c)) != NULL && strcmp(c->name, name) != 0)
        ;
    return c;
}

bool
cli_is_role(const struct cli_command *c)
{
    enum conf_role role;

    return !c->opts && !c->connects &&
           conf_role_parse(slice_str(c->name), &role) && role != CONF_CLIENT;
}

const struct cli_opt *
cli_opts(const struct cli_command *c)
{
    enum conf_role role = CONF_SERVER;

    if (!cli_is_role(c))
        return c->opts;
    (void)conf_role_parse(slice_str(c->name), &role);
    return role_opts(role);
}

/* TEXT in lines of HELP_COLS, each INDENT in; the first already stands at
 * column AT. A line of its own stays one. */
static void
put_wrapped(FILE *out, const char *text, size_t indent, size_t at)
{
    struct slice rest = slice_str(text), line, word;

    while (slice_cut(&rest, '\n', &line)) {
        while (slice_cut(&line, ' ', &word)) {
            const size_t w = text_width(word);

            if (at > indent && at + 1 + w > HELP_COLS) {
                fputc('\n', out);
                at = 0;
            }
            if (at < indent) {
                fprintf(out, "%*s", (int)(indent - at), "");
                at = indent;
            } else if (at > indent) {
                fputc(' ', out);
                at++;
            }
            fprintf(out, "%.*s", SLICE_ARG(word));
            at += w;
        }
        fputc('\n', out);
        at = 0;
    }
}

static void
show_opts(FILE *out, const char *title, const struct cli_opt *opts)
{
    if (!opts || !opts->name)
        return;
    fprintf(out, "\n%s:\n", title);
    for (const struct cli_opt *o = opts; o->name; o++) {
        char head[80];
        int n;

        n = snprintf(head, sizeof(head), "  %c%c%s --%s%s%s",
                     o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                     o->letter ? "," : " ", o->name, o->value ? " " : "",
                     o->value ? o->value : "");
        fputs(head, out);
        if (n >= 30) {
            fputc('\n', out);
            n = 0;
        }
        put_wrapped(out, o->help, 30, (size_t)n);
    }
}

void
help_command(FILE *out, const struct cli_command *c)
{
    fprintf(out, "usage: artstore %s%s%s\n\n", c->name, *c->usage ? " " : "",
            c->usage);
    fprintf(out, "artstore %s - %s\n", c->name, c->summary);
    if (c->about) {
        fputc('\n', out);
        put_wrapped(out, c->about, 0, 0);
    }
    show_opts(out, "options", cli_opts(c));
    if (!cli_is_role(c))
        show_opts(out, c->opts ? "common options" : "options",
                  c->connects ? cli_common_opts : cli_help_opts);
    if (c->example) {
        fputs("\nexamples:\n", out);
        put_wrapped(out, c->example, 2, 0);
    }
}

/* ---- topics: what is about all commands, as in the manual ---- */

static void
topic_exit_codes(FILE *out)
{
#define X(name, number, text) fprintf(out, "  %-4d %s\n", number, text);
    CLI_EXIT_TABLE(X)
#undef X
}

static void
show_notes(FILE *out, const struct cli_note *n)
{
    for (; n->name; n++) {
        fprintf(out, "  %s\n", n->name);
        put_wrapped(out, n->text, 6, 0);
    }
}

static void
topic_environment(FILE *out)
{
    show_notes(out, cli_environment);
    fputs("\n`artstore server --help` has the names for the server.\n", out);
}

static void
topic_files(FILE *out)
{
    show_notes(out, cli_files);
}

static void
topic_credentials(FILE *out)
{
    put_wrapped(out, cli_places, 0, 0);
}

static const struct topic {
    const char *name;
    const char *summary;
    void (*show)(FILE *out);
} topics[] = {
    {"exit-codes", "what the number at the end means", topic_exit_codes},
    {"environment", "variables that are read", topic_environment},
    {"files", "files that are read and written", topic_files},
    {"credentials", "which server is asked, and as whom", topic_credentials},
};

static bool
help_topic(FILE *out, const char *name)
{
    for (size_t i = 0; i < countof(topics); i++)
        if (strcmp(name, topics[i].name) == 0) {
            fprintf(out, "artstore: %s\n\n", topics[i].summary);
            topics[i].show(out);
            return true;
        }
    return false;
}

void
help_all(FILE *out)
{
    fputs("usage: artstore COMMAND [OPTION]... [WORD]...\n\n"
          "artstore stores files over HTTP: hashed, durable, findable.\n\n"
          "commands:\n",
          out);
    for (const struct cli_command *c = NULL; (c = cli_next(c)) != NULL;)
        fprintf(out, "  %-16s %s\n", c->name, c->summary);
    fputs("\ntopics:\n", out);
    for (size_t i = 0; i < countof(topics); i++)
        fprintf(out, "  %-16s %s\n", topics[i].name, topics[i].summary);
    fputs("\nexit codes:\n", out);
    topic_exit_codes(out);
    fputs("\n`artstore help COMMAND|TOPIC` explains one; `artstore man | man "
          "-l -` is all of it.\n",
          out);
}

int
cli_usage(const char *name, const char *fmt, ...)
{
    const struct cli_command *c = cli_find(name);
    va_list ap;

    fprintf(stderr, "artstore: %s: ", name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nusage: artstore %s %s\n`artstore help %s` explains.\n",
            name, c ? c->usage : "", name);
    return CLI_USAGE;
}

int
cli_parse(const char *name, int argc, char **argv, void *args, int min, int max,
          struct opt_words *words)
{
    const struct cli_command *c = cli_find(name);
    const struct cli_common *common = args;
    int result = CLI_GO;
    struct buf err;
    bool ok;

    assert(c);
    buf_init(&err, 4 * KIB);
    ok = opt_parse(c->opts, c->connects ? cli_common_opts : cli_help_opts, argc,
                   argv, args, words, &err);
    if (common->help) {
        help_command(stdout, c);
        result = CLI_OK;
    } else if (!ok) {
        result = cli_usage(name, "%s", buf_str(&err));
    } else if (words->n < min) {
        result = cli_usage(name, "too few words");
    } else if (max >= 0 && words->n > max) {
        result = cli_usage(name, "what is '%s'?", words->v[max]);
    }
    buf_release(&err);
    return result;
}

/* Lists the commands that begin with WORD and a blank; false: none does. */
static bool
list_family(FILE *out, const char *word)
{
    const size_t n = strlen(word);
    bool found = false;

    for (const struct cli_command *c = NULL; (c = cli_next(c)) != NULL;) {
        if (strncmp(c->name, word, n) != 0 || c->name[n] != ' ')
            continue;
        if (!found)
            fprintf(out, "commands of artstore %s:\n", word);
        found = true;
        fprintf(out, "  %-16s %s\n", c->name, c->summary);
    }
    return found;
}

/* The command that ARGV begins with; *USED of its words. */
static const struct cli_command *
find_words(int argc, char **argv, int *used)
{
    const struct cli_command *c = NULL;
    char two[64];

    if (argc > 1 && snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]) <
                        (int)sizeof(two)) {
        c = cli_find(two);
        *used = 2;
    }
    if (!c && argc > 0) {
        c = cli_find(argv[0]);
        *used = 1;
    }
    return c;
}

static int
unknown_command(const char *word)
{
    const char *best = NULL;
    size_t least = 3;

    if (list_family(stderr, word))
        return CLI_USAGE;
    for (const struct cli_command *c = NULL; (c = cli_next(c)) != NULL;) {
        size_t d = opt_distance(slice_str(word), slice_str(c->name));

        if (d < least) {
            least = d;
            best = c->name;
        }
    }
    fprintf(stderr, "artstore: there is no command '%s'", word);
    if (best)
        fprintf(stderr, "; did you mean '%s'?", best);
    fputs("\n`artstore help` lists them.\n", stderr);
    return CLI_USAGE;
}

int
cmd_help(int argc, char **argv)
{
    const struct cli_command *c;
    int used;

    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        help_all(stdout);
        return CLI_OK;
    }
    c = find_words(argc - 1, argv + 1, &used);
    if (c) {
        help_command(stdout, c);
        return CLI_OK;
    }
    if (argc == 2 &&
        (help_topic(stdout, argv[1]) || list_family(stdout, argv[1])))
        return CLI_OK;
    return unknown_command(argv[1]);
}

int
cli_dispatch(int argc, char **argv)
{
    static char version[] = "version";
    const struct cli_command *c;
    int used;

    if (argc < 2) {
        help_all(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_all(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    c = find_words(argc - 1, argv + 1, &used);
    if (!c)
        return unknown_command(argv[1]);
    return c->run(argc - used, argv + used);
}

int
cli_end(int exit)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit;
    if (errno != EPIPE) /* `artstore ls | head` is no mistake */
        fprintf(stderr, "artstore: standard output: %s\n", strerror(errno));
    return exit == CLI_OK ? CLI_FAILED : exit;
}
