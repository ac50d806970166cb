/* check_files.h - `artstore check-config`: the files that options name, opened
 * as the start would open them. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CHECK_FILES_H
#define CLI_CHECK_FILES_H

#include "conf/conf.h"

/* An error in REP for each file that the start of C's role would refuse, and
 * for a REDIS_URL that it could not read. Makes nothing. */
void check_files(const struct conf *c, struct conf_report *rep);

#endif
