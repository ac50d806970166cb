/* civil.c - see civil.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/civil.h"

#define DAY_MS  ((int64_t)86400000)
#define LAST_MS (DAY_MS * 2932897 - 1) /* the end of 9999-12-31 */

static int64_t
days_of(int64_t y, unsigned m, unsigned d)
{
    int64_t era, doe, doy, yoe;

    y -= m <= 2; /* years begin in March, so that leap days end them */
    era = y / 400;
    yoe = y - era * 400;
    doy = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct civil
civil_of(struct wall t)
{
    int64_t ms = t.ms < 0 ? 0 : t.ms > LAST_MS ? LAST_MS : t.ms;
    int64_t z = ms / DAY_MS + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c;

    ms %= DAY_MS;
    c.day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    c.year = (int)(yoe + era * 400 + (c.month <= 2));
    c.hour = (unsigned)(ms / 3600000);
    c.minute = (unsigned)(ms / 60000 % 60);
    c.second = (unsigned)(ms / 1000 % 60);
    c.ms = (unsigned)(ms % 1000);
    return c;
}

bool
civil_wall(const struct civil *c, struct wall *out)
{
    struct civil back;

    if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12 ||
        c->day < 1 || c->day > 31 || c->hour > 23 || c->minute > 59 ||
        c->second > 59 || c->ms > 999)
        return false;
    out->ms = days_of(c->year, c->month, c->day) * DAY_MS +
              (int64_t)c->hour * 3600000 + (int64_t)c->minute * 60000 +
              (int64_t)c->second * 1000 + c->ms;
    back = civil_of(*out);
    return back.day == c->day; /* 30 February comes back as 2 March */
}
