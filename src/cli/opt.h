/* opt.h - the options of a command are a table; parsing, --help, completion and
 * the manual page all read it, so they cannot disagree.
 *
 *     struct put_args { struct cli_common c; const char *name; bool force; };
 *     const struct cli_opt put_opts[] = {
 *         {.name = "name", .value = "NAME", .kind = OPT_TEXT,
 *          .at = offsetof(struct put_args, name), .help = "..."},
 *         {0}};
 *
 * Forms: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags together (-qf),
 * and -- before words that begin with a hyphen; options and words may mix. An
 * abbreviation of a long name is refused: a script that uses one breaks on the
 * day when a second option begins alike. An empty value is refused, too.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPT_H
#define CLI_OPT_H

#include "base/buf.h"

#define OPT_LIST_MAX 64

enum opt_kind {
    OPT_FLAG,   /* bool */
    OPT_TEXT,   /* const char * */
    OPT_SECRET, /* const char *, and what stood in argv is overwritten, so that
                   it does not stay in the process list */
    OPT_CHOICE, /* const char *, one of .value = "a|b|c", in either case */
    OPT_UINT,   /* uint64_t within min..max */
    OPT_SIZE,   /* uint64_t, "10M" */
    OPT_LIST,   /* struct opt_list, may be given several times */
};

struct opt_list {
    const char *v[OPT_LIST_MAX];
    size_t n;
};

struct cli_opt {
    const char *name; /* without hyphens; NULL ends a table */
    char letter;      /* 0: none */
    enum opt_kind kind;
    size_t at;         /* offset in the command's struct */
    const char *value; /* FILE, DIR, N ...; completion knows FILE and DIR */
    uint64_t min, max; /* OPT_UINT; max 0: no bound */
    const char *help;  /* a sentence or two, for help and manual */
};

struct opt_words {
    char **v;
    int n;
};

/* Parses ARGV[1..] by up to two tables (either may be NULL) into ARGS, whose
 * defaults the caller has set. The words end up in *WORDS, which points into
 * ARGV. Texts point into ARGV; secrets are copied, for the life of the process.
 * False: not valid, the reason is in ERR. */
bool
opt_parse(const struct cli_opt *own, const struct cli_opt *common, int argc,
          char **argv, void *args, struct opt_words *words, struct buf *err);

/* Small typing errors: the name among those of the table nearest to NAME, or
 * NULL when none is near. */
const char *opt_nearest(const struct cli_opt *own, const struct cli_opt *common,
                        struct slice name);
/* Changes of one letter that lead from A to B. */
size_t opt_distance(struct slice a, struct slice b);

#endif
