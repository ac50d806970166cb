/* slice.h - bytes that belong to someone else: a pointer and a length.
 *
 * A slice never owns, is passed by value, and need not end in zero. An empty
 * slice may have a NULL pointer. Comparisons are of bytes, in the C locale.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include "base/base.h"
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE_NULL ((struct slice){NULL, 0})
/* A slice of a string literal, its length known to the compiler. */
#define SLICE(lit) ((struct slice){(lit), sizeof(lit) - 1})
/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline struct slice
slice_of(const void *p, size_t n)
{
    return (struct slice){p, n};
}

/* S ends in zero, or is NULL: then the slice is empty. */
static inline struct slice
slice_str(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
slice_starts(struct slice s, struct slice head)
{
    return s.n >= head.n && (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
}

static inline bool
slice_ends(struct slice s, struct slice tail)
{
    return s.n >= tail.n &&
           (tail.n == 0 || memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0);
}

/* Without the first K bytes; empty when there are fewer. */
static inline struct slice
slice_skip(struct slice s, size_t k)
{
    if (s.p == NULL)
        return SLICE_NULL;
    k = size_min(k, s.n);
    return (struct slice){s.p + k, s.n - k};
}

static inline struct slice
slice_head(struct slice s, size_t k)
{
    return (struct slice){s.p, size_min(k, s.n)};
}

/* Letters A-Z compare as a-z; other bytes as they are. */
bool slice_eq_nocase(struct slice a, struct slice b);
int slice_cmp(struct slice a, struct slice b);

/* Where byte C first is, or S.n. */
size_t slice_find(struct slice s, char c);

/* Takes what stands before the first C off *REST, and C itself; the whole rest
 * when there is no C. False when *REST was already used up (p == NULL). */
bool slice_cut(struct slice *rest, char c, struct slice *part);
/* The same N times. Parts that are missing are SLICE_NULL; false: some are. */
bool slice_cut_n(struct slice *rest, char c, struct slice *part, size_t n);

/* Without spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* Decimal digits only, no sign, no blank, no overflow; else false. */
bool slice_u64(struct slice s, uint64_t *out);

/* Copies S with a zero behind it into DST of CAP bytes; false, with DST the
 * empty string, when it does not fit or S holds a zero. */
bool slice_copy(struct slice s, char *dst, size_t cap);

#endif
