/* report.h - values in a report. Internal to conf/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "conf/conf.h"

/* VALUE as it may be shown in a message: cut after 80 bytes, *** for a
 * secret. */
void conf_show(char *out, size_t cap, struct slice value, bool secret);

#endif
