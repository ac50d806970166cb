/* recover.c - see recover.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/recover.h"

/* Whoever wrote the index row had synced the file before. */
static bool
proved(const struct recover_facts *f)
{
    if (f->attr == RECOVER_ATTR_OK)
        return f->attr_seq <= f->synced ||
               (f->has_row && f->row_seq >= f->attr_seq);
    return f->has_row;
}

static bool
whole(const struct recover_facts *f)
{
    return f->attr == RECOVER_ATTR_OK && f->has_data &&
           f->size == f->attr_size && (!f->need_sidecar || f->has_sidecar);
}

enum recover_verdict
recover_decide(const struct recover_facts *f)
{
    bool nothing =
        !f->has_data && !f->has_sidecar && f->attr == RECOVER_ATTR_NONE;

    if (f->tomb)
        return RECOVER_SETTLE;
    if (nothing)
        return f->has_row ? RECOVER_MISSING : RECOVER_REMOVE;
    if (f->attr == RECOVER_ATTR_FOREIGN || f->attr == RECOVER_ATTR_LATER)
        return RECOVER_LEAVE;
    if (f->superseded)
        return RECOVER_REMOVE;
    if (proved(f))
        return whole(f) ? RECOVER_KEEP : RECOVER_QUARANTINE;
    if (!whole(f) || f->check == RECOVER_MISMATCH)
        return f->index_lost ? RECOVER_QUARANTINE : RECOVER_REMOVE;
    return f->check == RECOVER_MATCH ? RECOVER_PUBLISH : RECOVER_VERIFY;
}

const char *
recover_verdict_name(enum recover_verdict v)
{
    static const char *const name[] = {
        [RECOVER_VERIFY] = "verify",         [RECOVER_KEEP] = "keep",
        [RECOVER_PUBLISH] = "publish",       [RECOVER_REMOVE] = "remove",
        [RECOVER_SETTLE] = "settle",         [RECOVER_MISSING] = "missing",
        [RECOVER_QUARANTINE] = "quarantine", [RECOVER_LEAVE] = "leave",
    };

    return (unsigned)v < countof(name) ? name[v] : "?";
}
