/* redis_cleanup.h - the table of commands that look after a Redis.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REDIS_CLEANUP_H
#define CLI_REDIS_CLEANUP_H

#include "cli/client.h"

extern const struct cli_command redis_commands[];

#endif
