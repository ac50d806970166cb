/* slice.c - the longer functions of slice.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

static inline unsigned char
lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

int
slice_cmp(struct slice a, struct slice b)
{
    size_t n = size_min(a.n, b.n);
    int r = n ? memcmp(a.p, b.p, n) : 0;

    return r ? r : (a.n > b.n) - (a.n < b.n);
}

size_t
slice_find(struct slice s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

bool
slice_cut(struct slice *rest, char c, struct slice *part)
{
    size_t at;

    if (rest->p == NULL)
        return false;
    at = slice_find(*rest, c);
    *part = slice_head(*rest, at);
    if (at < rest->n)
        *rest = slice_skip(*rest, at + 1);
    else
        *rest = SLICE_NULL;
    return true;
}

bool
slice_cut_n(struct slice *rest, char c, struct slice *part, size_t n)
{
    bool all = true;

    for (size_t i = 0; i < n; i++) {
        part[i] = SLICE_NULL;
        all = slice_cut(rest, c, &part[i]);
    }
    return all;
}

struct slice
slice_trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool
slice_u64(struct slice s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool
slice_copy(struct slice s, char *dst, size_t cap)
{
    if (cap)
        dst[0] = 0;
    if (s.n >= cap || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(dst, s.p, s.n);
    dst[s.n] = 0;
    return true;
}
