/* server.h - running `artstore server` in this process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SERVER_H
#define CLI_SERVER_H

#include "base/err.h"

struct conf;
struct conf_input;

/* Runs until SIGTERM or SIGINT and a drain; prints "ready URL" as the first
 * line of stdout. CONF was read from INPUT, which is asked again on SIGHUP;
 * both must live as long. Returns the exit status. */
int server_run(const struct conf *conf, const struct conf_input *input);

/* DATA_DIR/server.json: where the running server is, for the client commands.
 * */
struct instance;
enum err
instance_write(struct instance **out, const char *data_dir, const char *url,
               const char *issuer, const char *audience, struct fault *f);
void instance_remove(struct instance **i);

#endif
