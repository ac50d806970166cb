/* disk_rec_test.c - port/disk.h on disk_rec.c, alone and behind disk_fail.c,
 * and what disk_crash.c makes of small traces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/disk_rec.h"
#include "base/buf.h"
#include "port/disk_contract.h"
#include "port/disk_fail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct disk *
open_plain(void *arg)
{
    return disk_rec_open(arg);
}

static struct disk *
open_failing(void *arg)
{
    static struct disk_fail w;

    (void)arg;
    disk_fail_init(&w, disk_rec_open(NULL)); /* and never fails */
    return &w.disk;
}

/* The states of a trace as a set of texts. */
struct states {
    char text[64][96];
    unsigned n;
};

static void
note(struct states *s, const char *text)
{
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->text[i], text) == 0)
            return;
    assert_true(s->n < countof(s->text));
    snprintf(s->text[s->n++], sizeof(s->text[0]), "%s", text);
}

static bool
has(const struct states *s, const char *text)
{
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->text[i], text) == 0)
            return true;
    return false;
}

static void
describe(struct disk *d, const char *name, char *out, size_t cap)
{
    struct buf b;
    enum err e;

    buf_init(&b, 4096);
    e = disk_read_file(d, DISK_ROOT, name, &b, NULL);
    if (e == ERR_NOENT)
        snprintf(out, cap, "-");
    else if (b.n && b.p[0] == 0)
        snprintf(out, cap, "zeros %zu", b.n);
    else if (b.n && (uint8_t)b.p[0] == 0xdb)
        snprintf(out, cap, "rubbish %zu", b.n);
    else
        snprintf(out, cap, "%.*s", (int)b.n, buf_str(&b));
    buf_release(&b);
}

static void
enumerate(const struct disk *d, const char *a, const char *b,
          struct states *out)
{
    struct disk_states s;

    *out = (struct states){0};
    disk_states_init(&s, 10000, 1);
    while (disk_states_next(&s)) {
        struct disk *c =
            disk_rec_crash(d, disk_rec_time(d), disk_states_choose, &s);
        char one[40], two[40] = "", text[96];

        describe(c, a, one, sizeof(one));
        if (b)
            describe(c, b, two, sizeof(two));
        snprintf(text, sizeof(text), "%s%s%s", one, b ? "|" : "", two);
        note(out, text);
        c->ops->close(c);
    }
    assert_false(s.sampled);
}

static void
test_one_file(void **state)
{
    struct disk *d = disk_rec_open(NULL);
    struct states s;
    int fd;
    (void)state;

    disk_rec_settle(d);
    assert_int_equal(disk_create(d, DISK_ROOT, "a", &fd, NULL), ERR_OK);
    assert_int_equal(disk_pwrite(d, fd, "abcd", 4, 0, NULL), ERR_OK);
    enumerate(d, "a", NULL, &s);
    assert_int_equal(s.n, 8); /* none; empty; 2 or 4 bytes of three kinds */
    assert_true(has(&s, "-") && has(&s, "") && has(&s, "abcd"));
    assert_true(has(&s, "ab") && has(&s, "zeros 4") && has(&s, "rubbish 4"));

    /* The file is synced and its name is not. */
    assert_int_equal(disk_sync(d, &fd, 1, NULL), ERR_OK);
    enumerate(d, "a", NULL, &s);
    assert_int_equal(s.n, 2);
    assert_true(has(&s, "-") && has(&s, "abcd"));

    /* The name is synced too: nothing is left to chance. */
    assert_int_equal(disk_sync(d, (int[]){DISK_ROOT}, 1, NULL), ERR_OK);
    enumerate(d, "a", NULL, &s);
    assert_int_equal(s.n, 1);
    assert_true(has(&s, "abcd"));

    /* Over what is there: old or new, never rubbish. */
    assert_int_equal(disk_pwrite(d, fd, "WXYZ", 4, 0, NULL), ERR_OK);
    enumerate(d, "a", NULL, &s);
    assert_int_equal(s.n, 2);
    assert_true(has(&s, "abcd") && has(&s, "WXYZ"));
    disk_close(d, &fd);
    d->ops->close(d);
}

/* The two ends of an unsynced rename are independent, but what is replaced is
 * never lost. */
static void
test_rename(void **state)
{
    struct disk *d = disk_rec_open(NULL);
    struct states s;
    (void)state;

    assert_int_equal(disk_replace_file(d, DISK_ROOT, "a", SLICE("1"), NULL),
                     ERR_OK);
    assert_int_equal(disk_replace_file(d, DISK_ROOT, "b", SLICE("2"), NULL),
                     ERR_OK);
    disk_rec_settle(d);
    assert_int_equal(disk_rename(d, DISK_ROOT, "a", DISK_ROOT, "b", NULL),
                     ERR_OK);
    enumerate(d, "a", "b", &s);
    assert_int_equal(s.n, 4);
    assert_true(has(&s, "1|2") && has(&s, "-|1") && has(&s, "1|1") &&
                has(&s, "-|2"));
    d->ops->close(d);
}

/* disk_replace_file() is the old or the new one at every moment. */
static void
test_replace(void **state)
{
    struct disk *d = disk_rec_open(NULL);
    (void)state;

    assert_int_equal(
        disk_replace_file(d, DISK_ROOT, "s", SLICE("old text"), NULL), ERR_OK);
    disk_rec_settle(d);
    assert_int_equal(
        disk_replace_file(d, DISK_ROOT, "s", SLICE("new text"), NULL), ERR_OK);
    for (uint64_t t = 0; t <= disk_rec_time(d); t++) {
        struct disk_states s;

        disk_states_init(&s, 10000, 1);
        while (disk_states_next(&s)) {
            struct disk *c = disk_rec_crash(d, t, disk_states_choose, &s);
            char text[40];

            describe(c, "s", text, sizeof(text));
            assert_true(
                strcmp(text, "new text") == 0 ||
                (strcmp(text, "old text") == 0 && t < disk_rec_time(d)));
            c->ops->close(c);
        }
        assert_false(s.sampled);
    }
    d->ops->close(d);
}

/* A folder that its parent does not know is lost with all that was synced. */
static void
test_parent(void **state)
{
    struct disk *d = disk_rec_open(NULL);
    struct states s;
    int dir, fd;
    (void)state;

    disk_rec_settle(d);
    assert_int_equal(disk_mkdir(d, DISK_ROOT, "d", NULL), ERR_OK);
    assert_int_equal(disk_open(d, DISK_ROOT, "d", DISK_DIR, &dir, NULL),
                     ERR_OK);
    assert_int_equal(disk_create(d, dir, "x", &fd, NULL), ERR_OK);
    assert_int_equal(disk_pwrite(d, fd, "1", 1, 0, NULL), ERR_OK);
    assert_int_equal(disk_sync(d, (int[]){fd, dir}, 2, NULL), ERR_OK);
    enumerate(d, "d/x", NULL, &s);
    assert_int_equal(s.n, 2);
    assert_true(has(&s, "-") && has(&s, "1"));
    assert_int_equal(disk_sync(d, (int[]){DISK_ROOT}, 1, NULL), ERR_OK);
    enumerate(d, "d/x", NULL, &s);
    assert_int_equal(s.n, 1);
    disk_close(d, &fd);
    disk_close(d, &dir);
    d->ops->close(d);
}

/* More states than the limit: the corners are met, and the count is kept. */
static void
test_sampling(void **state)
{
    struct disk *d = disk_rec_open(NULL);
    struct disk_states s;
    uint64_t rounds = 0;
    bool none = false, all = false;
    uint8_t *p = calloc(1, 64 * 512);
    int fd;
    (void)state;

    disk_rec_settle(d);
    assert_int_equal(disk_create(d, DISK_ROOT, "a", &fd, NULL), ERR_OK);
    memset(p, 'x', 64 * 512);
    assert_int_equal(disk_pwrite(d, fd, p, 64 * 512, 0, NULL), ERR_OK);
    disk_states_init(&s, 500, 7);
    while (disk_states_next(&s)) {
        struct disk *c =
            disk_rec_crash(d, disk_rec_time(d), disk_states_choose, &s);
        struct buf b;

        buf_init(&b, 64 * 512);
        if (disk_read_file(c, DISK_ROOT, "a", &b, NULL) == ERR_NOENT)
            none = true;
        else if (b.n == 64 * 512 && memcmp(b.p, p, b.n) == 0)
            all = true;
        buf_release(&b);
        c->ops->close(c);
        rounds++;
    }
    assert_true(s.sampled && none && all);
    assert_int_equal(rounds, 500);
    free(p);
    disk_close(d, &fd);
    d->ops->close(d);
}

static void
test_full(void **state)
{
    const struct disk_rec_conf conf = {.bytes = 8192, .inodes = 3};
    struct disk *d = disk_rec_open(&conf);
    unsigned flags = 0;
    struct fault f;
    int a, b;
    (void)state;

    assert_int_equal(disk_create(d, DISK_ROOT, "a", &a, &f), ERR_OK);
    assert_int_equal(disk_alloc(d, a, 0, 4096, &f), ERR_OK);
    assert_int_equal(disk_pwrite(d, a, "x", 1, 8191, &f), ERR_OK);
    assert_int_equal(disk_tmpfile(d, DISK_ROOT, &flags, &b, &f), ERR_OK);
    assert_int_equal(disk_pwrite(d, b, "x", 1, 0, &f), ERR_NOSPC);
    assert_int_equal(disk_mkdir(d, DISK_ROOT, "d", &f), ERR_NOINODES);
    disk_close(d, &b); /* without a name: its inode comes back */
    assert_int_equal(disk_mkdir(d, DISK_ROOT, "d", &f), ERR_OK);
    assert_int_equal(disk_truncate(d, a, 10, &f), ERR_OK);
    disk_close(d, &a);
    assert_int_equal(disk_unlink(d, DISK_ROOT, "a", &f), ERR_OK);
    assert_int_equal(disk_rec_handles(d), 0);
    assert_int_equal(disk_rec_names(d), 1);
    d->ops->close(d);
}

int
main(void)
{
    struct disk_rec_conf bare = {.no_tmpfile = true};
    const struct disk_contract contracts[] = {
        {.name = "disk_rec", .open = open_plain},
        {.name = "disk_rec, no tmpfile",
         .open = open_plain,
         .arg = &bare,
         .no_tmpfile = true},
        {.name = "disk_fail", .open = open_failing},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file), cmocka_unit_test(test_rename),
        cmocka_unit_test(test_replace),  cmocka_unit_test(test_parent),
        cmocka_unit_test(test_sampling), cmocka_unit_test(test_full),
    };
    int failed = 0;

    for (size_t i = 0; i < countof(contracts); i++)
        failed += disk_contract_run(&contracts[i]);
    return failed +
           cmocka_run_group_tests_name("crash states", tests, NULL, NULL);
}
