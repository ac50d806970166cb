/* reload_diff.c - two lists of elements side by side, and names: see reload.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/reload.h"
#include <string.h>

bool
reload_list_ok(const struct reload_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (!l->e[i].endpoint ||
            (i > 0 && strcmp(l->e[i - 1].element_id, l->e[i].element_id) >= 0))
            return false;
    return true;
}

/* What the newer list does not say has not changed. */
static unsigned
what_changed(const struct reload_element *a, const struct reload_element *b)
{
    unsigned what = 0;

    if (strcmp(a->endpoint, b->endpoint) != 0)
        what |= RELOAD_ENDPOINT;
    if (a->priority != b->priority)
        what |= RELOAD_PRIORITY;
    if (b->mode != RELOAD_MODE_NONE && a->mode != b->mode)
        what |= RELOAD_MODE;
    if (b->location && (!a->location || strcmp(a->location, b->location) != 0))
        what |= RELOAD_LOCATION;
    return what;
}

bool
reload_diff_next(struct reload_diff *d, struct reload_change *out)
{
    size_t n = d->before ? d->before->n : 0;

    while (d->i < n || d->j < d->after->n) {
        const struct reload_element *a = d->i < n ? &d->before->e[d->i] : NULL;
        const struct reload_element *b =
            d->j < d->after->n ? &d->after->e[d->j] : NULL;
        int cmp = !a ? 1 : !b ? -1 : strcmp(a->element_id, b->element_id);
        unsigned what = cmp == 0 ? what_changed(a, b) : 0;

        d->i += cmp <= 0;
        d->j += cmp >= 0;
        if (cmp == 0 && !what)
            continue;
        *out = (struct reload_change){
            .type = cmp < 0   ? RELOAD_REMOVED
                    : cmp > 0 ? RELOAD_ADDED
                              : RELOAD_UPDATED,
            .what = what,
            .before = cmp <= 0 ? a : NULL,
            .after = cmp >= 0 ? b : NULL,
        };
        return true;
    }
    return false;
}

/* ---- names ---- */

/* CNF-029: of a lazy reading the histogram says so. */
const char *
reload_source_name(enum reload_source s, bool lazy)
{
    static const char *const name[] = {"none", "redis", "admin_module",
                                       "pubsub", "unknown"};

    if (lazy && s == RELOAD_REDIS)
        return "lazy_redis";
    if (lazy && s == RELOAD_ADMIN)
        return "lazy_admin_module";
    return (unsigned)s < countof(name) ? name[s] : "unknown";
}

const char *
reload_reason_name(enum reload_reason r)
{
    static const char *const name[] = {"insufficient_storage", "not_found",
                                       "connection_error", "manual",
                                       "health_check"};

    return (unsigned)r < countof(name) ? name[r] : "unknown";
}

const char *
reload_status_name(enum reload_status s)
{
    static const char *const name[] = {"success", "failed", "error"};

    return (unsigned)s < countof(name) ? name[s] : "unknown";
}

const char *
reload_cause_name(enum reload_cause c)
{
    static const char *const name[] = {
        "startup", "periodic_reload", "lazy_reload",
        "manual",  "pubsub",          "subscription",
    };

    return (unsigned)c < countof(name) ? name[c] : "unknown";
}

const char *
reload_change_name(enum reload_change_type t)
{
    static const char *const name[] = {"added", "removed", "updated"};

    return (unsigned)t < countof(name) ? name[t] : "unknown";
}
