/* scope.c - see scope.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/scope.h"

static const struct {
    enum scope bit;
    const char *word;
} table[] = {
    {SCOPE_READ, "read"},       {SCOPE_WRITE, "write"},
    {SCOPE_DELETE, "delete"},   {SCOPE_ADMIN, "admin"},
    {SCOPE_GATEWAY, "gateway"},
};

unsigned
scope_word(struct slice s)
{
    for (size_t i = 0; i < countof(table); i++)
        if (slice_eq(s, slice_str(table[i].word)))
            return table[i].bit;
    return SCOPE_NONE;
}

bool
scope_parse(struct slice s, unsigned *out)
{
    bool all = true;
    size_t i = 0;

    *out = SCOPE_NONE;
    while (i < s.n) {
        size_t from = i;
        unsigned bit;

        while (i < s.n && s.p[i] != ' ' && s.p[i] != ',')
            i++;
        if (i > from) {
            bit = scope_word(slice_of(s.p + from, i - from));
            *out |= bit;
            all = all && bit;
        }
        i++;
    }
    return all;
}

unsigned
scope_of_role(struct slice role)
{
    static const struct {
        const char *role;
        unsigned scopes;
    } map[] = {
        {"admin", SCOPE_ALL},
        {"operator", SCOPE_READ | SCOPE_WRITE | SCOPE_DELETE},
        {"editor", SCOPE_READ | SCOPE_WRITE | SCOPE_DELETE},
        {"user", SCOPE_READ | SCOPE_WRITE},
        {"service_account", SCOPE_READ | SCOPE_WRITE},
        {"viewer", SCOPE_READ},
        {"reader", SCOPE_READ},
    };

    for (size_t i = 0; i < countof(map); i++)
        if (slice_eq(role, slice_str(map[i].role)))
            return map[i].scopes;
    return SCOPE_NONE; /* a role that we do not know grants nothing */
}

const char *
scope_text(unsigned scopes, char out[SCOPE_TEXT])
{
    size_t n = 0;

    for (size_t i = 0; i < countof(table); i++) {
        size_t len = strlen(table[i].word);

        if (!(scopes & table[i].bit))
            continue;
        if (n)
            out[n++] = ' ';
        memcpy(out + n, table[i].word, len);
        n += len;
    }
    out[n] = 0;
    return out;
}
