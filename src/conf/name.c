/* name.c - see name.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/name.h"

static const struct {
    const char *name;
    const char *why;
} removed[] = {
    /* ING-129, ING-214 */
    {"STORAGE_ELEMENT_BASE_URL", "elements are found through Admin"},
    /* ING-129, ING-267 */
    {"CAPACITY_MONITOR_FALLBACK_TO_PUSH", "elements no longer push"},
    /* D03 in place of CNF-012 */
    {"UPLOAD_SPOOL_DIR", "unfinished uploads lie on their storage element"},
    /* D12 in place of ING-273 and PRD-012 */
    {"RATE_LIMIT_REQUESTS_PER_MINUTE",
     "there is one limit per tier, RATE_LIMIT_ANONYMOUS_PER_MINUTE and others"},
    {"RATE_LIMIT_SALT", "identifiers are keyed with the installation's key"},
};

static_assert(countof(removed) <= CONF_NAME_REMOVED_MAX, "too many removed");

/* Names that the specification gives to what has another name here. */
static const struct {
    const char *name;
    int id;
    enum conf_role role;
} alias[] = {
    {"ALERTS_HOST", CONF_APP_HOST, CONF_ALERTS}, /* ALR-003 */
    {"ALERTS_PORT", CONF_APP_PORT, CONF_ALERTS},
};

static int
find(struct slice name)
{
    int id = conf_option_find(name);

    /* The table folds case and hyphens; names outside do not. */
    if (id >= 0 && !slice_eq(name, slice_str(conf_option[id].name)))
        return -1;
    return id;
}

/* NAME, or ROLE_NAME of a role that has such an option. */
static bool
find_with_role(struct slice name, struct conf_name *out)
{
    out->id = find(name);
    out->role = -1;
    if (out->id >= 0)
        return true;
    for (size_t i = 0; i < countof(alias); i++) {
        if (slice_eq(name, slice_str(alias[i].name))) {
            out->id = alias[i].id;
            out->role = alias[i].role;
            return true;
        }
    }
    for (int role = 0; role < CONF_ROLES; role++) {
        struct slice word = slice_str(conf_role_name((enum conf_role)role));

        if (name.n <= word.n || name.p[word.n] != '_' ||
            !slice_eq_nocase(slice_head(name, word.n), word))
            continue;
        out->id = find(slice_skip(name, word.n + 1));
        out->role = role;
        if (out->id >= 0 &&
            conf_option[out->id].roles & CONF_ROLE_BIT((enum conf_role)role))
            return true;
    }
    return false;
}

bool
conf_is_service_link(struct slice value)
{
    return slice_starts(value, SLICE("tcp://")) ||
           slice_starts(value, SLICE("udp://")) ||
           slice_starts(value, SLICE("sctp://"));
}

/* The names that Kubernetes makes of a service `artstore` or `artstore-...`:
 * X_SERVICE_HOST, X_SERVICE_PORT[_NAME], X_PORT, X_PORT_80_TCP[_ADDR|...]. */
static bool
is_service_name(struct slice s)
{
    static const char *const inside[] = {"SERVICE_HOST", "SERVICE_PORT", "_TCP",
                                         "_UDP", "_SCTP"};

    if (slice_ends(s, SLICE("_PORT")) || slice_eq(s, SLICE("PORT")))
        return true;
    for (size_t i = 0; i < countof(inside); i++) {
        if (s.n > 0 && memmem(s.p, s.n, inside[i], strlen(inside[i])))
            return true;
    }
    return false;
}

struct conf_name
conf_name_resolve(struct slice name)
{
    static const struct slice prefix = SLICE("ARTSTORE_");
    static const struct slice suffix = SLICE("_FILE");
    struct conf_name out = {.kind = CONF_NAME_OPTION, .id = -1, .role = -1};

    out.prefixed = slice_starts(name, prefix);
    if (out.prefixed)
        name = slice_skip(name, prefix.n);
    out.bare = name;
    if (!find_with_role(name, &out)) {
        out.indirect =
            slice_ends(name, suffix) &&
            find_with_role(slice_head(name, name.n - suffix.n), &out) &&
            (conf_option[out.id].flags & CONF_F_SECRET);
        out.id = out.indirect ? out.id : -1;
    }
    /* A role's own name first, then the unmistakable prefix, then the value
     * itself before the file that holds it (PRD-189). */
    out.rank =
        (uint8_t)(4 * (out.role >= 0) + 2 * out.prefixed + !out.indirect);
    if (out.id >= 0)
        return out;
    for (size_t i = 0; i < countof(removed); i++) {
        if (slice_eq(name, slice_str(removed[i].name))) {
            out.kind = CONF_NAME_REMOVED;
            out.why = removed[i].why;
            out.removed = (uint8_t)i;
            return out;
        }
    }
    out.kind = CONF_NAME_UNKNOWN;
    if (out.prefixed &&
        (slice_starts(name, SLICE("TEST_")) || slice_eq(name, SLICE("BIN")) ||
         slice_eq(name, SLICE("BUILD"))))
        out.kind = CONF_NAME_IGNORED;
    else if (out.prefixed && is_service_name(name))
        out.kind = CONF_NAME_SERVICE;
    return out;
}
