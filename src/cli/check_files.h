/* check_files.h - the files that options name, opened as a start does after it
 * has looked here: what it or `artstore check-config` refuses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CHECK_FILES_H
#define CLI_CHECK_FILES_H

#include "conf/conf.h"

/* An error in REP for each file that C's role cannot start with, for a
 * REDIS_URL that it could not read, and for a HASH that there is not. Makes
 * nothing; blocks as its files do. */
void check_files(const struct conf *c, struct conf_report *rep);

#endif
