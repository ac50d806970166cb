/* footer_test.c - the bytes of a footer, and that none but the right one fits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/footer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Both ends may be of different versions: the bytes are a promise. */
static void
test_bytes(void **state)
{
    static const uint8_t want[FOOTER_SIZE] = {
        'A',  'S',  'F',  '1',  0x83, 0x92, 0x06, 0xe3,
        0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01};
    const struct footer f = {0x0102030405060708, 0xe3069283};
    struct footer back;
    uint8_t b[FOOTER_SIZE];
    (void)state;

    footer_encode(&f, b);
    assert_memory_equal(b, want, sizeof(want));
    assert_true(footer_decode(&back, b));
    assert_int_equal(back.length, f.length);
    assert_int_equal(back.crc, f.crc);
}

static void
test_fits(void **state)
{
    static const struct {
        uint64_t length;
        uint32_t crc;
        bool fits;
        const char *why;
    } row[] = {
        {5, 7, true, "the one that was sent"},
        {4, 7, false, "a byte is missing"},
        {6, 7, false, "a byte is too many"},
        {5, 8, false, "other bytes"},
        {5 + (1ull << 32), 7, false, "the upper half counts"},
    };
    const struct footer f = {5, 7};
    uint8_t b[FOOTER_SIZE];
    (void)state;

    footer_encode(&f, b);
    for (size_t i = 0; i < countof(row); i++)
        if (footer_fits(b, row[i].length, row[i].crc) != row[i].fits)
            fail_msg("%s", row[i].why);
}

/* Whatever bit is turned over, it does not fit any more. */
static void
test_damage(void **state)
{
    const struct footer f = {123456789, 0x13579bdf};
    uint8_t b[FOOTER_SIZE];
    (void)state;

    footer_encode(&f, b);
    for (unsigned bit = 0; bit < 8 * FOOTER_SIZE; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(footer_fits(b, f.length, f.crc));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(footer_fits(b, f.length, f.crc));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
