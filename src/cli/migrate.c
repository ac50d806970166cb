/* migrate.c - `artstore migrate schema|data|status|validate` (ALR-315 to
 * ALR-324): the schema of a PostgreSQL, and the way there from SQLite files.
 *
 * Exit codes are those of ALR-320, so that a script can tell a difference of
 * data from a run that is under way: they differ from other commands' here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/migrate.h"
#include "cli/catalogue.h"
#include "cli/clock.h"
#include "cli/progress.h"
#include "cli/serve.h"
#include "cli/table.h"
#include "cli/text.h"
#include "io/migrate.h"
#include "wire/json.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ALR-320 */
enum { MIG_OK, MIG_FAILED, MIG_USAGE, MIG_DIFFERS, MIG_LOCKED };

/* Counting and comparing large tables takes its time. */
#define STATEMENT_LIMIT dur_s(600)

struct migrate_args {
    struct cli_common c;
    const char *url;
    const char *data_dir;
    const char *config;
    uint64_t batch;
    bool dry_run;
    bool restart;
    bool undo;
    bool json;
    bool quiet;
};

#define AT(member) offsetof(struct migrate_args, member)

/* clang-format off */
#define COMMON_OPTS                                                           \
    {.name = "database-url", .kind = OPT_SECRET, .at = AT(url),               \
     .value = "URL", .help = "The PostgreSQL. Better given as DATABASE_URL: " \
                             "a command line can be seen by others for a "    \
                             "moment."},                                      \
    {.name = "data-dir", .kind = OPT_TEXT, .at = AT(data_dir),                \
     .value = "DIR", .help = "Folder of the SQLite files (DATA_DIR)."},       \
    {.name = "config", .kind = OPT_TEXT, .at = AT(config), .value = "FILE",   \
     .help = "The server's file of options."},                                \
    {.name = "json", .kind = OPT_FLAG, .at = AT(json),                        \
     .help = "One JSON object a line."},                                      \
    {0}
/* clang-format on */

static const struct cli_opt schema_opts[] = {
    {.name = "dry-run",
     .kind = OPT_FLAG,
     .at = AT(dry_run),
     .help = "Only say what would be applied."},
    COMMON_OPTS,
};

static const struct cli_opt data_opts[] = {
    {.name = "batch-size",
     .kind = OPT_UINT,
     .at = AT(batch),
     .value = "N",
     .min = 1,
     .max = 100000,
     .help = "Rows of one transaction (1000)."},
    {.name = "restart",
     .kind = OPT_FLAG,
     .at = AT(restart),
     .help = "Forget a copy that has not ended, with its rows, and begin "
             "anew."},
    {.name = "undo",
     .kind = OPT_FLAG,
     .at = AT(undo),
     .help = "Let servers use the SQLite files again; what was written to the "
             "PostgreSQL since is not brought back."},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPT_FLAG,
     .at = AT(quiet),
     .help = "No progress."},
    COMMON_OPTS,
};

static const struct cli_opt both_opts[] = {COMMON_OPTS};

/* ---- what all need ---- */

static int
fail(const char *what, const struct fault *f)
{
    char text[FAULT_TEXT];

    say("migrate %s: %s", what, fault_text(f, text, sizeof(text)));
    return f->code == ERR_BUSY ? MIG_LOCKED : MIG_FAILED;
}

typedef int migrate_run_fn(struct migrate_args *a, const struct conf *conf,
                           struct migrate *m);

/* Parses, opens, runs. SOURCE: the SQLite files are needed. */
static int
run(const char *name, int argc, char **argv, bool source, migrate_run_fn *fn)
{
    struct migrate_args a = {.c = CLI_COMMON_DEFAULT};
    struct migrate_conf mc = {.statement_timeout = STATEMENT_LIMIT};
    struct migrate *m = NULL;
    struct opt_words words;
    struct fault f = {0};
    struct conf conf;
    int r = cli_parse(name, argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    name += strlen("migrate ");
    if (!serve_conf(&conf, CONF_SERVER, a.data_dir, a.config)) {
        r = MIG_USAGE;
    } else {
        mc.url = a.url ? a.url : conf.database_url;
        mc.folder = source ? conf.data_dir : NULL;
        mc.batch = (unsigned)a.batch;
        if (a.undo) {
            r = fn(&a, &conf, NULL);
        } else if (mc.url[0] == '\0') {
            say("migrate %s: which PostgreSQL? Give DATABASE_URL or "
                "--database-url",
                name);
            r = MIG_USAGE;
        } else if (migrate_open(&m, &mc, &f) != ERR_OK) {
            r = fail(name, &f);
        } else {
            r = fn(&a, &conf, m);
        }
    }
    migrate_close(&m);
    conf_release(&conf);
    return r;
}

/* ---- schema ---- */

struct scripts {
    const struct migrate_args *a;
    unsigned told, pending, bad;
    bool all; /* tell those that are applied, too */
};

static const char *
script_state(const struct migrate_script *s)
{
    return s->unknown   ? "of a later version"
           : s->differs ? "applied with another text"
           : s->applied ? "applied"
                        : "pending";
}

static void
print_script(void *arg, const struct migrate_script *s)
{
    struct scripts *x = arg;
    char when[TEXT_TIME] = "";

    x->pending += !s->applied;
    x->bad += s->unknown || s->differs;
    if (!x->all && s->applied && !s->took_ms && x->a->dry_run)
        return;
    x->told++;
    if (s->applied)
        (void)text_time((struct wall){s->applied_at}, when);
    if (x->a->json) {
        struct json_writer w;
        struct buf b;

        buf_init(&b, 4 * KIB);
        json_begin(&w, &b);
        json_put_object(&w, NULL);
        json_put_text(&w, "part", s->part);
        json_put_u64(&w, "version", s->version);
        json_put_text(&w, "name", s->name);
        json_put_text(&w, "state", script_state(s));
        if (s->applied)
            json_put_text(&w, "applied_at", when);
        json_end_object(&w);
        puts(buf_str(&b));
        buf_release(&b);
    } else if (s->took_ms || (s->applied && !x->all)) {
        printf("%s %u (%s): applied in %" PRId64 " ms\n", s->part, s->version,
               s->name, s->took_ms);
    } else {
        printf("%s %u (%s): %s%s%s\n", s->part, s->version, s->name,
               script_state(s), when[0] ? " at " : "", when);
    }
}

static int
schema_run(struct migrate_args *a, const struct conf *conf, struct migrate *m)
{
    struct scripts x = {.a = a};
    struct fault f = {0};
    enum err e = a->dry_run ? migrate_scripts(m, print_script, &x, &f)
                            : migrate_schema(m, print_script, &x, &f);

    (void)conf;
    if (e != ERR_OK)
        return fail("schema", &f);
    if (x.told == 0 && !a->json)
        printf("%s: nothing to do\n", migrate_target(m));
    return x.bad ? MIG_DIFFERS : MIG_OK;
}

int
cmd_migrate_schema(int argc, char **argv)
{
    return run("migrate schema", argc, argv, false, schema_run);
}

/* ---- data ---- */

/* DATA_DIR/server.json of a process that is still there: 0, or its number. */
static long
server_of(const struct conf *conf)
{
    struct json_error je = {{0}};
    char path[PATH_MAX];
    json_t *j = NULL;
    struct buf b;
    int64_t pid = 0;

    buf_init(&b, 64 * KIB);
    if (snprintf(path, sizeof(path), "%s/server.json", conf->data_dir) <
            (int)sizeof(path) &&
        serve_read_file(NULL, path, &b, NULL) == ERR_OK)
        j = json_read(buf_slice(&b), &je);
    if (j)
        pid = json_get_int(j, "pid", JSON_OPTIONAL, 0, INT_MAX, 0, &je);
    json_decref(j);
    buf_release(&b);
    if (pid > 0 && kill((pid_t)pid, 0) == -1 && errno == ESRCH)
        pid = 0;
    return (long)pid;
}

struct shown {
    const struct migrate_args *a;
    struct mono began;
    struct mono last; /* drawn */
    const char *table;
    uint64_t first; /* rows that were there when this run came to the table */
    bool terminal;
};

static void
print_line(const struct shown *s, const struct migrate_progress *p)
{
    int64_t ns = mono_sub(mono_now(), s->began).ns;
    double rate = ns > 0 ? (double)(p->done - s->first) * 1e9 / (double)ns : 0;

    fprintf(stderr, "\r\033[K%-8s %" PRIu64 " of %" PRIu64 " rows", p->table,
            p->done, p->total);
    if (!p->finished && rate > 0 && p->total > p->done)
        fprintf(stderr, "  %.0f/s  %.0f s left", rate,
                (double)(p->total - p->done) / rate);
    fflush(stderr);
}

static void
print_table(const struct migrate_args *a, const struct migrate_progress *p)
{
    if (a->json)
        printf("{\"table\":\"%s\",\"rows\":%" PRIu64 ",\"of\":%" PRIu64 "}\n",
               p->table, p->done, p->total);
    else if (!a->quiet)
        printf("%-8s %" PRIu64 " rows\n", p->table, p->done);
}

static bool
show(void *arg, const struct migrate_progress *p)
{
    struct shown *s = arg;
    struct mono now = mono_now();

    if (s->table != p->table) {
        s->table = p->table;
        s->began = now;
        s->first = p->done;
    }
    if (s->terminal && (p->finished || mono_sub(now, s->last).ns > 200000000)) {
        s->last = now;
        print_line(s, p);
    }
    if (p->finished) {
        if (s->terminal)
            fputs("\r\033[K", stderr);
        print_table(s->a, p);
    }
    return !interrupted();
}

static int
undo(const struct conf *conf)
{
    struct fault f = {0};

    if (migrate_undo(conf->data_dir, &f) != ERR_OK)
        return fail("data", &f);
    printf("Servers use the SQLite files in %s again.\n", conf->data_dir);
    return MIG_OK;
}

static int
data_run(struct migrate_args *a, const struct conf *conf, struct migrate *m)
{
    struct shown s = {.a = a, .terminal = !a->quiet && !a->json && isatty(2)};
    struct fault f = {0};
    long pid = server_of(conf);
    bool again = false;
    enum err e = ERR_OK;

    if (pid) {
        say("migrate data: a server (process %ld) runs on %s: stop it first, "
            "since what it writes meanwhile would be missed",
            pid, conf->data_dir);
        return MIG_LOCKED;
    }
    if (a->undo)
        return undo(conf);
    if (a->restart)
        e = migrate_restart(m, &f);
    if (e == ERR_OK)
        e = migrate_data(m, show, &s, &again, &f);
    if (e == ERR_CANCELED) {
        say("interrupted; the same command goes on where it stopped");
        return CLI_INTERRUPTED;
    }
    if (e != ERR_OK)
        return fail("data", &f);
    if (a->json)
        return MIG_OK;
    if (again)
        printf("All had been copied before.\n");
    printf("Compare both with `artstore migrate validate`, then start the "
           "server with DATABASE_URL. It does not take the SQLite files any "
           "more.\n");
    return MIG_OK;
}

int
cmd_migrate_data(int argc, char **argv)
{
    return run("migrate data", argc, argv, true, data_run);
}

/* ---- status ---- */

static void
print_counts_json(const struct migrate_count c[MIGRATE_TABLES])
{
    for (unsigned i = 0; i < MIGRATE_TABLES; i++)
        printf("{\"table\":\"%s\",\"sqlite\":%" PRIu64
               ",\"postgresql\":%" PRIu64 ",\"copied\":%" PRIu64
               ",\"state\":\"%s\"}\n",
               c[i].table, c[i].source, c[i].target, c[i].copied,
               c[i].finished ? "copied"
               : c[i].begun  ? "under way"
                             : "not begun");
}

static void
cell_u64(struct table *t, uint64_t v)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, v);
    table_cell(t, text);
}

static void
print_counts(const struct migrate_count c[MIGRATE_TABLES])
{
    static const char *const head[] = {"TABLE", ">SQLITE", ">POSTGRESQL",
                                       ">COPIED", "STATE"};
    struct table t;

    table_init(&t, head, countof(head));
    for (unsigned i = 0; i < MIGRATE_TABLES; i++) {
        table_cell(&t, c[i].table);
        cell_u64(&t, c[i].source);
        cell_u64(&t, c[i].target);
        cell_u64(&t, c[i].copied);
        table_cell(&t, c[i].finished ? "copied"
                       : c[i].begun  ? "under way"
                                     : "not begun");
    }
    table_print(&t, stdout);
    table_release(&t);
}

static int
status_run(struct migrate_args *a, const struct conf *conf, struct migrate *m)
{
    struct migrate_count c[MIGRATE_TABLES] = {{0}};
    struct scripts x = {.a = a, .all = true};
    struct fault f = {0};

    if (!a->json)
        printf("PostgreSQL: %s\nSQLite: %s\n\n", migrate_target(m),
               conf->data_dir);
    if (migrate_scripts(m, print_script, &x, &f) != ERR_OK)
        return fail("status", &f);
    if (x.pending || x.bad) {
        if (!a->json)
            printf("\nThe tables are not looked at before the schema is as "
                   "it should be: artstore migrate schema\n");
        return x.bad ? MIG_DIFFERS : MIG_OK;
    }
    if (migrate_counts(m, c, &f) != ERR_OK)
        return fail("status", &f);
    if (a->json)
        print_counts_json(c);
    else {
        putchar('\n');
        print_counts(c);
    }
    return MIG_OK;
}

int
cmd_migrate_status(int argc, char **argv)
{
    return run("migrate status", argc, argv, true, status_run);
}

/* ---- validate ---- */

static void
print_compared(const struct migrate_args *a, const struct migrate_compared *c)
{
    bool same = !c->missing && !c->extra && !c->different;

    if (a->json) {
        struct json_writer w;
        struct buf b;

        buf_init(&b, 4 * KIB);
        json_begin(&w, &b);
        json_put_object(&w, NULL);
        json_put_text(&w, "table", c->table);
        json_put_bool(&w, "same", same);
        json_put_u64(&w, "sqlite", c->source);
        json_put_u64(&w, "postgresql", c->target);
        json_put_u64(&w, "missing", c->missing);
        json_put_u64(&w, "extra", c->extra);
        json_put_u64(&w, "different", c->different);
        json_put_text(&w, "sqlite_sha256", c->checksum[0]);
        json_put_text(&w, "postgresql_sha256", c->checksum[1]);
        if (c->first[0])
            json_put_text(&w, "first", c->first);
        json_end_object(&w);
        puts(buf_str(&b));
        buf_release(&b);
    } else if (same) {
        printf("%-8s %" PRIu64 " rows, alike (%.16s)\n", c->table, c->source,
               c->checksum[0]);
    } else {
        printf("%-8s DIFFERS: %" PRIu64 " rows missing in PostgreSQL, %" PRIu64
               " only there, %" PRIu64 " not alike; first: %s\n",
               c->table, c->missing, c->extra, c->different, c->first);
    }
    fflush(stdout);
}

static int
validate_run(struct migrate_args *a, const struct conf *conf, struct migrate *m)
{
    struct migrate_count counts[MIGRATE_TABLES] = {{0}};
    struct migrate_compared c;
    struct fault f = {0};
    int r = MIG_OK;

    (void)conf;
    /* Also: is the schema there? */
    if (migrate_counts(m, counts, &f) != ERR_OK)
        return fail("validate", &f);
    for (unsigned i = 0; i < MIGRATE_TABLES; i++) {
        if (migrate_compare(m, i, &c, &f) != ERR_OK)
            return fail("validate", &f);
        print_compared(a, &c);
        if (c.missing || c.extra || c.different)
            r = MIG_DIFFERS;
    }
    return r;
}

int
cmd_migrate_validate(int argc, char **argv)
{
    return run("migrate validate", argc, argv, true, validate_run);
}

/* ---- the table ---- */

#define EXITS                                                              \
    "\n\nExit status: 0 done, 1 failed, 2 the command line is not valid, " \
    "3 the two sides differ, 4 another run or a server is at it."

const struct cli_command migrate_commands[] = {
    {
        .name = "migrate schema",
        .summary = "make or update the tables in PostgreSQL",
        .usage = "[--dry-run] [--database-url URL]",
        .run = cmd_migrate_schema,
        .opts = schema_opts,
        .about = "Applies the numbered scripts that the database has not had, "
                 "each in one transaction. A server with DB_AUTO_MIGRATE=on "
                 "does it at its start." EXITS,
        .example = "DATABASE_URL=postgresql://artstore@db1/artstore artstore "
                   "migrate schema",
    },
    {
        .name = "migrate data",
        .summary = "copy the catalogue from SQLite files to PostgreSQL",
        .usage = "[--batch-size N] [--data-dir D] [--database-url U]",
        .run = cmd_migrate_data,
        .opts = data_opts,
        .about = "Files, elements, accounts, audit and settings. The server "
                 "must not run. What was interrupted, even by a power cut, is "
                 "gone on with by the same command: no row comes twice and "
                 "none is missed. The database must have no rows of its own "
                 "before. Afterwards servers refuse the SQLite files, until "
                 "--undo." EXITS,
        .example = "artstore migrate data --data-dir /srv/artstore "
                   "--config /etc/artstore.env",
    },
    {
        .name = "migrate status",
        .summary = "schema, and rows of both sides",
        .usage = "[--data-dir DIR] [--database-url URL]",
        .run = cmd_migrate_status,
        .opts = both_opts,
        .about = "Which scripts the PostgreSQL has had, how many rows there "
                 "are here and there, and how far a copy has come." EXITS,
    },
    {
        .name = "migrate validate",
        .summary = "compare all rows of both sides",
        .usage = "[--data-dir DIR] [--database-url URL]",
        .run = cmd_migrate_validate,
        .opts = both_opts,
        .about = "Reads every table on both sides in the order of its keys, "
                 "and says how many rows are missing, too many or not alike, "
                 "with a SHA-256 of each side. After a server has run with "
                 "the PostgreSQL, it differs as it should." EXITS,
    },
    {0},
};
