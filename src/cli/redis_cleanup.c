/* redis_cleanup.c - `artstore redis-cleanup` (CAP-091...CAP-095): says what an
 * earlier design left in Redis, and with --execute removes it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/redis_cleanup.h"
#include "cli/serve.h"
#include "conf/conf.h"
#include "io/coord_redis.h"
#include "io/redis_cleanup.h"
#include "wire/json.h"
#include <inttypes.h>
#include <stdio.h>

struct cleanup_args {
    struct cli_common c;
    bool dry_run;
    bool execute;
    bool json;
    const char *host;
    uint64_t port;
    uint64_t db;
    const char *config;
};

#define AT(member) offsetof(struct cleanup_args, member)
#define NOT_GIVEN  UINT64_MAX

static const struct cli_opt cleanup_opts[] = {
    {.name = "dry-run",
     .kind = OPT_FLAG,
     .at = AT(dry_run),
     .help = "Only list what would be removed (the default)."},
    {.name = "execute",
     .kind = OPT_FLAG,
     .at = AT(execute),
     .help = "Remove it."},
    {.name = "host",
     .kind = OPT_TEXT,
     .at = AT(host),
     .value = "HOST",
     .help = "Host of Redis, instead of the one in the settings."},
    {.name = "port",
     .kind = OPT_UINT,
     .at = AT(port),
     .value = "N",
     .min = 1,
     .max = 65535,
     .help = "Its port (REDIS_PORT)."},
    {.name = "db",
     .kind = OPT_UINT,
     .at = AT(db),
     .value = "N",
     .max = 1024,
     .help = "Number of its database (REDIS_DB)."},
    {.name = "config",
     .kind = OPT_TEXT,
     .at = AT(config),
     .value = "FILE",
     .help = "File of options; the environment goes before it."},
    {.name = "json",
     .kind = OPT_FLAG,
     .at = AT(json),
     .help = "One JSON object for each key, and one at the end."},
    {0},
};

/* ---- what is printed ---- */

/* A key is bytes of somebody else: as JSON writes text, without its marks. */
static void
print_key(void *arg, struct slice key, const char *type)
{
    const struct cleanup_args *a = arg;
    struct json_writer w;
    struct buf b;

    buf_init(&b, MIB);
    if (a->json) {
        json_begin(&w, &b);
        json_put_object(&w, NULL);
        json_put_str(&w, "key", key);
        json_put_text(&w, "type", type);
        json_put_bool(&w, "removed", a->execute);
        json_end_object(&w);
        puts(buf_str(&b));
    } else {
        (void)json_out_str(&b, key);
        if (b.n >= 2)
            printf("%-7s  %.*s\n", type, (int)(b.n - 2), buf_str(&b) + 1);
    }
    buf_release(&b);
}

static void
print_end(const struct cleanup_args *a, const struct redis_cleanup *c)
{
    if (a->json)
        printf("{\"found\":%" PRIu64 ",\"removed\":%" PRIu64
               ",\"kept\":%" PRIu64 ",\"executed\":%s,\"more\":%s}\n",
               c->found, c->removed, c->kept, a->execute ? "true" : "false",
               c->more ? "true" : "false");
    else if (a->execute)
        printf("%" PRIu64 " legacy keys removed, %" PRIu64
               " keys of today's list kept\n",
               c->removed, c->kept);
    else
        printf("%" PRIu64 " legacy keys found, %" PRIu64
               " keys of today's list would be kept; nothing was changed%s\n",
               c->found, c->kept, c->found ? " (--execute removes them)" : "");
    if (c->more && !a->json)
        printf("There are more: do it again.\n");
}

static int
fail(const struct redis_cleanup *c, const struct fault *f)
{
    char text[FAULT_TEXT];

    fprintf(stderr, "artstore redis-cleanup: %s\n",
            fault_text(f, text, sizeof(text)));
    if (c->removed > 0)
        fprintf(stderr, "%" PRIu64 " keys had been removed before that\n",
                c->removed);
    return f->code == ERR_DENIED ? CLI_AUTH : CLI_CONNECT;
}

/* ---- the command ---- */

static int
run(const struct cleanup_args *a, const struct conf *conf)
{
    struct redis_cleanup c = {
        .execute = a->execute, .key = print_key, .arg = (void *)(uintptr_t)a};
    struct coord_redis_text room;
    struct coord_redis_conf where;
    struct fault f = {0};
    enum err e = coord_redis_from_conf(&where, &room, conf, &f);

    if (e != ERR_OK && e != ERR_NOENT)
        return fail(&c, &f);
    if (a->host) { /* whoever names one means that one */
        where.host = a->host;
        where.sentinels = NULL;
    }
    if (a->port != NOT_GIVEN)
        where.port = (uint16_t)a->port;
    if (a->db != NOT_GIVEN)
        where.db = (unsigned)a->db;
    e = redis_cleanup_run(&c, &where, &f);
    if (e != ERR_OK)
        return fail(&c, &f);
    print_end(a, &c);
    return CLI_OK;
}

static int
cmd_redis_cleanup(int argc, char **argv)
{
    struct cleanup_args a = {
        .c = CLI_COMMON_DEFAULT, .port = NOT_GIVEN, .db = NOT_GIVEN};
    struct opt_words words;
    struct conf conf;
    int r = cli_parse("redis-cleanup", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (a.dry_run && a.execute)
        return cli_usage("redis-cleanup",
                         "--dry-run and --execute: which of the two?");
    /* REDIS_* as a gateway reads them. */
    r = serve_conf(&conf, CONF_INGESTER, NULL, a.config) ? run(&a, &conf)
                                                         : CONF_EXIT;
    conf_release(&conf);
    return r;
}

const struct cli_command redis_commands[] = {
    {
        .name = "redis-cleanup",
        .summary = "remove what an earlier design left in Redis",
        .usage = "[--dry-run|--execute] [OPTION]...",
        .run = cmd_redis_cleanup,
        .opts = cleanup_opts,
        .about =
            "Storage elements once reported to Redis by themselves, under "
            "storage:elements:ID, storage:rw:by_priority and "
            "storage:edit:by_priority. Nothing reads these keys any more. "
            "This lists them with their types, and with --execute removes "
            "them. What is in use stays: storage:elements:registry, "
            "storage:elements:priorities, and everything else.\n\n"
            "Redis is found by the settings REDIS_* of the environment or of "
            "a file, a password among them. Doing it twice does no harm; "
            "Redis goes on serving others meanwhile. Exit status 7 when "
            "Redis cannot be reached or refuses, 4 when it does not accept "
            "the password.",
        .example = "artstore redis-cleanup\n"
                   "artstore redis-cleanup --execute --host redis.example",
    },
    {0},
};
