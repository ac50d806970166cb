/* serve.h - the table of server commands. SPDX-License-Identifier: Apache-2.0
 * */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "cli/client.h"
#include "base/err.h"
#include "conf/conf.h"
#include <limits.h>

extern const struct cli_command server_commands[];

/* For conf_input.read. */
enum err
serve_read_file(void *ctx, const char *path, struct buf *out, struct fault *f);

/* The options of ROLE as it would see them, with DATA_DIR and CONFIG (a file)
 * where they are not NULL. False: said why. *CONF goes to conf_release() in any
 * case. */
bool serve_conf(struct conf *conf, enum conf_role role, const char *data_dir,
                const char *config);

/* PATH, below DATA_DIR unless absolute. False: too long. */
bool serve_path(const struct conf *c, const char *path, char out[PATH_MAX]);

int cmd_server(int argc, char **argv);
int cmd_storage(int argc, char **argv);
int cmd_admin(int argc, char **argv);
int cmd_ingester(int argc, char **argv);
int cmd_check_config(int argc, char **argv);

#endif
