/* line.h - text into a fixed piece of memory, for lines that have a ceiling.
 *
 * Log records, access records and metric lines are written with this: no
 * allocation, no stdio, a bound that cannot be overrun. What does not fit whole
 * is left out whole and sets `cut`, so that the writer of a record can take
 * back the last field and say so; nothing is added after that. Any thread, one
 * at a time per line. SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_LINE_H
#define OBS_LINE_H

#include "base/mono.h"
#include "base/slice.h"

struct line {
    char *p;
    size_t n;
    size_t cap;
    bool cut;
};

static inline void
line_init(struct line *l, char *p, size_t cap)
{
    *l = (struct line){p, 0, cap, false};
}

static inline struct slice
line_slice(const struct line *l)
{
    return (struct slice){l->p, l->n};
}

/* Back to N bytes, with room again. */
static inline void
line_back(struct line *l, size_t n)
{
    l->n = n;
    l->cut = false;
}

/* Inline, so that literals cost a move and not a call: an access record is
 * made of fifty of them. */
static inline void
line_add(struct line *l, const void *p, size_t n)
{
    if (l->cut || n > l->cap - l->n) {
        l->cut = true;
        return;
    }
    if (n)
        memcpy(l->p + l->n, p, n);
    l->n += n;
}

static inline void
line_str(struct line *l, const char *s)
{
    line_add(l, s, strlen(s));
}

static inline void
line_char(struct line *l, char c)
{
    line_add(l, &c, 1);
}

void line_u64(struct line *l, uint64_t v);
void line_i64(struct line *l, int64_t v);
/* V / 10^DIGITS as a decimal without trailing zeros: 1500, 3 -> "1.5". */
void line_fixed(struct line *l, int64_t v, unsigned digits);
void line_hex(struct line *l, const void *p, size_t n);
/* RFC 3339 in UTC with milliseconds: 2026-11-21T09:46:00.123Z (PRD-192). */
void line_time(struct line *l, struct wall t);

/* S as a JSON string with its quotes. Controls (C0, DEL and C1, which move the
 * cursor of a terminal) are escaped, bytes that are not UTF-8 become U+FFFD, so
 * that no data from outside can end the line or the record (PRD-194). Of a
 * longer S the first MAX bytes are taken and "..." set behind. */
void line_json(struct line *l, struct slice s, size_t max);
/* The same for the text format: bare when S is a plain word, else quoted. */
void line_word(struct line *l, struct slice s, size_t max);

#endif
