/* storage_impl.h - what `artstore storage init`, `rebuild` and `rename` share.
 *
 * They work on folders and buckets, not through a server. They read the options
 * of the server (environment, --config, --data-dir), so that they mean the
 * elements that it would open. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STORAGE_IMPL_H
#define CLI_STORAGE_IMPL_H

#include "cli/storage.h"
#include "conf/conf.h"
#include "hash/hash.h"
#include <limits.h>

struct storage_args {
    struct cli_common c;
    const char *data_dir;
    const char *config;
    const char *path;
    const char *id;
    const char *mode;
    const char *element;
    bool alone;
    bool check;
    bool deep;
    bool json;
};

#define AT(member) offsetof(struct storage_args, member)

/* clang-format off */
#define OPT_DATA_DIR                                                          \
    {.name = "data-dir", .kind = OPT_TEXT, .at = AT(data_dir),                \
     .value = "DIR", .help = "The server's data folder (DATA_DIR)."}
#define OPT_CONFIG                                                            \
    {.name = "config", .kind = OPT_TEXT, .at = AT(config), .value = "FILE",   \
     .help = "The server's file of options."}
/* clang-format on */

/* RUN with the options of the server that A means; its exit code, or that of
 * wrong options. */
int
storage_run(const struct storage_args *a,
            int (*run)(const struct storage_args *a, const struct conf *conf));
/* Says what has happened to `artstore storage WHAT`; the exit code. */
int storage_fail(const char *what, const struct fault *f);
const struct hash_kernels *storage_hash(void);
/* FOLDER is that of the bucket's index; goes on as its owner, or, when it is
 * not there yet, as that of DATA_DIR (owner.h). */
enum err storage_enter_bucket(const struct conf *conf, char folder[PATH_MAX],
                              struct fault *f);

#endif
