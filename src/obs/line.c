/* line.c - see line.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/line.h"

void
line_u64(struct line *l, uint64_t v)
{
    char digits[20]; /* 2^64 has 20 of them */
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    line_add(l, digits + at, sizeof(digits) - at);
}

void
line_i64(struct line *l, int64_t v)
{
    if (v < 0)
        line_char(l, '-');
    line_u64(l, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void
line_fixed(struct line *l, int64_t v, unsigned digits)
{
    uint64_t mag = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    uint64_t scale = 1;
    char frac[20];

    assert(digits < sizeof(frac));
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    if (v < 0)
        line_char(l, '-');
    line_u64(l, mag / scale);
    mag %= scale;
    while (digits && mag % 10 == 0) {
        mag /= 10;
        digits--;
    }
    if (!digits)
        return;
    for (unsigned i = digits; i-- > 0; mag /= 10)
        frac[i] = (char)('0' + mag % 10);
    line_char(l, '.');
    line_add(l, frac, digits);
}

void
line_hex(struct line *l, const void *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++) {
        line_char(l, digit[b[i] >> 4]);
        line_char(l, digit[b[i] & 15]);
    }
}

/* The date of a day counted from 1970-01-01, with years that begin in March so
 * that the leap day is the last one (Hinnant, "chrono-compatible low-level
 * date algorithms", civil_from_days). */
static void
date_of(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

static char *
digits_put(char *at, int64_t v, int n)
{
    for (int i = n; i-- > 0; v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + n;
}

void
line_time(struct line *l, struct wall t)
{
    int64_t ms = t.ms < 0 ? 0 : t.ms, day = ms / 86400000, y, m, d;
    char text[24], *at = text;

    date_of(day, &y, &m, &d);
    ms -= day * 86400000;
    at = digits_put(at, y > 9999 ? 9999 : y, 4);
    *at++ = '-';
    at = digits_put(at, m, 2);
    *at++ = '-';
    at = digits_put(at, d, 2);
    *at++ = 'T';
    at = digits_put(at, ms / 3600000, 2);
    *at++ = ':';
    at = digits_put(at, ms / 60000 % 60, 2);
    *at++ = ':';
    at = digits_put(at, ms / 1000 % 60, 2);
    *at++ = '.';
    at = digits_put(at, ms % 1000, 3);
    *at++ = 'Z';
    line_add(l, text, (size_t)(at - text));
}

/* Length of the well-formed UTF-8 sequence at P (RFC 3629 section 4), or 0. */
static size_t
utf8_len(const uint8_t *p, size_t n)
{
    size_t len = p[0] < 0x80                    ? 1
                 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
                 : (p[0] & 0xf0) == 0xe0        ? 3
                 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                : 0;

    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0; /* overlong, a surrogate, or beyond U+10FFFF */
    return len;
}

/* Bytes that stand for themselves inside quotes: most of every string. */
static bool
is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
escape_put(struct line *l, uint8_t c)
{
    static const char digit[] = "0123456789abcdef";
    char u[6] = {'\\', 'u', '0', '0', digit[c >> 4], digit[c & 15]};

    if (c == '"' || c == '\\') {
        line_char(l, '\\');
        line_char(l, (char)c);
    } else if (c == '\n') {
        line_add(l, "\\n", 2);
    } else if (c == '\t') {
        line_add(l, "\\t", 2);
    } else if (c == '\r') {
        line_add(l, "\\r", 2);
    } else {
        line_add(l, u, sizeof(u));
    }
}

void
line_json(struct line *l, struct slice s, size_t max)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t n = size_min(s.n, max), i = 0;

    line_char(l, '"');
    while (i < n && !l->cut) {
        size_t run = i, len;

        while (run < n && is_plain(p[run]))
            run++;
        line_add(l, p + i, run - i);
        if ((i = run) == n)
            break;
        /* A sequence may reach over MAX, but not over the string. */
        len = utf8_len(p + i, s.n - i);
        if (len == 0)
            line_add(l, "\xef\xbf\xbd", 3);
        else if (len == 1)
            escape_put(l, p[i]);
        else if (len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0)
            escape_put(l, p[i + 1]); /* C1 */
        else
            line_add(l, p + i, len);
        i += len ? len : 1;
    }
    if (s.n > n && i < s.n)
        line_add(l, "...", 3);
    line_char(l, '"');
}

void
line_word(struct line *l, struct slice s, size_t max)
{
    bool bare = s.n > 0 && s.n <= max;

    for (size_t i = 0; i < s.n && bare; i++)
        bare = is_plain((uint8_t)s.p[i]) && s.p[i] != ' ' && s.p[i] != '=';
    if (bare)
        line_add(l, s.p, s.n);
    else
        line_json(l, s, max);
}
