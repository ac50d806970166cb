/* range.c - byte ranges. SPDX-License-Identifier: Apache-2.0 */
#include "wire/range.h"
#include "wire/head.h"
#include <inttypes.h>
#include <stdio.h>

/* Digits only; a number that is too large counts as the largest, because
 * "bytes=0-99999999999999999999999" is well-formed and means "to the end". */
static bool
parse_pos(struct slice s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) {
            v = UINT64_MAX;
            for (; i < s.n; i++)
                if (s.p[i] < '0' || s.p[i] > '9')
                    return false;
            break;
        }
    }
    *out = v;
    return true;
}

/* "5-9", "5-" or "-5" of SIZE bytes. False: malformed. R->n is 0 when it is not
 * satisfiable. */
static bool
parse_spec(struct slice s, uint64_t size, struct http_range *r)
{
    size_t dash = slice_find(s, '-');
    struct slice a = slice_head(s, dash), b = slice_skip(s, dash + 1);
    uint64_t first, last = UINT64_MAX;

    *r = (struct http_range){0};
    if (dash == s.n)
        return false;
    if (a.n == 0) {
        if (!parse_pos(b, &last))
            return false;
        r->n = u64_min(last, size);
        r->first = size - r->n;
        return true;
    }
    if (!parse_pos(a, &first) || (b.n && !parse_pos(b, &last)) || last < first)
        return false;
    if (first < size) {
        r->first = first;
        r->n = u64_min(last, size - 1) - first + 1;
    }
    return true;
}

static bool
touches(struct http_range a, struct http_range b)
{
    return a.first <= b.first + b.n && b.first <= a.first + a.n;
}

static void
add(struct http_ranges *out, struct http_range r)
{
    uint32_t at = out->n, i = 0;

    while (i < out->n) {
        struct http_range o = out->r[i];
        uint64_t end = u64_max(o.first + o.n, r.first + r.n);

        if (!touches(o, r)) {
            i++;
            continue;
        }
        r.first = u64_min(o.first, r.first);
        r.n = end - r.first;
        out->n--;
        memmove(&out->r[i], &out->r[i + 1],
                (out->n - i) * sizeof(struct http_range));
        at = i < at ? i : at;
        i = 0; /* larger now, it may touch one that it did not */
    }
    memmove(&out->r[at + 1], &out->r[at],
            (out->n - at) * sizeof(struct http_range));
    out->r[at] = r;
    out->n++;
}

enum http_range_answer
http_ranges_resolve(struct slice value, uint64_t size, struct http_ranges *out)
{
    struct slice unit = slice_head(value, slice_find(value, '='));
    struct slice rest = slice_skip(value, unit.n + 1), item;
    uint32_t asked = 0;

    out->n = 0;
    if (unit.n == value.n || !slice_eq_nocase(unit, SLICE("bytes")))
        return HTTP_RANGE_WHOLE;
    while (http_list_cut(&rest, &item)) {
        struct http_range r;

        if (++asked > HTTP_RANGES_MAX || !parse_spec(item, size, &r)) {
            out->n = 0;
            return HTTP_RANGE_WHOLE;
        }
        if (r.n)
            add(out, r);
    }
    if (asked == 0)
        return HTTP_RANGE_WHOLE;
    return out->n ? HTTP_RANGE_PARTIAL : HTTP_RANGE_NEVER;
}

bool
http_content_range_parse(struct slice value, struct http_content_range *out)
{
    size_t blank = slice_find(value, ' ');
    struct slice unit = slice_head(value, blank);
    struct slice rest = slice_skip(value, blank + 1), range, first;

    *out = (struct http_content_range){0};
    if (blank == value.n || !slice_eq_nocase(unit, SLICE("bytes")) ||
        !slice_cut(&rest, '/', &range) || !rest.p)
        return false;
    out->has_total = !slice_eq(rest, SLICE("*"));
    if (out->has_total && !slice_u64(rest, &out->total))
        return false;
    out->has_range = !slice_eq(range, SLICE("*"));
    if (!out->has_range)
        return out->has_total; /* both unknown says nothing */
    if (!slice_cut(&range, '-', &first) || !slice_u64(first, &out->first) ||
        !slice_u64(range, &out->last) || out->last < out->first)
        return false;
    return !out->has_total || out->last < out->total;
}

const char *
http_content_range_text(struct http_range r, uint64_t total,
                        char out[HTTP_CONTENT_RANGE_TEXT])
{
    snprintf(out, HTTP_CONTENT_RANGE_TEXT,
             "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, r.first,
             r.first + r.n - 1, total);
    return out;
}

const char *
http_content_range_none(uint64_t total, char out[HTTP_CONTENT_RANGE_TEXT])
{
    snprintf(out, HTTP_CONTENT_RANGE_TEXT, "bytes */%" PRIu64, total);
    return out;
}

bool
http_byteranges_part(struct buf *b, struct slice boundary,
                     struct slice content_type, struct http_range r,
                     uint64_t total)
{
    char text[HTTP_CONTENT_RANGE_TEXT];

    buf_add_str(b, "\r\n--");
    buf_add_slice(b, boundary);
    if (content_type.n) {
        buf_add_str(b, "\r\nContent-Type: ");
        buf_add_slice(b, content_type);
    }
    buf_add_str(b, "\r\nContent-Range: ");
    buf_add_str(b, http_content_range_text(r, total, text));
    return buf_add_str(b, "\r\n\r\n");
}

bool
http_byteranges_end(struct buf *b, struct slice boundary)
{
    buf_add_str(b, "\r\n--");
    buf_add_slice(b, boundary);
    return buf_add_str(b, "--\r\n");
}

uint64_t
http_byteranges_length(const struct http_ranges *ranges, struct slice boundary,
                       struct slice content_type, uint64_t total)
{
    char text[HTTP_CONTENT_RANGE_TEXT];
    uint64_t n = strlen("\r\n--") + boundary.n + strlen("--\r\n");

    for (uint32_t i = 0; i < ranges->n; i++) {
        n += strlen("\r\n--") + boundary.n + strlen("\r\nContent-Range: ") +
             strlen(http_content_range_text(ranges->r[i], total, text)) +
             strlen("\r\n\r\n") + ranges->r[i].n;
        if (content_type.n)
            n += strlen("\r\nContent-Type: ") + content_type.n;
    }
    return n;
}
