/* text.c - see text.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
                                    "TiB", "PiB", "EiB"};

const char *
text_size(uint64_t n, char out[TEXT_SIZE])
{
    size_t u = 0;
    double v = (double)n;

    /* 1023.5 and more would be printed as 1024. */
    while (u + 1 < countof(units) && (u == 0 ? v >= 1024 : v >= 1023.5)) {
        v /= 1024;
        u++;
    }
    if (u == 0)
        snprintf(out, TEXT_SIZE, "%u B", (unsigned)n);
    else
        snprintf(out, TEXT_SIZE, v < 99.95 ? "%.1f %s" : "%.0f %s", v,
                 units[u]);
    return out;
}

const char *
text_rate(uint64_t per_second, char out[TEXT_SIZE])
{
    text_size(per_second, out);
    strcat(out, "/s"); /* the longest size is "1023 KiB" */
    return out;
}

const char *
text_duration(uint64_t s, char out[TEXT_SIZE])
{
    if (s >= 100 * UINT64_C(86400))
        snprintf(out, TEXT_SIZE, "%s", s == UINT64_MAX ? "-:--" : ">99d");
    else if (s >= 86400)
        snprintf(out, TEXT_SIZE, "%ud %uh", (unsigned)(s / 86400),
                 (unsigned)(s % 86400 / 3600));
    else if (s >= 3600)
        snprintf(out, TEXT_SIZE, "%u:%02u:%02u", (unsigned)(s / 3600),
                 (unsigned)(s % 3600 / 60), (unsigned)(s % 60));
    else
        snprintf(out, TEXT_SIZE, "%u:%02u", (unsigned)(s / 60),
                 (unsigned)(s % 60));
    return out;
}

/* "", B, K, KB, KiB ... in either case, as a factor; 0: unknown. */
static uint64_t
unit_factor(struct slice unit)
{
    static const char letters[] = "KMGTPE";
    uint64_t factor = 1;
    const char *at;

    if (unit.n == 0 || slice_eq_nocase(unit, SLICE("B")))
        return 1;
    at = strchr(letters, unit.p[0] & ~0x20);
    if (!at || !*at)
        return 0;
    if (unit.n != 1 && !slice_eq_nocase(slice_skip(unit, 1), SLICE("B")) &&
        !slice_eq_nocase(slice_skip(unit, 1), SLICE("iB")))
        return 0;
    for (const char *p = letters; p <= at; p++)
        factor *= 1024;
    return factor;
}

bool
text_parse_size(struct slice s, uint64_t *out)
{
    struct slice unit, whole;
    uint64_t factor, n, frac, scale = 1;
    size_t k = 0;

    s = slice_trim(s);
    while (k < s.n && ((s.p[k] >= '0' && s.p[k] <= '9') || s.p[k] == '.'))
        k++;
    unit = slice_trim(slice_skip(s, k));
    s = slice_head(s, k);
    if (!slice_cut(&s, '.', &whole) || !slice_u64(whole, &n) ||
        (factor = unit_factor(unit)) == 0 ||
        __builtin_mul_overflow(n, factor, &n))
        return false;
    if (s.p) {
        /* Six digits are finer than anybody means. */
        if (s.n > 6 || factor == 1 || !slice_u64(s, &frac))
            return false;
        for (size_t i = 0; i < s.n; i++)
            scale *= 10;
        frac = factor / scale * frac + factor % scale * frac / scale;
        if (__builtin_add_overflow(n, frac, &n))
            return false;
    }
    *out = n;
    return true;
}

const char *
text_time(struct wall t, char out[TEXT_TIME])
{
    time_t s = (time_t)(t.ms / 1000);
    struct tm tm;

    if (!gmtime_r(&s, &tm) || !strftime(out, TEXT_TIME, "%FT%TZ", &tm))
        strcpy(out, "?");
    return out;
}

/* An age of seconds, or 0. */
static uint64_t
parse_age(struct slice s)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } unit[] = {{'s', 1},
                {'m', 60},
                {'h', 3600},
                {'d', 86400},
                {'w', UINT64_C(7) * 86400}};
    uint64_t n;

    for (size_t i = 0; i < countof(unit); i++)
        if (s.n > 1 && s.p[s.n - 1] == unit[i].letter &&
            slice_u64(slice_head(s, s.n - 1), &n) && n < UINT32_MAX)
            return n * unit[i].seconds;
    return 0;
}

bool
text_parse_time(struct slice s, struct wall now, char out[TEXT_TIME])
{
    uint64_t age = parse_age(s);
    char text[TEXT_TIME];
    struct tm tm = {0};
    const char *end;

    if (age) {
        if ((int64_t)age > now.ms / 1000)
            return false;
        text_time((struct wall){now.ms - (int64_t)age * 1000}, out);
        return true;
    }
    if (!slice_copy(s, text, sizeof(text)))
        return false;
    if ((end = strptime(text, "%Y-%m-%d", &tm)) != NULL && !*end) {
        snprintf(out, TEXT_TIME, "%.10sT00:00:00Z", text);
        return true;
    }
    end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || strcmp(end, "Z") != 0)
        return false;
    memcpy(out, text, s.n + 1);
    return true;
}

/* Bytes of the code point at S, its value in *CP; 0: not UTF-8. */
static size_t
utf8_next(struct slice s, uint32_t *cp)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t c = (uint8_t)s.p[0];
    const size_t n = c < 0x80             ? 1
                     : (c & 0xe0) == 0xc0 ? 2
                     : (c & 0xf0) == 0xe0 ? 3
                     : (c & 0xf8) == 0xf0 ? 4
                                          : 0;

    if (n == 0 || n > s.n)
        return 0;
    *cp = n == 1 ? c : c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (((uint8_t)s.p[i] & 0xc0) != 0x80)
            return 0;
        *cp = *cp << 6 | ((uint8_t)s.p[i] & 0x3f);
    }
    if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
        return 0;
    return n;
}

static bool
is_harmless(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
        return false;
    /* LRM, RLM, line separators, embeddings, overrides, isolates, BOM */
    return !(cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
             (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff);
}

void
text_safe(struct buf *b, struct slice s)
{
    uint32_t cp = 0;

    while (s.n) {
        size_t n = utf8_next(s, &cp);

        if (n && is_harmless(cp)) {
            buf_add(b, s.p, n);
        } else {
            n = n ? n : 1;
            for (size_t i = 0; i < n; i++)
                buf_printf(b, "\\x%02x", (uint8_t)s.p[i]);
        }
        s = slice_skip(s, n);
    }
}

size_t
text_width(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

struct slice
text_cut(struct slice s, size_t cols)
{
    size_t i = 0, n = 0;

    for (; i < s.n; i++) {
        if (((uint8_t)s.p[i] & 0xc0) == 0x80)
            continue;
        if (n++ == cols)
            break;
    }
    return slice_head(s, i);
}

void
text_bar(struct buf *b, unsigned permille, size_t cols, bool utf8)
{
    size_t full = size_min(permille, 1000) * cols / 1000;

    /* Neither empty when something is in it, nor full when room is left. */
    if (full == 0 && permille > 0 && cols > 1)
        full = 1;
    for (size_t i = 0; i < cols; i++)
        buf_add_str(b, utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : "."));
}

bool
text_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
