/* fuzz_grant.c - bodies and headers of the token endpoint.
 *
 * The first line is Authorization, the second Content-Type, the rest the body.
 * Whatever comes: every string ends inside its bounds, and who gave no secret
 * is not let through. SPDX-License-Identifier: Apache-2.0 */
#include "sec/grant.h"
#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), auth, type;
    struct grant g;

    if (!slice_cut(&rest, '\n', &auth) || !slice_cut(&rest, '\n', &type))
        return 0;
    grant_parse(&g, type, rest, auth);
    if (!memchr(g.client_id, 0, sizeof(g.client_id)) ||
        !memchr(g.client_secret, 0, sizeof(g.client_secret)) ||
        !memchr(g.scope, 0, sizeof(g.scope)))
        abort();
    if (g.why == GRANT_OK && (!g.client_id[0] || !g.client_secret[0]))
        abort();
    grant_release(&g);
    return 0;
}
