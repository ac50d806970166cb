/* local_token.h - tokens signed with the key of a data folder.
 *
 * Who may read the private key of a server needs nobody's leave: the token is
 * signed here, as the server would, whether it runs or not.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOCAL_TOKEN_H
#define CLI_LOCAL_TOKEN_H

#include "cli/place.h"

#define LOCAL_TOKEN_LIFE_S 3600 /* conf/options.def, TOKEN_TTL */

/* Is a data folder known, and no account named that was to be asked instead? */
static inline bool
local_token_possible(const struct place *p)
{
    return p->data_dir[0] && (!p->client_id[0] || p->client_of_data_dir);
}

/* Appends a token with SCOPES (sec/scope.h) that lives LIFE_S seconds to OUT,
 * whose owner wipes it. CLI_AUTH: there is no key that we may read, and *F says
 * why. */
enum cli_exit local_token(const struct place *p, unsigned scopes,
                          uint64_t life_s, struct buf *out, struct failure *f);

#endif
