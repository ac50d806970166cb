/* sfdict.c - RFC 8941 section 4.2, without building anything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/sfdict.h"
#include "wire/head.h"

static bool
is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
take(struct slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

static void
skip(struct slice *s, bool tabs)
{
    while (s->n && (s->p[0] == ' ' || (tabs && s->p[0] == '\t')))
        *s = slice_skip(*s, 1);
}

/* key = ( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" ) */
static bool
take_key(struct slice *s, struct slice *key)
{
    size_t i = 0;

    while (i < s->n && (is_lower(s->p[i]) || s->p[i] == '*' ||
                        (i && (is_digit(s->p[i]) || s->p[i] == '_' ||
                               s->p[i] == '-' || s->p[i] == '.'))))
        i++;
    *key = slice_head(*s, i);
    *s = slice_skip(*s, i);
    return i > 0;
}

static bool
take_bytes(struct slice *s, struct sf_member *m)
{
    size_t end;

    *s = slice_skip(*s, 1);
    end = slice_find(*s, ':');
    m->type = SF_BYTES;
    m->text = slice_head(*s, end);
    if (end == s->n)
        return false;
    *s = slice_skip(*s, end + 1);
    return true;
}

static bool
take_string(struct slice *s)
{
    size_t i = 1;

    for (; i < s->n && s->p[i] != '"'; i++) {
        if ((unsigned char)s->p[i] < 0x20 || (unsigned char)s->p[i] > 0x7e)
            return false;
        if (s->p[i] == '\\' &&
            (++i == s->n || (s->p[i] != '"' && s->p[i] != '\\')))
            return false;
    }
    if (i >= s->n)
        return false;
    *s = slice_skip(*s, i + 1);
    return true;
}

/* An integer of at most 15 digits, or a decimal of at most 12 and 3. */
static bool
take_number(struct slice *s, struct sf_member *m)
{
    bool minus = take(s, '-');
    int64_t v = 0;
    size_t i = 0, frac;

    for (; i < s->n && is_digit(s->p[i]); i++) {
        if (i == 15)
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    if (i == 0)
        return false;
    *s = slice_skip(*s, i);
    m->type = SF_INTEGER;
    m->number = minus ? -v : v;
    if (!take(s, '.'))
        return true;
    for (frac = 0; frac < s->n && is_digit(s->p[frac]); frac++)
        ;
    *s = slice_skip(*s, frac);
    m->type = SF_OTHER;
    return i <= 12 && frac >= 1 && frac <= 3;
}

static bool
take_token(struct slice *s)
{
    size_t i = 0;

    while (i < s->n &&
           (http_is_tchar(s->p[i]) || s->p[i] == ':' || s->p[i] == '/'))
        i++;
    *s = slice_skip(*s, i);
    return i > 0;
}

/* A bare item; what it begins with tells its type. */
static bool
take_item(struct slice *s, struct sf_member *m)
{
    char c = s->n ? s->p[0] : 0;

    m->type = SF_OTHER;
    if (c == ':')
        return take_bytes(s, m);
    if (c == '"')
        return take_string(s);
    if (c == '-' || is_digit(c))
        return take_number(s, m);
    if (c == '?') {
        *s = slice_skip(*s, 1);
        m->type = SF_BOOLEAN;
        m->number = s->n && s->p[0] == '1';
        return take(s, '1') || take(s, '0');
    }
    if (c == '*' || is_lower((char)(c | 32)))
        return take_token(s);
    return false;
}

static bool
take_params(struct slice *s)
{
    struct sf_member ignored;
    struct slice key;

    while (take(s, ';')) {
        skip(s, false);
        if (!take_key(s, &key))
            return false;
        if (take(s, '=') && !take_item(s, &ignored))
            return false;
    }
    return true;
}

static bool
take_inner_list(struct slice *s)
{
    struct sf_member ignored;

    *s = slice_skip(*s, 1);
    for (;;) {
        skip(s, false);
        if (take(s, ')'))
            return true;
        if (!take_item(s, &ignored) || !take_params(s) || s->n == 0 ||
            (s->p[0] != ' ' && s->p[0] != ')'))
            return false;
    }
}

enum sf_result
sf_dict_next(struct slice *rest, struct sf_member *m)
{
    struct slice s = *rest, from;

    skip(&s, false);
    if (s.n == 0)
        return SF_END;
    *m = (struct sf_member){.type = SF_BOOLEAN, .number = 1};
    if (!take_key(&s, &m->key))
        return SF_BAD;
    if (take(&s, '=')) {
        from = s;
        if (s.n && s.p[0] == '(') {
            m->type = SF_OTHER;
            if (!take_inner_list(&s))
                return SF_BAD;
        } else if (!take_item(&s, m)) {
            return SF_BAD;
        }
        if (m->type != SF_BYTES)
            m->text = slice_head(from, from.n - s.n);
    }
    if (!take_params(&s))
        return SF_BAD;
    skip(&s, true);
    if (s.n) {
        if (!take(&s, ','))
            return SF_BAD;
        skip(&s, true);
        if (s.n == 0) /* a comma at the end */
            return SF_BAD;
    }
    *rest = s;
    return SF_OK;
}
