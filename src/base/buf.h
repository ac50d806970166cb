/* buf.h - a growing byte buffer that is born with its ceiling.
 *
 * Appending past the ceiling, or with no memory left, sets `failed`, adds
 * nothing from then on and returns false: a caller may append many things and
 * look once at the end. The bytes always have a zero behind them, so that
 * buf_str() is a C string.
 *
 *     struct buf b;
 *     buf_init(&b, 64 * KIB);
 *     buf_printf(&b, "%s %d\n", name, n);
 *     if (b.failed) ...
 *     buf_release(&b);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"
#include <stdarg.h>

struct buf {
    char *p; /* NULL until the first append */
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
/* Empty again, keeps its memory, forgets a failure. */
void buf_clear(struct buf *b);

bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_add_slice(struct buf *b, struct slice s);
bool buf_add_str(struct buf *b, const char *s);
bool buf_add_char(struct buf *b, char c);
bool buf_add_u64(struct buf *b, uint64_t v);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* Room for N more bytes at the end, to be filled and then counted with b->n +=;
 * NULL (and failed) over the ceiling. */
char *buf_reserve(struct buf *b, size_t n);

static inline const char *
buf_str(const struct buf *b)
{
    return b->p ? b->p : "";
}

static inline struct slice
buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
