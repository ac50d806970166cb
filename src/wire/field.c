/* field.c - lines and field lines (RFC 9112 sections 2.2 and 5).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/field.h"

bool
http_scan_lines(struct http_scan *s, size_t line_max, uint32_t fields_max,
                const char *p, size_t n, enum http_refusal *bad)
{
    for (;;) {
        const char *lf = memchr(p + s->pos, '\n', n - s->pos);
        size_t end = lf ? (size_t)(lf - p) : n;

        if (s->lines == 0 && end - s->line > line_max) {
            *bad = HTTP_REF_TARGET_LONG;
            return false;
        }
        s->pos = (uint32_t)end;
        if (!lf)
            return false;
        if (end == s->line || p[end - 1] != '\r') {
            *bad = HTTP_REF_BARE_LF;
            return false;
        }
        s->pos++;
        if (end - s->line == 1)
            return true;
        s->line = s->pos;
        if (++s->lines > fields_max + 1) {
            *bad = HTTP_REF_FIELDS_MANY;
            return false;
        }
    }
}

enum http_refusal
http_which_control(struct slice s)
{
    return slice_find(s, '\r') < s.n ? HTTP_REF_BARE_CR : HTTP_REF_CONTROL;
}

/* The AT bytes of name are not followed by a colon: which way? */
static enum http_refusal
which_name(struct slice line, size_t at)
{
    size_t colon = slice_find(line, ':');

    if (!http_is_field_value(line))
        return http_which_control(line);
    if (colon == line.n)
        return HTTP_REF_NO_COLON;
    if (at && slice_trim(slice_head(line, colon)).n == at)
        return HTTP_REF_SPACE_COLON;
    return HTTP_REF_FIELD_NAME;
}

enum http_refusal
http_field_parse(struct http_field *f, struct slice line)
{
    size_t i = 0;

    if (line.p[0] == ' ' || line.p[0] == '\t')
        return HTTP_REF_OBS_FOLD;
    while (i < line.n && http_is_tchar(line.p[i]))
        i++;
    if (i == 0 || i == line.n || line.p[i] != ':')
        return which_name(line, i);
    f->name = slice_head(line, i);
    f->value = slice_trim(slice_skip(line, i + 1));
    return http_is_field_value(f->value) ? HTTP_REF_NONE
                                         : http_which_control(f->value);
}
