/* meta_contract_element.c - see meta_contract.h: elements, and settings.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_contract_impl.h"

static bool
see_element(void *arg, const struct meta_element *e)
{
    struct meta_element **at = arg;

    *(*at)++ = *e;
    return true;
}

static void
test_elements(void **state)
{
    struct meta *m = fresh();
    struct meta_element got[4] = {0}, *at = got;
    struct meta_element a = {.uuid = se2,
                             .element_id = "se-02",
                             .name = "second",
                             .endpoint = "https://dc2.example/se-02",
                             .mode = 1,
                             .priority = 200,
                             .location = "dc2",
                             .created_at = {1000},
                             .updated_at = {1000}};
    struct meta_element b = {.uuid = se1, .element_id = "se-01"};
    const struct uuid none = {{0}};
    struct fault f = {0};
    (void)state;

    ok(m->ops->element_put(m, &a, &f), &f);
    ok(m->ops->element_put(m, &b, &f), &f);
    a.mode = 2;
    a.created_at.ms = 5000; /* stays */
    a.updated_at.ms = 6000;
    ok(m->ops->element_put(m, &a, &f), &f);
    a.mode = 0; /* never back (AMB-026) */
    ok(m->ops->element_put(m, &a, &f), &f);
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 2);
    assert_string_equal(got[0].element_id, "se-01");
    assert_string_equal(got[1].element_id, "se-02");
    assert_string_equal(got[1].name, a.name);
    assert_string_equal(got[1].endpoint, a.endpoint);
    assert_string_equal(got[1].location, a.location);
    assert_true(uuid_eq(&got[1].uuid, &se2));
    assert_int_equal(got[1].mode, 2);
    assert_int_equal(got[1].priority, 200);
    assert_int_equal(got[1].created_at.ms, 1000);
    assert_int_equal(got[1].updated_at.ms, 6000);

    assert_false(got[1].remote);
    assert_int_equal(got[1].seen_at.ms, 0);

    (void)snprintf(b.element_id, sizeof(b.element_id), "se-02");
    assert_int_equal(m->ops->element_put(m, &b, &f), ERR_CONFLICT);
    assert_int_equal(m->ops->element_swap(m, &none, &b, &f), ERR_CONFLICT);
    b.remote = true;
    b.seen_at.ms = 7000;
    ok(m->ops->element_swap(m, &se2, &b, &f), &f); /* in its place */
    at = got;
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 1);
    assert_true(uuid_eq(&got[0].uuid, &se1));
    assert_string_equal(got[0].element_id, "se-02");
    assert_true(got[0].remote);
    assert_int_equal(got[0].seen_at.ms, 7000);
    ok(m->ops->element_swap(m, &se1, NULL, &f), &f);
    ok(m->ops->element_swap(m, &se1, NULL, &f), &f); /* gone is gone */
    at = got;
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 0);
    b.uuid = (struct uuid){0};
    assert_int_equal(m->ops->element_put(m, &b, &f), ERR_INVAL);
    assert_int_equal(m->ops->element_add(m, &b, &a, &f), ERR_INVAL);
    m->ops->close(m);
}

static void
test_element_add(void **state)
{
    static const struct {
        const char *id, *endpoint, *holder;
        uint8_t uuid;
        bool remote;
        const char *why;
    } row[] = {
        {"se-01", "http://a", NULL, 1, true, "new"},
        {"se-01", "http://b", "se-01", 2, true, "an id"},
        {"se-02", "http://b", "se-01", 1, true, "a uuid"},
        {"se-02", "http://a", "se-01", 2, true, "an address"},
        {"se-01", "http://a", "se-01", 1, true, "all of it: itself"},
        {"se-02", "http://a", NULL, 2, false, "in that process"},
        {"se-03", "http://b", NULL, 3, false, "in another"},
        {"se-04", "http://b", NULL, 4, true, "where those of a process are"},
        {"se-01", "http://b", "se-04", 4, true, "of several by uuid"},
        {"se-03", "http://b", "se-03", 5, true, "then by id"},
        {"se-04", "http://c", "se-04", 5, false, "elsewhere by that name"},
    };
    struct meta_element got[8], *at = got;
    struct meta *m = fresh();
    struct fault f = {0};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct meta_element e = {
            .uuid = {{row[i].uuid}}, .mode = (int)i, .remote = row[i].remote};
        struct meta_element holder = {.mode = 0};
        enum err err;

        (void)snprintf(e.element_id, sizeof(e.element_id), "%s", row[i].id);
        (void)snprintf(e.endpoint, sizeof(e.endpoint), "%s", row[i].endpoint);
        err = m->ops->element_add(m, &e, &holder, &f);
        if (err != (row[i].holder ? ERR_EXISTS : ERR_OK) ||
            (row[i].holder && strcmp(holder.element_id, row[i].holder) != 0))
            fail_msg("%s: %s: %s %s", contract->name, row[i].why, err_name(err),
                     holder.element_id);
    }
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 4);
    assert_int_equal(got[0].mode, 0); /* as it was added */
    m->ops->close(m);
}

static bool
see_setting(void *arg, const char *key, struct slice value)
{
    char *text = arg;

    (void)sprintf(text + strlen(text), "%s=%.*s ", key, SLICE_ARG(value));
    return true;
}

static void
test_setting_list(void **state)
{
    static const char *const key[] = {"jwk:b", "jwk", "jwk:a", "jwk;",
                                      "jwl",   "jw",  "jwk:"};
    struct meta *m = fresh();
    char got[200] = "", more[200] = "";
    struct fault f = {0};
    (void)state;

    for (size_t i = 0; i < countof(key); i++)
        ok(m->ops->setting_put(m, key[i], SLICE("v"), &f), &f);
    ok(m->ops->setting_list(m, "jwk:", 10, see_setting, got, &f), &f);
    assert_string_equal(got, "jwk:=v jwk:a=v jwk:b=v ");
    ok(m->ops->setting_del(m, "jwk:a", &f), &f);
    ok(m->ops->setting_del(m, "jwk:a", &f), &f);
    ok(m->ops->setting_list(m, "jwk:", 2, see_setting, more, &f), &f);
    assert_string_equal(more, "jwk:=v jwk:b=v ");
    assert_int_equal(m->ops->setting_list(m, "", 2, see_setting, more, &f),
                     ERR_INVAL);
    m->ops->close(m);
}

static void
test_settings(void **state)
{
    struct meta *m = fresh();
    struct buf b;
    struct fault f = {0};
    (void)state;

    buf_init(&b, 16);
    assert_int_equal(m->ops->setting_get(m, "k", &b, &f), ERR_NOENT);
    ok(m->ops->setting_put(m, "k", slice_of("a\0b", 3), &f), &f);
    ok(m->ops->setting_put(m, "empty", SLICE(""), &f), &f);
    ok(m->ops->setting_get(m, "k", &b, &f), &f);
    assert_true(slice_eq(buf_slice(&b), slice_of("a\0b", 3)));
    ok(m->ops->setting_get(m, "empty", &b, &f), &f);
    assert_int_equal(b.n, 3);
    ok(m->ops->setting_put(m, "k", SLICE("0123456789abcdef!"), &f), &f);
    assert_int_equal(m->ops->setting_get(m, "k", &b, &f), ERR_TOOBIG);
    buf_release(&b);
    m->ops->close(m);
}

int
meta_contract_element(const struct meta_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_element_add),
        cmocka_unit_test(test_setting_list),
        cmocka_unit_test(test_settings),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
