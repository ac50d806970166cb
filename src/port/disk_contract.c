/* disk_contract.c - see disk_contract.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/disk_contract.h"
#include "base/buf.h"
#include "port/loop_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct disk_contract *contract;
static struct disk *d;
static struct fault f;

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))

static int
setup(void **state)
{
    (void)state;
    d = contract->open(contract->arg);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    d->ops->close(d);
    return 0;
}

static void
make(int dir, const char *name, const char *text)
{
    int fd;

    OK(disk_create(d, dir, name, &fd, &f));
    OK(disk_pwrite(d, fd, text, strlen(text), 0, &f));
    disk_close(d, &fd);
    assert_int_equal(fd, DISK_NONE);
}

static void
expect(int dir, const char *name, const char *text)
{
    struct buf b;

    buf_init(&b, 64 * KIB);
    OK(disk_read_file(d, dir, name, &b, &f));
    assert_int_equal(b.n, strlen(text));
    assert_memory_equal(b.p, text, b.n);
    buf_release(&b);
}

static void
test_files(void **state)
{
    char got[16];
    size_t did;
    int fd;
    (void)state;

    IS(ERR_NOENT, disk_open(d, DISK_ROOT, "a", 0, &fd, &f));
    assert_int_equal(fd, DISK_NONE);
    make(DISK_ROOT, "a", "hello");
    IS(ERR_EXISTS, disk_create(d, DISK_ROOT, "a", &fd, &f));
    expect(DISK_ROOT, "a", "hello");
    OK(disk_open(d, DISK_ROOT, "a", DISK_WRITE, &fd, &f));
    OK(disk_pwrite(d, fd, "XY", 2, 7, &f)); /* past the end: zeros between */
    OK(disk_pread(d, fd, got, sizeof(got), 0, &did, &f));
    assert_int_equal(did, 9);
    assert_memory_equal(got, "hello\0\0XY", 9);
    OK(disk_pread(d, fd, got, sizeof(got), 100, &did, &f));
    assert_int_equal(did, 0);
    OK(disk_truncate(d, fd, 3, &f));
    disk_close(d, &fd);
    expect(DISK_ROOT, "a", "hel");
    OK(disk_unlink(d, DISK_ROOT, "a", &f));
    IS(ERR_NOENT, disk_unlink(d, DISK_ROOT, "a", &f));
    assert_string_equal(f.op, "unlink"); /* which call, on what */
    assert_string_equal(f.what, "a");
}

static void
test_folders(void **state)
{
    int dir, sub;
    (void)state;

    OK(disk_mkdir(d, DISK_ROOT, "d", &f));
    IS(ERR_EXISTS, disk_mkdir(d, DISK_ROOT, "d", &f));
    OK(disk_open(d, DISK_ROOT, "d", DISK_DIR, &dir, &f));
    OK(disk_mkdir(d, dir, "e", &f));
    make(dir, "x", "1");
    OK(disk_open(d, DISK_ROOT, "d/e", DISK_DIR, &sub, &f));
    make(sub, "y", "22");
    expect(DISK_ROOT, "d/e/y", "22"); /* a path */
    expect(dir, "e/y", "22");
    IS(ERR_EXISTS, disk_rmdir(d, dir, "e", &f)); /* not empty */
    OK(disk_unlink(d, sub, "y", &f));
    disk_close(d, &sub);
    OK(disk_rmdir(d, dir, "e", &f));
    IS(ERR_NOENT, disk_open(d, dir, "e", DISK_DIR, &sub, &f));
    IS(ERR_NOENT, disk_open(d, dir, "x", DISK_DIR, &sub, &f)); /* a file */
    disk_close(d, &dir);
}

/* No name leaves the folder. */
static void
test_names(void **state)
{
    static const char *const bad[] = {
        "a/b", "..", "../x", "/etc/passwd", "d/../../x", "d//x", ""};
    int fd;
    (void)state;

    OK(disk_mkdir(d, DISK_ROOT, "d", &f));
    for (size_t i = 0; i < countof(bad); i++) {
        if (!bad[i][0])
            continue;
        assert_int_not_equal(disk_open(d, DISK_ROOT, bad[i], 0, &fd, &f),
                             ERR_OK);
        assert_int_equal(fd, DISK_NONE);
        if (!strchr(bad[i], '/'))
            continue;
        assert_int_not_equal(disk_create(d, DISK_ROOT, bad[i], &fd, &f),
                             ERR_OK);
        assert_int_not_equal(disk_unlink(d, DISK_ROOT, bad[i], &f), ERR_OK);
        assert_int_not_equal(
            disk_rename(d, DISK_ROOT, "d", DISK_ROOT, bad[i], &f), ERR_OK);
    }
}

static void
test_rename(void **state)
{
    int dir;
    (void)state;

    OK(disk_mkdir(d, DISK_ROOT, "d", &f));
    OK(disk_open(d, DISK_ROOT, "d", DISK_DIR, &dir, &f));
    make(DISK_ROOT, "a", "new");
    make(dir, "b", "old");
    OK(disk_rename(d, DISK_ROOT, "a", dir, "b", &f)); /* replaces */
    expect(dir, "b", "new");
    IS(ERR_NOENT, disk_rename(d, DISK_ROOT, "a", dir, "b", &f));
    disk_close(d, &dir);
}

static void
test_tmpfile(void **state)
{
    uint8_t *p = aligned_alloc(4096, 8192);
    unsigned flags = DISK_DIRECT;
    struct disk_stat st;
    int fd;
    (void)state;

    if (contract->no_tmpfile) {
        IS(ERR_UNSUPPORTED, disk_tmpfile(d, DISK_ROOT, &flags, &fd, &f));
        free(p);
        return;
    }
    OK(disk_tmpfile(d, DISK_ROOT, &flags, &fd, &f));
    memset(p, 'x', 8192); /* aligned, as DIRECT wants it */
    OK(disk_pwrite(d, fd, p, 8192, 0, &f));
    OK(disk_writeback(d, fd, &f));
    OK(disk_truncate(d, fd, 5000, &f));
    OK(disk_link(d, fd, DISK_ROOT, "t", &f));
    OK(disk_sync(d, (int[]){fd, DISK_ROOT}, 2, &f));
    disk_close(d, &fd);
    OK(disk_open(d, DISK_ROOT, "t", 0, &fd, &f));
    OK(disk_stat(d, fd, &st, &f));
    assert_int_equal(st.size, 5000);
    assert_false(st.is_dir);
    disk_close(d, &fd);

    flags = 0;
    OK(disk_tmpfile(d, DISK_ROOT, &flags, &fd, &f));
    assert_int_equal(flags & DISK_DIRECT, 0); /* not asked for */
    IS(ERR_EXISTS, disk_link(d, fd, DISK_ROOT, "t", &f));
    disk_close(d, &fd); /* without a name it is gone */
    free(p);
}

struct seen {
    unsigned files, folders;
    char last[64];
    unsigned stop_after;
};

static bool
see(void *arg, const char *name, bool is_dir)
{
    struct seen *s = arg;

    s->files += !is_dir;
    s->folders += is_dir;
    strncpy(s->last, name, sizeof(s->last) - 1);
    return s->files + s->folders != s->stop_after;
}

static void
test_list(void **state)
{
    struct seen s = {0};
    char name[32];
    (void)state;

    OK(disk_list(d, DISK_ROOT, see, &s, &f));
    assert_int_equal(s.files + s.folders, 0); /* no "." and no ".." */
    OK(disk_mkdir(d, DISK_ROOT, "d", &f));
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        make(DISK_ROOT, name, "");
    }
    OK(disk_list(d, DISK_ROOT, see, &s, &f));
    assert_int_equal(s.files, 300);
    assert_int_equal(s.folders, 1);
    s = (struct seen){.stop_after = 7};
    OK(disk_list(d, DISK_ROOT, see, &s, &f));
    assert_int_equal(s.files + s.folders, 7);
}

static void
test_sync_many(void **state)
{
    int fd[64];
    char name[32];
    (void)state;

    for (int i = 0; i < 63; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        OK(disk_create(d, DISK_ROOT, name, &fd[i], &f));
        OK(disk_pwrite(d, fd[i], name, strlen(name), 0, &f));
    }
    fd[63] = DISK_ROOT;
    OK(disk_sync(d, fd, 64, &f));
    OK(disk_sync(d, fd, 1, &f));
    OK(disk_sync(d, fd, 0, &f));
    for (int i = 0; i < 63; i++)
        disk_close(d, &fd[i]);
}

static void
test_space(void **state)
{
    struct disk_space a, b;
    int fd;
    (void)state;

    OK(disk_statfs(d, &a, &f));
    assert_true(a.total >= a.free && a.free > 0);
    OK(disk_create(d, DISK_ROOT, "big", &fd, &f));
    if (disk_alloc(d, fd, 0, 8 * MIB, &f) == ERR_OK) {
        struct disk_stat st;

        OK(disk_stat(d, fd, &st, &f));
        assert_int_equal(st.size, 0); /* room, not size */
        OK(disk_statfs(d, &b, &f));
        assert_int_equal(a.fs_id, b.fs_id);
    } else {
        assert_int_equal(f.code, ERR_UNSUPPORTED);
    }
    disk_close(d, &fd);
}

static void
test_lock(void **state)
{
    int one, two;
    (void)state;

    make(DISK_ROOT, "lock", "");
    OK(disk_open(d, DISK_ROOT, "lock", DISK_WRITE, &one, &f));
    OK(disk_open(d, DISK_ROOT, "lock", DISK_WRITE, &two, &f));
    OK(disk_lock(d, one, &f));
    IS(ERR_BUSY, disk_lock(d, two, &f));
    disk_close(d, &one);
    OK(disk_lock(d, two, &f));
    disk_close(d, &two);
}

static void
test_replace(void **state)
{
    struct buf b;
    (void)state;

    OK(disk_replace_file(d, DISK_ROOT, "s", SLICE("one"), &f));
    expect(DISK_ROOT, "s", "one");
    make(DISK_ROOT, "s.new", "left by a crash");
    OK(disk_replace_file(d, DISK_ROOT, "s", SLICE("two"), &f));
    expect(DISK_ROOT, "s", "two");
    buf_init(&b, 2);
    IS(ERR_TOOBIG, disk_read_file(d, DISK_ROOT, "s", &b, &f));
    buf_release(&b);
}

static void
io_done(struct loop *l, struct file_io *io)
{
    (void)l;
    io->did = 77;
}

/* Blocks of large bodies. */
static void
test_io(void **state)
{
    struct loop_mem l;
    char got[8] = "";
    struct file_io io = {
        .write = true, .p = "abcdef", .n = 6, .off = 2, .done = io_done};
    int fd;
    (void)state;

    loop_mem_init(&l);
    OK(disk_create(d, DISK_ROOT, "io", &fd, &f));
    io.fd = fd;
    disk_io(d, &l.loop, &io);
    assert_int_not_equal(io.did, 77); /* never inside the call */
    loop_mem_settle(&l);
    assert_int_equal(io.did, 77);
    assert_int_equal(io.res, 6);
    io = (struct file_io){
        .fd = fd, .p = got, .n = sizeof(got), .off = 4, .done = io_done};
    disk_io(d, &l.loop, &io);
    loop_mem_settle(&l);
    assert_int_equal(io.res, 4); /* short at the end */
    assert_memory_equal(got, "cdef", 4);
    disk_close(d, &fd);
    loop_mem_release(&l);
}

int
disk_contract_run(const struct disk_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tmpfile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_io, setup, teardown),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
