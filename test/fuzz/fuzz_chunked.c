/* fuzz_chunked.c - chunked bodies: the first byte says how the rest is cut into
 * arrivals, which must not change what is decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "wire/chunked.h"
#include <stdlib.h>

static const struct chunked_limits limits = {100000, 64, 256};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct chunked a, b;
    size_t used, out, at = 0, got = 0;
    enum chunked_result whole, cut = CHUNKED_MORE;
    struct prng r;
    char *p, *all;

    if (n < 2)
        return 0;
    prng_init(&r, data[0]);
    data++;
    n--;
    all = malloc(n);
    p = malloc(n);
    assert(all && p);
    memcpy(all, data, n);
    chunked_init(&a, &limits);
    whole = chunked_decode(&a, all, n, &used, &out);
    assert(out <= used && used <= n && a.total == out);
    assert(whole != CHUNKED_MORE || used == n);

    chunked_init(&b, &limits);
    while (cut == CHUNKED_MORE && at < n) {
        size_t k = 1 + prng_below(&r, n - at), u, d;
        char *piece = malloc(k);

        assert(piece);
        memcpy(piece, data + at, k);
        cut = chunked_decode(&b, piece, k, &u, &d);
        assert(d <= u && u <= k && (cut != CHUNKED_MORE || u == k));
        memcpy(p + got, piece, d);
        got += d;
        at += u;
        free(piece);
    }
    assert(whole == cut && at == used && got == out);
    assert(out == 0 || memcmp(p, all, out) == 0);
    assert(a.refusal == b.refusal && (whole == CHUNKED_REFUSED) == !!a.refusal);
    assert(a.ntrailers == b.ntrailers);
    for (uint32_t i = 0; i < a.ntrailers; i++) {
        assert(slice_eq(a.trailer[i].name, b.trailer[i].name));
        assert(slice_eq(a.trailer[i].value, b.trailer[i].value));
        assert(chunked_trailer_allowed(a.trailer[i].name));
    }
    free(all);
    free(p);
    return 0;
}
