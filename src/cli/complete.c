/* complete.c - `artstore completion`: scripts for bash, zsh and fish, made from
 * the tables of commands and options.
 *
 * All three do the same: the words of a command, its options, the choices of an
 * option, files and folders where a value is one. They ask no server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

/* What the value of an option is. */
enum value { VALUE_NONE, VALUE_ANY, VALUE_CHOICE, VALUE_FILE, VALUE_DIR };

static enum value
value_of(const struct cli_opt *o)
{
    if (!o->value)
        return VALUE_NONE;
    if (o->kind == OPT_CHOICE)
        return VALUE_CHOICE;
    if (strstr(o->value, "FILE"))
        return VALUE_FILE;
    return strstr(o->value, "DIR") ? VALUE_DIR : VALUE_ANY;
}

/* "a|b|c" as "a b c". */
static void
put_choices(const char *value)
{
    for (; *value; value++)
        putchar(*value == '|' ? ' ' : *value);
}

/* The first sentence, without what would end a quoted word of a shell or mean
 * something to _arguments. */
static void
put_short(const char *text, const char * not )
{
    for (; *text && !(text[0] == '.' && (!text[1] || text[1] == ' ')); text++)
        if (!strchr(not, *text))
            putchar(*text);
}

#define EACH_COMMAND(c) \
    for (const struct cli_command *c = NULL; (c = cli_next(c)) != NULL;)

/* The tables of options of C, one after the other. */
#define EACH_OPT(o, c)                \
    for (size_t t_ = 0; t_ < 2; t_++) \
        for (const struct cli_opt *o = opts_of(c, t_); o && o->name; o++)

static const struct cli_opt *
opts_of(const struct cli_command *c, size_t table)
{
    if (table == 0)
        return cli_opts(c);
    return c->connects ? cli_common_opts : cli_help_opts;
}

/* Is C the first command that begins with its first word? */
static bool
is_first(const struct cli_command *c)
{
    const size_t n = strcspn(c->name, " ");

    EACH_COMMAND(other)
    {
        if (other == c)
            return true;
        if (strncmp(other->name, c->name, n) == 0 &&
            (other->name[n] == ' ' || other->name[n] == '\0'))
            return false;
    }
    return true;
}

static const char *
second(const struct cli_command *c)
{
    const char *blank = strchr(c->name, ' ');

    return blank ? blank + 1 : NULL;
}

static bool
same_family(const struct cli_command *a, const struct cli_command *b)
{
    const size_t n = strcspn(a->name, " ");

    return strncmp(a->name, b->name, n + 1) == 0 && a->name[n] == ' ';
}

static void
bash_values(const struct cli_command *c)
{
    EACH_OPT(o, c)
    {
        const enum value v = value_of(o);

        if (v == VALUE_NONE)
            continue;
        printf("        '%s --%s'", c->name, o->name);
        if (o->letter)
            printf("|'%s -%c'", c->name, o->letter);
        fputs(") ", stdout);
        if (v == VALUE_CHOICE) {
            fputs("values='", stdout);
            put_choices(o->value);
            fputs("' ;;\n", stdout);
        } else {
            printf("%s ;;\n", v == VALUE_FILE  ? "kind=file"
                              : v == VALUE_DIR ? "kind=dir"
                                               : "kind=any");
        }
    }
}

static void
bash_words(const struct cli_command *c)
{
    printf("        '%s') ", c->name);
    if (c->word == CLI_WORD_FILE)
        fputs("kind=file; ", stdout);
    else if (c->word == CLI_WORD_SHELL)
        fputs("values='bash zsh fish'; ", stdout);
    else if (c->word == CLI_WORD_COMMAND)
        fputs("values=$commands; ", stdout);
    fputs("options='", stdout);
    EACH_OPT(o, c) printf("--%s ", o->name);
    fputs("' ;;\n", stdout);
}

static void
bash_families(void)
{
    EACH_COMMAND(c)
    {
        if (!second(c) || !is_first(c))
            continue;
        printf("        %.*s) family='", (int)strcspn(c->name, " "), c->name);
        EACH_COMMAND(other)
        {
            if (same_family(c, other))
                printf("%s ", second(other));
        }
        fputs("' ;;\n", stdout);
    }
}

static void
bash(void)
{
    fputs("# bash completion for artstore, made by `artstore completion bash`\n"
          "_artstore() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} "
          "prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command=${COMP_WORDS[1]} first=2 family= kind= values= "
          "options=\n"
          "    local commands='",
          stdout);
    EACH_COMMAND(c)
    {
        if (is_first(c))
            printf("%.*s ", (int)strcspn(c->name, " "), c->name);
    }
    fputs(
        "'\n"
        "    COMPREPLY=()\n"
        "    # --option=value comes in three words\n"
        "    if [[ $cur == = ]]; then cur=\n"
        "    elif [[ $prev == = ]]; then "
        "prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\")); return\n"
        "    fi\n"
        "    case $command in\n",
        stdout);
    bash_families();
    fputs("    esac\n"
          "    if [[ -n $family ]]; then\n"
          "        if ((COMP_CWORD == 2)); then\n"
          "            COMPREPLY=($(compgen -W \"$family\" -- \"$cur\")); "
          "return\n"
          "        fi\n"
          "        command+=\" ${COMP_WORDS[2]}\"\n"
          "    fi\n"
          "    case \"$command $prev\" in\n",
          stdout);
    EACH_COMMAND(c) bash_values(c);
    fputs("    esac\n"
          "    if [[ -z $kind$values ]]; then\n"
          "        case $command in\n",
          stdout);
    EACH_COMMAND(c) bash_words(c);
    fputs("        esac\n"
          "    fi\n"
          "    if [[ $cur == -* && -n $options ]]; then "
          "values=$options kind=; fi\n"
          "    case $kind in\n"
          "        file) compopt -o filenames 2>/dev/null; "
          "COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
          "        dir) compopt -o filenames 2>/dev/null; "
          "COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
          "        any) ;;\n"
          "        *) COMPREPLY=($(compgen -W \"$values\" -- \"$cur\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _artstore artstore\n",
          stdout);
}

static void
zsh_opt(const struct cli_opt *o)
{
    const enum value v = value_of(o);
    const bool many = o->kind == OPT_LIST;

    if (o->letter)
        printf(" \\\n            '%s'{-%c,--%s%s}'[", many ? "*" : "",
               o->letter, o->name, v ? "=" : "");
    else
        printf(" \\\n            '%s--%s%s[", many ? "*" : "", o->name,
               v ? "=" : "");
    put_short(o->help, "'[]\\`");
    putchar(']');
    if (v == VALUE_CHOICE) {
        printf(":%s:(", o->name);
        put_choices(o->value);
        putchar(')');
    } else if (v != VALUE_NONE) {
        printf(":%s:%s", o->name,
               v == VALUE_FILE  ? "_files"
               : v == VALUE_DIR ? "_files -/"
                                : "");
    }
    putchar('\'');
}

static void
zsh_command(const struct cli_command *c)
{
    printf("        '%s') _arguments -s", c->name);
    EACH_OPT(o, c) zsh_opt(o);
    if (c->word == CLI_WORD_FILE)
        fputs(" \\\n            '*:file:_files'", stdout);
    else if (c->word == CLI_WORD_SHELL)
        fputs(" \\\n            '1:shell:(bash zsh fish)'", stdout);
    fputs(" ;;\n", stdout);
}

static void
zsh(void)
{
    fputs("#compdef artstore\n"
          "# made by `artstore completion zsh`\n"
          "_artstore() {\n"
          "    local -a commands family\n"
          "    local command=$words[2]\n"
          "    commands=(\n",
          stdout);
    EACH_COMMAND(c)
    {
        if (!is_first(c))
            continue;
        printf("        '%.*s:", (int)strcspn(c->name, " "), c->name);
        put_short(second(c) ? "commands of their own" : c->summary, "'\\`");
        fputs("'\n", stdout);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)); then _describe command commands; return; "
          "fi\n"
          "    case $command in\n",
          stdout);
    EACH_COMMAND(c)
    {
        if (!second(c) || !is_first(c))
            continue;
        printf("        %.*s) family=(", (int)strcspn(c->name, " "), c->name);
        EACH_COMMAND(other)
        {
            if (!same_family(c, other))
                continue;
            printf(" '%s:", second(other));
            put_short(other->summary, "'\\`");
            putchar('\'');
        }
        fputs(" ) ;;\n", stdout);
    }
    fputs("    esac\n"
          "    if (($#family)); then\n"
          "        if ((CURRENT == 3)); then _describe command family; return; "
          "fi\n"
          "        command+=\" $words[3]\"\n"
          "        shift words; ((CURRENT--))\n"
          "    fi\n"
          "    shift words; ((CURRENT--))\n"
          "    case $command in\n",
          stdout);
    EACH_COMMAND(c) zsh_command(c);
    fputs("    esac\n"
          "}\n"
          "if [[ $funcstack[1] == _artstore ]]; then _artstore \"$@\"; "
          "else compdef _artstore artstore; fi\n",
          stdout);
}

static void
fish_command(const struct cli_command *c)
{
    EACH_OPT(o, c)
    {
        const enum value v = value_of(o);

        printf("complete -c artstore -n '__artstore_is %s' -l %s", c->name,
               o->name);
        if (o->letter)
            printf(" -s %c", o->letter);
        if (v == VALUE_CHOICE) {
            fputs(" -x -a '", stdout);
            put_choices(o->value);
            putchar('\'');
        } else if (v != VALUE_NONE) {
            fputs(v == VALUE_FILE  ? " -r -F"
                  : v == VALUE_DIR ? " -x -a '(__fish_complete_directories)'"
                                   : " -x",
                  stdout);
        }
        fputs(" -d '", stdout);
        put_short(o->help, "'\\");
        fputs("'\n", stdout);
    }
    if (c->word == CLI_WORD_FILE)
        printf("complete -c artstore -n '__artstore_is %s' -F\n", c->name);
    else if (c->word == CLI_WORD_SHELL)
        printf("complete -c artstore -n '__artstore_is %s' -a 'bash zsh "
               "fish'\n",
               c->name);
}

static void
fish(void)
{
    fputs("# fish completion for artstore, made by `artstore completion fish`\n"
          "# Do the words so far begin with these?\n"
          "function __artstore_is\n"
          "    set -l words (commandline -opc)\n"
          "    set -e words[1]\n"
          "    test (count $words) -ge (count $argv); or return 1\n"
          "    for i in (seq (count $argv))\n"
          "        test \"$words[$i]\" = \"$argv[$i]\"; or return 1\n"
          "    end\n"
          "end\n"
          "# Are they exactly these?\n"
          "function __artstore_at\n"
          "    set -l words (commandline -opc)\n"
          "    test \"$words[2..-1]\" = \"$argv\"\n"
          "end\n"
          "complete -c artstore -f\n",
          stdout);
    EACH_COMMAND(c)
    {
        if (is_first(c)) {
            printf("complete -c artstore -n '__artstore_at' -a %.*s -d '",
                   (int)strcspn(c->name, " "), c->name);
            put_short(second(c) ? "commands of their own" : c->summary, "'\\");
            fputs("'\n", stdout);
        }
        if (second(c)) {
            printf("complete -c artstore -n '__artstore_at %.*s' -a %s -d '",
                   (int)strcspn(c->name, " "), c->name, second(c));
            put_short(c->summary, "'\\");
            fputs("'\n", stdout);
        }
    }
    EACH_COMMAND(c) fish_command(c);
}

int
cmd_completion(int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    int r = cli_parse("completion", argc, argv, &c, 1, 1, &words);

    if (r != CLI_GO)
        return r;
    for (size_t i = 0; i < countof(shells); i++)
        if (strcmp(words.v[0], shells[i].shell) == 0) {
            shells[i].print();
            return CLI_OK;
        }
    return cli_usage("completion", "'%s' is none of bash, zsh, fish",
                     words.v[0]);
}
