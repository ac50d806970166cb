/* lanes_test.c - the scheduler with kernels that only keep account, and every
 * real kernel against portable C, lane by lane.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include "base/prng.h"
#include "hash/test_cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A test kernel adds to md5[0] how many blocks a stream was given, and checks
 * that they are the next ones: sha256[0] says where the stream is. */
static uint8_t space[HASH_JOBS_MAX * 64 * HASH_BLOCK];
static size_t cost; /* blocks times calls: how long it would have taken */

static void
account(struct hash_lane *const *lane, unsigned lanes, size_t n)
{
    assert_true(n > 0);
    cost += n;
    for (unsigned i = 0; i < lanes; i++) {
        assert_true(lane[i]->p >= space &&
                    lane[i]->p + n * HASH_BLOCK <= space + sizeof(space));
        if (lane[i]->blocks == 0)
            continue; /* nobody's */
        assert_true(lane[i]->blocks >= n);
        assert_true(lane[i]->p == space + lane[i]->sha256[0]);
        for (unsigned j = 0; j < i; j++)
            assert_true(lane[j] != lane[i]);
        lane[i]->md5[0] += (uint32_t)n;
        lane[i]->sha256[0] += (uint32_t)(n * HASH_BLOCK);
    }
}

static void
account_8(struct hash_lane *const *lane, size_t n)
{
    account(lane, 8, n);
}

static void
account_4(struct hash_lane *const *lane, size_t n)
{
    account(lane, 4, n);
}

static void
account_1(struct hash_lane *const *lane, size_t n)
{
    account(lane, 1, n);
}

static const struct hash_step steps[] = {
    {8, 8, account_8},
    {3, 4, account_4},
    {1, 1, account_1},
};
static const struct hash_kernels accounts = {.name = "accounts",
                                             .steps = steps};

/* Runs N streams of the given numbers of blocks. */
static void
run_accounts(const unsigned *blocks, unsigned n)
{
    uint32_t md5[HASH_JOBS_MAX][4], sha256[HASH_JOBS_MAX][8];
    struct hash_lane lane[HASH_JOBS_MAX];

    cost = 0;
    for (unsigned i = 0; i < n; i++) {
        md5[i][0] = 0;
        sha256[i][0] = i * 64 * HASH_BLOCK;
        lane[i] = (struct hash_lane){md5[i], sha256[i], space + sha256[i][0],
                                     blocks[i]};
    }
    hash_lanes_run(&accounts, lane, n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(md5[i][0], blocks[i]);
}

static void
test_every_block_once(void **state)
{
    struct prng r;
    (void)state;

    prng_init(&r, 1);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned blocks[HASH_JOBS_MAX];
        const unsigned n = (unsigned)prng_below(&r, HASH_JOBS_MAX + 1);

        for (unsigned i = 0; i < n; i++)
            blocks[i] = (unsigned)prng_below(&r, 65);
        run_accounts(blocks, n);
    }
}

static void
test_lanes_stay_full(void **state)
{
    static const struct {
        unsigned n, blocks, first; /* the first stream has other blocks */
        size_t cost;
        const char *why;
    } row[] = {
        {8, 64, 64, 64, "one pass"},
        {16, 64, 64, 128, "two passes"},
        {9, 64, 64, 80, "nine share eight lanes: 72 at best, not 128"},
        {12, 64, 64, 104, "twelve: 96 at best"},
        {4, 64, 64, 64, "four lanes"},
        {3, 64, 64, 64, "one lane free"},
        {5, 64, 64, 88, "five share four lanes: 80 at best, not 128"},
        {2, 64, 64, 128, "one after the other"},
        {9, 8, 64, 72, "the longest begins at once, one other waits"},
        {1, 0, 0, 0, "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        unsigned blocks[HASH_JOBS_MAX];

        for (unsigned j = 0; j < row[i].n; j++)
            blocks[j] = j == 0 ? row[i].first : row[i].blocks;
        run_accounts(blocks, row[i].n);
        if (cost > row[i].cost)
            fail_msg("%s: %zu", row[i].why, cost);
    }
}

static void
test_kernel(HASH_KERNEL((*run)), unsigned lanes, const char *name)
{
    enum { BLOCKS_MAX = 3 * HASH_SLICE / 2 };
    static const size_t counts[] = {1, 2, 3, HASH_SLICE, BLOCKS_MAX};
    struct prng r;

    prng_init(&r, lanes);
    for (size_t c = 0; c < countof(counts); c++) {
        struct hash_lane lane[HASH_LANES_MAX];
        struct hash_lane *row[HASH_LANES_MAX];
        uint32_t st[HASH_LANES_MAX][12], want[HASH_LANES_MAX][12];
        uint8_t *text[HASH_LANES_MAX];
        const size_t n = counts[c];

        for (unsigned i = 0; i < lanes; i++) {
            /* Any alignment, and the end at the end of the memory. */
            text[i] = malloc(i + n * HASH_BLOCK);
            assert_non_null(text[i]);
            prng_fill(&r, text[i], i + n * HASH_BLOCK);
            prng_fill(&r, st[i], sizeof(st[i]));
            memcpy(want[i], st[i], sizeof(st[i]));
            lane[i] = (struct hash_lane){want[i], want[i] + 4, text[i] + i, n};
            row[i] = &lane[i];
            hash_c_x1(&row[i], n);
            lane[i].md5 = st[i];
            lane[i].sha256 = st[i] + 4;
        }
        run(row, n);
        for (unsigned i = 0; i < lanes; i++) {
            if (memcmp(st[i], want[i], sizeof(st[i])) != 0)
                fail_msg("%s: lane %u, %zu blocks", name, i, n);
            free(text[i]);
        }
    }
}

/* Each by itself: a plan may never come to use one. */
static void
test_kernels_alone(void **state)
{
#if defined(__x86_64__)
    const struct hash_cpu cpu = test_cpu();
    const bool ni = cpu.ssse3_sse41 && cpu.sha && cpu.bmi;
    const bool avx512 = cpu.avx512 && cpu.avx2 && cpu.bmi;
    const struct {
        HASH_KERNEL((*run));
        unsigned lanes;
        bool there;
        const char *name;
    } row[] = {
        {hash_bmi_x1, 1, cpu.bmi, "bmi x1"},
        {hash_avx2_x8, 8, cpu.avx2, "avx2 x8"},
        {hash_avx512_x8, 8, avx512, "avx512 x8"},
        {hash_avx512_x16, 16, avx512, "avx512 x16"},
        {hash_ni_x1, 1, ni, "ni x1"},
        {hash_ni_x2, 2, ni, "ni x2"},
        {hash_avx2_ni_x4, 4, ni && cpu.avx2, "avx2 ni x4"},
        {hash_avx2_ni_x6, 6, ni && cpu.avx2, "avx2 ni x6"},
        {hash_avx2_ni_x8, 8, ni && cpu.avx2, "avx2 ni x8"},
        {hash_avx512_ni_x4, 4, ni && avx512, "avx512 ni x4"},
        {hash_avx512_ni_x6, 6, ni && avx512, "avx512 ni x6"},
        {hash_avx512_ni_x8, 8, ni && avx512, "avx512 ni x8"},
    };

    for (size_t i = 0; i < countof(row); i++)
        if (row[i].there)
            test_kernel(row[i].run, row[i].lanes, row[i].name);
#endif
    (void)state;
    test_kernel(hash_c_x1, 1, "c x1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_once),
        cmocka_unit_test(test_lanes_stay_full),
        cmocka_unit_test(test_kernels_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
