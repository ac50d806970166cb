/* json_read.c - the reading half of json.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"
#include <inttypes.h>
#include <stdio.h>

#define KEY_SHOWN 60 /* bytes of a key that an error quotes */

PRINTF_LIKE(2, 3)
static void
say(struct json_error *e, const char *fmt, ...)
{
    va_list ap;

    if (e->text[0])
        return;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
}

/* ---- measuring ----------------------------------------------------------- */

/* The text between quotation marks is passed over as a whole: behind its end,
 * or S.n when it has none. I is behind the first mark. */
static size_t
skip_string(struct slice s, size_t i)
{
    while (i < s.n && s.p[i] != '"')
        i += s.p[i] == '\\' ? 2 : 1;
    return i < s.n ? i + 1 : s.n;
}

bool
json_measure(struct slice text, const struct json_limits *limits,
             struct json_error *e)
{
    uint32_t depth = 0, values = 1;

    e->text[0] = 0;
    if (text.n > limits->bytes_max) {
        say(e, "the JSON is %zu bytes long; at most %zu are read", text.n,
            limits->bytes_max);
        return false;
    }
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i++];

        if (c == '"') {
            i = skip_string(text, i);
        } else if (c == '{' || c == '[') {
            depth++;
            values++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0; /* one too many is for the parser to refuse */
        } else if (c == ',') {
            values++;
        }
        if (depth > limits->depth_max) {
            say(e, "the JSON is nested more than %u deep", limits->depth_max);
            return false;
        }
        if (values > limits->values_max) {
            say(e, "the JSON has more than %u values", limits->values_max);
            return false;
        }
    }
    return true;
}

json_t *
json_read_limited(struct slice text, const struct json_limits *limits,
                  struct json_error *e)
{
    size_t flags = JSON_REJECT_DUPLICATES;
    json_error_t why;
    json_t *j;

    if (!json_measure(text, limits, e))
        return NULL;
    /* The library loses one that follows a number. */
    if (text.n && memchr(text.p, 0, text.n)) {
        say(e, "not valid JSON: it has a NUL byte");
        return NULL;
    }
    if (limits->any)
        flags |= JSON_DECODE_ANY;
    j = json_loadb(text.n ? text.p : "", text.n, flags, &why);
    if (j == NULL)
        say(e, "not valid JSON at line %d, column %d: %.100s", why.line,
            why.column, why.text);
    return j;
}

json_t *
json_read(struct slice text, struct json_error *e)
{
    return json_read_limited(text, &JSON_LIMITS_DEFAULT, e);
}

/* ---- getters ------------------------------------------------------------- */

/* The member KEY when it is there and not null; else NULL, and an error when it
 * is needed. */
static json_t *
member(const json_t *o, const char *key, enum json_need need,
       struct json_error *e)
{
    json_t *v;

    if (o == NULL)
        return NULL;
    if (!json_is_object(o)) {
        say(e, "an object with the field '%.*s' is expected", KEY_SHOWN, key);
        return NULL;
    }
    v = json_object_get(o, key);
    if (json_is_null(v))
        v = NULL;
    if (v == NULL && need == JSON_REQUIRED)
        say(e, "the field '%.*s' is missing", KEY_SHOWN, key);
    return v;
}

static void
wrong(struct json_error *e, const char *key, const char *type)
{
    say(e, "the field '%.*s' must be %s", KEY_SHOWN, key, type);
}

struct slice
json_get_str(const json_t *o, const char *key, enum json_need need,
             struct json_error *e)
{
    json_t *v = member(o, key, need, e);

    if (v && !json_is_string(v))
        wrong(e, key, "a string");
    if (!json_is_string(v))
        return SLICE_NULL;
    return slice_of(json_string_value(v), json_string_length(v));
}

int64_t
json_get_int(const json_t *o, const char *key, enum json_need need, int64_t min,
             int64_t max, int64_t otherwise, struct json_error *e)
{
    json_t *v = member(o, key, need, e);
    int64_t n;

    if (v == NULL)
        return otherwise;
    if (!json_is_integer(v)) {
        wrong(e, key, "a whole number");
        return otherwise;
    }
    n = json_integer_value(v);
    if (n < min || n > max) {
        say(e, "the field '%.*s' must be from %" PRId64 " to %" PRId64,
            KEY_SHOWN, key, min, max);
        return otherwise;
    }
    return n;
}

bool
json_get_bool(const json_t *o, const char *key, enum json_need need,
              bool otherwise, struct json_error *e)
{
    json_t *v = member(o, key, need, e);

    if (v && !json_is_boolean(v))
        wrong(e, key, "true or false");
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

const json_t *
json_get_obj(const json_t *o, const char *key, enum json_need need,
             struct json_error *e)
{
    json_t *v = member(o, key, need, e);

    if (v && !json_is_object(v))
        wrong(e, key, "an object");
    return json_is_object(v) ? v : NULL;
}

const json_t *
json_get_list(const json_t *o, const char *key, enum json_need need,
              struct json_error *e)
{
    json_t *v = member(o, key, need, e);

    if (v && !json_is_array(v))
        wrong(e, key, "a list");
    return json_is_array(v) ? v : NULL;
}
