/* param.c - parameters of field values. SPDX-License-Identifier: Apache-2.0 */
#include "wire/param.h"
#include "base/hex.h"
#include "wire/head.h"
#include "wire/utf8.h"

static struct slice
skip_blanks(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_skip(s, 1);
    return s;
}

static size_t
token_len(struct slice s)
{
    size_t i = 0;

    while (i < s.n && http_is_tchar(s.p[i]))
        i++;
    return i;
}

/* S begins with a quotation mark. False when its pair is missing. */
static bool
cut_quoted(struct slice *s, struct slice *value)
{
    size_t i = 1;

    while (i < s->n && s->p[i] != '"')
        i += s->p[i] == '\\' ? 2 : 1;
    if (i >= s->n)
        return false;
    *value = slice_of(s->p + 1, i - 1);
    *s = slice_skip(*s, i + 1);
    return true;
}

static enum http_param
next_pair(struct slice *rest, bool any, struct slice *name, struct slice *value,
          bool *quoted)
{
    struct slice s = skip_blanks(*rest);
    size_t n;

    while (s.n && s.p[0] == ';') {
        s = skip_blanks(slice_skip(s, 1));
        any = true;
    }
    if (s.n == 0)
        return HTTP_PARAM_END;
    n = token_len(s);
    if (!any || n == 0 || n == s.n || s.p[n] != '=')
        return HTTP_PARAM_BAD;
    *name = slice_head(s, n);
    s = slice_skip(s, n + 1);
    *quoted = s.n && s.p[0] == '"';
    if (*quoted) {
        if (!cut_quoted(&s, value))
            return HTTP_PARAM_BAD;
    } else {
        n = token_len(s);
        if (n == 0)
            return HTTP_PARAM_BAD;
        *value = slice_head(s, n);
        s = slice_skip(s, n);
    }
    s = skip_blanks(s);
    if (s.n && s.p[0] != ';')
        return HTTP_PARAM_BAD;
    *rest = s;
    return HTTP_PARAM_OK;
}

enum http_param
http_param_next(struct slice *rest, struct slice *name, struct slice *value,
                bool *quoted)
{
    return next_pair(rest, false, name, value, quoted);
}

enum http_param
http_pair_first(struct slice *rest, struct slice *name, struct slice *value,
                bool *quoted)
{
    return next_pair(rest, true, name, value, quoted);
}

enum http_param
http_param_find(struct slice rest, struct slice name, struct slice *value,
                bool *quoted)
{
    enum http_param found = HTTP_PARAM_END, r;
    struct slice n, v;
    bool q;

    while ((r = http_param_next(&rest, &n, &v, &q)) == HTTP_PARAM_OK) {
        if (!slice_eq_nocase(n, name))
            continue;
        if (found == HTTP_PARAM_OK)
            return HTTP_PARAM_BAD;
        found = HTTP_PARAM_OK;
        *value = v;
        *quoted = q;
    }
    return r == HTTP_PARAM_BAD ? r : found;
}

size_t
http_unquote(struct slice s, char *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        dst[n++] = s.p[i];
    }
    return n;
}

size_t
http_unquote_filename(struct slice s, char *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n &&
            (s.p[i + 1] == '"' || s.p[i + 1] == '\\')) {
            dst[n++] = s.p[++i];
        } else if (slice_starts(slice_skip(s, i), SLICE("%22"))) {
            dst[n++] = '"';
            i += 2;
        } else {
            dst[n++] = s.p[i];
        }
    }
    return n;
}

/* RFC 8187 section 3.2.1: attr-char is tchar without * ' % */
static bool
is_attr_char(char c)
{
    return http_is_tchar(c) && c != '*' && c != '\'' && c != '%';
}

bool
http_ext_value(struct slice s, char *dst, size_t *n)
{
    struct slice charset, lang;
    size_t out = 0;

    if (!slice_cut(&s, '\'', &charset) || !slice_cut(&s, '\'', &lang) || !s.p ||
        !slice_eq_nocase(charset, SLICE("UTF-8")))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (i + 2 >= s.n || !hex_decode(slice_of(s.p + i + 1, 2), &c, 1) ||
                c == 0)
                return false;
            i += 2;
        } else if (!is_attr_char(c)) {
            return false;
        }
        dst[out++] = c;
    }
    *n = out;
    return utf8_valid(slice_of(dst, out));
}
