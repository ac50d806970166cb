/* fuzz_blobs.c - what gateways and elements say to each other: any JSON as the
 * attributes of a file, any bytes as a footer or a trailer. What is read comes
 * out again the same. SPDX-License-Identifier: Apache-2.0 */
#include "wire/blobs.h"
#include <stdlib.h>

static void
try_attr(struct slice text)
{
    struct json_error e = {0};
    json_t *o = json_read(text, &e);
    struct file_attr a, b;
    struct json_writer w;
    struct buf out;
    json_t *again;

    if (!blobs_get_attr(o, &a, &e)) {
        assert(e.text[0] && a.metadata == NULL);
        json_decref(o);
        return;
    }
    json_decref(o);
    buf_init(&out, MIB);
    json_begin(&w, &out);
    blobs_put_attr(&w, NULL, &a);
    again = json_read_limited(buf_slice(&out),
                              &(struct json_limits){MIB, 4, 100, false}, &e);
    assert(blobs_get_attr(again, &b, &e));
    assert(a.size == b.size && a.seq == b.seq && a.state == b.state);
    assert(strcmp(a.original_filename, b.original_filename) == 0);
    assert(!a.metadata == !b.metadata &&
           (!a.metadata || strcmp(a.metadata, b.metadata) == 0));
    json_decref(again);
    buf_release(&out);
    free((void *)(uintptr_t)a.metadata);
    free((void *)(uintptr_t)b.metadata);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t back[FOOTER_SIZE];
    struct blobs_trailer t;
    struct footer f;

    if (n >= FOOTER_SIZE && footer_decode(&f, p)) {
        footer_encode(&f, back);
        assert(memcmp(back, p, FOOTER_SIZE) == 0);
        assert(footer_fits(p, f.length, f.crc));
        assert(!footer_fits(p, f.length + 1, f.crc));
    }
    if (n >= BLOBS_TRAILER_SIZE && blobs_get_trailer(&t, p)) {
        blobs_put_trailer(&t, back);
        assert(memcmp(back, p, BLOBS_TRAILER_SIZE) == 0);
    }
    try_attr(slice_of(p, n));
    return 0;
}
