/* fuzz_journal.c - journals: any bytes, and each line of any bytes with the
 * right checksum before it. What is read comes out again the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "hash/hash.h"
#include "wire/journal.h"
#include <stdint.h>

static void
read_all(struct slice rest, const struct hash_kernels *k)
{
    struct journal_record r, s;
    uint64_t damaged = 0;
    struct buf b;

    while (journal_next(&rest, &r, &damaged, k)) {
        struct slice again;

        buf_init(&b, 1024);
        assert(journal_encode(&b, &r, k));
        again = buf_slice(&b);
        assert(journal_next(&again, &s, &damaged, k));
        assert(memcmp(&r, &s, sizeof(r)) == 0);
        buf_release(&b);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct hash_kernels *k = hash_select(&(struct hash_cpu){0}, "c");
    struct slice rest = slice_of(p, n), line;
    struct buf b;

    read_all(rest, k);
    buf_init(&b, 64 * KIB);
    while (slice_cut(&rest, '\n', &line)) {
        buf_printf(&b, "%08x ", hash_crc32c(k, 0, line.p, line.n));
        buf_add_slice(&b, line);
        buf_add_char(&b, '\n');
    }
    read_all(buf_slice(&b), k);
    buf_release(&b);
    return 0;
}
