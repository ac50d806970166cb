/* admin_scope_test.c - every route of Admin and every scope: who may come in.
 * The list is written by hand, so that a route that is added or asks for less
 * than before has to be looked at. SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "role/admin/api.h"
#include "sec/scope.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Who a token of one scope alone is let in: r(ead) w(rite) d(elete) a(dmin)
 * g(ateway); "*": everybody, without one. */
static const struct {
    enum http_method method;
    const char *path;
    const char *who;
} row[] = {
    {HTTP_GET, "/api/v1/storage-elements", "ra"},
    {HTTP_POST, "/api/v1/storage-elements", "a"},
    {HTTP_DELETE, "/api/v1/storage-elements/{element_id}", "a"},
    {HTTP_GET, "/api/v1/internal/storage-elements/available", "ra"},
    {HTTP_GET, "/api/v1/storage-elements/{element_id}", "ra"},
    {HTTP_PATCH, "/api/v1/storage-elements/{element_id}", "a"},
    {HTTP_PUT, "/api/v1/storage-elements/{element_id}", "a"},
    {HTTP_GET, "/api/v1/storage-elements/{element_id}/capacity", "ra"},
    {HTTP_POST, "/api/v1/internal/storage-elements/{element_id}/changes", "g"},
    {HTTP_GET, "/api/v1/internal/storage-elements/{element_id}/position", "g"},
    {HTTP_POST, "/api/v1/internal/storage-elements/{element_id}/reset", "g"},
    {HTTP_POST, "/api/v1/internal/storage-elements/{element_id}/files", "g"},
    {HTTP_POST, "/api/v1/internal/storage-elements/{element_id}/capacity", "g"},
    {HTTP_GET, "/api/v1/internal/files/{file_id}", "g"},
    {HTTP_GET, "/api/v1/internal/files", "g"},
    {HTTP_GET, "/api/v1/accounts", "a"},
    {HTTP_POST, "/api/v1/accounts", "a"},
    {HTTP_GET, "/api/v1/accounts/{client_id}", "a"},
    {HTTP_PATCH, "/api/v1/accounts/{client_id}", "a"},
    {HTTP_DELETE, "/api/v1/accounts/{client_id}", "a"},
    {HTTP_POST, "/api/v1/accounts/{client_id}/rotate-secret", "a"},
    {HTTP_GET, "/api/v1/audit", "a"},
    {HTTP_POST, "/api/v1/internal/audit", "g"},
    {HTTP_POST, "/api/v1/internal/permissions/check", "g"},
    {HTTP_GET, "/api/v1/keys", "a"},
    {HTTP_POST, "/api/v1/keys/rotate", "a"},
    {HTTP_POST, "/api/v1/auth/token", "*"},
    {HTTP_GET, "/.well-known/jwks.json", "*"},
    {HTTP_GET, "/.well-known/key-documents", "*"},
};

static const struct {
    char letter;
    unsigned scope;
} holder[] = {{'r', SCOPE_READ},  {'w', SCOPE_WRITE},   {'d', SCOPE_DELETE},
              {'a', SCOPE_ADMIN}, {'g', SCOPE_GATEWAY}, {'-', SCOPE_NONE}};

static void
check(const struct route *r, const char *who)
{
    for (size_t i = 0; i < countof(holder); i++) {
        bool want = who[0] == '*' || strchr(who, holder[i].letter);

        if (scope_grants(holder[i].scope, r->scope) != want)
            fail_msg("%s: a token of %c alone is %s", r->pattern,
                     holder[i].letter, want ? "refused" : "let in");
    }
}

static void
test_scopes(void **state)
{
    const struct route_table t = admin_api_routes(NULL);
    unsigned met = 0;
    (void)state;

    for (size_t i = 0; i < t.n; i++) {
        const struct route *r = &t.route[i];
        const char *who = NULL;

        for (size_t k = 0; k < countof(row); k++)
            if (row[k].method == r->method &&
                strcmp(row[k].path, r->pattern) == 0)
                who = row[k].who;
        if (!who)
            fail_msg("%s (%s): who may do that?", r->pattern, r->name);
        check(r, who);
        /* Nobody without a token, but for what everybody may ask. */
        assert_int_equal(r->scope == 0, who[0] == '*');
        met++;
    }
    assert_int_equal(met, countof(row));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scopes)};

    return cmocka_run_group_tests_name("admin scopes", tests, NULL, NULL);
}
