/* fuzz_multipart.c - form data: the first byte says how the body is cut into
 * arrivals, the first line is a Content-Type, the rest the body. What the
 * events tell must not depend on the cuts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/prng.h"
#include "wire/multipart.h"
#include <stdlib.h>

#define PARTS_MAX 8

static void
tell(struct buf *b, struct multipart *m, const struct multipart_event *ev)
{
    const struct multipart_part *p = &ev->part;

    switch (ev->kind) {
    case MULTIPART_PART:
        assert(p->name.n > 0 && p->name.n <= MULTIPART_NAME_MAX);
        assert(p->filename.n <= MULTIPART_FILENAME_MAX);
        buf_printf(b, "\n+%u:", p->nfields);
        buf_add_slice(b, p->name);
        buf_add_char(b, '/');
        buf_add_slice(b, p->filename);
        buf_add_char(b, '/');
        buf_add_slice(b, p->content_type);
        break;
    case MULTIPART_DATA:
        assert(ev->data.n > 0 && ev->data.n == ev->used);
        buf_add_slice(b, ev->data);
        break;
    case MULTIPART_PART_END:
        buf_add_str(b, "\n|");
        break;
    case MULTIPART_END:
        buf_add_str(b, "\n.");
        break;
    case MULTIPART_ERROR:
        assert(m->error != MULTIPART_OK);
        buf_printf(b, "\n!%s", multipart_error_code(m->error));
        break;
    case MULTIPART_MORE:
        break;
    }
}

static void
scan(struct multipart m, struct slice body, struct prng *r, struct buf *out)
{
    struct multipart_event ev = {.kind = MULTIPART_MORE};
    size_t at = 0, held = 0;

    while (at < body.n && ev.kind != MULTIPART_ERROR) {
        size_t k = r ? 1 + prng_below(r, body.n - at) : body.n;
        size_t n = held + k, used = 0;
        char *p = malloc(n);

        /* Unescaping writes only to bytes that are used up: what is held is
         * as it came. */
        assert(p);
        memcpy(p, body.p + at - held, n);
        do {
            multipart_next(&m, p + used, n - used, &ev);
            assert(ev.used <= n - used);
            assert(ev.used || ev.kind == MULTIPART_MORE ||
                   ev.kind == MULTIPART_ERROR);
            tell(out, &m, &ev);
            used += ev.used;
        } while (ev.kind != MULTIPART_MORE && ev.kind != MULTIPART_ERROR);
        at += k;
        held = n - used;
        assert(ev.kind == MULTIPART_ERROR ||
               held < (m.state == MULTIPART_IN_DATA ? m.ndelim
                                                    : MULTIPART_HOLD_MAX + 1));
        free(p);
    }
    if (ev.kind != MULTIPART_ERROR && !multipart_finish(&m))
        buf_printf(out, "\n!%s", multipart_error_code(m.error));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in, type;
    struct multipart m;
    struct buf a, b;
    struct prng r;

    if (n < 2)
        return 0;
    prng_init(&r, data[0]);
    in = slice_of(data + 1, n - 1);
    slice_cut(&in, '\n', &type);
    if (!multipart_init_type(&m, type, PARTS_MAX))
        return 0;
    buf_init(&a, 4 * n + 1000);
    buf_init(&b, 4 * n + 1000);
    scan(m, in, NULL, &a);
    scan(m, in, &r, &b);
    assert(!a.failed && !b.failed);
    assert(slice_eq(buf_slice(&a), buf_slice(&b)));
    buf_release(&a);
    buf_release(&b);
    return 0;
}
