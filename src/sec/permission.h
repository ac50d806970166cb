/* permission.h - what scopes alone do not decide: whose file it is (ADM-036).
 * Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_PERMISSION_H
#define SEC_PERMISSION_H

#include "sec/scope.h"

/* May WHO, a bearer of SCOPES with `delete` among them, delete a file that
 * OWNER has uploaded? Its owner may, and who administrates. Nobody owns what
 * nobody is known to have uploaded. SCOPES 0: nobody was asked who he is
 * (AUTH_ENABLED=off); then everybody may. */
static inline bool
permission_delete(unsigned scopes, struct slice who, struct slice owner)
{
    return scopes == SCOPE_NONE || (scopes & SCOPE_ADMIN) ||
           (owner.n && slice_eq(who, owner));
}

#endif
