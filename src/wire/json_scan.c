/* json_scan.c - see json_scan.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_scan.h"
#include "wire/utf8.h"

enum { /* what may come next */
       WANT_VALUE,
       WANT_FIRST, /* behind { or [: a member, or the end */
       WANT_MORE,  /* behind a value: a comma, or the end */
       WANT_NOTHING,
};

void
json_scan_init(struct json_scan *s, struct slice text, unsigned depth_max)
{
    assert(depth_max <= JSON_SCAN_DEPTH);
    *s = (struct json_scan){.depth_max = depth_max, .state = WANT_VALUE};
    s->begin = s->p = text.p ? text.p : "";
    s->end = s->p + text.n;
}

static enum json_token
bad(struct json_scan *s, const char *why)
{
    if (!s->why) {
        s->why = why;
        s->at = (size_t)(s->p - s->begin);
    }
    return JSON_BAD;
}

static void
skip_blank(struct json_scan *s)
{
    while (s->p < s->end &&
           (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static bool
is_object(const struct json_scan *s)
{
    return s->depth > 0 && s->object >> (s->depth - 1) & 1;
}

/* ---- strings ---- */

/* Four hex digits at P; -1 when there are none. */
static int
hex4(const char *p, const char *end)
{
    int v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static bool
is_high(int c)
{
    return c >= 0xd800 && c < 0xdc00;
}

static bool
is_low(int c)
{
    return c >= 0xdc00 && c < 0xe000;
}

/* Bytes of the escape at P, which is a backslash; 0: it is none. */
static size_t
escape_length(const char *p, const char *end)
{
    int c;

    if (end - p < 2)
        return 0;
    if (p[1] != 'u')
        return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
    c = hex4(p + 2, end);
    if (c <= 0 || is_low(c))
        return 0;
    if (!is_high(c))
        return 6;
    return end - p >= 12 && p[6] == '\\' && p[7] == 'u' &&
                   is_low(hex4(p + 8, end))
               ? 12
               : 0;
}

/* From behind the first mark to behind the second. */
static bool
scan_string(struct json_scan *s, struct slice *text)
{
    const char *from = s->p;

    s->escapes = false;
    while (s->p < s->end && *s->p != '"') {
        unsigned char c = (unsigned char)*s->p;
        size_t n = 1;

        if (c == '\\') {
            n = escape_length(s->p, s->end);
            s->escapes = true;
        } else if (c < 0x20) {
            n = 0;
        } else if (c >= 0x80) {
            uint32_t point;

            n = utf8_next(slice_of(s->p, (size_t)(s->end - s->p)), &point);
        }
        if (n == 0)
            return bad(s, c == '\\'  ? "an escape that is none"
                          : c < 0x20 ? "a control character in a string"
                                     : "a string that is not UTF-8");
        s->p += n;
    }
    if (s->p == s->end)
        return bad(s, "a string without an end");
    *text = slice_of(from, (size_t)(s->p - from));
    s->p++;
    return true;
}

/* RFC 3629: C as UTF-8. */
static size_t
put_point(char *dst, uint32_t c)
{
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        dst[0] = (char)(0xc0 | c >> 6);
        dst[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        dst[0] = (char)(0xe0 | c >> 12);
        dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
        dst[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    dst[0] = (char)(0xf0 | c >> 18);
    dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
    dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
    dst[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* The character of an escape of N bytes. */
static uint32_t
escaped(const char *p, size_t n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t high;

    if (n == 2)
        return (unsigned char)to[strchr(from, p[1]) - from];
    high = (uint32_t)hex4(p + 2, p + n);
    if (n == 6)
        return high;
    return 0x10000 + ((high - 0xd800) << 10) +
           ((uint32_t)hex4(p + 8, p + n) - 0xdc00);
}

size_t
json_scan_text(struct slice raw, char *dst)
{
    const char *p = raw.p, *end = raw.n ? raw.p + raw.n : raw.p;
    size_t n = 0;

    while (p < end) {
        if (*p != '\\') {
            dst[n++] = *p++;
        } else {
            size_t k = escape_length(p, end);

            assert(k > 0); /* json_scan_next() has seen to it */
            n += put_point(dst + n, escaped(p, k));
            p += k;
        }
    }
    dst[n] = '\0';
    return n;
}

/* ---- numbers and words ---- */

static size_t
digits(struct json_scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

static enum json_token
scan_number(struct json_scan *s, struct slice *text)
{
    const char *from = s->p;

    s->p += *s->p == '-';
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (digits(s) == 0)
        return bad(s, "a number without digits");
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (digits(s) == 0)
            return bad(s, "a number without digits behind its point");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        s->p += s->p < s->end && (*s->p == '+' || *s->p == '-');
        if (digits(s) == 0)
            return bad(s, "an exponent without digits");
    }
    *text = slice_of(from, (size_t)(s->p - from));
    return JSON_NUM;
}

static enum json_token
scan_word(struct json_scan *s)
{
    static const struct {
        struct slice word;
        enum json_token token;
    } words[] = {{{"true", 4}, JSON_YES},
                 {{"false", 5}, JSON_NO},
                 {{"null", 4}, JSON_NIL}};
    struct slice rest = slice_of(s->p, (size_t)(s->end - s->p));

    for (size_t i = 0; i < countof(words); i++)
        if (slice_starts(rest, words[i].word)) {
            s->p += words[i].word.n;
            return words[i].token;
        }
    return bad(s, rest.n ? "something that is no value" : "an end too early");
}

/* ---- structure ---- */

static enum json_token
open_one(struct json_scan *s, bool object)
{
    if (s->depth == s->depth_max)
        return bad(s, "too deep nesting");
    s->object &= ~(1ull << s->depth);
    s->object |= (uint64_t)object << s->depth;
    s->depth++;
    s->p++;
    s->state = WANT_FIRST;
    return object ? JSON_OPEN : JSON_LIST;
}

static enum json_token
close_one(struct json_scan *s)
{
    bool object = is_object(s);

    s->p++;
    s->depth--;
    s->state = s->depth ? WANT_MORE : WANT_NOTHING;
    return object ? JSON_CLOSE : JSON_LIST_END;
}

static enum json_token
scan_value(struct json_scan *s, struct slice *text)
{
    char c = s->p < s->end ? *s->p : '\0';

    if (c == '{' || c == '[')
        return open_one(s, c == '{');
    s->state = s->depth ? WANT_MORE : WANT_NOTHING;
    if (c == '"') {
        s->p++;
        return scan_string(s, text) ? JSON_TEXT : JSON_BAD;
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s, text);
    return scan_word(s);
}

/* A key and its colon; the value is next. */
static enum json_token
scan_key(struct json_scan *s, struct slice *text)
{
    if (s->p == s->end || *s->p != '"')
        return bad(s, "no key where one must be");
    s->p++;
    if (!scan_string(s, text))
        return JSON_BAD;
    skip_blank(s);
    if (s->p == s->end || *s->p != ':')
        return bad(s, "no colon behind a key");
    s->p++;
    s->state = WANT_VALUE;
    return JSON_KEY;
}

enum json_token
json_scan_next(struct json_scan *s, struct slice *text)
{
    char c;

    *text = SLICE_NULL;
    if (s->why)
        return JSON_BAD;
    skip_blank(s);
    c = s->p < s->end ? *s->p : '\0';
    switch (s->state) {
    case WANT_VALUE:
        return scan_value(s, text);
    case WANT_FIRST:
        if (c == (is_object(s) ? '}' : ']'))
            return close_one(s);
        return is_object(s) ? scan_key(s, text) : scan_value(s, text);
    case WANT_MORE:
        if (c == (is_object(s) ? '}' : ']'))
            return close_one(s);
        if (c != ',')
            return bad(s, "no comma where one must be");
        s->p++;
        skip_blank(s);
        return is_object(s) ? scan_key(s, text) : scan_value(s, text);
    default:
        return s->p == s->end ? JSON_DONE
                              : bad(s, "something behind the value");
    }
}

bool
json_scan_skip(struct json_scan *s, enum json_token t)
{
    unsigned outside = s->depth;
    struct slice text;

    if (t != JSON_OPEN && t != JSON_LIST)
        return t != JSON_BAD;
    outside--;
    while (s->depth > outside)
        if (json_scan_next(s, &text) == JSON_BAD)
            return false;
    return true;
}
