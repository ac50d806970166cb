/* serve.h - the table of server commands. SPDX-License-Identifier: Apache-2.0
 * */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "cli/client.h"
#include "base/err.h"

extern const struct cli_command server_commands[];

/* For conf_input.read. */
enum err
serve_read_file(void *ctx, const char *path, struct buf *out, struct fault *f);

int cmd_server(int argc, char **argv);
int cmd_storage(int argc, char **argv);
int cmd_admin(int argc, char **argv);
int cmd_check_config(int argc, char **argv);

#endif
