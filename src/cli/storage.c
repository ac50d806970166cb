/* storage.c - `artstore storage init` and `artstore storage rebuild`.
 *
 * Both work on folders and buckets, not through a server. They read the options
 * of the server (environment, --config, --data-dir), so that they mean the
 * elements that it would open. SPDX-License-Identifier: Apache-2.0 */
#include "cli/storage.h"
#include "cli/bucket.h"
#include "cli/catalogue.h"
#include "cli/cpu.h"
#include "cli/serve.h"
#include "conf/conf.h"
#include "conf/items.h"
#include "io/disk_linux.h"
#include "io/index_sqlite.h"
#include "join/join.h"
#include "role/storage/cloud.h"
#include "sec/random.h"
#include "wire/json.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

static const struct cli_opt init_opts[] = {
    {.name = "path",
     .kind = OPT_TEXT,
     .at = AT(path),
     .value = "DIR",
     .help = "Folder of the element: empty, or not there yet. Not with "
             "STORAGE_BACKEND=s3."},
    {.name = "id",
     .kind = OPT_TEXT,
     .at = AT(id),
     .value = "ID",
     .help = "Its name, like se-03."},
    {.name = "mode",
     .kind = OPT_CHOICE,
     .at = AT(mode),
     .value = "edit|rw|ro|ar",
     .help = "edit takes TEMPORARY files, rw PERMANENT ones (rw)."},
    {.name = "alone",
     .kind = OPT_FLAG,
     .at = AT(alone),
     .help = "For `artstore storage`, a server of one element, whose options "
             "are read, instead of one that has a data folder here."},
    OPT_DATA_DIR,
    OPT_CONFIG,
    {0},
};

static const struct cli_opt rebuild_opts[] = {
    {.name = "element",
     .kind = OPT_TEXT,
     .at = AT(element),
     .value = "ID",
     .help = "Only this one; else all in turn."},
    {.name = "alone",
     .kind = OPT_FLAG,
     .at = AT(alone),
     .help = "The element of `artstore storage`, whose options are read."},
    {.name = "check",
     .kind = OPT_FLAG,
     .at = AT(check),
     .help = "Change nothing; say how index and files differ. Exit status 6 "
             "when they do."},
    {.name = "deep",
     .kind = OPT_FLAG,
     .at = AT(deep),
     .help = "Read every byte and compare it with its checksum."},
    {.name = "json",
     .kind = OPT_FLAG,
     .at = AT(json),
     .help = "One JSON object for each element."},
    OPT_DATA_DIR,
    OPT_CONFIG,
    {0},
};

/* ---- what both need ---- */

static enum conf_role
role_of(const struct storage_args *a)
{
    return a->alone ? CONF_STORAGE : CONF_SERVER;
}

static int
fail(const char *what, const struct fault *f)
{
    char text[FAULT_TEXT];

    fprintf(stderr, "artstore storage %s: %s\n", what,
            fault_text(f, text, sizeof(text)));
    return f->code == ERR_BUSY ? CLI_LATER : CLI_FAILED;
}

static bool
below_data(const struct conf *conf, const char *path, char out[PATH_MAX])
{
    int n = path[0] == '/'
                ? snprintf(out, PATH_MAX, "%s", path)
                : snprintf(out, PATH_MAX, "%s/%s", conf->data_dir, path);

    return n > 0 && n < PATH_MAX;
}

static const struct hash_kernels *
hash_here(void)
{
    const struct hash_cpu cpu = cpu_read();

    return hash_select(&cpu, "auto");
}

static struct wall
wall_here(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct wall){(int64_t)t.tv_sec * 1000};
}

/* ---- init ---- */

/* The entry of STORAGE_ELEMENTS, which is also how ID and mode are checked. */
static bool
entry_of(const struct storage_args *a, const char *path,
         char text[PATH_MAX + 128], struct conf_element *out)
{
    struct slice rest;
    const char *why = "malformed";

    snprintf(text, PATH_MAX + 128, "%s:%s:%s", a->id, a->mode ? a->mode : "rw",
             path);
    rest = slice_str(text);
    if (conf_element_next(&rest, out, &why) == ERR_OK && rest.n == 0)
        return true;
    fprintf(stderr, "artstore storage init: %s: %s\n", text, why);
    return false;
}

/* An id is one element's: false when the server has it already, elsewhere. */
static bool
id_is_free(const struct conf *conf, const struct conf_element *want,
           bool *listed)
{
    struct slice rest = slice_str(conf->storage_elements);
    struct conf_element ce;
    char path[PATH_MAX];

    *listed = false;
    while (conf_element_next(&rest, &ce, NULL) == ERR_OK) {
        if (strcmp(ce.id, want->id) != 0)
            continue;
        *listed =
            below_data(conf, ce.path, path) && strcmp(path, want->path) == 0;
        if (*listed)
            return true;
        fprintf(stderr,
                "artstore storage init: %s is the element in %s already "
                "(STORAGE_ELEMENTS)\n",
                ce.id, ce.path);
        return false;
    }
    return true;
}

/* The installation that the element is to belong to. */
static enum err
installation_of(const struct conf *conf, struct uuid *id, struct fault *f)
{
    char path[PATH_MAX];
    struct meta *meta = NULL;
    bool first;
    enum err e;

    if (!catalogue_is_shared(conf) &&
        (!below_data(conf, "admin.db", path) || access(path, F_OK) != 0)) {
        (void)fault_set(f, ERR_NOENT, "open", path);
        return fault_hint(f, "start `artstore server` once");
    }
    e = catalogue_open(&meta, conf, NULL, &first, f);
    if (e != ERR_OK)
        return e;
    e = join_installation(meta, false, id, f);
    if (e == ERR_NOENT) {
        (void)fault_set(f, e, "read installation_id of", conf->data_dir);
        (void)fault_hint(f, "start `artstore server` once");
    }
    meta->ops->close(meta);
    return e;
}

static enum err
make_element(const struct conf_element *ce, const struct uuid *installation,
             struct fault *f)
{
    struct join_element el = {.mode = (enum blob_mode)ce->mode};
    struct stat st;
    enum err e;

    if (mkdir(ce->path, 0750) != 0 && errno != EEXIST)
        return fault_sys(f, errno, "mkdir", ce->path);
    if (stat(ce->path, &st) != 0)
        return fault_sys(f, errno, "stat", ce->path);
    (void)slice_copy(slice_str(ce->id), el.element_id, sizeof(el.element_id));
    el.device = (uint64_t)st.st_dev;
    e = disk_linux_open(&el.disk, ce->path, NULL, f);
    if (e != ERR_OK)
        return e;
    e = join_element_make(&el, installation, hash_here(), wall_here(), f);
    el.disk->ops->close(el.disk);
    if (e != ERR_OK)
        (void)fault_in(f, ce->path);
    return e;
}

/* What to tell the server, and how we know what it was told before: its own
 * environment and files are not ours unless somebody says so. */
static void
tell_list(const struct conf *conf, const char *entry)
{
    const enum conf_layer layer = conf->source[CONF_STORAGE_ELEMENTS].layer;
    struct buf from;

    buf_init(&from, 8 * KIB);
    conf_source_text(conf, CONF_STORAGE_ELEMENTS, &from);
    if (entry == NULL) {
        printf("It is in STORAGE_ELEMENTS already (%s).\n", buf_str(&from));
    } else {
        printf("Add it to the server's options and start the server again:\n"
               "STORAGE_ELEMENTS=%s,%s\n",
               conf->storage_elements, entry);
        printf("(What stands before it is from: %s.%s)\n", buf_str(&from),
               layer == CONF_BY_DEFAULT
                   ? " If the server has a list of its own, add to that, or "
                     "give its file with --config."
                   : "");
    }
    buf_release(&from);
}

/* Ends a line that starts an element: without Admin's key it would not. */
static void
tell_key(const struct conf *conf)
{
    const enum conf_layer layer = conf->source[CONF_AUTH_PUBLIC_KEY_PATH].layer;

    printf(conf->auth_enabled && layer == CONF_BY_DEFAULT
               ? " --auth-public-key-path FILE\n"
                 "(FILE is the public key of Admin: what its "
                 "/.well-known/jwks.json answers.)\n"
               : "\n");
}

/* An element of its own server is not bound to an installation: Admin knows it
 * by its UUID. */
static int
init_alone(const struct storage_args *a, const struct conf *conf,
           const struct conf_element *ce)
{
    static const struct uuid none;
    struct fault f = {0};

    if (make_element(ce, &none, &f) != ERR_OK)
        return fail("init", &f);
    printf("Made storage element %s in %s\n"
           "Start it with:\n"
           "artstore storage --storage-element-id %s --storage-path %s "
           "--storage-mode %s",
           ce->id, ce->path, ce->id, ce->path, a->mode ? a->mode : "rw");
    tell_key(conf);
    return CLI_OK;
}

static int
init_bucket(const struct storage_args *a, const struct conf *conf)
{
    static const struct uuid none;
    struct join_element el = {.mode = BLOB_RW};
    char entry[PATH_MAX + 128];
    struct conf_element ce;
    struct fault f = {0};
    struct bucket b;
    enum err e;

    if (!entry_of(a, "bucket", entry, &ce))
        return CLI_USAGE;
    e = bucket_open(&b, conf, &f);
    if (e == ERR_OK) {
        el.objects = b.objects;
        el.mode = (enum blob_mode)ce.mode;
        /* Nothing shares a bucket's account: an id of its own (D28). */
        sec_random(&el.device, sizeof(el.device));
        (void)slice_copy(slice_str(ce.id), el.element_id,
                         sizeof(el.element_id));
        e = join_element_make(&el, &none, hash_here(), wall_here(), &f);
    }
    if (e == ERR_OK) {
        printf("Made storage element %s in %s\n"
               "Start it with the same options and:\n"
               "artstore storage --storage-element-id %s --storage-mode %s",
               ce.id, b.objects->place, ce.id, a->mode ? a->mode : "rw");
        tell_key(conf);
    }
    bucket_close(&b);
    return e == ERR_OK ? CLI_OK : fail("init", &f);
}

static int
init_run(const struct storage_args *a, const struct conf *conf)
{
    char path[PATH_MAX], cwd[PATH_MAX], entry[PATH_MAX + 128];
    struct conf_element ce;
    struct uuid installation;
    struct fault f = {0};
    bool listed;

    if (a->path[0] == '/')
        snprintf(path, sizeof(path), "%s", a->path);
    else if (getcwd(cwd, sizeof(cwd)) == NULL ||
             (size_t)snprintf(path, sizeof(path), "%s/%s", cwd, a->path) >=
                 sizeof(path))
        return cli_usage("storage init", "--path %s: too long", a->path);
    if (!entry_of(a, path, entry, &ce))
        return CLI_USAGE;
    if (a->alone)
        return init_alone(a, conf, &ce);
    if (!id_is_free(conf, &ce, &listed))
        return CLI_USAGE;
    if (installation_of(conf, &installation, &f) != ERR_OK ||
        make_element(&ce, &installation, &f) != ERR_OK)
        return fail("init", &f);
    printf("Made storage element %s in %s\n", ce.id, ce.path);
    tell_list(conf, listed ? NULL : entry);
    return CLI_OK;
}

int
cmd_storage_init(int argc, char **argv)
{
    struct storage_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct conf conf;
    int r = cli_parse("storage init", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (!a.id || (!a.path && !a.alone))
        return cli_usage("storage init", "--path and --id are needed");
    if (!serve_conf(&conf, role_of(&a), a.data_dir, a.config))
        r = CONF_EXIT;
    else if (a.alone && !a.path && conf.storage_backend == CONF_S3)
        r = init_bucket(&a, &conf);
    else if (!a.path)
        r = cli_usage("storage init", "--path or STORAGE_BACKEND=s3 is needed");
    else
        r = init_run(&a, &conf);
    conf_release(&conf);
    return r;
}

/* ---- rebuild ---- */

static void
report_print(const struct storage_args *a, const char *id,
             const struct element_report *r)
{
    bool same = !r->extra && !r->missing && !r->damaged;

    printf("%s: %llu files, %llu bytes, %llu folders", id,
           (unsigned long long)r->files, (unsigned long long)r->bytes,
           (unsigned long long)r->buckets);
    if (a->check && same)
        printf("; the index agrees\n");
    else if (a->check)
        printf("; the index differs: %llu rows missing or other, %llu without "
               "a file, %llu files damaged\n",
               (unsigned long long)r->extra, (unsigned long long)r->missing,
               (unsigned long long)r->damaged);
    else
        printf("; index made anew, %llu files damaged\n",
               (unsigned long long)r->damaged);
}

static void
report_json(const struct storage_args *a, const char *id,
            const struct element_report *r)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, 4 * KIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "element_id", id);
    json_put_bool(&w, "check", a->check);
    json_put_u64(&w, "files", r->files);
    json_put_u64(&w, "bytes", r->bytes);
    json_put_u64(&w, "folders", r->buckets);
    json_put_u64(&w, "extra", r->extra);
    json_put_u64(&w, "missing", r->missing);
    json_put_u64(&w, "damaged", r->damaged);
    json_end_object(&w);
    puts(buf_str(&b));
    buf_release(&b);
}

static enum err
rebuild_element(const struct storage_args *a, const char *path, const char *id,
                struct element_report *r, struct fault *f)
{
    char name[PATH_MAX + 16];
    struct index *index = NULL;
    struct disk *disk = NULL;
    enum err e;

    snprintf(name, sizeof(name), "%s/superblock", path);
    if (access(name, F_OK) != 0) {
        (void)fault_set(f, ERR_NOENT, "open", name);
        return fault_hint(f, "is its disk mounted?");
    }
    e = disk_linux_open(&disk, path, NULL, f);
    snprintf(name, sizeof(name), "%s/index.db", path);
    if (e == ERR_OK && a->check && access(name, F_OK) != 0) {
        (void)fault_set(f, ERR_NOENT, "open", name);
        e = fault_hint(f, "rebuild without --check");
    }
    if (e == ERR_OK) {
        e = index_sqlite_open(&index, name, f);
        if (e == ERR_CORRUPT)
            (void)fault_hint(f, "move it away and rebuild again");
    }
    if (e == ERR_OK)
        e = element_rebuild(disk, index, id, hash_here(), a->check, a->deep, r,
                            f);
    if (e == ERR_CONFLICT)
        (void)fault_in(f, path);
    if (e == ERR_OK && !a->check && index->ops->sync)
        e = index->ops->sync(index, f);
    if (index)
        index->ops->close(index);
    if (disk)
        disk->ops->close(disk);
    return e;
}

static enum err
rebuild_bucket(const struct storage_args *a, const struct conf *conf,
               struct element_report *r, struct fault *f)
{
    char folder[PATH_MAX];
    struct bucket b;
    enum err e = bucket_open(&b, conf, f);

    if (e == ERR_OK && !below_data(conf, conf->storage_path, folder))
        e = fault_set(f, ERR_TOOBIG, "open", "STORAGE_PATH");
    if (e == ERR_OK) {
        e = bucket_open_index(&b, conf, folder, a->check, f);
        if (e == ERR_NOENT)
            (void)fault_hint(f, "rebuild without --check");
    }
    if (e == ERR_OK)
        e = cloud_rebuild(b.objects, b.index, conf->storage_element_id,
                          hash_here(), a->check, a->deep, r, f);
    if (e == ERR_CONFLICT)
        (void)fault_in(f, b.objects->place);
    bucket_close(&b);
    return e;
}

static int
tell_rebuilt(const struct storage_args *a, const char *id,
             const struct element_report *r)
{
    if (a->json)
        report_json(a, id, r);
    else
        report_print(a, id, r);
    return r->damaged || (a->check && (r->extra || r->missing)) ? CLI_MISMATCH
                                                                : CLI_OK;
}

/* The element of `artstore storage`. */
static int
rebuild_alone(const struct storage_args *a, const struct conf *conf)
{
    struct element_report r = {0};
    struct fault f = {0};
    char path[PATH_MAX];
    enum err e;

    if (conf->storage_backend == CONF_S3)
        e = rebuild_bucket(a, conf, &r, &f);
    else if (below_data(conf, conf->storage_path, path))
        e = rebuild_element(a, path, conf->storage_element_id, &r, &f);
    else
        e = fault_set(&f, ERR_TOOBIG, "open", "STORAGE_PATH");
    return e == ERR_OK ? tell_rebuilt(a, conf->storage_element_id, &r)
                       : fail("rebuild", &f);
}

static int
rebuild_run(const struct storage_args *a, const struct conf *conf)
{
    struct slice rest = slice_str(conf->storage_elements);
    struct conf_element ce;
    char path[PATH_MAX];
    bool found = false;
    int exit = CLI_OK;

    while (conf_element_next(&rest, &ce, NULL) == ERR_OK) {
        struct element_report r = {0};
        struct fault f = {0};

        if (a->element && strcmp(a->element, ce.id) != 0)
            continue;
        found = true;
        if (!below_data(conf, ce.path, path))
            return cli_usage("storage rebuild", "%s: path too long", ce.id);
        if (rebuild_element(a, path, ce.id, &r, &f) != ERR_OK)
            return fail("rebuild", &f);
        if (tell_rebuilt(a, ce.id, &r) != CLI_OK)
            exit = CLI_MISMATCH;
    }
    if (!found)
        return cli_usage("storage rebuild",
                         "--element %s: not in STORAGE_ELEMENTS (%s)",
                         a->element ? a->element : "", conf->storage_elements);
    return exit;
}

int
cmd_storage_rebuild(int argc, char **argv)
{
    struct storage_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct conf conf;
    int r = cli_parse("storage rebuild", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (!serve_conf(&conf, role_of(&a), a.data_dir, a.config))
        r = CONF_EXIT;
    else
        r = a.alone ? rebuild_alone(&a, &conf) : rebuild_run(&a, &conf);
    conf_release(&conf);
    return r;
}

const struct cli_command storage_commands[] = {
    {
        .name = "storage init",
        .summary = "make a storage element in a folder or a bucket",
        .usage = "[--path DIR] --id ID [--mode M] [--alone]",
        .run = cmd_storage_init,
        .opts = init_opts,
        .about =
            "Writes the superblock that makes an empty folder an element of "
            "this installation, and prints the line that tells the server of "
            "it. Apart from the first start of `artstore server` nothing else "
            "makes elements: a server that finds no superblock refuses to "
            "start, since the disk may not be mounted. With --alone and "
            "STORAGE_BACKEND=s3 the element is made in the bucket that the "
            "S3_* options name.",
        .example = "artstore storage init --path /mnt/disk3 --id se-03 "
                   "--mode rw --data-dir /srv/artstore\n"
                   "artstore storage init --alone --path /mnt/disk1 --id se-01",
    },
    {
        .name = "storage rebuild",
        .summary = "make the index of an element anew from its files",
        .usage = "[--check] [--deep] [--element ID | --alone]",
        .run = cmd_storage_rebuild,
        .opts = rebuild_opts,
        .about =
            "The attr.json beside each file is the authority and the index "
            "only a cache of it. The server must not be running. With --check "
            "nothing is changed. --alone means the element of `artstore "
            "storage`, in a folder or in a bucket.",
        .example = "artstore storage rebuild --check --data-dir /srv/artstore",
    },
    {0},
};
