/* show.c - effective values, --help, check-config, and what a reload changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/group.h"
#include "conf/report.h"
#include "conf/value.h"
#include "conf/wrap.h"

bool
conf_value_text(const struct conf *c, int id, struct buf *out)
{
    const struct conf_option *o = &conf_option[id];
    const struct conf_value v = conf_value_load(c, id);

    if (!(o->flags & CONF_F_SECRET))
        conf_value_print(o, v, out);
    else if (v.text.n > 0)
        buf_add_str(out, "***");
    return !out->failed;
}

bool
conf_source_text(const struct conf *c, int id, struct buf *out)
{
    const struct conf_source *src = &c->source[id];

    switch (src->layer) {
    case CONF_BY_DEFAULT:
        return buf_add_str(out, "default");
    case CONF_BY_FILE:
        return buf_printf(out, "%s:%u", src->file, src->line);
    case CONF_BY_ENV:
        return buf_add_str(out, "environment");
    case CONF_BY_ARGV:
        break;
    }
    return buf_add_str(out, "command line");
}

/* S in double quotes where a file would need them (see file.h). */
static void
add_quoted(struct buf *out, struct slice s)
{
    bool plain = true;

    assert(s.p != NULL || s.n == 0);
    for (size_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] != ' ' && s.p[i] != '"' && s.p[i] != '\'';
    if (plain) {
        buf_add_slice(out, s);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '$' || s.p[i] == '`')
            buf_add_char(out, '\\');
        buf_add_char(out, s.p[i]);
    }
    buf_add_char(out, '"');
}

void
conf_print(const struct conf *c, bool all, struct buf *out)
{
    struct buf value;

    buf_init(&value, CONF_TEXT_MAX);
    for (int group = 0; group < CONF_GROUPS; group++) {
        for (int id = 0; id < CONF_COUNT; id++) {
            const struct conf_option *o = &conf_option[id];
            bool remark;

            if (o->group != group || !(o->roles & CONF_ROLE_BIT(c->role)) ||
                (!all && c->source[id].layer == CONF_BY_DEFAULT))
                continue;
            buf_clear(&value);
            conf_value_text(c, id, &value);
            /* A file cannot name files, and *** is not the secret: these are
             * shown, but not as a line to be read again. */
            remark = id == CONF_CONFIG || strcmp(buf_str(&value), "***") == 0;
            buf_printf(out, "%s%s=", remark ? "# " : "", o->name);
            add_quoted(out, buf_slice(&value));
            buf_add_str(out, " # ");
            conf_source_text(c, id, out);
            buf_add_char(out, '\n');
        }
    }
    buf_release(&value);
}

static const char *
placeholder(const struct conf_option *o)
{
    static const char *const word[] = {
        [CONF_INT] = "N",   [CONF_SIZE] = "SIZE", [CONF_DUR] = "TIME",
        [CONF_ENUM] = NULL, [CONF_TEXT] = "TEXT", [CONF_LIST] = "LIST",
    };

    if (o->type == CONF_TEXT && o->check == CONF_C_PATH)
        return "PATH";
    return o->type == CONF_ENUM ? o->choices : word[o->type];
}

static void
help_option(int id, enum conf_role role, struct buf *out)
{
    const struct conf_option *o = &conf_option[id];
    const struct slice initial = conf_option_default(id, role);
    char flag[80];

    conf_option_flag(id, flag, sizeof(flag));
    if (o->flags & CONF_F_SECRET)
        buf_printf(out, "  (environment or file) %s", o->name);
    else if (o->type == CONF_BOOL) /* two long names are two lines */
        buf_printf(out,
                   strlen(flag) > 30 ? "  %s,\n  --no-%s" : "  %s, --no-%s",
                   flag, flag + 2);
    else
        buf_printf(out, "  %s %s", flag, placeholder(o));
    if (initial.n > 0)
        buf_printf(out, "  [%.*s]", SLICE_ARG(initial));
    buf_add_char(out, '\n');
    conf_wrap(out, slice_str(o->help), "      ", 78);
}

static void
help_planned(enum conf_role role, struct buf *out)
{
    struct buf names;
    const char *between = "";

    buf_init(&names, 16 * KIB);
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];

        if ((o->flags & CONF_F_PLANNED) && (o->roles & CONF_ROLE_BIT(role))) {
            buf_printf(&names, "%s%s", between, o->name);
            between = ", ";
        }
    }
    if (names.n > 0) {
        buf_add_str(out, "\nAccepted, not used by this version\n");
        conf_wrap(out, buf_slice(&names), "  ", 78);
    }
    buf_release(&names);
}

void
conf_help(enum conf_role role, struct buf *out)
{
    for (int group = 0; group < CONF_GROUPS; group++) {
        bool begun = false;

        for (int id = 0; id < CONF_COUNT; id++) {
            const struct conf_option *o = &conf_option[id];

            if (o->group != group || !(o->roles & CONF_ROLE_BIT(role)) ||
                (o->flags & CONF_F_PLANNED))
                continue;
            if (!begun)
                buf_printf(out, "\n%s\n", conf_group_title[group]);
            begun = true;
            help_option(id, role, out);
        }
    }
    help_planned(role, out);
    buf_add_str(out, "\n");
    conf_wrap(out,
              SLICE("--app-port is APP_PORT in files and in the environment, "
                    "and ARTSTORE_APP_PORT as well. A default stands in "
                    "brackets. --print-config shows what holds and where it "
                    "comes from."),
              "", 78);
}

int
conf_check(const struct conf_input *in, bool all, struct buf *out)
{
    struct conf_report rep;
    struct conf c;
    bool good;

    (void)conf_load(&c, in, &rep);
    if (in->look)
        in->look(&c, &rep);
    good = rep.errors == 0;
    conf_report_print(&rep, CONF_NOTICE, out);
    buf_printf(out, "%s: %s, %zu error%s, %zu warning%s\n",
               conf_role_name(in->role), good ? "good" : "not usable",
               rep.errors, rep.errors == 1 ? "" : "s", rep.warnings,
               rep.warnings == 1 ? "" : "s");
    if (good || all)
        conf_print(&c, all, out);
    conf_report_release(&rep);
    conf_release(&c);
    return good ? 0 : CONF_EXIT;
}

size_t
conf_compare(const struct conf *old, const struct conf *fresh,
             struct conf_report *rep)
{
    size_t restart = 0;

    assert(old->role == fresh->role);
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];

        if ((o->flags & CONF_F_PLANNED) ||
            conf_value_same(o, conf_value_load(old, id),
                            conf_value_load(fresh, id)))
            continue;
        if (o->flags & CONF_F_RELOAD) {
            conf_report_add(rep, CONF_NOTICE, id, "%s is changed", o->name);
        } else {
            conf_report_add(rep, CONF_WARNING, id,
                            "%s is changed; it needs a restart", o->name);
            restart++;
        }
    }
    return restart;
}

void
conf_adopt(struct conf *c, const struct conf *fresh)
{
    static const size_t size[] = {
        [CONF_BOOL] = sizeof(bool),        [CONF_INT] = sizeof(int64_t),
        [CONF_SIZE] = sizeof(uint64_t),    [CONF_DUR] = sizeof(struct dur),
        [CONF_ENUM] = sizeof(int),         [CONF_TEXT] = sizeof(const char *),
        [CONF_LIST] = sizeof(const char *)};

    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];

        if (!(o->flags & CONF_F_RELOAD))
            continue;
        memcpy((char *)c + o->offset, (const char *)fresh + o->offset,
               size[o->type]);
        c->source[id] = fresh->source[id];
    }
}
