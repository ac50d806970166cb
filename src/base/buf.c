/* buf.c - growth by doubling up to the ceiling; one byte more is kept for the
 * zero behind. SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST ((size_t)256)

void
buf_init(struct buf *b, size_t max)
{
    assert(max < SIZE_MAX / 2);
    *b = (struct buf){.max = max};
}

void
buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void
buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = 0;
}

/* Room for N more bytes and the zero. */
static bool
grow(struct buf *b, size_t n)
{
    size_t need, cap;
    char *p;

    if (b->failed)
        return false;
    if (n > b->max - b->n)
        goto fail;
    need = b->n + n + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap ? b->cap : BUF_FIRST;
    while (cap < need)
        cap *= 2;
    cap = size_min(cap, b->max + 1);
    p = realloc(b->p, cap);
    if (!p)
        goto fail;
    b->p = p;
    b->cap = cap;
    b->p[b->n] = 0;
    return true;
fail:
    b->failed = true;
    return false;
}

bool
buf_add(struct buf *b, const void *p, size_t n)
{
    if (!grow(b, n))
        return false;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
    return true;
}

bool
buf_add_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.p, s.n);
}

bool
buf_add_str(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

bool
buf_add_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool
buf_add_u64(struct buf *b, uint64_t v)
{
    char d[20];
    size_t at = sizeof(d);

    do {
        d[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return buf_add(b, d + at, sizeof(d) - at);
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    ok = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return ok;
}

bool
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    /* Once to count and once to write: a guess would have to be undone when
     * it is over the ceiling. */
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) {
        b->failed = true;
        return false;
    }
    if (!grow(b, (size_t)n))
        return false;
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    b->n += (size_t)n;
    return true;
}

char *
buf_reserve(struct buf *b, size_t n)
{
    return grow(b, n) ? b->p + b->n : NULL;
}
