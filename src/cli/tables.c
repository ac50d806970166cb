/* tables.c - every command of the program. SPDX-License-Identifier: Apache-2.0
 * */
#include "cli/client.h"
#include "cli/migrate.h"
#include "cli/redis_cleanup.h"
#include "cli/serve.h"
#include "cli/sim.h"
#include "cli/storage.h"

const struct cli_command *const cli_tables[] = {
    server_commands, storage_commands, rebuild_commands,
    rename_commands, migrate_commands, redis_commands,
    sim_commands,    client_commands,  NULL,
};
