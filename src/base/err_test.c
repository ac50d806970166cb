/* err_test.c - tests of err.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/base.h"
#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_table(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(err_name((enum err)i)[0] != 0);
        assert_true(err_text((enum err)i)[0] != 0);
        for (int k = 0; k < i; k++) /* names are on the wire: each its own */
            assert_string_not_equal(err_name((enum err)i),
                                    err_name((enum err)k));
    }
    assert_string_equal(err_name(ERR_NOENT), "not_found");
    assert_string_equal(err_name((enum err)999), "unknown");
    assert_string_equal(err_name((enum err) - 1), "unknown");
}

static void
test_errno(void **state)
{
    static const struct {
        int sys;
        enum err code;
    } row[] = {
        {0, ERR_OK},
        {ENOENT, ERR_NOENT},
        {EEXIST, ERR_EXISTS},
        {ENOSPC, ERR_NOSPC},
        {EDQUOT, ERR_NOSPC},
        {EROFS, ERR_READONLY},
        {EACCES, ERR_DENIED},
        {EAGAIN, ERR_AGAIN},
        {ETIMEDOUT, ERR_TIMEOUT},
        {ENOMEM, ERR_NOMEM},
        {ECANCELED, ERR_CANCELED},
        {EIO, ERR_IO},
        {12345, ERR_IO},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        assert_int_equal(err_from_errno(row[i].sys), row[i].code);
}

static void
test_fault(void **state)
{
    struct fault f;
    char t[300], cut[8];
    (void)state;

    assert_int_equal(fault_sys(&f, EEXIST, "open", "se-01/superblock"),
                     ERR_EXISTS);
    assert_string_equal(fault_text(&f, t, sizeof(t)),
                        "open se-01/superblock: it exists already (EEXIST)");
    assert_int_equal(fault_set(&f, ERR_INVAL, "parse", NULL), ERR_INVAL);
    assert_int_equal(f.sys, 0);
    assert_string_equal(fault_text(&f, t, sizeof(t)),
                        "parse: the argument is not valid");
    fault_sys(&f, 12345, "read", "x");
    assert_string_equal(fault_text(&f, t, sizeof(t)),
                        "read x: the device or the peer failed (errno 12345)");
    assert_string_equal(fault_text(&f, cut, sizeof(cut)), "read x:");
    assert_int_equal(fault_set(NULL, ERR_IO, "a", "b"), ERR_IO);
}

static void
test_hint(void **state)
{
    struct fault f;
    char t[FAULT_TEXT];
    (void)state;

    fault_sys(&f, ENOENT, "open", "superblock");
    assert_int_equal(fault_in(&f, "elements/se-01"), ERR_NOENT);
    assert_int_equal(fault_hint(&f, "is its disk mounted?"), ERR_NOENT);
    assert_string_equal(fault_text(&f, t, sizeof(t)),
                        "open superblock in elements/se-01: there is no such "
                        "thing (ENOENT); is its disk mounted?");
    fault_set(&f, ERR_BUSY, "lock", "");
    fault_in(&f, "se-01");
    assert_string_equal(fault_text(&f, t, sizeof(t)),
                        "lock in se-01: someone else has it");
    fault_sys(&f, EADDRNOTAVAIL, "bind", "10.9.9.9:80"); /* its own words */
    assert_string_equal(fault_text(&f, t, sizeof(t)),
                        "bind 10.9.9.9:80: this machine does not have that "
                        "address (EADDRNOTAVAIL)");
    assert_int_equal(fault_hint(NULL, "x"), ERR_INVAL);
    assert_int_equal(fault_in(NULL, "x"), ERR_INVAL);
}

static void
test_fault_is_cut(void **state)
{
    struct fault f;
    char longer[400];
    (void)state;

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    fault_set(&f, ERR_IO, longer, longer);
    assert_int_equal(strlen(f.op), sizeof(f.op) - 1);
    assert_int_equal(strlen(f.what), sizeof(f.what) - 1);
    fault_set(&f, f.code, f.op, f.what); /* from its own text */
    assert_int_equal(strlen(f.what), sizeof(f.what) - 1);
    fault_in(&f, longer);
    assert_int_equal(strlen(f.what), sizeof(f.what) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_fault),        cmocka_unit_test(test_hint),
        cmocka_unit_test(test_fault_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
