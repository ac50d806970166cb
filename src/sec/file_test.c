/* file_test.c - files beside the keys: who else is at work there is not in our
 * way, nor we in his. SPDX-License-Identifier: Apache-2.0 */
#include "sec/file.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* Another process, in another namespace but with our number, is about to give
 * its file a name. */
static void
test_same_number(void **state)
{
    char dir[] = "/tmp/sec_file_test.XXXXXX", path[64], command[64];
    FILE *other;
    (void)state;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/.new-%ld", dir, (long)getpid());
    other = fopen(path, "w");
    assert_non_null(other);
    (void)fclose(other);
    assert_int_equal(sec_file_write(dir, "a", SLICE("x"), 0600, false, NULL),
                     ERR_OK);
    assert_int_equal(sec_file_write(dir, "a", SLICE("x"), 0600, false, NULL),
                     ERR_EXISTS);
    assert_int_equal(sec_file_write(dir, "a", SLICE("y"), 0600, true, NULL),
                     ERR_OK);
    assert_int_equal(access(path, F_OK), 0);
    /* And nothing is left lying about. */
    (void)snprintf(command, sizeof(command), "test $(ls -A %s | wc -l) = 2",
                   dir);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_number)};

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
