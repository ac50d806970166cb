/* report.h - adding to a report. Internal to conf/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "conf/conf.h"

/* Control characters become ?, so that a value cannot forge a line; what is too
 * long is cut. */
void conf_report_add(struct conf_report *rep, enum conf_level level, int option,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);

/* VALUE as it may be shown in a message: cut after 80 bytes, *** for a
 * secret. */
void conf_show(char *out, size_t cap, struct slice value, bool secret);

#endif
