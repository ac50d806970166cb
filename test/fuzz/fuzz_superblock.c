/* fuzz_superblock.c - superblocks: any bytes, and any bytes with the right
 * checksum behind them. What is read comes out again the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "wire/selfsum.h"
#include "wire/superblock.h"
#include <stdint.h>

static void
check(struct slice text, const struct hash_kernels *k)
{
    static struct superblock s, t;
    struct buf b;

    if (superblock_decode(&s, text, k) != ERR_OK)
        return;
    buf_init(&b, 8 * SUPERBLOCK_TEXT_MAX);
    assert(superblock_encode(&b, &s, k));
    if (b.n <= SUPERBLOCK_TEXT_MAX) {
        assert(superblock_decode(&t, buf_slice(&b), k) == ERR_OK);
        assert(memcmp(&s, &t, sizeof(s)) == 0);
    }
    buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct hash_kernels *k = hash_select(&(struct hash_cpu){0}, "c");
    struct buf b;

    check(slice_of(p, n), k);
    buf_init(&b, SUPERBLOCK_TEXT_MAX);
    if (n && buf_add(&b, p, n) && selfsum_close(&b, 0, k))
        check(buf_slice(&b), k);
    buf_release(&b);
    return 0;
}
