/* migrate.h - the commands that bring a catalogue into PostgreSQL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_MIGRATE_H
#define CLI_MIGRATE_H

#include "cli/client.h"

extern const struct cli_command migrate_commands[];

int cmd_migrate_schema(int argc, char **argv);
int cmd_migrate_data(int argc, char **argv);
int cmd_migrate_status(int argc, char **argv);
int cmd_migrate_validate(int argc, char **argv);

#endif
