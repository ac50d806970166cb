/* refusals.c - see refusals.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/refusals.h"
#include "base/base.h"
#include <stdio.h>
#include <string.h>

static bool
is_of(const struct refusal *x, const struct meta_audit *e, const char *address)
{
    return strcmp(x->last.actor, e->actor) == 0 &&
           strcmp(x->last.result, e->result) == 0 &&
           strcmp(x->address, address) == 0;
}

static void
begin(struct refusal *x, const struct meta_audit *e, const char *address,
      struct mono now)
{
    *x = (struct refusal){.last = *e, .since = now};
    (void)snprintf(x->address, sizeof(x->address), "%s", address);
}

static bool
count(struct refusals *r, struct refusal *x, const struct meta_audit *e)
{
    x->last.at = e->at;
    if (x->count < REFUSALS_COUNTED)
        x->count++;
    r->counted++;
    return false;
}

bool
refusals_add(struct refusals *r, const struct meta_audit *entry,
             const char *address, struct mono now)
{
    struct refusal *others = &r->row[REFUSALS_MAX];

    for (unsigned i = 0; i < r->n; i++)
        if (is_of(&r->row[i], entry, address))
            return count(r, &r->row[i], entry);
    if (r->n < REFUSALS_MAX) {
        begin(&r->row[r->n++], entry, address, now);
        return true;
    }
    if (!r->others) {
        begin(others, entry, "", now);
        (void)snprintf(others->last.actor, sizeof(others->last.actor), "%s",
                       REFUSALS_OTHERS);
        (void)snprintf(others->last.object, sizeof(others->last.object), "%s",
                       REFUSALS_OTHERS);
        (void)snprintf(others->last.result, sizeof(others->last.result),
                       "refused");
        r->others = true;
    }
    return count(r, others, entry);
}

static bool
over(const struct refusal *x, struct mono now)
{
    return mono_reached(now, mono_add(x->since, REFUSALS_EVERY));
}

bool
refusals_due(const struct refusals *r, struct mono now)
{
    for (unsigned i = 0; i < r->n; i++)
        if (over(&r->row[i], now))
            return true;
    return r->others && over(&r->row[REFUSALS_MAX], now);
}

/* An entry of its own: it tells of many requests, and has no id yet. */
static void
tell(struct refusal *x, struct mono now, struct meta_audit *out)
{
    *out = x->last;
    out->id = (struct uuid){{0}};
    out->request_id[0] = '\0';
    (void)snprintf(out->result, sizeof(out->result), "%.22s x%u",
                   x->last.result, x->count);
    x->count = 0;
    x->since = now;
}

/* Who has been quiet for a minute is forgotten; who has not goes on being
 * counted, so that a minute of it is one entry. */
bool
refusals_take(struct refusals *r, struct mono now, bool all,
              struct meta_audit *out)
{
    struct refusal *others = &r->row[REFUSALS_MAX];

    for (unsigned i = 0; i < r->n;) {
        struct refusal *x = &r->row[i];

        if (!all && !over(x, now)) {
            i++;
        } else if (x->count) {
            tell(x, now, out);
            return true;
        } else if (over(x, now)) {
            *x = r->row[--r->n];
        } else {
            i++;
        }
    }
    if (r->others && (all || over(others, now))) {
        r->others = false;
        tell(others, now, out);
        return true;
    }
    return false;
}
