/* json_out.c - the writing half of json.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"
#include "wire/date.h"
#include "wire/utf8.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* RFC 8259 section 7: quotation mark, backslash and what is below a blank. DEL
 * and the line separators U+2028 and U+2029 as well, for terminals and for
 * JSON that is read as JavaScript. */
static bool
is_plain(uint32_t c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && c != 0x2028 &&
           c != 0x2029;
}

static void
escape(struct buf *b, uint32_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c && c < 0x80 ? strchr(from, (int)c) : NULL;

    if (at)
        buf_printf(b, "\\%c", to[at - from]);
    else
        buf_printf(b, "\\u%04" PRIx32, c);
}

bool
json_out_str(struct buf *b, struct slice s)
{
    size_t i = 0; /* s.p[0..i) goes out as it is */

    buf_add_char(b, '"');
    while (i < s.n) {
        uint32_t c = 0;
        size_t k = utf8_next(slice_skip(s, i), &c);

        if (k && is_plain(c)) {
            i += k;
            continue;
        }
        buf_add(b, s.p, i);
        if (k)
            escape(b, c);
        else
            buf_add_str(b, "\xef\xbf\xbd");
        s = slice_skip(s, i + (k ? k : 1));
        i = 0;
    }
    buf_add_slice(b, s);
    return buf_add_char(b, '"');
}

/* In the fewest digits that are read as the same number again: 0.1, where 17
 * would say 0.10000000000000001. */
static void
out_real(struct buf *b, double v)
{
    char text[32];

    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_add_str(b, text);
    if (!strpbrk(text, ".e"))
        buf_add_str(b, ".0"); /* it stays what it was, no integer */
}

static void
out_list(struct buf *b, const json_t *j)
{
    for (size_t i = 0; i < json_array_size(j); i++) {
        buf_add_char(b, i ? ',' : '[');
        json_out_value(b, json_array_get(j, i));
    }
    buf_add_str(b, json_array_size(j) ? "]" : "[]");
}

static void
out_object(struct buf *b, json_t *j)
{
    const char *key;
    char before = '{';
    json_t *v;

    json_object_foreach(j, key, v)
    {
        buf_add_char(b, before);
        json_out_str(b, slice_str(key));
        buf_add_char(b, ':');
        json_out_value(b, v);
        before = ',';
    }
    buf_add_str(b, before == ',' ? "}" : "{}");
}

bool
json_out_value(struct buf *b, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        out_object(b, (json_t *)j);
        break;
    case JSON_ARRAY:
        out_list(b, j);
        break;
    case JSON_STRING:
        json_out_str(b, slice_of(json_string_value(j), json_string_length(j)));
        break;
    case JSON_INTEGER:
        buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        out_real(b, json_real_value(j));
        break;
    default:
        buf_add_str(b, json_is_null(j)   ? "null"
                       : json_is_true(j) ? "true"
                                         : "false");
    }
    return !b->failed;
}

/* ---- the writer ---------------------------------------------------------- */

void
json_begin(struct json_writer *w, struct buf *b)
{
    *w = (struct json_writer){.b = b};
}

/* What stands before a value: a comma, and its key. */
static void
lead(struct json_writer *w, const char *key)
{
    uint32_t bit = 1u << w->depth;

    if (w->filled & bit)
        buf_add_char(w->b, ',');
    w->filled |= bit;
    if (key) {
        json_out_str(w->b, slice_str(key));
        buf_add_char(w->b, ':');
    }
}

static void
enter(struct json_writer *w, const char *key, char c)
{
    lead(w, key);
    buf_add_char(w->b, c);
    assert(w->depth + 1 < JSON_WRITER_DEPTH);
    w->depth++;
    w->filled &= ~(1u << w->depth);
}

static void
leave(struct json_writer *w, char c)
{
    assert(w->depth > 0);
    w->depth--;
    buf_add_char(w->b, c);
}

void
json_put_object(struct json_writer *w, const char *key)
{
    enter(w, key, '{');
}

void
json_end_object(struct json_writer *w)
{
    leave(w, '}');
}

void
json_put_list(struct json_writer *w, const char *key)
{
    enter(w, key, '[');
}

void
json_end_list(struct json_writer *w)
{
    leave(w, ']');
}

void
json_put_str(struct json_writer *w, const char *key, struct slice s)
{
    lead(w, key);
    json_out_str(w->b, s);
}

void
json_put_text(struct json_writer *w, const char *key, const char *s)
{
    json_put_str(w, key, slice_str(s));
}

void
json_put_u64(struct json_writer *w, const char *key, uint64_t v)
{
    lead(w, key);
    buf_add_u64(w->b, v);
}

void
json_put_i64(struct json_writer *w, const char *key, int64_t v)
{
    lead(w, key);
    buf_printf(w->b, "%" PRId64, v);
}

void
json_put_double(struct json_writer *w, const char *key, double v)
{
    lead(w, key);
    if (isfinite(v))
        buf_printf(w->b, "%.15g", v);
    else
        buf_add_str(w->b, "null");
}

void
json_put_bool(struct json_writer *w, const char *key, bool v)
{
    lead(w, key);
    buf_add_str(w->b, v ? "true" : "false");
}

void
json_put_null(struct json_writer *w, const char *key)
{
    lead(w, key);
    buf_add_str(w->b, "null");
}

void
json_put_time(struct json_writer *w, const char *key, struct wall t)
{
    char text[DATE_TEXT];

    if (t.ms)
        json_put_text(w, key, date_rfc3339_ms(t, text));
    else
        json_put_null(w, key);
}

void
json_put_raw(struct json_writer *w, const char *key, struct slice raw)
{
    lead(w, key);
    buf_add_slice(w->b, raw);
}
