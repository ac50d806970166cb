/* serve.c - the commands that are a server, or look after one.
 *
 * Their options are those of conf/options.def, so --help and mistakes come from
 * there. SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve.h"
#include "cli/check_files.h"
#include "cli/client.h"
#include "cli/server.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum err
serve_read_file(void *ctx, const char *path, struct buf *out, struct fault *f)
{
    FILE *in = fopen(path, "re");
    char chunk[4096];
    size_t n;

    (void)ctx;
    if (in == NULL)
        return fault_sys(f, errno, "open", path);
    while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0 &&
           buf_add(out, chunk, n)) {
    }
    n = (size_t)ferror(in);
    fclose(in);
    if (n)
        return fault_sys(f, EIO, "read", path);
    return out->failed ? fault_set(f, ERR_TOOBIG, "read", path) : ERR_OK;
}

static struct conf_input
input_of(enum conf_role role, int argc, char **argv)
{
    return (struct conf_input){
        .role = role,
        .argv = (const char *const *)(argv + 1),
        .argc = (size_t)(argc - 1),
        .envp = (const char *const *)environ,
        .read = serve_read_file,
    };
}

static void
print_buf(FILE *to, struct buf *b)
{
    (void)fwrite(buf_str(b), 1, b->n, to);
}

bool
serve_path(const struct conf *c, const char *path, char out[PATH_MAX])
{
    int n = path[0] == '/'
                ? snprintf(out, PATH_MAX, "%s", path)
                : snprintf(out, PATH_MAX, "%s/%s", c->data_dir, path);

    return n > 0 && n < PATH_MAX;
}

bool
serve_conf(struct conf *conf, enum conf_role role, const char *data_dir,
           const char *config)
{
    const char *argv[4];
    struct conf_input in = {.role = role,
                            .argv = argv,
                            .envp = (const char *const *)environ,
                            .read = serve_read_file};
    struct conf_report rep;
    struct buf b;
    enum err e;

    if (data_dir) {
        argv[in.argc++] = "--data-dir";
        argv[in.argc++] = data_dir;
    }
    if (config) {
        argv[in.argc++] = "--config";
        argv[in.argc++] = config;
    }
    e = conf_load(conf, &in, &rep);
    buf_init(&b, MIB);
    conf_report_print(&rep, CONF_ERROR, &b);
    print_buf(stderr, &b);
    buf_release(&b);
    conf_report_release(&rep);
    return e == ERR_OK;
}

static int
print_help(enum conf_role role)
{
    struct buf b;

    buf_init(&b, 1024 * KIB);
    buf_printf(&b, "Usage: artstore %s [OPTION]...\n\n", conf_role_name(role));
    conf_help(role, &b);
    print_buf(stdout, &b);
    buf_release(&b);
    return 0;
}

static int
serve(enum conf_role role, int argc, char **argv)
{
    struct conf_input in = input_of(role, argc, argv);
    struct conf_report rep;
    struct conf conf;
    struct buf b;
    enum err e;
    int r;

    e = conf_load(&conf, &in, &rep);
    buf_init(&b, 1024 * KIB);
    if (rep.help) {
        r = print_help(role);
    } else if (rep.print_config && e == ERR_OK) {
        conf_print(&conf, true, &b);
        print_buf(stdout, &b);
        r = 0;
    } else {
        conf_report_print(&rep, CONF_WARNING, &b);
        print_buf(stderr, &b);
        r = e == ERR_OK ? server_run(&conf, &in) : CONF_EXIT;
    }
    buf_release(&b);
    conf_report_release(&rep);
    conf_release(&conf);
    return r;
}

int
cmd_server(int argc, char **argv)
{
    return serve(CONF_SERVER, argc, argv);
}

int
cmd_storage(int argc, char **argv)
{
    return serve(CONF_STORAGE, argc, argv);
}

int
cmd_admin(int argc, char **argv)
{
    return serve(CONF_ADMIN, argc, argv);
}

int
cmd_ingester(int argc, char **argv)
{
    return serve(CONF_INGESTER, argc, argv);
}

/* artstore check-config [ROLE] [--all] [OPTION]... */
int
cmd_check_config(int argc, char **argv)
{
    enum conf_role role = CONF_SERVER;
    struct conf_input in;
    bool all = false;
    struct buf b;
    int r;

    if (argc > 1 && conf_role_parse(slice_str(argv[1]), &role)) {
        argc--;
        argv++;
    }
    if (argc > 1 && strcmp(argv[1], "--all") == 0) {
        all = true;
        argc--;
        argv++;
    }
    if (argc > 1 && argv[1][0] != '-')
        return cli_usage("check-config",
                         "ROLE is server, ingester, storage or admin");
    in = input_of(role, argc, argv);
    in.look = check_files;
    buf_init(&b, 1024 * KIB);
    r = conf_check(&in, all, &b);
    print_buf(stdout, &b);
    buf_release(&b);
    return r;
}

const struct cli_command server_commands[] = {
    {
        .name = "server",
        .summary = "run all roles in one process",
        .usage = "[OPTION]...",
        .run = cmd_server,
        .about =
            "Storage elements, catalogue, gateway and tokens behind one port, "
            "with a data folder and no other service. The first start makes "
            "the folder, two storage elements, a key pair and a service "
            "account. `artstore server --help` lists the options; SIGTERM "
            "stops it when what is under way is finished.",
        .example = "artstore server --data-dir /srv/artstore\n"
                   "artstore server --data-dir d --listen 127.0.0.1:0",
    },
    {
        .name = "storage",
        .summary = "run one storage element that gateways reach over HTTP",
        .usage = "[OPTION]...",
        .run = cmd_storage,
        .about =
            "An element in a process of its own, perhaps behind a reverse "
            "proxy. It never calls out. `artstore storage init --alone` makes "
            "its folder; AUTH_PUBLIC_KEY_PATH names the key of Admin, whose "
            "tokens it believes. `artstore storage --help` lists the options.",
        .example =
            "artstore storage init --alone --path /mnt/disk1 --id se-01\n"
            "artstore storage --storage-element-id se-01 "
            "--storage-path /mnt/disk1 "
            "--auth-public-key-path admin.pem",
    },
    {
        .name = "admin",
        .summary = "run the registry: elements, files, tokens, audit",
        .usage = "[OPTION]...",
        .run = cmd_admin,
        .about =
            "What gateways and elements in other processes agree on, with its "
            "database in the data folder. The first start makes the folder, a "
            "key pair and a service account. `artstore admin --help` lists the "
            "options.",
        .example = "artstore admin --data-dir /srv/admin",
    },
    {
        .name = "ingester",
        .summary = "run an upload gateway over elements in other processes",
        .usage = "[OPTION]...",
        .run = cmd_ingester,
        .about =
            "Takes files in and gives them out, and keeps nothing itself: "
            "elements and Admin are found over HTTP, and what gateways agree "
            "on is in Redis. SERVICE_ACCOUNT_CLIENT_ID and "
            "SERVICE_ACCOUNT_CLIENT_SECRET name its account; the first start "
            "of `artstore admin` makes one and writes it to gateway.json in "
            "its data folder. `artstore ingester --help` lists the options.",
        .example =
            "artstore ingester --auth-admin-module-url http://admin:8000 "
            "--redis-host redis",
    },
    {
        .name = "check-config",
        .summary = "check options without starting",
        .usage = "[ROLE] [--all] [OPTION]...",
        .run = cmd_check_config,
        .about =
            "Reads the same options as the role (default: server) and says "
            "everything that is wrong with them, and with the keys and "
            "certificates that they name. Asks nobody else. Exit status 78 "
            "when there is an error.",
        .example = "artstore check-config --config artstore.env",
    },
    {0},
};
