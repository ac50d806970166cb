/* opt.c - see opt.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"
#include "cli/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct parse {
    const struct cli_opt *table[2];
    void *args;
    struct buf *err;
    char **argv;
    int argc;
    int at; /* the argument being read */
};

size_t
opt_distance(struct slice a, struct slice b)
{
    size_t row[33];

    if (a.n > 32 || b.n > 32)
        return 32;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t up = row[j];
            size_t change = diagonal + (a.p[i - 1] != b.p[j - 1]);

            row[j] = size_min(change, size_min(up, row[j - 1]) + 1);
            diagonal = up;
        }
    }
    return row[b.n];
}

const char *
opt_nearest(const struct cli_opt *own, const struct cli_opt *common,
            struct slice name)
{
    const struct cli_opt *table[] = {own, common};
    const char *best = NULL;
    size_t least = 3;

    for (size_t t = 0; t < countof(table); t++)
        for (const struct cli_opt *o = table[t]; o && o->name; o++) {
            size_t d = opt_distance(name, slice_str(o->name));

            /* A beginning is near, however much is missing. */
            if (name.n >= 3 && slice_starts(slice_str(o->name), name))
                d = 1;
            if (d < least) {
                least = d;
                best = o->name;
            }
        }
    return best;
}

static const struct cli_opt *
find(const struct parse *p, struct slice name, char letter)
{
    for (size_t t = 0; t < countof(p->table); t++)
        for (const struct cli_opt *o = p->table[t]; o && o->name; o++)
            if (letter ? o->letter == letter
                       : slice_eq(slice_str(o->name), name))
                return o;
    return NULL;
}

static bool
bad(struct parse *p, const struct cli_opt *o, const char *value,
    const char *wants)
{
    buf_printf(p->err, "--%s", o->name);
    if (value && o->kind != OPT_SECRET)
        buf_printf(p->err, " %s", value);
    buf_printf(p->err, ": %s", wants);
    return false;
}

static bool
set_choice(struct parse *p, const struct cli_opt *o, const char *value)
{
    struct slice rest = slice_str(o->value), one;

    while (slice_cut(&rest, '|', &one))
        if (slice_eq_nocase(one, slice_str(value))) {
            *(const char **)((char *)p->args + o->at) = value;
            return true;
        }
    buf_printf(p->err, "--%s %s: must be one of %s", o->name, value, o->value);
    return false;
}

static bool
set_number(struct parse *p, const struct cli_opt *o, const char *value)
{
    uint64_t n, *dst = (uint64_t *)(void *)((char *)p->args + o->at);

    if (o->kind == OPT_SIZE) {
        if (!text_parse_size(slice_str(value), &n))
            return bad(p, o, value, "must be a size like 4096, 10M or 1.5G");
    } else if (!slice_u64(slice_str(value), &n)) {
        return bad(p, o, value, "must be a whole number");
    } else if (n < o->min || (o->max && n > o->max)) {
        buf_printf(p->err, "--%s %s: must be from %" PRIu64 " to %" PRIu64,
                   o->name, value, o->min, o->max ? o->max : UINT64_MAX);
        return false;
    }
    *dst = n;
    return true;
}

/* A copy for the life of the process, and the original overwritten. */
static bool
keep_secret(char *value, const char **dst)
{
    static char *kept[8];
    size_t i = 0;

    while (i < countof(kept) && kept[i])
        i++;
    if (i == countof(kept) || !(kept[i] = strdup(value)))
        return false;
    memset(value, 'x', strlen(value));
    *dst = kept[i];
    return true;
}

static bool
set(struct parse *p, const struct cli_opt *o, char *value)
{
    void *dst = (char *)p->args + o->at;
    struct opt_list *list = dst;

    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)dst = true;
        return true;
    case OPT_TEXT:
        *(const char **)dst = value;
        return true;
    case OPT_SECRET:
        return keep_secret(value, dst) ? true
                                       : bad(p, o, NULL, "given too often");
    case OPT_CHOICE:
        return set_choice(p, o, value);
    case OPT_UINT:
    case OPT_SIZE:
        return set_number(p, o, value);
    case OPT_LIST:
        if (list->n == OPT_LIST_MAX)
            return bad(p, o, value, "given too many times");
        list->v[list->n++] = value;
        return true;
    }
    return false;
}

/* The value of O: what is left of this argument, or the next one. An empty one
 * is a variable of the shell that is not set: `ls --user ''` must not list the
 * files of everybody for an `rm` to take away. */
static char *
take_value(struct parse *p, const struct cli_opt *o, char *rest)
{
    if (!rest && p->at + 1 < p->argc)
        rest = p->argv[++p->at];
    if (rest && *rest)
        return rest;
    bad(p, o, NULL, rest ? "the value is empty" : "needs a value");
    buf_printf(p->err, " (%s)", o->value);
    return NULL;
}

static bool
parse_long(struct parse *p, char *arg)
{
    char *eq = strchr(arg, '='), *value;
    const struct slice name =
        slice_of(arg, eq ? (size_t)(eq - arg) : strlen(arg));
    const struct cli_opt *o = find(p, name, 0);

    if (!o) {
        const char *near = opt_nearest(p->table[0], p->table[1], name);

        buf_printf(p->err, "there is no option --%.*s", SLICE_ARG(name));
        if (near)
            buf_printf(p->err, "; did you mean --%s?", near);
        return false;
    }
    if (o->kind == OPT_FLAG)
        return eq ? bad(p, o, NULL, "takes no value") : set(p, o, NULL);
    value = take_value(p, o, eq ? eq + 1 : NULL);
    return value && set(p, o, value);
}

static bool
parse_letters(struct parse *p, char *arg)
{
    while (*arg) {
        const struct cli_opt *o = find(p, SLICE_NULL, *arg);
        char *value;

        if (!o) {
            buf_printf(p->err, "there is no option -%c", *arg);
            return false;
        }
        arg++;
        if (o->kind == OPT_FLAG) {
            if (!set(p, o, NULL))
                return false;
            continue;
        }
        value = take_value(p, o, *arg ? arg : NULL);
        return value && set(p, o, value);
    }
    return true;
}

bool
opt_parse(const struct cli_opt *own, const struct cli_opt *common, int argc,
          char **argv, void *args, struct opt_words *words, struct buf *err)
{
    struct parse p = {.table = {own, common},
                      .args = args,
                      .err = err,
                      .argv = argv,
                      .argc = argc};
    bool only_words = false;

    words->v = argv + 1;
    words->n = 0;
    for (p.at = 1; p.at < argc; p.at++) {
        char *arg = argv[p.at];

        if (only_words || arg[0] != '-' || arg[1] == '\0') {
            words->v[words->n++] = arg; /* never ahead of p.at */
        } else if (strcmp(arg, "--") == 0) {
            only_words = true;
        } else if (arg[1] == '-') {
            if (!parse_long(&p, arg + 2))
                return false;
        } else if (!parse_letters(&p, arg + 1)) {
            return false;
        }
    }
    return true;
}
