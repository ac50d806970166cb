/* fuzz_attr.c - attr.json: any bytes, and any bytes with the right checksum
 * behind them. What is read comes out again the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "wire/attr.h"
#include "wire/selfsum.h"
#include <stdint.h>

static void
again(const struct attr_doc *d, const struct hash_kernels *k)
{
    struct attr_doc e;
    struct buf a, b;

    /* What is written anew may be larger: blanks, escapes. */
    buf_init(&a, 8 * ATTR_TEXT_MAX);
    buf_init(&b, 8 * ATTR_TEXT_MAX);
    assert(attr_encode(&a, d, k));
    if (a.n <= ATTR_TEXT_MAX) {
        assert(attr_decode(&e, buf_slice(&a), k) == ERR_OK);
        assert(attr_encode(&b, &e, k));
        assert(slice_eq(buf_slice(&a), buf_slice(&b)));
        attr_release(&e);
    }
    buf_release(&a);
    buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct hash_kernels *k = hash_select(&(struct hash_cpu){0}, "c");
    struct attr_doc d;
    struct buf b;

    if (attr_decode(&d, slice_of(p, n), k) == ERR_OK)
        again(&d, k);
    attr_release(&d);
    buf_init(&b, ATTR_TEXT_MAX);
    if (n && buf_add(&b, p, n) && selfsum_close(&b, 0, k) &&
        attr_decode(&d, buf_slice(&b), k) == ERR_OK) {
        again(&d, k);
        attr_release(&d);
    }
    buf_release(&b);
    return 0;
}
