/* args.c - from the words of a command line to options and their values. Forms:
 * --name VALUE, --name=VALUE, and for booleans --name, --no-name and a boolean
 * word behind either form. SPDX-License-Identifier: Apache-2.0 */
#include "conf/loader.h"
#include "conf/report.h"
#include "conf/value.h"

/* --app-port -> APP_PORT. False: no option is spelled with such bytes. */
static bool
flag_to_name(struct slice flag, char *out, size_t cap)
{
    if (flag.n == 0 || flag.n >= cap)
        return false;
    for (size_t i = 0; i < flag.n; i++) {
        char c = flag.p[i];

        if (c >= 'a' && c <= 'z')
            out[i] = (char)(c - 'a' + 'A');
        else if (c >= '0' && c <= '9')
            out[i] = c;
        else if (c == '-')
            out[i] = '_';
        else
            return false;
    }
    out[flag.n] = '\0';
    return true;
}

/* What FLAG (without the dashes) names; *OFF for --no-FLAG. */
static struct conf_name
resolve_flag(struct slice flag, bool *off)
{
    struct conf_name unknown = {
        .kind = CONF_NAME_UNKNOWN, .id = -1, .role = -1, .bare = flag};
    struct conf_name name, positive;
    char text[ARG_NAME_MAX];

    *off = false;
    if (!flag_to_name(flag, text, sizeof(text)))
        return unknown;
    name = conf_name_resolve(slice_str(text));
    name.bare = flag;
    if (name.prefixed) { /* ARTSTORE_ is for the environment */
        unknown.bare = slice_skip(flag, strlen("artstore-"));
        return unknown;
    }
    if (name.kind == CONF_NAME_OPTION || !slice_starts(flag, SLICE("no-")))
        return name;
    positive = conf_name_resolve(slice_str(text + 3));
    if (positive.kind != CONF_NAME_OPTION ||
        conf_option[positive.id].type != CONF_BOOL)
        return name;
    *off = true;
    return positive;
}

/* One option that begins at argv[*I]; moves *I over a value of its own. */
static void
scan_option(struct loader *l, size_t *i)
{
    struct slice typed = slice_str(l->in->argv[*i]), flag, next, value;
    struct place at = {CONF_BY_ARGV, NULL, 0, SLICE_NULL};
    struct conf_name name;
    bool off, on, given;

    next = *i + 1 < l->in->argc ? slice_str(l->in->argv[*i + 1]) : SLICE_NULL;
    value = slice_skip(typed, 2);
    slice_cut(&value, '=', &flag);
    given = value.p != NULL;
    at.name = slice_head(typed, flag.n + 2);
    name = resolve_flag(flag, &off);
    if (name.kind != CONF_NAME_OPTION) {
        loader_tell_name(l, &name, &at);
        /* Its value, if it has one, is not another mistake. */
        if (!given && next.p != NULL && !slice_starts(next, SLICE("-")) &&
            !l->in->rest_allowed)
            ++*i;
        return;
    }
    if (off && given) {
        conf_report_add(l->rep, CONF_ERROR, name.id,
                        "%.*s: --no-... takes no value", SLICE_ARG(at.name));
        return;
    }
    if (off) {
        value = SLICE("off");
    } else if (!given && conf_option[name.id].type == CONF_BOOL) {
        value = SLICE("on");
        if (conf_bool_parse(next, &on)) {
            value = next;
            ++*i;
        }
    } else if (!given) {
        if (next.p == NULL || slice_starts(next, SLICE("--"))) {
            conf_report_add(l->rep, CONF_ERROR, name.id, "%.*s needs a value",
                            SLICE_ARG(at.name));
            return;
        }
        value = next;
        ++*i;
    }
    l->arg[l->args++] = (struct arg){name, at.name, value};
}

void
loader_scan_args(struct loader *l)
{
    const struct conf_input *in = l->in;
    size_t i = 0;

    l->rep->rest = in->argc;
    for (; i < in->argc; i++) {
        struct slice a = slice_str(in->argv[i]);

        if (slice_eq(a, SLICE("--help")) || slice_eq(a, SLICE("-h"))) {
            l->rep->help = true;
        } else if (slice_eq(a, SLICE("--print-config"))) {
            l->rep->print_config = true;
        } else if (a.n > 2 && slice_starts(a, SLICE("--"))) {
            scan_option(l, &i);
        } else if (in->rest_allowed && a.n > 1 && a.p[0] == '-' &&
                   a.p[1] != '-') {
            conf_report_add(l->rep, CONF_ERROR, -1, "%.60s: unknown option",
                            in->argv[i]);
        } else if (in->rest_allowed) {
            l->rep->rest = i + (a.n == 2 && slice_eq(a, SLICE("--")));
            break;
        } else {
            /* It may be what follows a secret's name: not shown. */
            conf_report_add(l->rep, CONF_ERROR, -1,
                            "argument %zu of the command line is not an option",
                            i + 1);
        }
    }
}
