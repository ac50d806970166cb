/* option.c - the table of options.def as an array, and looking things up in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"
#include "conf/group.h"

/* Words that the rows use. They have short names because a table is read by
 * the column; they end with this file. */
#define KI INT64_C(1024)
#define MI (KI * KI)
#define GI (MI * KI)
/* Large enough for any file system, small enough that sums do not overflow. */
#define SIZE_TOP (GI * GI)

#define SEC  INT64_C(1000)
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)
#define DAY  (24 * HOUR)

#define SERVER   CONF_ROLE_BIT(CONF_SERVER)
#define INGESTER CONF_ROLE_BIT(CONF_INGESTER)
#define STORAGE  CONF_ROLE_BIT(CONF_STORAGE)
#define ADMIN    CONF_ROLE_BIT(CONF_ADMIN)
#define ALERTS   CONF_ROLE_BIT(CONF_ALERTS)
#define ALL      (SERVER | INGESTER | STORAGE | ADMIN | ALERTS)
#define CLIENT   CONF_ROLE_BIT(CONF_CLIENT)

#define RELOAD  CONF_F_RELOAD
#define SECRET  CONF_F_SECRET
#define PLANNED CONF_F_PLANNED
#define PREFIX  CONF_F_PREFIX

#define ON_OFF         .min = 0, .max = 1
#define LIM(u, a, b)   .unit = CONF_U_##u, .min = (a), .max = (b)
#define ONE_OF(list)   .choices = (list)
#define LEN(how, a, b) .check = CONF_C_##how, .min = (a), .max = (b)

#define OPT(id, field, kind, limit, text, by_role, mask, mark, set, words) \
    [CONF_##id] = {                                                        \
        .name = #id,                                                       \
        .type = CONF_##kind,                                               \
        limit,                                                             \
        .initial = (text),                                                 \
        .per_role = (by_role),                                             \
        .roles = (mask),                                                   \
        .flags = (mark),                                                   \
        .group = CONF_G_##set,                                             \
        .help = (words),                                                   \
        .offset = offsetof(struct conf, field),                            \
    },

const struct conf_option conf_option[CONF_COUNT] = {
#include "conf/options.def"
};

const char *const conf_group_title[CONF_GROUPS] = {
#define X(name, title) title,
    CONF_GROUP_TABLE(X)
#undef X
};

static const char *const role_name[CONF_ROLES] = {
    "server", "ingester", "storage", "admin", "alerts", "client",
};

const char *
conf_role_name(enum conf_role role)
{
    assert(role < CONF_ROLES);
    return role_name[role];
}

bool
conf_role_parse(struct slice s, enum conf_role *role)
{
    for (int i = 0; i < CONF_ROLES; i++) {
        if (slice_eq_nocase(s, slice_str(role_name[i]))) {
            *role = (enum conf_role)i;
            return true;
        }
    }
    return false;
}

static char
fold(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

int
conf_option_find(struct slice name)
{
    for (int id = 0; id < CONF_COUNT; id++) {
        const char *known = conf_option[id].name;
        size_t i = 0;

        while (i < name.n && known[i] != '\0' && fold(name.p[i]) == known[i])
            i++;
        if (i == name.n && known[i] == '\0')
            return id;
    }
    return -1;
}

struct slice
conf_option_default(int id, enum conf_role role)
{
    const struct slice want = slice_str(conf_role_name(role));
    struct slice rest, pair;

    assert(id >= 0 && id < CONF_COUNT);
    rest = slice_str(conf_option[id].per_role);
    while (slice_cut(&rest, ' ', &pair)) {
        size_t eq = slice_find(pair, '=');

        if (slice_eq(slice_head(pair, eq), want))
            return slice_skip(pair, eq + 1);
    }
    return slice_str(conf_option[id].initial);
}

const char *
conf_option_flag(int id, char *out, size_t cap)
{
    const char *name = conf_option[id].name;
    size_t n = 0;

    assert(cap > 2 + strlen(name));
    out[n++] = '-';
    out[n++] = '-';
    for (; *name != '\0'; name++) {
        if (*name == '_')
            out[n++] = '-';
        else if (*name >= 'A' && *name <= 'Z')
            out[n++] = (char)(*name - 'A' + 'a');
        else
            out[n++] = *name;
    }
    out[n] = '\0';
    return out;
}
