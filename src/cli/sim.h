/* sim.h - the command of the simulator. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SIM_H
#define CLI_SIM_H

#include "cli/client.h"

extern const struct cli_command sim_commands[];

#endif
