/* route_test.c - which route a path is. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/route.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
handle(struct call *c)
{
    (void)c;
}

static const struct route files[] = {
    {HTTP_POST, "/files/upload", 0, handle, "upload", "", {"/up"}, NULL},
    {HTTP_GET, "/files", 0, handle, "list", "", {0}, NULL},
    {HTTP_GET, "/files/{id}", 0, handle, "get", "", {"/f/{id}"}, NULL},
    {HTTP_DELETE, "/files/{id}", 0, handle, "delete", "", {0}, NULL},
    {HTTP_GET, "/files/{id}/parts/{n}", 0, handle, "part", "", {0}, NULL},
};
static const struct route more[] = {
    {HTTP_PUT, "/files/{id}", 0, handle, "replace", "", {0}, NULL},
};

static void
test_find(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        const char *name;     /* NULL: none */
        const char *param[2]; /* NULL: not looked at */
        unsigned allow;       /* when there is none: methods it has */
        const char *why;
    } row[] = {
#define M(m) (1u << HTTP_##m)
        {HTTP_GET, "/files", "list", {0}, 0, "as it stands"},
        {HTTP_HEAD, "/files", "list", {0}, 0, "HEAD is GET without a body"},
        {HTTP_GET, "/files/", NULL, {0}, 0, "an empty name is none"},
        {HTTP_GET, "/files/a", "get", {"a"}, 0, "a name"},
        {HTTP_GET, "/files/a%2Fb", "get", {"a%2Fb"}, 0, "as it was sent"},
        {HTTP_GET, "/files/a/", NULL, {0}, 0, "more behind it"},
        {HTTP_GET, "/files/a/b", NULL, {0}, 0, "names are whole segments"},
        {HTTP_GET, "/f/a", "get", {"a"}, 0, "the other path"},
        {HTTP_GET, "/fil", NULL, {0}, 0, "the beginning of one"},
        {HTTP_GET, "", NULL, {0}, 0, "nothing"},
        {HTTP_GET, "/files/a/parts/7", "part", {"a", "7"}, 0, "two names"},
        {HTTP_POST, "/files/upload", "upload", {0}, 0, "before the name"},
        {HTTP_POST, "/up", "upload", {0}, 0, "another path of it"},
        {HTTP_PUT, "/files/a", "replace", {"a"}, 0, "of another table"},
        {HTTP_POST,
         "/files/a",
         NULL,
         {0},
         M(GET) | M(HEAD) | M(DELETE) | M(PUT),
         "what it has, of all tables"},
        {HTTP_DELETE, "/files", NULL, {0}, M(GET) | M(HEAD), "405"},
    };
    const struct route_table tables[] = {{files, countof(files), NULL, "a"},
                                         {more, countof(more), NULL, "b"}};
    struct router *r = router_open(tables, 2, "server", NULL, NULL, 1);
    (void)state;

    assert_non_null(r);
    for (size_t i = 0; i < countof(row); i++) {
        struct slice param[ROUTE_PARAMS_MAX] = {{0}};
        const struct route_table *t = NULL;
        unsigned allow;
        const struct route *got = router_find(
            r, row[i].method, slice_str(row[i].path), param, &t, &allow);

        if ((got == NULL) != (row[i].name == NULL) ||
            (got && strcmp(got->name, row[i].name) != 0) ||
            (!got && allow != row[i].allow))
            fail_msg("%s: %s, allow %x", row[i].why, got ? got->name : "none",
                     allow);
        for (unsigned k = 0; k < 2 && row[i].param[k]; k++)
            assert_true(slice_eq(param[k], slice_str(row[i].param[k])));
    }
    router_close(&r);
    assert_null(r);
    router_close(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find)};

    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
