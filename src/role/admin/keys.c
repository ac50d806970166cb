/* keys.c - the keys that sign tokens move on with the tick: one whose time has
 * come signs, one that is over goes (sec/keyplan.h). Both are in the audit log,
 * as what Admin itself has done.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"
#include <stdio.h>

#define EVERY dur_s(2)

void
admin_keys(struct admin *a, struct keys *keys)
{
    assert(!a->home);
    a->keys = keys;
}

bool
admin_keys_due(const struct admin *a)
{
    return a->keys && mono_reached(a->home->now, a->keys_at);
}

static void
tell(struct admin *a, struct wall now, const char *action, const char *kid)
{
    struct meta_audit e = {.at = now, .actor = "admin", .result = "ok"};

    (void)snprintf(e.action, sizeof(e.action), "%s", action);
    (void)snprintf(e.object, sizeof(e.object), "%.63s", kid);
    registry_audit(&a->registry, &e);
}

static bool
has(const struct keyset *ks, const char *kid)
{
    for (size_t i = 0; i < ks->n; i++)
        if (strcmp(ks->key[i].kid, kid) == 0)
            return true;
    return false;
}

static void
tell_changes(struct admin *a, struct wall now, const struct keyset *before,
             const struct keyset *after)
{
    const char *was =
        before->signer >= 0 ? before->key[before->signer].kid : "";

    if (after->signer >= 0 && strcmp(after->key[after->signer].kid, was) != 0)
        tell(a, now, "key.sign", after->key[after->signer].kid);
    for (size_t i = 0; i < before->n; i++)
        if (before->key[i].is_ours && !has(after, before->key[i].kid))
            tell(a, now, "key.remove", before->key[i].kid);
}

/* What cannot be read stays as it was; SIGHUP says so in the log. */
void
admin_keys_turn(struct admin *a, struct wall now)
{
    struct keyset *before, *after;
    bool changed;

    before = keys_get(a->keys);
    if (keys_turn(a->keys, now, &changed, NULL) == ERR_OK && changed) {
        after = keys_get(a->keys);
        tell_changes(a, now, before, after);
        keyset_unref(&after);
    }
    keyset_unref(&before);
}

void
admin_keys_again(struct admin *a)
{
    a->keys_at = mono_add(a->home->now, EVERY);
}
