/* crc32c_test.c - every way of CRC32C. SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "base/prng.h"
#include "hash/test_cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* 0: table, 1: crc32 instruction, 2: carry-less multiplying; NULL if the
 * processor has not got it. */
static const struct hash_kernels *
way(unsigned i)
{
    static const char *names[] = {"table", "sse4.2", "vpclmulqdq"};
    struct hash_cpu cpu = test_cpu();
    const struct hash_kernels *k;

    cpu.sse42 = cpu.sse42 && i >= 1;
    cpu.vpclmul = cpu.vpclmul && i >= 2;
    k = hash_select(&cpu, i == 0 ? "c" : NULL);
    assert_non_null(k);
    return strcmp(hash_kernels_crc_name(k), names[i]) == 0 ? k : NULL;
}

#define WAYS 3

static void
test_known(void **state)
{
    static const uint8_t read_pdu[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0,
    };
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    const struct {
        const void *p;
        size_t n;
        uint32_t crc;
        const char *why;
    } row[] = {
        {"123456789", 9, 0xe3069283, "the check value of the catalogues"},
        {"", 0, 0, "nothing"},
        {zeros, 32, 0x8a9136aa, "RFC 3720 B.4: zeros"},
        {ones, 32, 0x62a8ab43, "RFC 3720 B.4: ones"},
        {up, 32, 0x46dd794e, "RFC 3720 B.4: 0 to 31"},
        {down, 32, 0x113fdb5c, "RFC 3720 B.4: 31 to 0"},
        {read_pdu, 48, 0xd9963a56, "RFC 3720 B.4: a SCSI read"},
    };
    (void)state;

    memset(ones, 0xff, sizeof(ones));
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    for (unsigned w = 0; w < WAYS; w++)
        for (size_t i = 0; way(w) != NULL && i < countof(row); i++)
            if (hash_crc32c(way(w), 0, row[i].p, row[i].n) != row[i].crc)
                fail_msg("way %u: %s", w, row[i].why);
}

/* From the definition (RFC 9260 appendix A), one bit after the other. */
static uint32_t
bit_by_bit(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n > 0; n--) {
        crc ^= *p++;
        for (unsigned i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* Every length up to four of the largest step, in memory of that size. */
static void
test_lengths(void **state)
{
    struct prng r;
    (void)state;

    prng_init(&r, 3);
    for (size_t n = 0; n < 3400; n += n < 1100 ? 1 : 7) {
        const size_t shift = prng_below(&r, 64);
        const uint32_t before = (uint32_t)prng_next(&r);
        uint8_t *p = malloc(shift + n + 1);
        uint32_t want;

        assert_non_null(p);
        p = realloc(p, shift + n + (shift + n == 0));
        assert_non_null(p);
        prng_fill(&r, p, shift + n);
        want = bit_by_bit(before, p + shift, n);
        for (unsigned w = 0; w < WAYS; w++)
            if (way(w) != NULL &&
                hash_crc32c(way(w), before, p + shift, n) != want)
                fail_msg("way %u: %zu bytes", w, n);
        free(p);
    }
}

static void
test_pieces_and_combine(void **state)
{
    enum { N = 300000 };
    struct prng r;
    uint8_t *p = malloc(N);
    (void)state;

    assert_non_null(p);
    prng_init(&r, 4);
    prng_fill(&r, p, N);
    for (unsigned w = 0; w < WAYS; w++)
        for (unsigned i = 0; way(w) != NULL && i < 40; i++) {
            const size_t cut = i == 0 ? 0 : i == 1 ? N : prng_below(&r, N);
            const uint32_t all = hash_crc32c(way(0), 0, p, N);
            const uint32_t a = hash_crc32c(way(w), 0, p, cut);
            const uint32_t b = hash_crc32c(way(w), 0, p + cut, N - cut);

            assert_int_equal(hash_crc32c(way(w), a, p + cut, N - cut), all);
            assert_int_equal(hash_crc32c_combine(a, b, N - cut), all);
        }
    free(p);
}

/* Far lengths: ((a b) c) is (a (b c)). */
static void
test_combine_far(void **state)
{
    const uint64_t n1 = UINT64_C(1) << 40, n2 = (UINT64_C(1) << 61) - 12345;
    const uint32_t a = 0x12345678, b = 0x9abcdef0, c = 0x0fedcba9;
    (void)state;

    assert_int_equal(
        hash_crc32c_combine(hash_crc32c_combine(a, b, n1), c, n2),
        hash_crc32c_combine(a, hash_crc32c_combine(b, c, n2), n1 + n2));
    assert_int_equal(hash_crc32c_combine(a, 0, 0), a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_pieces_and_combine),
        cmocka_unit_test(test_combine_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
