/* query.c - percent encoding. SPDX-License-Identifier: Apache-2.0 */
#include "wire/query.h"
#include "base/hex.h"
#include "wire/form.h"

static bool
decode(struct slice s, bool plus, char *dst, size_t *n)
{
    size_t out = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (s.n - i < 3 || !hex_decode(slice_of(s.p + i + 1, 2), &c, 1) ||
                c == 0)
                return false;
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        } else if (c == 0) {
            return false;
        }
        dst[out++] = c;
    }
    *n = out;
    return true;
}

bool
pct_decode(struct slice s, char *dst, size_t *n)
{
    return decode(s, false, dst, n);
}

static bool
is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

bool
pct_encode(struct buf *b, struct slice s, bool slash)
{
    static const char digit[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char hex[3] = {'%', digit[c >> 4], digit[c & 15]};

        if (is_unreserved(s.p[i]) || (slash && c == '/'))
            buf_add_char(b, s.p[i]);
        else
            buf_add(b, hex, 3);
    }
    return !b->failed;
}

void
query_init(struct query *q, struct slice s, char *text, size_t cap,
           uint32_t pairs_max)
{
    *q = (struct query){s, text, cap, pairs_max};
}

enum query_result
query_next(struct query *q, struct slice *key, struct slice *value)
{
    struct slice pair, k;
    size_t n;

    do {
        if (!slice_cut(&q->rest, '&', &pair))
            return QUERY_END;
    } while (pair.n == 0);
    if (q->left == 0 || pair.n > q->cap)
        return QUERY_LONG;
    q->left--;
    slice_cut(&pair, '=', &k);
    if (!decode(k, true, q->text, &n))
        return QUERY_BAD;
    *key = slice_of(q->text, n);
    *value = SLICE_NULL;
    if (pair.p) {
        char *at = q->text + n;

        if (!decode(pair, true, at, &n))
            return QUERY_BAD;
        *value = slice_of(at, n);
    }
    return QUERY_OK;
}

enum query_result
query_get(struct slice s, struct slice key, char *dst, size_t cap, size_t *n)
{
    enum query_result found = QUERY_END;
    char name[3 * QUERY_KEY_MAX];
    struct slice pair, k;
    size_t len = 0, name_n;

    assert(cap > 0 && key.n <= QUERY_KEY_MAX);
    dst[0] = 0;
    for (uint32_t i = 0; slice_cut(&s, '&', &pair); i++) {
        if (i >= QUERY_PAIRS_MAX)
            return QUERY_LONG;
        if (pair.n == 0)
            continue;
        slice_cut(&pair, '=', &k);
        if (k.n > sizeof(name)) /* another key, however it decodes */
            continue;
        if (!decode(k, true, name, &name_n))
            return QUERY_BAD;
        if (!slice_eq(slice_of(name, name_n), key))
            continue;
        if (found == QUERY_OK)
            return QUERY_BAD;
        if (pair.n >= cap)
            return QUERY_LONG;
        if (!decode(pair, true, dst, &len))
            return QUERY_BAD;
        dst[len] = 0;
        found = QUERY_OK;
    }
    if (n)
        *n = len;
    return found;
}

/* Control bytes, and what is a separator on some system. */
static bool
is_segment(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
            return false;
    }
    return !slice_eq(s, SLICE(".")) && !slice_eq(s, SLICE(".."));
}

enum query_result
path_next(struct slice *path, char *dst, size_t cap, struct slice *segment)
{
    struct slice s = *path, part;
    size_t n;

    if (s.n == 0)
        return QUERY_END;
    if (s.p[0] != '/')
        return QUERY_BAD;
    s = slice_skip(s, 1);
    part = slice_head(s, slice_find(s, '/'));
    if (part.n > cap)
        return QUERY_LONG;
    if (!pct_decode(part, dst, &n) || !is_segment(slice_of(dst, n)))
        return QUERY_BAD;
    *segment = slice_of(dst, n);
    *path = slice_skip(s, part.n);
    return QUERY_OK;
}

bool
form_is(struct slice content_type)
{
    struct slice type = slice_head(content_type, slice_find(content_type, ';'));

    return slice_eq_nocase(slice_trim(type),
                           SLICE("application/x-www-form-urlencoded"));
}

bool
form_add(struct buf *b, struct slice key, struct slice value)
{
    if (b->n)
        buf_add_char(b, '&');
    pct_encode(b, key, false);
    buf_add_char(b, '=');
    return pct_encode(b, value, false);
}
