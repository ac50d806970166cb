/* near.h - the name that was probably meant. Internal to conf/. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_NEAR_H
#define CONF_NEAR_H

#include "conf/conf.h"

/* The option nearest to NAME, -1 when none is near: one of ROLE before one of
 * another role, and a name of which NAME is the last word (PORT, APP_PORT)
 * before nothing. */
int conf_near(struct slice name, enum conf_role role);

#endif
