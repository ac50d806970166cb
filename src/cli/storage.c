/* storage.c - `artstore storage init`, and what its siblings share with it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/bucket.h"
#include "cli/catalogue.h"
#include "cli/clock.h"
#include "cli/cpu.h"
#include "cli/owner.h"
#include "cli/serve.h"
#include "cli/storage_impl.h"
#include "conf/items.h"
#include "io/disk_linux.h"
#include "join/join.h"
#include "sec/random.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- what all need ---- */

int
storage_run(const struct storage_args *a,
            int (*run)(const struct storage_args *a, const struct conf *conf))
{
    struct conf conf;
    int r = CONF_EXIT;

    if (serve_conf(&conf, a->alone ? CONF_STORAGE : CONF_SERVER, a->data_dir,
                   a->config))
        r = run(a, &conf);
    conf_release(&conf);
    return r;
}

int
storage_fail(const char *what, const struct fault *f)
{
    char text[FAULT_TEXT];

    fprintf(stderr, "artstore storage %s: %s\n", what,
            fault_text(f, text, sizeof(text)));
    owner_explain(f->code);
    return f->code == ERR_BUSY ? CLI_LATER : CLI_FAILED;
}

const struct hash_kernels *
storage_hash(void)
{
    const struct hash_cpu cpu = cpu_read();

    return hash_select(&cpu, "auto");
}

enum err
storage_enter_bucket(const struct conf *conf, char folder[PATH_MAX],
                     struct fault *f)
{
    enum err e;

    if (!serve_path(conf, conf->storage_path, folder))
        return fault_set(f, ERR_TOOBIG, "open", "STORAGE_PATH");
    e = owner_enter(folder, NULL, f);
    if (e == ERR_NOENT)
        e = owner_enter(conf->data_dir, NULL, f);
    return e == ERR_NOENT ? ERR_OK : e;
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

/* As whoever serves the element: the server whose catalogue it goes into, else
 * who has the folder. */
static enum err
enter_as_server(const struct storage_args *a, const struct conf *conf,
                const char *path, struct fault *f)
{
    enum err e =
        a->alone ? ERR_NOENT : owner_enter(conf->data_dir, "admin.db", f);

    if (e == ERR_NOENT)
        e = owner_enter(path, NULL, f);
    return e == ERR_NOENT ? ERR_OK : e;
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
            serve_path(conf, ce.path, path) && strcmp(path, want->path) == 0;
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

struct namesake {
    const char *id;
    struct uuid uuid; /* nil: there is none */
};

static bool
see_element(void *arg, const struct meta_element *e)
{
    struct namesake *n = arg;

    if (strcmp(e->element_id, n->id) == 0)
        n->uuid = e->uuid;
    return true;
}

/* Admin may know the name of an element that is in no list, such as that of a
 * disk that died; a server would refuse to start with a second one. */
static enum err
check_name(struct meta *meta, const char *id, struct fault *f)
{
    struct namesake n = {.id = id};
    char text[sizeof(f->what)], uuid[UUID_TEXT];
    enum err e = meta->ops->element_list(meta, see_element, &n, f);

    if (e != ERR_OK || uuid_is_nil(&n.uuid))
        return e;
    snprintf(text, sizeof(text), "%s (to Admin it is %s)", id,
             uuid_text(&n.uuid, uuid));
    (void)fault_set(f, ERR_EXISTS, "make element", text);
    return fault_hint(f, "give it a name that none has had");
}

/* The installation that element NAME is to belong to. */
static enum err
installation_of(const struct conf *conf, const char *name, struct uuid *id,
                struct fault *f)
{
    char path[PATH_MAX];
    struct meta *meta = NULL;
    bool first;
    enum err e;

    if (!catalogue_is_shared(conf) &&
        (!serve_path(conf, "admin.db", path) || access(path, F_OK) != 0)) {
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
    if (e == ERR_OK)
        e = check_name(meta, name, f);
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

    if (mkdir(ce->path, 0750) != 0 && errno != EEXIST) {
        e = fault_sys(f, errno, "mkdir", ce->path);
        return e == ERR_NOENT ? fault_hint(f, "make the folder above it first")
                              : e;
    }
    if (stat(ce->path, &st) != 0)
        return fault_sys(f, errno, "stat", ce->path);
    (void)slice_copy(slice_str(ce->id), el.element_id, sizeof(el.element_id));
    el.device = (uint64_t)st.st_dev;
    e = disk_linux_open(&el.disk, ce->path, NULL, f);
    if (e != ERR_OK)
        return e;
    e = join_element_make(&el, installation, storage_hash(), wall_now(), f);
    el.disk->ops->close(el.disk);
    if (e != ERR_OK)
        (void)fault_in(f, ce->path);
    return e;
}

static bool
is_same_folder(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* STORAGE_ELEMENTS with ENTRY in place of what was in FOLDER, whose disk may
 * have died: that one is GONE, without an id when there was none. */
static void
list_with(const struct conf *conf, const char *entry, const char *folder,
          struct buf *out, struct conf_element *gone)
{
    struct slice rest = slice_str(conf->storage_elements), item, one;
    struct conf_element ce;
    char path[PATH_MAX];

    *gone = (struct conf_element){.id = ""};
    while (slice_cut(&rest, ',', &item)) {
        one = item;
        if (conf_element_next(&one, &ce, NULL) == ERR_OK &&
            serve_path(conf, ce.path, path) && is_same_folder(path, folder))
            *gone = ce;
        else
            buf_printf(out, "%.*s,", (int)item.n, item.p);
    }
    buf_add_str(out, entry);
}

/* What to tell the server, and how we know what it was told before: its own
 * environment and files are not ours unless somebody says so. */
static void
tell_list(const struct conf *conf, const char *entry, const char *folder)
{
    const enum conf_layer layer = conf->source[CONF_STORAGE_ELEMENTS].layer;
    struct conf_element gone;
    struct buf from, list;

    buf_init(&from, 8 * KIB);
    buf_init(&list, MIB);
    conf_source_text(conf, CONF_STORAGE_ELEMENTS, &from);
    if (entry == NULL) {
        printf("It is in STORAGE_ELEMENTS already (%s).\n", buf_str(&from));
    } else {
        list_with(conf, entry, folder, &list, &gone);
        printf("Add it to the server's options and start the server again:\n"
               "STORAGE_ELEMENTS=%s\n",
               buf_str(&list));
        if (gone.id[0])
            printf("(Without %s, which had this folder.)\n", gone.id);
        printf("(What stands before it is from: %s.%s)\n", buf_str(&from),
               layer == CONF_BY_DEFAULT
                   ? " If the server has a list of its own, add to that, or "
                     "give its file with --config."
                   : "");
    }
    buf_release(&list);
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

    if (enter_as_server(a, conf, ce->path, &f) != ERR_OK ||
        make_element(ce, &none, &f) != ERR_OK)
        return storage_fail("init", &f);
    printf("Made storage element %s in %s\n"
           "Start it with:\n"
           "artstore storage --storage-element-id %s --storage-path %s "
           "--storage-mode %s",
           ce->id, ce->path, ce->id, ce->path, a->mode ? a->mode : "rw");
    tell_key(conf);
    if (geteuid() == 0)
        fprintf(stderr,
                "It is root's: if the server is another user, `chown -R USER "
                "%s`\n",
                ce->path);
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
        e = join_element_make(&el, &none, storage_hash(), wall_now(), &f);
    }
    if (e == ERR_OK) {
        printf("Made storage element %s in %s\n"
               "Start it with the same options and:\n"
               "artstore storage --storage-element-id %s --storage-mode %s",
               ce.id, b.objects->place, ce.id, a->mode ? a->mode : "rw");
        tell_key(conf);
    }
    bucket_close(&b);
    return e == ERR_OK ? CLI_OK : storage_fail("init", &f);
}

static int
init_folder(const struct storage_args *a, const struct conf *conf)
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
    if (enter_as_server(a, conf, ce.path, &f) != ERR_OK ||
        installation_of(conf, ce.id, &installation, &f) != ERR_OK ||
        make_element(&ce, &installation, &f) != ERR_OK)
        return storage_fail("init", &f);
    printf("Made storage element %s in %s\n", ce.id, ce.path);
    tell_list(conf, listed ? NULL : entry, ce.path);
    return CLI_OK;
}

static int
init_run(const struct storage_args *a, const struct conf *conf)
{
    if (a->path)
        return init_folder(a, conf);
    if (conf->storage_backend == CONF_S3)
        return init_bucket(a, conf);
    return cli_usage("storage init", "--path or STORAGE_BACKEND=s3 is needed");
}

static int
cmd_storage_init(int argc, char **argv)
{
    struct storage_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    int r = cli_parse("storage init", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (!a.id || (!a.path && !a.alone))
        return cli_usage("storage init", "--path and --id are needed");
    return storage_run(&a, init_run);
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
    {0},
};
