/* scope.h - what a token lets its bearer do.
 *
 * Four scopes of people and services as bits, of which `admin` grants the other
 * three: an administrator who cannot read would only ask for a second token.
 * And one of gateways: who has it moves bytes to and from an element behind the
 * registry's back, which no user may, whatever else they may (D36). Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_SCOPE_H
#define SEC_SCOPE_H

#include "base/slice.h"

enum scope {
    SCOPE_NONE = 0,
    SCOPE_READ = 1,
    SCOPE_WRITE = 2,
    SCOPE_DELETE = 4,
    SCOPE_ADMIN = 8,
    SCOPE_ALL = 15, /* of users and service accounts */
    SCOPE_GATEWAY = 16,
    SCOPE_KNOWN = 31,
};

#define SCOPE_TEXT 40 /* "read write delete admin gateway" and the zero */

/* Whether a bearer of HAVE may do what asks for all of NEED. */
static inline bool
scope_grants(unsigned have, unsigned need)
{
    return ((have & SCOPE_ADMIN ? have | SCOPE_ALL : have) & need) == need;
}

/* Words separated by blanks or commas. Unknown words are left out of *OUT and
 * make the answer false: a form refuses them, a foreign token may hold words
 * of other services. */
bool scope_parse(struct slice s, unsigned *out);

/* One word; SCOPE_NONE when it is not one of ours. */
unsigned scope_word(struct slice s);

/* What a role (ING-187) may do when its token lists no scopes. */
unsigned scope_of_role(struct slice role);

/* "read write"; returns OUT. */
const char *scope_text(unsigned scopes, char out[SCOPE_TEXT]);

#endif
