/* check.h - what a text must look like (enum conf_check). Internal to conf/.
 * Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/conf.h"

/* Whether *S is a text of option O, apart from its length. May put a canonical
 * form (a constant) in its place. *WHY as in conf_value_parse(). */
bool
conf_check_text(const struct conf_option *o, struct slice *s, const char **why);

/* "a path", "a list of networks (CIDR)". */
const char *conf_check_name(enum conf_check check);

#endif
