/* utf8.c - RFC 3629 section 4, read as ranges of the second byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/utf8.h"

static bool
is_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t
utf8_next(struct slice s, uint32_t *code)
{
    unsigned char c, lo = 0x80, hi = 0xbf;
    uint32_t v;
    size_t len;

    if (s.n == 0)
        return 0;
    c = (unsigned char)s.p[0];
    if (c < 0x80) {
        if (code)
            *code = c;
        return 1;
    }
    if (c < 0xc2 || c > 0xf4)
        return 0;
    len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (s.n < len)
        return 0;
    if (c == 0xe0)
        lo = 0xa0; /* shorter forms exist */
    else if (c == 0xed)
        hi = 0x9f; /* surrogates */
    else if (c == 0xf0)
        lo = 0x90;
    else if (c == 0xf4)
        hi = 0x8f; /* above U+10FFFF */
    if ((unsigned char)s.p[1] < lo || (unsigned char)s.p[1] > hi)
        return 0;
    v = c & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_tail(s.p[i]))
            return 0;
        v = v << 6 | ((unsigned char)s.p[i] & 0x3fu);
    }
    if (code)
        *code = v;
    return len;
}

bool
utf8_valid(struct slice s)
{
    while (s.n) {
        size_t k = utf8_next(s, NULL);

        if (k == 0)
            return false;
        s = slice_skip(s, k);
    }
    return true;
}

struct slice
utf8_head(struct slice s, size_t n)
{
    if (n >= s.n)
        return s;
    while (n && is_tail(s.p[n]))
        n--;
    return slice_head(s, n);
}
