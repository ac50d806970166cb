/* date.c - wall time as text. SPDX-License-Identifier: Apache-2.0 */
#include "wire/date.h"
#include "base/civil.h"
#include <stdio.h>

static const char days[7][10] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                 "Monday",   "Tuesday", "Wednesday"};
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

const char *
date_rfc3339(struct wall t, char out[DATE_TEXT])
{
    struct civil c = civil_of(t);

    snprintf(out, DATE_TEXT, "%04d-%02u-%02uT%02u:%02u:%02uZ", c.year, c.month,
             c.day, c.hour, c.minute, c.second);
    return out;
}

const char *
date_rfc3339_ms(struct wall t, char out[DATE_TEXT])
{
    struct civil c = civil_of(t);

    snprintf(out, DATE_TEXT, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", c.year,
             c.month, c.day, c.hour, c.minute, c.second, c.ms);
    return out;
}

const char *
date_compact(struct wall t, char out[DATE_TEXT])
{
    struct civil c = civil_of(t);

    snprintf(out, DATE_TEXT, "%04d%02u%02uT%02u%02u%02u", c.year, c.month,
             c.day, c.hour, c.minute, c.second);
    return out;
}

const char *
date_http(struct wall t, char out[DATE_TEXT])
{
    struct civil c = civil_of(t);
    struct wall cut;

    civil_wall(&c, &cut);
    snprintf(out, DATE_TEXT, "%.3s, %02u %.3s %04d %02u:%02u:%02u GMT",
             days[cut.ms / 86400000 % 7], c.day, months + 3 * (c.month - 1),
             c.year, c.hour, c.minute, c.second);
    return out;
}

/* ---- reading ------------------------------------------------------------- */

/* Takes exactly N digits off *S. */
static bool
digits(struct slice *s, size_t n, unsigned *v)
{
    *v = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        *v = *v * 10 + (unsigned)(s->p[i] - '0');
    }
    *s = slice_skip(*s, n);
    return true;
}

static bool
literal(struct slice *s, const char *text)
{
    struct slice t = slice_str(text);

    if (!slice_starts(*s, t))
        return false;
    *s = slice_skip(*s, t.n);
    return true;
}

/* 15:30:00; a leap second is the second before it. */
static bool
time_of_day(struct slice *s, struct civil *c)
{
    if (!digits(s, 2, &c->hour) || !literal(s, ":") ||
        !digits(s, 2, &c->minute) || !literal(s, ":") ||
        !digits(s, 2, &c->second))
        return false;
    if (c->second == 60)
        c->second = 59;
    return true;
}

static bool
fraction(struct slice *s, unsigned *ms)
{
    unsigned weight = 100;

    *ms = 0;
    if (!literal(s, "."))
        return true;
    if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9')
        return false;
    while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
        *ms += (unsigned)(s->p[0] - '0') * weight;
        weight /= 10;
        *s = slice_skip(*s, 1);
    }
    return true;
}

/* Z, or +hh:mm east of Greenwich. */
static bool
offset(struct slice *s, int64_t *ms)
{
    unsigned h, m;
    char sign;

    *ms = 0;
    if (literal(s, "Z") || literal(s, "z"))
        return true;
    if (s->n == 0 || (s->p[0] != '+' && s->p[0] != '-'))
        return false;
    sign = s->p[0];
    *s = slice_skip(*s, 1);
    if (!digits(s, 2, &h) || !literal(s, ":") || !digits(s, 2, &m) || h > 23 ||
        m > 59)
        return false;
    *ms = ((int64_t)h * 60 + m) * 60000 * (sign == '+' ? 1 : -1);
    return true;
}

bool
date_parse_rfc3339(struct slice s, struct wall *out)
{
    struct civil c = {0};
    struct wall t;
    unsigned year;
    int64_t east;

    if (!digits(&s, 4, &year) || !literal(&s, "-") ||
        !digits(&s, 2, &c.month) || !literal(&s, "-") ||
        !digits(&s, 2, &c.day) ||
        !(literal(&s, "T") || literal(&s, "t") || literal(&s, " ")) ||
        !time_of_day(&s, &c) || !fraction(&s, &c.ms) || !offset(&s, &east) ||
        s.n)
        return false;
    c.year = (int)year;
    if (!civil_wall(&c, &t) || t.ms < east)
        return false;
    out->ms = t.ms - east;
    return true;
}

/* Three letters with their case, as RFC 9110 wants them. */
static bool
month(struct slice *s, unsigned *m)
{
    for (*m = 1; *m <= 12; ++*m)
        if (slice_starts(*s, slice_of(months + 3 * (*m - 1), 3))) {
            *s = slice_skip(*s, 3);
            return true;
        }
    return false;
}

/* The name of a day, LONG or its first three letters. */
static bool
day_name(struct slice *s, bool whole)
{
    for (size_t i = 0; i < 7; i++) {
        struct slice d = slice_head(slice_str(days[i]), whole ? 9 : 3);

        if (slice_starts(*s, d)) {
            *s = slice_skip(*s, d.n);
            return true;
        }
    }
    return false;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool
imf(struct slice s, struct civil *c)
{
    unsigned year = 0;
    bool ok = day_name(&s, false) && literal(&s, ", ") &&
              digits(&s, 2, &c->day) && literal(&s, " ") &&
              month(&s, &c->month) && literal(&s, " ") &&
              digits(&s, 4, &year) && literal(&s, " ") && time_of_day(&s, c) &&
              literal(&s, " GMT") && s.n == 0;

    c->year = (int)year;
    return ok;
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool
rfc850(struct slice s, struct wall now, struct civil *c)
{
    int limit = civil_of(now).year + 50;
    unsigned year = 0;
    bool ok = day_name(&s, true) && literal(&s, ", ") &&
              digits(&s, 2, &c->day) && literal(&s, "-") &&
              month(&s, &c->month) && literal(&s, "-") &&
              digits(&s, 2, &year) && literal(&s, " ") && time_of_day(&s, c) &&
              literal(&s, " GMT") && s.n == 0;

    /* RFC 9110 section 5.6.7: what seems to be more than 50 years in the
     * future is the most recent past year with these digits. */
    c->year = limit - limit % 100 + (int)year;
    if (c->year > limit)
        c->year -= 100;
    return ok;
}

/* Sun Nov  6 08:49:37 1994 */
static bool
asctime_form(struct slice s, struct civil *c)
{
    unsigned year = 0;
    bool ok =
        day_name(&s, false) && literal(&s, " ") && month(&s, &c->month) &&
        literal(&s, " ") &&
        (literal(&s, " ") ? digits(&s, 1, &c->day) : digits(&s, 2, &c->day)) &&
        literal(&s, " ") && time_of_day(&s, c) && literal(&s, " ") &&
        digits(&s, 4, &year) && s.n == 0;

    c->year = (int)year;
    return ok;
}

bool
date_parse_http(struct slice s, struct wall now, struct wall *out)
{
    struct civil c = {0};

    return (imf(s, &c) || rfc850(s, now, &c) || asctime_form(s, &c)) &&
           civil_wall(&c, out);
}
