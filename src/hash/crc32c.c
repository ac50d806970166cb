/* crc32c.c - CRC32C by tables, and arithmetic on checksums.
 *
 * A checksum is a polynomial over GF(2) modulo P, written backwards: the
 * highest bit is the coefficient of x^0, so a shift to the right multiplies by
 * x. The tables advance eight bytes at once ("slicing by 8", Kounavis and
 * Berry, 2005). An entry is the sum of those of its single bits, so that the
 * compiler can make all of them from 64 numbers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include "hash/word.h"

#define POLY 0x82f63b78u /* 1edc6f41 backwards (RFC 9260 appendix A) */

/* Row t, from the lowest bit: a byte of only that bit, then t bytes of zero. */
#define BITS_0                                                              \
    0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, \
        0x417b1dbc, 0x82f63b78
#define BITS_1                                                              \
    0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, \
        0xff17c604, 0xfbc3faf9
#define BITS_2                                                              \
    0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, \
        0xc76580d9, 0x8b277743
#define BITS_3                                                              \
    0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, \
        0xaba65fe7, 0x52a0c93f
#define BITS_4                                                              \
    0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, \
        0x37516aae, 0x6ea2d55c
#define BITS_5                                                              \
    0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, \
        0x0e045beb, 0x1c08b7d6
#define BITS_6                                                              \
    0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, \
        0x7ab7077a, 0xf56e0ef4
#define BITS_7                                                              \
    0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, \
        0x1a00cb32, 0x34019664

#define BIT(n, b, w) (((n) >> (b)&1) * (w))
#define SUM(n, a, b, c, d, e, f, g, h)                                       \
    (BIT(n, 0, a##u) ^ BIT(n, 1, b##u) ^ BIT(n, 2, c##u) ^ BIT(n, 3, d##u) ^ \
     BIT(n, 4, e##u) ^ BIT(n, 5, f##u) ^ BIT(n, 6, g##u) ^ BIT(n, 7, h##u))
#define ENTRY(n, ...) SUM(n, __VA_ARGS__)
#define ROW4(n, ...)                                    \
    ENTRY(n, __VA_ARGS__), ENTRY((n) + 1, __VA_ARGS__), \
        ENTRY((n) + 2, __VA_ARGS__), ENTRY((n) + 3, __VA_ARGS__)
#define ROW16(n, ...)                                 \
    ROW4(n, __VA_ARGS__), ROW4((n) + 4, __VA_ARGS__), \
        ROW4((n) + 8, __VA_ARGS__), ROW4((n) + 12, __VA_ARGS__)
#define ROW64(n, ...)                                    \
    ROW16(n, __VA_ARGS__), ROW16((n) + 16, __VA_ARGS__), \
        ROW16((n) + 32, __VA_ARGS__), ROW16((n) + 48, __VA_ARGS__)
#define ROW256(...)                                            \
    {                                                          \
        ROW64(0u, __VA_ARGS__), ROW64(64u, __VA_ARGS__),       \
            ROW64(128u, __VA_ARGS__), ROW64(192u, __VA_ARGS__) \
    }

static const uint32_t table[8][256] = {
    ROW256(BITS_0), ROW256(BITS_1), ROW256(BITS_2), ROW256(BITS_3),
    ROW256(BITS_4), ROW256(BITS_5), ROW256(BITS_6), ROW256(BITS_7)};

uint32_t
hash_crc_table(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        const uint32_t lo = get_le32(p) ^ crc, hi = get_le32(p + 4);

        crc = table[7][lo & 255] ^ table[6][lo >> 8 & 255] ^
              table[5][lo >> 16 & 255] ^ table[4][lo >> 24] ^
              table[3][hi & 255] ^ table[2][hi >> 8 & 255] ^
              table[1][hi >> 16 & 255] ^ table[0][hi >> 24];
    }
    for (; n > 0; p++, n--)
        crc = table[0][(crc ^ *p) & 255] ^ crc >> 8;
    return crc;
}

uint32_t
hash_crc32c(const struct hash_kernels *k, uint32_t crc, const void *p, size_t n)
{
    return n == 0 ? crc : ~k->crc(~crc, p, n);
}

/* a * b modulo P. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (; a != 0; a <<= 1) {
        product ^= a >> 31 ? b : 0;
        b = b >> 1 ^ (b & 1 ? POLY : 0);
    }
    return product;
}

/* The first piece is followed by N2 bytes, that is multiplied by x^(8 N2); the
 * power is made of the squares of x^8. The inversions before and after cancel
 * out. */
uint32_t
hash_crc32c_combine(uint32_t crc, uint32_t crc2, uint64_t n2)
{
    uint32_t square = 1u << (31 - 8);

    for (; n2 != 0; n2 >>= 1) {
        if (n2 & 1)
            crc = multiply(crc, square);
        square = multiply(square, square);
    }
    return crc ^ crc2;
}
