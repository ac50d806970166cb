/* api.h - Admin's routes: storage elements, their capacity, tokens, the public
 * keys (ADM-010...ADM-025).
 *
 *     GET POST          /api/v1/storage-elements
 *     GET PATCH DELETE  /api/v1/storage-elements/{element_id}
 *     GET               /api/v1/storage-elements/{element_id}/capacity
 *     GET               /api/v1/internal/storage-elements/available
 *     GET POST          /api/v1/accounts
 *     GET PATCH DELETE  /api/v1/accounts/{client_id}
 *     POST              /api/v1/accounts/{client_id}/rotate-secret
 *     GET               /api/v1/audit
 *     GET               /api/v1/keys
 *     POST              /api/v1/keys/rotate
 *     POST              /api/v1/auth/token
 *     GET               /.well-known/jwks.json
 *     GET               /.well-known/key-documents
 *
 * and their aliases; for gateways (scope `gateway`, ADM-022)
 *
 *     below /api/v1/internal/storage-elements/{element_id}
 *     POST  /changes    a page of its change log (D25)
 *     GET   /position   up to where the log has come
 *     POST  /reset      forget its files, which then come by
 *     POST  /files      pages of all that it has
 *     POST  /capacity   what it says of itself
 *     GET   /api/v1/internal/files/{file_id}
 *     GET   /api/v1/internal/files
 *     POST  /api/v1/internal/audit
 *     POST  /api/v1/internal/permissions/check
 *
 * Numbers of elements in this process come from them, without I/O; of others
 * from who has asked them, and are said to be stale after a minute;
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
    struct fetch *fetch;     /* to ask elements elsewhere; NULL: nobody */
    struct metrics *metrics; /* may be NULL */
    uint64_t seed;           /* secret, random */
};

/* What CONF names must outlive it. *OUT goes to admin_api_close(), after the
 * router that has its table. */
enum err admin_api_open(struct admin_api **out,
                        const struct admin_api_conf *conf, struct fault *f);
/* Elements elsewhere that nobody tells of are asked from now on (refresh.h);
 * without a fetch nothing is. Both on L's thread; DONE there. */
void admin_api_start(struct admin_api *a, struct loop *l);
void admin_api_stop(struct admin_api *a, void (*done)(void *arg), void *arg);
/* Another life of tokens from now on. While no loop runs. */
void admin_api_adjust(struct admin_api *a, struct dur token_life);
void admin_api_close(struct admin_api **a);
struct route_table admin_api_routes(struct admin_api *a);

#endif
