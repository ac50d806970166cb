/* client.h - the commands of artstore, as a table, and what they share.
 *
 * main() finds a command by its one or two words and calls run(), with argv[0]
 * the last of the words. The exit code is one of cli/fail.h. Help, completion
 * and the manual page are made from the tables in cli_tables[]; a new family of
 * commands (servers, tools) adds its table there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/fail.h"
#include "cli/opt.h"

/* What the words of a command are, for completion. */
enum cli_word {
    CLI_WORD_NONE,
    CLI_WORD_FILE,
    CLI_WORD_SHELL,   /* bash zsh fish */
    CLI_WORD_COMMAND, /* names of commands */
};

struct cli_command {
    const char *name;    /* "put", "se ls"; NULL ends a table */
    const char *summary; /* one line without a full stop */
    const char *usage;   /* what follows the name */
    int (*run)(int argc, char **argv);
    const struct cli_opt *opts; /* its own, or NULL */
    bool connects;              /* takes cli_common_opts too */
    enum cli_word word;
    const char *about;   /* paragraphs, separated by empty lines, or NULL */
    const char *example; /* lines of shell, or NULL */
};

extern const struct cli_command client_commands[];
/* All tables, ended by NULL. */
extern const struct cli_command *const cli_tables[];

/* For the manual: environment, files, and where things are looked for. */
struct cli_note {
    const char *name; /* NULL ends a table */
    const char *text;
};
extern const struct cli_note cli_environment[];
extern const struct cli_note cli_files[];
extern const char cli_places[];

/* Options of every command that talks to a server. Comes first in the structs
 * of such commands, so that one table of offsets serves them all. */
struct cli_common {
    const char *url;
    const char *token;
    const char *client_id;
    const char *client_secret;
    const char *token_url;
    const char *data_dir;
    const char *cacert;
    uint64_t timeout; /* seconds without a byte moving */
    bool json;
    bool quiet;
    bool help;
};
#define CLI_COMMON_DEFAULT ((struct cli_common){.timeout = 120})
extern const struct cli_opt cli_common_opts[];
/* For commands that do not connect: --help alone, at the same offset. */
extern const struct cli_opt cli_help_opts[];

/* The options of C: its own, or those of the role that it starts; or NULL. */
const struct cli_opt *cli_opts(const struct cli_command *c);
/* Does C start a role, so that conf/ parses its options and explains them? */
bool cli_is_role(const struct cli_command *c);

/* The command after C in all tables, the first for NULL, NULL at the end. */
const struct cli_command *cli_next(const struct cli_command *c);
/* By its words joined with a blank; NULL when there is none. */
const struct cli_command *cli_find(const char *name);

/* Parses for the command NAME into ARGS, whose first member is a struct
 * cli_common. CLI_GO: go on. Anything else is the exit code: help was printed,
 * or the reason why the line is not valid. MIN and MAX bound the words; MAX -1:
 * any number. */
#define CLI_GO (-1)
int cli_parse(const char *name, int argc, char **argv, void *args, int min,
              int max, struct opt_words *words);
/* Says why the line is not valid, and what would be; returns CLI_USAGE. */
int cli_usage(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Help of one command, of all; to OUT. */
void help_command(FILE *out, const struct cli_command *c);
void help_all(FILE *out);

/* Finds the command in ARGV and runs it. All of main() but the set-up. */
int cli_dispatch(int argc, char **argv);
/* Flushes stdout: an answer that could not be written is a failure. */
int cli_end(int exit);

int cmd_put(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_storage_verify(int argc, char **argv);
int cmd_se_ls(int argc, char **argv);
int cmd_se_why(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_account_create(int argc, char **argv);
int cmd_account_ls(int argc, char **argv);
int cmd_account_disable(int argc, char **argv);
int cmd_account_enable(int argc, char **argv);
int cmd_account_rotate(int argc, char **argv);
int cmd_account_rm(int argc, char **argv);
int cmd_audit_ls(int argc, char **argv);
int cmd_audit_verify(int argc, char **argv);
int cmd_keys_ls(int argc, char **argv);
int cmd_keys_rotate(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_help(int argc, char **argv);

extern const struct cli_opt put_opts[];
extern const struct cli_opt get_opts[];
extern const struct cli_opt ls_opts[];
extern const struct cli_opt se_why_opts[];
extern const struct cli_opt account_create_opts[];
extern const struct cli_opt account_rotate_opts[];
extern const struct cli_opt audit_ls_opts[];
extern const struct cli_opt audit_verify_opts[];
extern const struct cli_opt keys_rotate_opts[];
extern const struct cli_opt token_opts[];
extern const struct cli_opt version_opts[];

#endif
