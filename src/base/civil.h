/* civil.h - a point of wall time as year, month, day ... in UTC, and back, in
 * the proleptic Gregorian calendar. Pure arithmetic, after Howard Hinnant's
 * "chrono-compatible low-level date algorithms"; gmtime() would do, but pure
 * code may not call it. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include "base/mono.h"

struct civil {
    int year; /* 1970 ... 9999 */
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned ms;
};

/* T is cut to 1970-01-01 ... 9999-12-31. */
struct civil civil_of(struct wall t);
/* False when C is no such date or time, like 30 February or 24:00. */
bool civil_wall(const struct civil *c, struct wall *out);

#endif
