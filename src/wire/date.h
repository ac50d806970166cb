/* date.h - wall time as the text of RFC 3339 (JSON, logs), of HTTP (RFC 9110
 * section 5.6.7), and compact for file names. UTC, calendar arithmetic only
 * (base/civil.h): no locale, no time zones, no clock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DATE_H
#define WIRE_DATE_H

#include "base/mono.h"
#include "base/slice.h"

#define DATE_TEXT 32 /* enough for each of these, with the zero */

/* All return OUT; times before 1970 and after 9999 are cut to those years. */
const char *date_rfc3339(struct wall t, char out[DATE_TEXT]);
/* 2025-01-02T15:30:00Z */
const char *date_rfc3339_ms(struct wall t, char out[DATE_TEXT]);
/* 2025-01-02T15:30:00.123Z */
const char *date_compact(struct wall t, char out[DATE_TEXT]);
/* 20250102T153000 */
const char *date_http(struct wall t, char out[DATE_TEXT]);
/* Thu, 02 Jan 2025 15:30:00 GMT */

/* RFC 3339 with any offset and any fraction (cut to ms); t and z may be lower
 * case, a blank may stand for T, a leap second counts as the second before.
 * False when malformed, no such date, or outside 1970 ... 9999. */
bool date_parse_rfc3339(struct slice s, struct wall *out);

/* The three forms that HTTP has had: IMF-fixdate, RFC 850 (two digits of the
 * year: at most 50 years after NOW), asctime. The day of the week must be one,
 * not the right one. */
bool date_parse_http(struct slice s, struct wall now, struct wall *out);

#endif
