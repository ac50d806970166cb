/* role_opts.c - see role_opts.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/role_opts.h"

#define NAME_TEXT 64

static const char *
value_name(const struct conf_option *o)
{
    switch (o->type) {
    case CONF_BOOL:
        return "on|off";
    case CONF_ENUM:
        return o->choices;
    case CONF_SIZE:
        return "SIZE";
    case CONF_DUR:
        return "TIME";
    case CONF_INT:
        return "N";
    case CONF_TEXT:
    case CONF_LIST:
        break;
    }
    if (o->check == CONF_C_PATH)
        return slice_ends(slice_str(o->name), SLICE("DIR")) ? "DIR" : "FILE";
    return o->check == CONF_C_URL ? "URL" : "TEXT";
}

const struct cli_opt *
role_opts(enum conf_role role)
{
    static struct cli_opt made[CONF_ROLES][CONF_COUNT + 1];
    static char name[CONF_COUNT][NAME_TEXT];
    struct cli_opt *to = made[role];

    if (to->name)
        return to;
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];

        if (!(o->roles & CONF_ROLE_BIT(role)) ||
            (o->flags & (CONF_F_SECRET | CONF_F_PLANNED)))
            continue;
        conf_option_flag(id, name[id], NAME_TEXT);
        to->name = name[id] + 2; /* without the hyphens */
        to->kind = o->type == CONF_BOOL || o->type == CONF_ENUM ? OPT_CHOICE
                                                                : OPT_TEXT;
        to->value = value_name(o);
        to->help = o->help;
        to++;
    }
    return made[role];
}
