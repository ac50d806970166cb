/* near.h - the name that was probably meant. Internal to conf/. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_NEAR_H
#define CONF_NEAR_H

#include "conf/conf.h"

#define CONF_NEAR_FAR 99

/* How many characters must be changed, left out, put in or swapped with their
 * neighbour to get from A to B; CONF_NEAR_FAR when that is more than MAX, or
 * a name is longer than any option. - and _ and the case of letters do not
 * count. */
int conf_near_distance(struct slice a, struct slice b, int max);

/* The option nearest to NAME, -1 when none is near: one of ROLE before one of
 * another role, and a name of which NAME is the last word (PORT, APP_PORT)
 * before nothing. */
int conf_near(struct slice name, enum conf_role role);

#endif
