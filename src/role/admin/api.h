/* api.h - Admin's routes: storage elements, their capacity, tokens, the public
 * keys (ADM-010...ADM-025).
 *
 *     GET        /api/v1/storage-elements
 *     GET PATCH  /api/v1/storage-elements/{element_id}
 *     GET        /api/v1/storage-elements/{element_id}/capacity
 *     GET        /api/v1/internal/storage-elements/available
 *     POST       /api/v1/auth/token
 *     GET        /.well-known/jwks.json
 *
 * and their aliases. Numbers come from the elements themselves, without I/O;
 * secrets are compared and records written on workers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_API_H
#define ROLE_ADMIN_API_H

#include "role/admin/registry.h"
#include "role/common/route.h"
#include "sec/keys.h"

struct metrics;
struct admin_api;

struct admin_api_conf {
    struct admin *admin;
    struct keys *keys;    /* NULL: no tokens are made here (404) */
    const char *audience; /* of tokens; as in token_conf */
    const char *issuer;
    struct dur token_life;
    struct metrics *metrics; /* may be NULL */
    uint64_t seed;           /* secret, random */
};

/* What CONF names must outlive it. *OUT goes to admin_api_close(), after the
 * router that has its table. */
enum err admin_api_open(struct admin_api **out,
                        const struct admin_api_conf *conf, struct fault *f);
/* Another life of tokens from now on. While no loop runs. */
void admin_api_adjust(struct admin_api *a, struct dur token_life);
void admin_api_close(struct admin_api **a);
struct route_table admin_api_routes(struct admin_api *a);

#endif
