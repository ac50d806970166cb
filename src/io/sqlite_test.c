/* sqlite_test.c - the SQLite drivers on a disk that fails: the N-th write, sync
 * or truncation of a story fails once, for all N, as an I/O error and as a full
 * disk. Whatever the call answered, what the driver then says must be one of
 * the states that were committed, also after it is opened anew.
 *
 * The failing disk is a VFS of SQLite that passes all calls on but one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/sqlite.h"
#include "base/base.h"
#include "io/index_sqlite.h"
#include "io/meta_sqlite.h"
#include "port/index_contract.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

/* --- the disk ------------------------------------------------------------- */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    unsigned at; /* the call that fails; 0: none */
    unsigned calls;
    int rc;
    bool dirty[2]; /* written since its last sync: the database, its WAL */
} disk;

struct bad_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    int which;          /* of disk.dirty, or -1 */
};

static void
set_dirty(sqlite3_file *f, bool dirty)
{
    const struct bad_file *b = (void *)f;

    if (b->which >= 0)
        disk.dirty[b->which] = dirty;
}

static sqlite3_file *
real(sqlite3_file *f)
{
    return ((struct bad_file *)(void *)f)->real;
}

static int
fails(void)
{
    return disk.at && ++disk.calls == disk.at ? disk.rc : SQLITE_OK;
}

static int
v_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int
v_read(sqlite3_file *f, void *p, int n, sqlite3_int64 off)
{
    return real(f)->pMethods->xRead(real(f), p, n, off);
}

static int
v_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 off)
{
    int rc = fails();

    set_dirty(f, true);
    if (rc && n > 100) /* half of it comes down */
        (void)real(f)->pMethods->xWrite(real(f), p, n / 2, off);
    return rc ? rc : real(f)->pMethods->xWrite(real(f), p, n, off);
}

static int
v_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    int rc = fails();

    return rc ? rc : real(f)->pMethods->xTruncate(real(f), n);
}

/* Syncs nothing: no power is cut here, and the test should be quick. */
static int
v_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    if (fails())
        return SQLITE_IOERR_FSYNC;
    set_dirty(f, false);
    return SQLITE_OK;
}

static int
v_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return real(f)->pMethods->xFileSize(real(f), n);
}

static int
v_lock(sqlite3_file *f, int lock)
{
    return real(f)->pMethods->xLock(real(f), lock);
}

static int
v_unlock(sqlite3_file *f, int lock)
{
    return real(f)->pMethods->xUnlock(real(f), lock);
}

static int
v_reserved(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int
v_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int
v_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int
v_traits(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int
v_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, p);
}

static int
v_shm_lock(sqlite3_file *f, int off, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), off, n, flags);
}

static void
v_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int
v_shm_unmap(sqlite3_file *f, int del)
{
    return real(f)->pMethods->xShmUnmap(real(f), del);
}

static int
v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {
        2,        v_close,   v_read,     v_write,       v_truncate,  v_sync,
        v_size,   v_lock,    v_unlock,   v_reserved,    v_control,   v_sector,
        v_traits, v_shm_map, v_shm_lock, v_shm_barrier, v_shm_unmap, NULL,
        NULL};
    struct bad_file *b = (void *)f;
    int rc;

    (void)v;
    b->real = (void *)(b + 1);
    b->which = flags & SQLITE_OPEN_MAIN_DB ? 0
               : flags & SQLITE_OPEN_WAL   ? 1
                                           : -1;
    rc = disk.real->xOpen(disk.real, name, b->real, flags, out);
    f->pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

static void
disk_init(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "bad";
    disk.vfs.szOsFile += (int)sizeof(struct bad_file);
    disk.vfs.xOpen = v_open;
    disk.vfs.pNext = NULL;
    assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

/* --- stories -------------------------------------------------------------- */

static char dir[] = "/tmp/sqlite_test.XXXXXX";
static unsigned files;

static const struct {
    int rc;
    enum err err;
} kinds[] = {
    {SQLITE_IOERR_WRITE, ERR_IO},
    {SQLITE_FULL, ERR_NOSPC},
};

static struct index *
index_at(const char *path)
{
    struct index *x;
    struct fault f = {0};

    if (index_sqlite_open(&x, path, &f))
        fail_msg("%s: %s", f.op, f.what);
    return x;
}

/* X holds exactly the files of the first BATCHES batches of 8. */
static void
index_whole(struct index *x, uint64_t batches)
{
    struct index_totals t;
    struct index_row want, row;
    struct fault f = {0};

    assert_int_equal(x->ops->totals(x, &t, &f), ERR_OK);
    assert_int_equal(t.files, batches * 8);
    assert_int_equal(t.last_seq, batches * 8);
    for (uint64_t i = 1; i <= batches * 8 + 8; i++) {
        index_sample(&want, i);
        want.attr.seq = i;
        if (i > batches * 8) {
            assert_int_equal(x->ops->get(x, &want.attr.file_id, &row, &f),
                             ERR_NOENT);
            continue;
        }
        assert_int_equal(x->ops->get(x, &want.attr.file_id, &row, &f), ERR_OK);
        index_rows_equal(&want, &row);
        index_row_release(&row);
    }
}

/* Three batches, each tried until it is in; how many tries failed. */
static unsigned
index_story(const char *path, enum err want)
{
    struct index *x = index_at(path);
    struct index_change c[8];
    unsigned failed = 0;

    disk.calls = 0; /* what opening has written does not count */
    for (uint64_t batch = 0; batch < 3; batch++) {
        struct fault f = {0};
        enum err e;

        for (uint64_t i = 0; i < 8; i++)
            index_sample_change(&c[i], batch * 8 + i + 1, batch * 8 + i + 1);
        e = x->ops->apply(x, c, 8, &f);
        if (!e)
            continue;
        failed++;
        assert_true(e == want || e == ERR_IO); /* a sync */
        assert_true(f.op[0] && f.what[0]);
        index_whole(x, batch);
        batch--;
    }
    index_whole(x, 3);
    x->ops->close(x);
    return failed;
}

static void
test_index(void **state)
{
    (void)state;
    for (size_t k = 0; k < countof(kinds); k++) {
        unsigned n = 1;

        disk.rc = kinds[k].rc;
        for (;; n++) {
            char path[64];
            unsigned failed;
            struct index *x;

            (void)snprintf(path, sizeof(path), "%s/%u.db", dir, ++files);
            x = index_at(path); /* made on a good disk */
            x->ops->close(x);
            disk.at = n;
            failed = index_story(path, kinds[k].err);
            disk.at = 0;
            assert_true(failed <= 1);
            x = index_at(path);
            index_whole(x, 3);
            x->ops->close(x);
            if (disk.calls < n)
                break;
        }
        assert_true(n > 20); /* the disk was really asked */
    }
}

static bool
sync_inside(void *arg, const struct index_row *row)
{
    (void)row;
    *(bool *)arg = disk.dirty[1];
    return false;
}

/* After sync() nothing that was applied waits in the page cache of the kernel,
 * and before it something did (synchronous=NORMAL). */
static void
test_sync(void **state)
{
    struct index_change c[8];
    struct uuid after = {0};
    struct index *x;
    char path[64];
    bool was = false;
    struct fault f = {0};
    (void)state;

    (void)snprintf(path, sizeof(path), "%s/%u.db", dir, ++files);
    x = index_at(path);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 8; i++)
            index_sample_change(&c[i], i + 1, (uint64_t)round * 8 + i + 1);
        assert_int_equal(x->ops->apply(x, c, 8, &f), ERR_OK);
        assert_int_equal(x->ops->list(x, &after, 1, sync_inside, &was, &f),
                         ERR_OK);
        assert_true(was);
        if (x->ops->sync(x, &f))
            fail_msg("%s: %s", f.op, f.what);
        assert_false(disk.dirty[0]);
        assert_false(disk.dirty[1]);
    }
    index_sample_change(&c[0], 9, 25);
    assert_int_equal(x->ops->apply(x, c, 1, &f), ERR_OK);
    disk.rc = SQLITE_FULL;
    disk.calls = 0;
    disk.at = 1;
    assert_int_not_equal(x->ops->sync(x, &f), ERR_OK); /* it says so */
    disk.at = 0;
    assert_int_equal(x->ops->sync(x, &f), ERR_OK);
    assert_false(disk.dirty[0] || disk.dirty[1]);
    x->ops->close(x);
}

static void
meta_whole(struct meta *m, uint64_t batches)
{
    uint64_t files_n, bytes, seq, want = 0;
    struct uuid el = {{1}};
    struct fault f = {0};

    for (uint64_t i = 1; i <= batches * 8; i++)
        want += i * 1000 + 1;
    assert_int_equal(m->ops->file_count(m, &files_n, &bytes, &f), ERR_OK);
    assert_int_equal(files_n, batches * 8);
    assert_int_equal(bytes, want);
    assert_int_equal(m->ops->feed_position(m, &el, &seq, &f), ERR_OK);
    assert_int_equal(seq, batches * 8);
}

static unsigned
meta_story(const char *path)
{
    struct uuid el = {{1}};
    struct meta_audit a = {.actor = "x"};
    struct index_change c[8];
    unsigned failed = 0;
    struct meta *m;

    assert_int_equal(meta_sqlite_open(&m, path, NULL), ERR_OK);
    disk.calls = 0;
    for (uint64_t batch = 0; batch < 3; batch++) {
        for (uint64_t i = 0; i < 8; i++)
            index_sample_change(&c[i], batch * 8 + i + 1, batch * 8 + i + 1);
        while (m->ops->audit_add(m, &a, 1, NULL))
            failed++; /* FULL: its syncs fail too */
        if (m->ops->feed(m, &el, "se-01", c, 8, batch * 8 + 8, NULL)) {
            failed++;
            meta_whole(m, batch);
            batch--;
        }
    }
    meta_whole(m, 3);
    m->ops->close(m);
    return failed;
}

static void
test_meta(void **state)
{
    (void)state;
    for (size_t k = 0; k < countof(kinds); k++) {
        unsigned n = 1;

        disk.rc = kinds[k].rc;
        for (;; n++) {
            char path[64];
            unsigned failed;
            struct meta *m;

            (void)snprintf(path, sizeof(path), "%s/%u", dir, ++files);
            assert_int_equal(mkdir(path, 0700), 0);
            assert_int_equal(meta_sqlite_open(&m, path, NULL), ERR_OK);
            m->ops->close(m);
            disk.at = n;
            failed = meta_story(path);
            disk.at = 0;
            assert_true(failed <= 1);
            assert_int_equal(meta_sqlite_open(&m, path, NULL), ERR_OK);
            meta_whole(m, 3);
            m->ops->close(m);
            if (disk.calls < n)
                break;
        }
        assert_true(n > 20);
    }
}

/* A migration that fails leaves a database that the next start completes. */
static void
test_birth(void **state)
{
    (void)state;
    disk.rc = SQLITE_FULL;
    for (unsigned n = 1;; n++) {
        char path[64];
        struct index *x = NULL;
        enum err e;

        (void)snprintf(path, sizeof(path), "%s/%u.db", dir, ++files);
        disk.calls = 0;
        disk.at = n;
        e = index_sqlite_open(&x, path, NULL);
        disk.at = 0;
        if (e)
            x = index_at(path);
        index_whole(x, 0);
        x->ops->close(x);
        if (!e && disk.calls < n)
            break;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_birth),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_meta),
    };
    char command[96];
    int failed;

    if (!mkdtemp(dir))
        return 1;
    disk_init();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) || failed;
}
