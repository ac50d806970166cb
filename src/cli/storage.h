/* storage.h - the commands that look after storage elements while no server
 * does. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STORAGE_H
#define CLI_STORAGE_H

#include "cli/client.h"

extern const struct cli_command storage_commands[]; /* init */
extern const struct cli_command rebuild_commands[];
extern const struct cli_command rename_commands[];

#endif
