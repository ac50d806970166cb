/* storage.h - the commands that look after storage elements while no server
 * does. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STORAGE_H
#define CLI_STORAGE_H

#include "cli/client.h"

extern const struct cli_command storage_commands[];
extern const struct cli_command rename_commands[]; /* rename.c */

int cmd_storage_init(int argc, char **argv);
int cmd_storage_rebuild(int argc, char **argv);
int cmd_storage_rename(int argc, char **argv);

#endif
