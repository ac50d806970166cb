/* role_opts.h - the options of a server role in the form of client commands,
 * for completion and the manual. They are parsed by conf/, not by opt.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ROLE_OPTS_H
#define CLI_ROLE_OPTS_H

#include "cli/opt.h"
#include "conf/conf.h"

/* Made once for each role; one thread. Without secrets, which may not stand on
 * a command line, and without what only later versions read. */
const struct cli_opt *role_opts(enum conf_role role);

#endif
