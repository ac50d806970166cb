/* value.c - see value.h.
 *
 * Every number is an int64_t on its way: sizes in the unit of their row,
 * durations in ms. The limits of the table are below 2^60, so that a sum of a
 * few of them cannot overflow. SPDX-License-Identifier: Apache-2.0 */
#include "conf/value.h"
#include "conf/check.h"
#include <stdlib.h>

struct conf_text {
    struct conf_text *next;
    char s[];
};

struct suffix {
    const char *text;
    int64_t factor;
};

/* Powers of 1024 whatever the spelling: MAX_FILE_SIZE_MB=1024 is 1 GiB in the
 * specification, and two meanings of one letter help nobody. */
static const struct suffix size_suffix[] = {
    {"E", INT64_C(1) << 60}, {"P", INT64_C(1) << 50}, {"T", INT64_C(1) << 40},
    {"G", INT64_C(1) << 30}, {"M", INT64_C(1) << 20}, {"K", INT64_C(1) << 10},
};

static const struct suffix dur_suffix[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct {
    const char *name;
    int64_t factor; /* bytes, or ms */
} unit_table[] = {
    [CONF_U_NONE] = {"", 1},
    [CONF_U_BYTES] = {"bytes", 1},
    [CONF_U_BPS] = {"bytes per second", 1},
    [CONF_U_MIB] = {"MiB", INT64_C(1) << 20},
    [CONF_U_MS] = {"ms", 1},
    [CONF_U_S] = {"s", 1000},
    [CONF_U_HOURS] = {"hours", 3600000},
    [CONF_U_DAYS] = {"days", 86400000},
    [CONF_U_PERCENT] = {"percent", 1},
    [CONF_U_POINTS] = {"percentage points", 1},
    [CONF_U_FILES] = {"files", 1},
    [CONF_U_ELEMENTS] = {"elements", 1},
    [CONF_U_ATTEMPTS] = {"attempts", 1},
    [CONF_U_REQUESTS] = {"requests", 1},
};

const char *
conf_unit_name(enum conf_unit u)
{
    assert(u < countof(unit_table));
    return unit_table[u].name;
}

bool
conf_bool_parse(struct slice s, bool *v)
{
    static const char *const word[] = {"off", "on",  "false", "true",
                                       "no",  "yes", "0",     "1"};

    for (size_t i = 0; i < countof(word); i++) {
        if (slice_eq_nocase(s, slice_str(word[i]))) {
            *v = i & 1;
            return true;
        }
    }
    return false;
}

/* The digits at the start of *S, off it. False: there are none, or too many. */
static bool
take_digits(struct slice *s, uint64_t *v)
{
    size_t n = 0;
    bool ok;

    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    ok = slice_u64(slice_head(*s, n), v) && *v <= INT64_MAX;
    *s = slice_skip(*s, n);
    return ok;
}

static bool
parse_size(const struct conf_option *o, struct slice s, int64_t *v,
           const char **why)
{
    const int64_t unit = unit_table[o->unit].factor;
    int64_t factor = unit;
    uint64_t n;

    if (!take_digits(&s, &n))
        return false;
    for (size_t i = 0; i < countof(size_suffix) && s.n > 0; i++) {
        if (slice_eq_nocase(slice_head(s, 1), slice_str(size_suffix[i].text))) {
            factor = size_suffix[i].factor;
            s = slice_skip(s, 1);
            if (slice_eq_nocase(s, SLICE("b")) ||
                slice_eq_nocase(s, SLICE("ib")))
                s = SLICE_NULL;
            break;
        }
    }
    if (s.n > 0 || __builtin_mul_overflow((int64_t)n, factor, v))
        return false;
    if (*v % unit != 0) {
        *why = "it counts whole MiB";
        return false;
    }
    *v /= unit;
    return true;
}

/* Up to nine digits behind the point; what is finer than a millisecond is
 * refused and not rounded, because 0 often means something else. */
static bool
parse_dur(const struct conf_option *o, struct slice s, int64_t *ms,
          const char **why)
{
    int64_t factor = unit_table[o->unit].factor, scale = 1;
    uint64_t n, frac = 0;

    if (!take_digits(&s, &n))
        return false;
    if (s.n > 0 && s.p[0] == '.') {
        size_t before = s.n - 1;

        s = slice_skip(s, 1);
        if (!take_digits(&s, &frac) || before - s.n > 9)
            return false;
        for (size_t i = before - s.n; i > 0; i--)
            scale *= 10;
    }
    for (size_t i = 0; i < countof(dur_suffix) && s.n > 0; i++) {
        if (slice_eq(s, slice_str(dur_suffix[i].text))) {
            factor = dur_suffix[i].factor;
            s = SLICE_NULL;
        }
    }
    if (s.n > 0 || __builtin_mul_overflow((int64_t)n, factor, ms))
        return false;
    /* frac < 1e9 and factor < 1e8: the product stays below 1e17. */
    if ((int64_t)frac * factor % scale != 0) {
        *why = "nothing finer than a millisecond";
        return false;
    }
    return !__builtin_add_overflow(*ms, (int64_t)frac * factor / scale, ms);
}

static bool
parse_enum(const struct conf_option *o, struct slice s, int64_t *v)
{
    struct slice rest = slice_str(o->choices), choice;

    for (*v = 0; slice_cut(&rest, '|', &choice); ++*v) {
        if (slice_eq_nocase(choice, s))
            return true;
    }
    return false;
}

bool
conf_value_parse(const struct conf_option *o, struct slice s,
                 struct conf_value *v, const char **why)
{
    bool ok = false, on = false;
    uint64_t n = 0;

    *why = NULL;
    *v = (struct conf_value){0, s};
    switch (o->type) {
    case CONF_BOOL:
        ok = conf_bool_parse(s, &on);
        v->n = on;
        break;
    case CONF_INT:
        ok = slice_u64(s, &n) && n <= INT64_MAX;
        v->n = (int64_t)n;
        break;
    case CONF_SIZE:
        ok = parse_size(o, s, &v->n, why);
        break;
    case CONF_DUR:
        ok = parse_dur(o, s, &v->n, why);
        break;
    case CONF_ENUM:
        return parse_enum(o, s, &v->n);
    case CONF_TEXT:
    case CONF_LIST:
        ok = conf_check_text(o, &v->text, why);
        v->n = (int64_t)v->text.n;
        break;
    }
    return ok && v->n >= o->min && v->n <= o->max;
}

const char *
conf_keep(struct conf *c, struct slice s)
{
    struct conf_text *t = malloc(sizeof(*t) + s.n + 1);

    if (t == NULL)
        return NULL;
    if (s.n > 0)
        memcpy(t->s, s.p, s.n);
    t->s[s.n] = '\0';
    t->next = c->texts;
    c->texts = t;
    return t->s;
}

void
conf_release(struct conf *c)
{
    while (c->texts != NULL) {
        struct conf_text *t = c->texts;

        c->texts = t->next;
        explicit_bzero(t->s, strlen(t->s)); /* it may have been a secret */
        free(t);
    }
}

bool
conf_value_store(struct conf *c, int id, struct conf_value v)
{
    const struct conf_option *o = &conf_option[id];
    void *field = (char *)c + o->offset;
    const char *text;

    switch (o->type) {
    case CONF_BOOL:
        *(bool *)field = v.n != 0;
        break;
    case CONF_INT:
        *(int64_t *)field = v.n;
        break;
    case CONF_SIZE:
        *(uint64_t *)field = (uint64_t)v.n;
        break;
    case CONF_DUR:
        *(struct dur *)field = dur_ms(v.n);
        break;
    case CONF_ENUM:
        *(int *)field = (int)v.n;
        break;
    case CONF_TEXT:
    case CONF_LIST:
        text = conf_keep(c, v.text);
        if (text == NULL)
            return false;
        *(const char **)field = text;
        break;
    }
    return true;
}

struct conf_value
conf_value_load(const struct conf *c, int id)
{
    const struct conf_option *o = &conf_option[id];
    const void *field = (const char *)c + o->offset;
    struct conf_value v = {0, SLICE_NULL};

    switch (o->type) {
    case CONF_BOOL:
        v.n = *(const bool *)field;
        break;
    case CONF_INT:
        v.n = *(const int64_t *)field;
        break;
    case CONF_SIZE:
        v.n = (int64_t) * (const uint64_t *)field;
        break;
    case CONF_DUR:
        v.n = ((const struct dur *)field)->ns / 1000000;
        break;
    case CONF_ENUM:
        v.n = *(const int *)field;
        break;
    case CONF_TEXT:
    case CONF_LIST:
        v.text = slice_str(*(const char *const *)field);
        v.n = (int64_t)v.text.n;
        break;
    }
    return v;
}

bool
conf_value_same(const struct conf_option *o, struct conf_value a,
                struct conf_value b)
{
    if (o->type == CONF_TEXT || o->type == CONF_LIST)
        return slice_eq(a.text, b.text);
    return a.n == b.n;
}

static void
print_suffixed(const struct suffix *table, size_t n, int64_t v, struct buf *out)
{
    for (size_t i = 0; i < n && v > 0; i++) {
        if (v % table[i].factor == 0) {
            buf_printf(out, "%lld%s", (long long)(v / table[i].factor),
                       table[i].text);
            return;
        }
    }
    buf_printf(out, "%lld", (long long)v);
}

void
conf_number_print(const struct conf_option *o, int64_t n, struct buf *out)
{
    if (o->type == CONF_DUR)
        print_suffixed(dur_suffix, countof(dur_suffix), n, out);
    else if (o->type == CONF_SIZE && o->unit != CONF_U_MIB)
        print_suffixed(size_suffix, countof(size_suffix), n, out);
    else
        buf_printf(out, "%lld", (long long)n);
}

void
conf_value_print(const struct conf_option *o, struct conf_value v,
                 struct buf *out)
{
    struct slice rest, choice = SLICE_NULL;

    switch (o->type) {
    case CONF_BOOL:
        buf_add_str(out, v.n ? "on" : "off");
        break;
    case CONF_DUR: /* the bare number where the unit allows it */
        if (v.n % unit_table[o->unit].factor == 0)
            buf_printf(out, "%lld",
                       (long long)(v.n / unit_table[o->unit].factor));
        else
            conf_number_print(o, v.n, out);
        break;
    case CONF_INT:
    case CONF_SIZE:
        conf_number_print(o, v.n, out);
        break;
    case CONF_ENUM:
        rest = slice_str(o->choices);
        for (int64_t i = 0; i <= v.n; i++)
            slice_cut(&rest, '|', &choice);
        buf_add_slice(out, choice);
        break;
    case CONF_TEXT:
    case CONF_LIST:
        buf_add_slice(out, v.text);
        break;
    }
}

static void
print_choices(const struct conf_option *o, struct buf *out)
{
    struct slice rest = slice_str(o->choices), choice;
    const char *between = "";

    while (slice_cut(&rest, '|', &choice)) {
        buf_printf(out, "%s%.*s", between, SLICE_ARG(choice));
        between = slice_find(rest, '|') < rest.n ? ", " : " or ";
    }
}

void
conf_value_range(const struct conf_option *o, struct buf *out)
{
    static const char *const kind[] = {[CONF_INT] = "a whole number",
                                       [CONF_SIZE] = "a size",
                                       [CONF_DUR] = "a duration"};

    switch (o->type) {
    case CONF_BOOL:
        buf_add_str(out, "on or off");
        break;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_DUR:
        buf_printf(out, "%s from ", kind[o->type]);
        conf_number_print(o, o->min, out);
        buf_add_str(out, " to ");
        conf_number_print(o, o->max, out);
        if (o->type == CONF_DUR)
            buf_printf(out, " (a bare number: %s)", conf_unit_name(o->unit));
        else if (o->unit != CONF_U_NONE)
            buf_printf(out, " %s", conf_unit_name(o->unit));
        break;
    case CONF_ENUM:
        print_choices(o, out);
        break;
    case CONF_TEXT:
    case CONF_LIST:
        if (o->type == CONF_LIST && o->check < CONF_C_MIME)
            buf_add_str(out, "a list: ");
        buf_printf(out, "%s, %s%lld bytes", conf_check_name(o->check),
                   o->min > 0 ? "1 to " : "at most ", (long long)o->max);
        break;
    }
}
