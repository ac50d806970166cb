/* rules.h - what must hold between options. Internal to conf/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_RULES_H
#define CONF_RULES_H

#include "conf/conf.h"

/* Settles what follows from other options, then adds an error for each rule
 * that is broken and a notice for each PLANNED option that was changed. */
void conf_rules(struct conf *c, struct conf_report *rep);

#endif
