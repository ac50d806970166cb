/* name.c - see name.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/name.h"
#include <string.h>

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* UTF-8''percent-encoded; other charsets are left to the plain parameter. */
static bool
decode_extended(struct slice v, char *out, size_t cap)
{
    struct slice charset, language;
    size_t n = 0;

    if (!slice_cut(&v, '\'', &charset) || !slice_cut(&v, '\'', &language) ||
        !v.p || !slice_eq_nocase(charset, SLICE("UTF-8")))
        return false;
    while (v.n && n + 1 < cap) {
        char c = v.p[0];

        if (c == '%') {
            int high = v.n > 2 ? hex_digit(v.p[1]) : -1;
            int low = v.n > 2 ? hex_digit(v.p[2]) : -1;

            if (high < 0 || low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            v = slice_skip(v, 2);
        }
        out[n++] = c;
        v = slice_skip(v, 1);
    }
    out[n] = '\0';
    return n > 0 && v.n == 0;
}

/* Takes one parameter value off *REST, quoted or not, and what follows it up
 * to the next semicolon. */
static void
take_value(struct slice *rest, char *out, size_t cap)
{
    const bool quoted = rest->n && rest->p[0] == '"';
    size_t n = 0;

    if (quoted)
        *rest = slice_skip(*rest, 1);
    while (rest->n && rest->p[0] != (quoted ? '"' : ';')) {
        if (quoted && rest->p[0] == '\\' && rest->n > 1)
            *rest = slice_skip(*rest, 1);
        if (n + 1 < cap)
            out[n++] = rest->p[0];
        *rest = slice_skip(*rest, 1);
    }
    while (!quoted && n && (out[n - 1] == ' ' || out[n - 1] == '\t'))
        n--;
    out[n] = '\0';
    *rest = slice_skip(*rest, slice_find(*rest, ';'));
}

bool
name_from_disposition(struct slice header, char *out, size_t cap)
{
    bool have = false;

    header = slice_skip(header, slice_find(header, ';')); /* the type */
    while (header.n) {
        char value[1024], decoded[1024];
        struct slice name;
        size_t eq;

        header = slice_trim(slice_skip(header, 1));
        eq = slice_find(header, '=');
        if (eq == header.n)
            break;
        name = slice_trim(slice_head(header, eq));
        header = slice_skip(header, eq + 1);
        while (header.n && (header.p[0] == ' ' || header.p[0] == '\t'))
            header = slice_skip(header, 1);
        take_value(&header, value, sizeof(value));
        if (slice_eq_nocase(name, SLICE("filename*")) &&
            decode_extended(slice_str(value), decoded, sizeof(decoded)) &&
            slice_copy(slice_str(decoded), out, cap))
            return true;
        if (slice_eq_nocase(name, SLICE("filename")) && !have)
            have = slice_copy(slice_str(value), out, cap) && *out;
    }
    return have;
}

/* Cuts S to MAX bytes between two characters, keeping a short ending. */
static size_t
cut_name(char *s, size_t n, size_t max)
{
    const char *dot = memrchr(s, '.', n);
    size_t ending = dot ? n - (size_t)(dot - s) : 0, keep;

    if (n <= max)
        return n;
    if (ending > 16)
        ending = 0;
    keep = max - ending;
    while (keep && ((uint8_t)s[keep] & 0xc0) == 0x80)
        keep--;
    memmove(s + keep, s + n - ending, ending);
    return keep + ending;
}

bool
name_harmless(struct slice s, char out[NAME_SIZE])
{
    char text[1024];
    size_t n = 0, start = 0;
    bool some = false;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/' || s.p[i] == '\\')
            start = i + 1;
    s = slice_head(slice_skip(s, start), sizeof(text) - 1);
    for (; n < s.n; n++) {
        const uint8_t c = (uint8_t)s.p[n];

        text[n] = c < 0x20 || c == 0x7f ? '_' : (char)c;
        some |= c != '.' && c > ' ' && c != 0x7f;
    }
    if (!some) /* "", ".", "..", blanks */
        return false;
    if (text[0] == '.' || text[0] == '-')
        text[0] = '_';
    n = cut_name(text, n, NAME_SIZE - 1);
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}
