/* ledger_test.c - tests of ledger.h (D07, D28, STO-020, STO-023).
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/ledger.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define M ((uint64_t)1024 * 1024)

static const struct ledger_conf plain = {.percent = {0, 85, 92, 98},
                                         .hysteresis = 2};

static void
measure(struct ledger *l, uint64_t total, uint64_t free, uint64_t itotal,
        uint64_t ifree)
{
    ledger_measure_begin(l);
    ledger_measure_end(l, (struct ledger_room){total, itotal},
                       (struct ledger_room){free, ifree});
}

static void
test_reserve(void **state)
{
    static const struct {
        uint64_t free, ifree, quota;
        struct ledger_room ask;
        enum err err;
        const char *why;
    } row[] = {
        {1000, 10, 0, {1000, 10}, ERR_OK, "all of it"},
        {1000, 10, 0, {1001, 1}, ERR_NOSPC, "a byte too much"},
        {1000, 10, 0, {1, 11}, ERR_NOINODES, "an inode too much"},
        {1000, 10, 0, {1001, 11}, ERR_NOSPC, "bytes are named first"},
        {1000, 10, 500, {501, 1}, ERR_NOSPC, "over the quota"},
        {1000, 10, 500, {500, 1}, ERR_OK, "the quota"},
        {1000, 10, 5000, {1001, 1}, ERR_NOSPC, "a quota makes no room"},
        {0, 0, 0, {0, 0}, ERR_OK, "nothing fits anywhere"},
        {1000, 10, 0, {UINT64_MAX, 1}, ERR_NOSPC, "no overflow"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct ledger_member m = {.quota = row[i].quota};
        struct ledger l;

        ledger_init(&l, &plain);
        if (ledger_reserve(&l, &m, (struct ledger_room){1, 1}) != ERR_NOSPC)
            fail_msg("before it was measured nothing is promised");
        measure(&l, 8000, row[i].free, 80, row[i].ifree);
        if (ledger_reserve(&l, &m, row[i].ask) != row[i].err)
            fail_msg("%s", row[i].why);
        if (row[i].err != ERR_OK && (l.reserved.bytes || m.reserved))
            fail_msg("%s: something was kept", row[i].why);
    }
}

/* Headroom is kept, but not more than an eighth. */
static void
test_headroom(void **state)
{
    struct ledger_conf conf = {.headroom = {100, 10}};
    struct ledger_member m = {0};
    struct ledger l;
    (void)state;

    ledger_init(&l, &conf);
    measure(&l, 8000, 500, 800, 50);
    assert_int_equal(ledger_available(&l, &m).bytes, 400);
    assert_int_equal(ledger_available(&l, &m).inodes, 40);
    measure(&l, 400, 400, 40, 40); /* a small file system */
    assert_int_equal(ledger_available(&l, &m).bytes, 350);
    assert_int_equal(ledger_available(&l, &m).inodes, 35);
    measure(&l, 400, 20, 0, 0); /* nearly full; no limit of inodes */
    assert_int_equal(ledger_available(&l, &m).bytes, 0);
    assert_int_equal(ledger_available(&l, &m).inodes, UINT64_MAX);
}

/* What was promised is gone, because somebody else took it. */
static void
test_overdrawn(void **state)
{
    static const struct {
        uint64_t free, ifree;
        bool overdrawn;
        const char *why;
    } row[] = {
        {700, 62, false, "what was promised is there, and the headroom"},
        {699, 62, true, "a byte is missing"},
        {700, 61, true, "an inode is missing"},
    };
    struct ledger_conf conf = {.headroom = {400, 32}};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct ledger_member m = {0};
        struct ledger l;

        ledger_init(&l, &conf);
        measure(&l, 8000, 1000, 800, 100);
        assert_int_equal(ledger_reserve(&l, &m, (struct ledger_room){300, 30}),
                         ERR_OK);
        assert_false(ledger_overdrawn(&l));
        measure(&l, 8000, row[i].free, 800, row[i].ifree);
        if (ledger_overdrawn(&l) != row[i].overdrawn)
            fail_msg("%s", row[i].why);
        measure(&l, 8000, row[i].free, 0, 0);
        if (ledger_overdrawn(&l) != (row[i].free < 700))
            fail_msg("%s, without a limit of inodes", row[i].why);
    }
}

/* The life of an upload, and a measure in the middle of it. */
static void
test_life(void **state)
{
    struct ledger_room r = {100, 2};
    struct ledger_member m = {0}, other = {0};
    struct ledger l;
    (void)state;

    ledger_init(&l, &plain);
    measure(&l, 1000, 1000, 100, 100);
    assert_int_equal(ledger_reserve(&l, &m, r), ERR_OK);
    assert_int_equal(ledger_available(&l, &other).bytes, 900); /* one pool */
    ledger_take(&l, &m, r);
    assert_int_equal(ledger_available(&l, &m).bytes, 900); /* not twice */
    assert_int_equal(m.stored, 100);
    measure(&l, 1000, 900, 100, 98); /* the file system has seen it */
    assert_int_equal(ledger_available(&l, &m).bytes, 900);
    assert_int_equal(ledger_available(&l, &m).inodes, 98);
    ledger_free(&l, &m, r);
    assert_int_equal(ledger_available(&l, &m).bytes, 1000); /* at once */
    assert_int_equal(m.stored, 0);

    /* Taken while a measure was under way: it may be in its result or not. */
    measure(&l, 1000, 1000, 100, 100);
    assert_int_equal(ledger_reserve(&l, &m, r), ERR_OK);
    ledger_measure_begin(&l);
    ledger_take(&l, &m, r);
    ledger_measure_end(&l, (struct ledger_room){1000, 100},
                       (struct ledger_room){900, 98});
    assert_int_equal(ledger_available(&l, &m).bytes, 800); /* careful */
    measure(&l, 1000, 900, 100, 98);
    assert_int_equal(ledger_available(&l, &m).bytes, 900); /* and right */

    /* Freed while a measure was under way: not counted on. */
    ledger_measure_begin(&l);
    ledger_free(&l, &m, r);
    ledger_measure_end(&l, (struct ledger_room){1000, 100},
                       (struct ledger_room){900, 98});
    assert_int_equal(ledger_available(&l, &m).bytes, 900);

    /* Given up. */
    assert_int_equal(ledger_reserve(&l, &m, r), ERR_OK);
    ledger_release(&l, &m, r);
    assert_int_equal(ledger_available(&l, &m).bytes, 900);

    /* A measure that failed changes nothing. */
    ledger_measure_begin(&l);
    ledger_measure_cancel(&l);
    assert_int_equal(ledger_available(&l, &m).bytes, 900);
}

static void
test_status(void **state)
{
    static const struct {
        uint64_t free, ifree;
        enum ledger_status status;
        const char *why;
    } row[] = {
        {1000, 1000, LEDGER_OK, "empty"},
        {151, 1000, LEDGER_OK, "just below"},
        {150, 1000, LEDGER_WARNING, "85 % used"},
        {160, 1000, LEDGER_WARNING, "84 %: not yet back (D07)"},
        {169, 1000, LEDGER_WARNING, "83.1 %"},
        {171, 1000, LEDGER_OK, "more than 2 points back"},
        {80, 1000, LEDGER_CRITICAL, "92 %"},
        {99, 1000, LEDGER_CRITICAL, "90.1 %"},
        {101, 1000, LEDGER_WARNING, "below 90 %"},
        {20, 1000, LEDGER_FULL, "98 %"},
        {39, 1000, LEDGER_FULL, "96.1 %"},
        {1000, 1000, LEDGER_OK, "emptied"},
        {1000, 80, LEDGER_CRITICAL, "inodes count like bytes"},
        {1000, 15, LEDGER_FULL, "no inodes"},
        {1000, 1000, LEDGER_OK, "emptied again"},
    };
    struct ledger_member m = {0};
    struct ledger l;
    (void)state;

    ledger_init(&l, &plain);
    for (size_t i = 0; i < countof(row); i++) {
        measure(&l, 1000 * M, row[i].free * M, 1000, row[i].ifree);
        if (ledger_step(&l, &m) != row[i].status)
            fail_msg("%s", row[i].why);
    }
}

/* By absolute free bytes, where that is the stricter. */
static void
test_status_free(void **state)
{
    struct ledger_conf conf = {.percent = {0, 85, 92, 98},
                               .free_below = {0, 400 * M, 300 * M, 200 * M},
                               .hysteresis = 2};
    static const struct {
        uint64_t free;
        enum ledger_status status;
        const char *why;
    } row[] = {
        {400, LEDGER_OK, "400 are enough"},
        {399, LEDGER_WARNING, "less is a warning, at 60 %"},
        {410, LEDGER_WARNING, "2 % of 1000 more are wanted back"},
        {420, LEDGER_OK, "and here they are"},
        {299, LEDGER_CRITICAL, "fewer"},
        {199, LEDGER_FULL, "too few"},
    };
    struct ledger_member m = {0};
    struct ledger l;
    (void)state;

    ledger_init(&l, &conf);
    for (size_t i = 0; i < countof(row); i++) {
        measure(&l, 1000 * M, row[i].free * M, 0, 0);
        if (ledger_step(&l, &m) != row[i].status)
            fail_msg("%s", row[i].why);
    }
}

/* Nothing fits: full, below any mark; and no more as soon as a file fits and
 * nothing is left but the marks. */
static void
test_spent(void **state)
{
    static const struct {
        uint64_t free, ifree, quota, promised;
        enum ledger_status status;
        const char *why;
    } row[] = {
        {64 * M + 4096, 500, 0, 0, LEDGER_CRITICAL, "an empty file fits"},
        {64 * M + 4095, 500, 0, 0, LEDGER_FULL, "a byte less: none does"},
        {1, 500, 0, 0, LEDGER_FULL, "all taken"},
        {64 * M + 4096, 500, 0, 0, LEDGER_CRITICAL, "by 2 points, as ever"},
        {900 * M, 500, 0, 0, LEDGER_OK, "emptied"},
        {900 * M, 66, 0, 0, LEDGER_CRITICAL, "two inodes are enough for one"},
        {900 * M, 65, 0, 0, LEDGER_FULL, "one is not"},
        {900 * M, 500, 0, 836 * M, LEDGER_OK, "promised is not taken"},
        {900 * M, 500, 4095, 0, LEDGER_FULL, "nor does a quota hold any"},
    };
    struct ledger_conf conf = plain;
    struct ledger_member m = {0};
    struct ledger l;
    (void)state;

    conf.headroom = (struct ledger_room){64 * M, 64};
    ledger_init(&l, &conf);
    for (size_t i = 0; i < countof(row); i++) {
        const struct ledger_room r = {.bytes = row[i].promised};

        m.quota = row[i].quota;
        measure(&l, 1000 * M, row[i].free, 1000, row[i].ifree);
        assert_int_equal(ledger_reserve(&l, &m, r), ERR_OK);
        if (ledger_step(&l, &m) != row[i].status)
            fail_msg("%s: %d", row[i].why, m.status);
        ledger_release(&l, &m, r);
    }
}

/* STO-020: with a quota its own bytes count. */
static void
test_quota(void **state)
{
    struct ledger_member m = {.quota = 500, .stored = 100};
    struct ledger l;
    (void)state;

    ledger_init(&l, &plain);
    measure(&l, 1000, 900, 0, 0);
    assert_int_equal(ledger_total(&l, &m), 500);
    assert_int_equal(ledger_used(&l, &m), 100);
    assert_int_equal(ledger_available(&l, &m).bytes, 400);
    measure(&l, 1000, 50, 0, 0); /* others have filled the disk */
    assert_int_equal(ledger_available(&l, &m).bytes, 50);
    assert_int_equal(ledger_used(&l, &m), 450);
    m.quota = 5000; /* more than there is */
    assert_int_equal(ledger_total(&l, &m), 1000);
    assert_int_equal(ledger_used(&l, &m), 950);
}

static void
test_file(void **state)
{
    static const struct {
        uint64_t size, bytes, inodes;
        const char *why;
    } row[] = {
        {0, 4096, 2, "attr.json"},
        {1, 8192, 2, "a page and attr.json"},
        {4096, 8192, 2, "still a page"},
        {4097, 12288, 2, "two"},
        {16 * M, 16 * M + 4096, 2, "64 block checksums fit into attr.json"},
        {16 * M + 1, 16 * M + 12288, 3, "65 do not"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct ledger_room r = ledger_file(row[i].size);

        if (r.bytes != row[i].bytes || r.inodes != row[i].inodes)
            fail_msg("%s", row[i].why);
    }
    assert_int_equal(ledger_file(UINT64_MAX).bytes, UINT64_MAX);
}

/* 0 overshoot: whatever happens in whatever order, what is on disk and what is
 * promised never exceeds what there is. */
static void
test_no_overshoot(void **state)
{
    const uint64_t total = 10000;
    struct ledger_member m[3] = {{0}, {.quota = 3000}, {0}};
    struct {
        struct ledger_room r;
        unsigned member;
        int stage; /* 0 none, 1 reserved, 2 on disk */
    } up[40] = {{{0, 0}, 0, 0}};
    uint64_t disk = 0, promised = 0, seen = 0;
    struct ledger l;
    struct prng p;
    (void)state;

    prng_init(&p, 5);
    ledger_init(&l, &plain);
    measure(&l, total, total, 0, 0);
    for (unsigned step = 0; step < 200000; step++) {
        unsigned i = (unsigned)prng_below(&p, countof(up));

        if (prng_below(&p, 10) == 0) {
            if (!l.measuring) {
                ledger_measure_begin(&l);
                seen = disk; /* the kernel looks at some moment between */
            } else {
                if (prng_below(&p, 2))
                    seen = disk;
                ledger_measure_end(&l, (struct ledger_room){total, 0},
                                   (struct ledger_room){total - seen, 0});
            }
        } else if (up[i].stage == 0) {
            up[i].member = (unsigned)prng_below(&p, 3);
            up[i].r.bytes = prng_below(&p, 1500);
            if (ledger_reserve(&l, &m[up[i].member], up[i].r) == ERR_OK) {
                up[i].stage = 1;
                promised += up[i].r.bytes;
            }
        } else if (up[i].stage == 1 && prng_below(&p, 3)) {
            /* On the real disk first, in the account after. */
            disk += up[i].r.bytes;
            ledger_take(&l, &m[up[i].member], up[i].r);
            promised -= up[i].r.bytes;
            up[i].stage = 2;
        } else if (up[i].stage == 1) {
            ledger_release(&l, &m[up[i].member], up[i].r);
            promised -= up[i].r.bytes;
            up[i].stage = 0;
        } else {
            disk -= up[i].r.bytes;
            ledger_free(&l, &m[up[i].member], up[i].r);
            up[i].stage = 0;
        }
        assert_true(disk + promised <= total);
        assert_true(m[1].stored + m[1].reserved <= 3000);
        assert_int_equal(l.reserved.bytes, promised);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reserve),   cmocka_unit_test(test_headroom),
        cmocka_unit_test(test_overdrawn), cmocka_unit_test(test_life),
        cmocka_unit_test(test_status),    cmocka_unit_test(test_status_free),
        cmocka_unit_test(test_spent),     cmocka_unit_test(test_quota),
        cmocka_unit_test(test_file),      cmocka_unit_test(test_no_overshoot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
