/* disk_linux_test.c - port/disk.h on a real folder, below the one that
 * ARTSTORE_TEST_DIR or TMPDIR names. SPDX-License-Identifier: Apache-2.0 */
#include "io/disk_gate.h"
#include "io/disk_linux.h"
#include "port/disk_contract.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char base[256];
static unsigned count;

static void
fresh(char path[300])
{
    snprintf(path, 300, "%s/%u", base, ++count);
}

static struct disk *
open_fresh(void *arg)
{
    struct disk *d = NULL;
    struct fault f;
    char path[300];

    fresh(path);
    assert_int_equal(disk_linux_open(&d, path, arg, &f), ERR_OK);
    return d;
}

static void
test_missing(void **state)
{
    struct disk *d = NULL;
    struct fault f;
    char path[300];
    (void)state;

    fresh(path);
    assert_int_equal(disk_linux_open(&d, path, NULL, &f), ERR_NOENT);
    assert_null(d);
}

/* Links in the folder lead nowhere, whoever made them. */
static void
test_links(void **state)
{
    struct disk_linux_conf conf = {.create = true};
    struct disk *d = open_fresh(&conf);
    struct fault f;
    char path[300], link[320];
    int fd;
    (void)state;

    snprintf(path, sizeof(path), "%s/%u", base, count);
    snprintf(link, sizeof(link), "%s/etc", path);
    assert_int_equal(symlink("/etc", link), 0);
    snprintf(link, sizeof(link), "%s/pw", path);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_not_equal(disk_open(d, DISK_ROOT, "pw", 0, &fd, &f), ERR_OK);
    assert_int_not_equal(disk_open(d, DISK_ROOT, "etc/passwd", 0, &fd, &f),
                         ERR_OK);
    assert_int_not_equal(disk_open(d, DISK_ROOT, "etc", DISK_DIR, &fd, &f),
                         ERR_OK);
    d->ops->close(d);
}

/* Handles do not leak into children, and are not for everybody. */
static void
test_modes(void **state)
{
    struct disk_linux_conf conf = {.create = true};
    struct disk *d = open_fresh(&conf);
    struct stat st;
    struct fault f;
    int fd;
    (void)state;

    assert_int_equal(disk_create(d, DISK_ROOT, "a", &fd, &f), ERR_OK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
    disk_close(d, &fd);
    d->ops->close(d);
}

static ino_t
gate_of(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY), gate;

    assert_true(fd >= 0);
    gate = disk_gate_find(fd);
    assert_true(gate >= 0);
    assert_int_equal(fstat(gate, &st), 0);
    close(gate);
    close(fd);
    return st.st_ino;
}

/* Others on this machine go through the same gate: they are not in for long. */
static void
enter(struct disk *d)
{
    struct fault f;
    enum err e;

    while ((e = disk_gate_enter(d, &f)) == ERR_BUSY)
        ;
    assert_int_equal(e, ERR_OK);
}

static void
test_gate(void **state)
{
    struct disk_linux_conf conf = {.create = true};
    struct disk *one = open_fresh(&conf), *two = open_fresh(&conf);
    struct fault f;
    char path[300];
    (void)state;

    snprintf(path, sizeof(path), "%s/%u", base, count);
    assert_true(gate_of(path) == gate_of(base));
    enter(one);
    assert_int_equal(disk_gate_enter(two, &f), ERR_BUSY);
    disk_gate_leave(one);
    enter(two);
    assert_int_equal(disk_gate_enter(one, &f), ERR_BUSY);
    two->ops->close(two); /* who dies lets go */
    enter(one);
    disk_gate_leave(one);
    one->ops->close(one);
}

int
main(void)
{
    const char *dir = getenv("ARTSTORE_TEST_DIR");
    struct disk_linux_conf plain = {.create = true};
    struct disk_linux_conf bare = {
        .create = true, .sync_threads = 1, .no_tmpfile = true};
    const struct disk_contract contracts[] = {
        {.name = "disk_linux", .open = open_fresh, .arg = &plain},
        {.name = "disk_linux, no tmpfile",
         .open = open_fresh,
         .arg = &bare,
         .no_tmpfile = true},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_gate),
    };
    char cmd[300];
    int failed = 0;

    if (!dir)
        dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    snprintf(base, sizeof(base), "%s/disk_linux_test.XXXXXX", dir);
    if (!mkdtemp(base))
        return 1;
    for (size_t i = 0; i < countof(contracts); i++)
        failed += disk_contract_run(&contracts[i]);
    failed += cmocka_run_group_tests_name("linux", tests, NULL, NULL);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
    return failed + (system(cmd) != 0);
}
