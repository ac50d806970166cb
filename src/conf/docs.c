/* docs.c - the pages that are made of the table: doc/options.md and
 * .env.example (ING-274, PRD-188). The test conf/docs-current compares them
 * with what is committed. SPDX-License-Identifier: Apache-2.0 */
#include "conf/group.h"
#include "conf/value.h"
#include "conf/wrap.h"

void
conf_wrap(struct buf *out, struct slice text, const char *indent, size_t width)
{
    size_t column = 0;
    struct slice word;

    while (slice_cut(&text, ' ', &word)) {
        if (column > 0 && column + 1 + word.n > width) {
            buf_add_char(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_add_str(out, indent);
            column = strlen(indent);
        } else {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add_slice(out, word);
        column += word.n;
    }
    buf_add_char(out, '\n');
}

static void
add_type(const struct conf_option *o, struct buf *out)
{
    struct slice rest = slice_str(o->choices), choice;
    const char *between = "";

    if (o->type != CONF_ENUM) {
        conf_value_range(o, out);
        return;
    }
    while (slice_cut(&rest, '|', &choice)) {
        buf_printf(out, "%s`%.*s`", between, SLICE_ARG(choice));
        between = ", ";
    }
}

static void
add_default(int id, struct buf *out)
{
    const struct conf_option *o = &conf_option[id];
    struct slice rest = slice_str(o->per_role), pair;

    if (o->initial[0] != '\0')
        buf_printf(out, "default `%s`", o->initial);
    else
        buf_add_str(out, "empty by default");
    while (rest.n > 0 && slice_cut(&rest, ' ', &pair)) {
        size_t eq = slice_find(pair, '=');
        struct slice value = slice_skip(pair, eq + 1);

        buf_add_str(out, ", ");
        buf_add_slice(out, slice_head(pair, eq));
        buf_add_char(out, ' ');
        if (value.n > 0) {
            buf_add_char(out, '`');
            buf_add_slice(out, value);
            buf_add_char(out, '`');
        } else {
            buf_add_str(out, "empty");
        }
    }
}

static void
add_roles(const struct conf_option *o, struct buf *out)
{
    const unsigned client = CONF_ROLE_BIT(CONF_CLIENT);
    const unsigned servers = client - 1;
    const char *between = "";

    static_assert(CONF_CLIENT == CONF_ROLES - 1, "the mask needs it last");
    if ((o->roles & servers) == servers) {
        buf_add_str(out, "all roles");
        if (o->roles & client)
            buf_add_str(out, " and client commands");
        return;
    }
    for (int role = 0; role < CONF_ROLES; role++) {
        if (!(o->roles & CONF_ROLE_BIT(role)))
            continue;
        buf_printf(out, "%s%s", between, conf_role_name((enum conf_role)role));
        between = ", ";
    }
}

static void
add_option_md(int id, struct buf *out)
{
    const struct conf_option *o = &conf_option[id];
    char flag[80];

    conf_option_flag(id, flag, sizeof(flag));
    buf_printf(out, "\n### `%s%s`\n\n",
               o->flags & CONF_F_PREFIX ? "ARTSTORE_" : "", o->name);
    if (o->flags & CONF_F_PLANNED)
        buf_add_str(out, "*Accepted, not used by this version.* ");
    if (!(o->flags & CONF_F_SECRET))
        buf_printf(out, "`%s`%s · ", flag,
                   o->type == CONF_BOOL ? " (and `--no-...`)" : "");
    add_type(o, out);
    buf_add_str(out, " · ");
    add_default(id, out);
    buf_add_str(out, " · ");
    add_roles(o, out);
    if ((o->flags & CONF_F_RELOAD) && !(o->flags & CONF_F_PLANNED))
        buf_add_str(out, " · read again on SIGHUP");
    if (o->flags & CONF_F_SECRET)
        buf_printf(out, " · secret, also from the file in `%s%s_FILE`",
                   o->flags & CONF_F_PREFIX ? "ARTSTORE_" : "", o->name);
    buf_add_str(out, "\n\n");
    conf_wrap(out, slice_str(o->help), "", 80);
}

static const char md_head[] =
    "# Options\n"
    "\n"
    "<!-- Made from src/conf/options.def by script: ninja -C build "
    "options-doc. Do not edit. -->\n"
    "\n"
    "What a process is told, a later source over an earlier one:\n"
    "\n"
    "    built-in default  <  --config FILE  <  environment  <  command line\n"
    "\n"
    "`artstore check-config` says what holds, where it comes from and "
    "everything that is\n"
    "wrong with it. A mistake stops the start with status 78.\n"
    "\n"
    "- **Names.** `APP_PORT` is `--app-port` on the command line and "
    "`APP_PORT` or\n"
    "  `ARTSTORE_APP_PORT` in files and in the environment. Names that are "
    "shown with\n"
    "  `ARTSTORE_` are too general for the environment without it. A role in "
    "front\n"
    "  (`STORAGE_APP_PORT`) makes the value hold for that role only, so that "
    "all roles can\n"
    "  share one file.\n"
    "- **Unknown names** are refused on the command line, in files and under "
    "`ARTSTORE_`.\n"
    "  Service links of Kubernetes (`REDIS_PORT=tcp://...`) are ignored with a "
    "warning.\n"
    "- **Booleans**: `on off true false yes no 1 0`, in any case. On the "
    "command line\n"
    "  `--name`, `--no-name`, `--name=off`.\n"
    "- **Sizes**: digits with `K M G T`, with or without `B` or `iB`; always "
    "powers of 1024.\n"
    "- **Durations**: a number, which may have a fraction, with `ms s m h d`; "
    "without a suffix\n"
    "  it is in the unit of the option.\n"
    "- **Empty** values in files and in the environment count as not given, "
    "except for texts\n"
    "  that may be empty.\n"
    "- **Secrets** are masked wherever values are shown, cannot stand on the "
    "command line, and\n"
    "  may lie in a file of their own that `NAME_FILE` names.\n"
    "- **Files** hold `NAME=VALUE` lines; `#` begins a comment at the start of "
    "a line or behind a\n"
    "  blank; values may stand in single quotes (as they are) or double quotes "
    "(`\\\\ \\\" \\n \\t`).\n"
    "  Nothing is expanded.\n";

void
conf_doc_md(struct buf *out)
{
    buf_add_str(out, md_head);
    for (int group = 0; group < CONF_GROUPS; group++) {
        buf_printf(out, "\n## %s\n", conf_group_title[group]);
        for (int id = 0; id < CONF_COUNT; id++) {
            if (conf_option[id].group == group)
                add_option_md(id, out);
        }
    }
}

static void
add_option_env(int id, struct buf *out)
{
    const struct conf_option *o = &conf_option[id];
    const bool spaces = strchr(o->initial, ' ') != NULL;
    struct buf value;

    buf_add_char(out, '\n');
    conf_wrap(out, slice_str(o->help), "# ", 80);
    if (o->flags & CONF_F_PLANNED)
        buf_add_str(out, "# Accepted, not used by this version.\n");
    buf_init(&value, 2048);
    buf_add_str(&value, "Value: ");
    conf_value_range(o, &value);
    if (o->per_role[0] != '\0')
        buf_printf(&value, "; by role: %s", o->per_role);
    conf_wrap(out, buf_slice(&value), "# ", 80);
    buf_release(&value);
    buf_printf(out, "#%s%s=%s%s%s\n",
               o->flags & CONF_F_PREFIX ? "ARTSTORE_" : "", o->name,
               spaces ? "\"" : "", o->initial, spaces ? "\"" : "");
}

void
conf_env_example(struct buf *out)
{
    buf_add_str(out,
                "# Options of artstore with their defaults. Made from "
                "src/conf/options.def; the\n"
                "# manual is doc/options.md. Take the # off a line that has no "
                "blank behind it.\n");
    for (int group = 0; group < CONF_GROUPS; group++) {
        buf_printf(out, "\n# ==== %s ====\n", conf_group_title[group]);
        for (int id = 0; id < CONF_COUNT; id++) {
            if (conf_option[id].group == group && id != CONF_CONFIG)
                add_option_env(id, out);
        }
    }
}
