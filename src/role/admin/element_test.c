/* element_test.c - tests of element.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/element.h"
#include "wire/endpoint.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_id(void **state)
{
    static const struct {
        struct slice in;
        bool ok;
        const char *why;
    } row[] = {
        {SLICE("se-01"), true, "the usual"},
        {SLICE("se-dc2-01"), true, "with a place"},
        {SLICE("A.b_C-9"), true, "all the signs"},
        {SLICE("0192f3a4-5b6c-7d8e-9f00-112233445566"), true, "a UUID fits"},
        {SLICE(""), false, "empty"},
        {SLICE("edit"), false, "a key of the coordination store"},
        {SLICE("rw"), false, "another"},
        {SLICE("registry"), false, "another"},
        {SLICE("priorities"), false, "another"},
        {SLICE("Edit"), true, "only exactly these"},
        {SLICE(".."), false, "a way up"},
        {SLICE("."), false, "here"},
        {SLICE("a:b"), false, "the separator of keys"},
        {SLICE("a/b"), false, "a path"},
        {SLICE("a b"), false, "a blank"},
        {SLICE("a\0b"), false, "a zero"},
        {SLICE("se-\xc3\xa9"), false, "not ASCII"},
        {SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aa"),
         true, "64"},
        {SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaa"),
         false, "65"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (admin_id_ok(row[i].in) != row[i].ok)
            fail_msg("%s", row[i].why);
}

static void
test_url(void **state)
{
    static const struct {
        struct slice in;
        bool ok;
        const char *why;
    } row[] = {
        {SLICE("http://localhost:8011"), true, "the documented one (ADM-008)"},
        {SLICE("https://dc2.example.com/se/01"), true, "a prefix (CAP-012)"},
        {SLICE("https://10.0.0.7"), true, "an address"},
        {SLICE("https://[2001:db8::7]:8443/x"), true, "IPv6"},
        {SLICE("https://[2001:db8::7]"), true, "IPv6 without a port"},
        {SLICE("http://se_01:1"), true, "compose names"},
        {SLICE("ftp://x"), false, "another scheme"},
        {SLICE("HTTP://x"), false, "kept simple: lower case"},
        {SLICE("http://"), false, "no host"},
        {SLICE("http:///path"), false, "no host"},
        {SLICE("http://:80"), false, "no host"},
        {SLICE("http://x:"), false, "no port after the colon"},
        {SLICE("http://x:0"), false, "port 0"},
        {SLICE("http://x:65536"), false, "port too high"},
        {SLICE("http://x:080000"), false, "port too long"},
        {SLICE("http://user@x"), false, "a user"},
        {SLICE("http://x?q"), false, "a query"},
        {SLICE("http://x/?q"), false, "a query"},
        {SLICE("http://x/#f"), false, "a fragment"},
        {SLICE("http://x y"), false, "a blank"},
        {SLICE("http://x/\r\nEvil: 1"), false, "a line end"},
        {SLICE("http://[::1"), false, "an open bracket"},
        {SLICE("localhost:8011"), false, "no scheme: the usual typo"},
    };
    char lengthy[300];
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (admin_url_ok(row[i].in) != row[i].ok)
            fail_msg("%.*s: %s", SLICE_ARG(row[i].in), row[i].why);
    memset(lengthy, 'a', sizeof(lengthy));
    memcpy(lengthy, "http://h/", 9);
    assert_true(admin_url_ok(slice_of(lengthy, 255)));
    assert_false(admin_url_ok(slice_of(lengthy, 256)));
}

/* AMB-026: edit -> rw -> ro -> ar. */
static void
test_modes(void **state)
{
    (void)state;

    for (int from = BLOB_EDIT; from <= BLOB_AR; from++) {
        assert_int_equal(element_mode_of(slice_str(element_mode_text(from))),
                         from);
        for (int to = BLOB_EDIT; to <= BLOB_AR; to++)
            assert_int_equal(
                admin_mode_may((enum blob_mode)from, (enum blob_mode)to),
                to >= from);
    }
    assert_int_equal(element_mode_of(SLICE("EDIT")), -1);
    assert_int_equal(element_mode_of(SLICE("")), -1);
    assert_string_equal(element_mode_text(-1), "unknown");
    assert_string_equal(element_mode_text(4), "unknown");
    assert_string_equal(element_status_text(BLOB_FULL), "full");
}

static void
test_record(void **state)
{
    const struct meta_element good = {.element_id = "se-01",
                                      .endpoint = "http://h:1",
                                      .mode = BLOB_RW,
                                      .priority = ADMIN_PRIORITY_DEFAULT,
                                      .location = "dc1"};
    struct meta_element e;
    (void)state;

    assert_null(admin_element_invalid(&good));
    e = good;
    e.endpoint[0] = 0; /* an element of this process has no address */
    assert_null(admin_element_invalid(&e));
    e = good;
    e.element_id[0] = '/';
    assert_string_equal(admin_element_invalid(&e), "element_id");
    e = good;
    e.endpoint[0] = 'x';
    assert_string_equal(admin_element_invalid(&e), "api_url");
    e = good;
    e.mode = 4;
    assert_string_equal(admin_element_invalid(&e), "mode");
    e.mode = -1;
    assert_string_equal(admin_element_invalid(&e), "mode");
    e = good;
    e.priority = -1;
    assert_string_equal(admin_element_invalid(&e), "priority");
    e.priority = ADMIN_PRIORITY_MAX + 1;
    assert_string_equal(admin_element_invalid(&e), "priority");
    e = good;
    e.location[0] = ' ';
    assert_string_equal(admin_element_invalid(&e), "location");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
