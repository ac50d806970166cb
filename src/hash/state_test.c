/* state_test.c - a hash in progress survives as bytes (D29).
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "base/hex.h"
#include "base/prng.h"
#include "hash/lanes.h"
#include "hash/test_cpu.h"
#include "hash/word.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static uint8_t text[1000];

static void
take(const struct hash_kernels *k, struct hash_state *s, size_t from, size_t to)
{
    struct hash_job j = {s, text + from, to - from};

    hash_run(k, &j, 1);
}

/* Saved at every byte by one set, continued by another. */
static void
test_continue(void **state)
{
    const struct hash_kernels *k = test_kernels(0), *k2;
    (void)state;

    for (unsigned i = 0; (k2 = test_kernels(i)) != NULL; i++)
        for (size_t cut = 0; cut <= 200; cut++) {
            struct hash_state s, t;
            struct hash_digests want, got;
            uint8_t saved[HASH_STATE_SIZE];

            hash_init(&s);
            take(k, &s, 0, cut);
            hash_state_save(&s, saved);
            take(k, &s, cut, sizeof(text));
            hash_final(k, &s, &want);
            assert_int_equal(hash_state_load(&t, saved), ERR_OK);
            assert_int_equal(t.length, cut);
            take(k2, &t, cut, sizeof(text));
            hash_final(k2, &t, &got);
            assert_memory_equal(&got, &want, sizeof(want));
        }
}

/* The form is on disks: it never changes. */
static void
test_form(void **state)
{
    static const char *want =
        "61687331"
        "0123456789abcdeffedcba9876543210"
        "67e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19cde05b"
        "0300000000000000"
        "616263";
    struct hash_state s;
    struct hash_job j = {&s, (const uint8_t *)"abc", 3};
    uint8_t saved[HASH_STATE_SIZE];
    char hex[2 * HASH_STATE_SIZE + 1];
    (void)state;

    hash_init(&s);
    hash_run(test_kernels(0), &j, 1);
    memset(s.tail + 3, 0xee, sizeof(s.tail) - 3); /* must not show */
    hash_state_save(&s, saved);
    hex_encode(saved, sizeof(saved), hex);
    assert_memory_equal(hex, want, strlen(want));
    for (size_t i = 63; i < 124; i++)
        assert_int_equal(saved[i], 0);
    assert_int_equal(get_le32(saved + 124),
                     hash_crc32c(test_kernels(0), 0, saved, 124));
}

static void
test_damage(void **state)
{
    struct hash_state s, t, before;
    uint8_t saved[HASH_STATE_SIZE];
    (void)state;

    hash_init(&s);
    take(test_kernels(0), &s, 0, 100);
    hash_state_save(&s, saved);
    memset(&t, 0x55, sizeof(t));
    before = t;
    for (size_t i = 0; i < sizeof(saved); i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            saved[i] = (uint8_t)(saved[i] ^ 1u << bit);
            assert_int_equal(hash_state_load(&t, saved),
                             i < 4 ? ERR_UNSUPPORTED : ERR_CORRUPT);
            assert_memory_equal(&t, &before, sizeof(t));
            saved[i] = (uint8_t)(saved[i] ^ 1u << bit);
        }
    assert_int_equal(hash_state_load(&t, saved), ERR_OK);
}

/* Right checksum, but nothing that hash_state_save could have written. */
static void
test_impossible(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *why;
    } row[] = {
        {59, 0x20, "over HASH_LENGTH_MAX"},
        {60 + 36, 1, "a byte behind the tail"},
        {123, 1, "the last byte behind the tail"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct hash_state s, t;
        uint8_t saved[HASH_STATE_SIZE];

        hash_init(&s);
        take(test_kernels(0), &s, 0, 100); /* 36 in the tail */
        hash_state_save(&s, saved);
        assert_int_equal(saved[row[i].at], 0);
        saved[row[i].at] = row[i].value;
        put_le32(saved + 124, hash_crc32c(test_kernels(0), 0, saved, 124));
        if (hash_state_load(&t, saved) != ERR_CORRUPT)
            fail_msg("%s", row[i].why);
    }
}

static int
setup(void **state)
{
    struct prng r;
    (void)state;

    prng_init(&r, 7);
    prng_fill(&r, text, sizeof(text));
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_impossible),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
