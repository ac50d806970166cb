/* fuzz_range.c - Range and Content-Range: the first eight bytes are the size of
 * the file. SPDX-License-Identifier: Apache-2.0 */
#include "wire/range.h"

static void
try_range(struct slice s, uint64_t size)
{
    struct http_ranges r;
    enum http_range_answer a = http_ranges_resolve(s, size, &r);
    char text[HTTP_CONTENT_RANGE_TEXT];
    struct http_content_range c;

    assert((a == HTTP_RANGE_PARTIAL) == (r.n > 0) && r.n <= HTTP_RANGES_MAX);
    for (uint32_t i = 0; i < r.n; i++) {
        assert(r.r[i].n > 0 && r.r[i].first < size);
        assert(r.r[i].n <= size - r.r[i].first);
        for (uint32_t k = 0; k < i; k++) /* neither overlap nor touch */
            assert(r.r[k].first + r.r[k].n < r.r[i].first ||
                   r.r[i].first + r.r[i].n < r.r[k].first);
        http_content_range_text(r.r[i], size, text);
        assert(http_content_range_parse(slice_str(text), &c));
        assert(c.has_range && c.has_total && c.total == size);
        assert(c.first == r.r[i].first && c.last - c.first + 1 == r.r[i].n);
    }
    http_byteranges_length(&r, SLICE("x"), SLICE("a/b"), size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct http_content_range c;
    struct slice s;
    uint64_t size;

    if (n < 8)
        return 0;
    memcpy(&size, data, 8);
    s = slice_of(data + 8, n - 8);
    try_range(s, size);
    try_range(s, size & 1023);
    if (http_content_range_parse(s, &c)) {
        assert(c.has_range || c.has_total);
        assert(!c.has_range || c.first <= c.last);
        assert(!c.has_range || !c.has_total || c.last < c.total);
    }
    return 0;
}
