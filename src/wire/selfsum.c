/* selfsum.c - see selfsum.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/selfsum.h"
#include "wire/utf8.h"
#include <stdio.h>

#define HEAD    ",\n  \"checksum\": \""
#define TAIL    "\"\n}\n"
#define SUM_LEN (sizeof(HEAD) - 1 + 8 + sizeof(TAIL) - 1)

bool
selfsum_close(struct buf *b, size_t from, const struct hash_kernels *k)
{
    uint32_t crc;

    if (b->failed)
        return false;
    crc = hash_crc32c(k, 0, b->p + from, b->n - from);
    return buf_printf(b, HEAD "%08x" TAIL, crc);
}

bool
selfsum_check(struct slice text, const struct hash_kernels *k)
{
    char want[SUM_LEN + 1];
    size_t n;

    if (text.n < SUM_LEN)
        return false;
    n = text.n - SUM_LEN;
    snprintf(want, sizeof(want), HEAD "%08x" TAIL,
             hash_crc32c(k, 0, text.p, n));
    return memcmp(text.p + n, want, SUM_LEN) == 0;
}

bool
selfsum_string(struct buf *b, struct slice s)
{
    buf_add_char(b, '"');
    while (s.n) {
        size_t k = utf8_next(s, NULL);
        uint8_t c = (uint8_t)s.p[0];

        if (k == 0)
            buf_add_str(b, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_add(b, s.p, k);
        s = slice_skip(s, k ? k : 1);
    }
    return buf_add_char(b, '"');
}
