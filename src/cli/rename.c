/* rename.c - `artstore storage rename`: another name for an element.
 *
 * An element is its UUID; the name in its superblock only says which disk or
 * bucket somebody has before him (D31). So it is changed on purpose, and
 * nowhere else. Whether another element has the name is for Admin to say, who
 * may be elsewhere: at the start, or when the element is registered.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/bucket.h"
#include "cli/owner.h"
#include "cli/serve.h"
#include "cli/storage_impl.h"
#include "conf/items.h"
#include "io/disk_linux.h"
#include "role/storage/cloud.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_opt rename_opts[] = {
    {.name = "path",
     .kind = OPT_TEXT,
     .at = AT(path),
     .value = "DIR",
     .help = "Folder of the element."},
    {.name = "alone",
     .kind = OPT_FLAG,
     .at = AT(alone),
     .help = "Instead: the element of `artstore storage`, in a folder or in a "
             "bucket, whose options are read."},
    {.name = "id",
     .kind = OPT_TEXT,
     .at = AT(id),
     .value = "ID",
     .help = "Its new name, like se-03."},
    OPT_DATA_DIR, /* both with --alone */
    OPT_CONFIG,
    {0},
};

/* As an item of STORAGE_ELEMENTS has it, but no blank around it is left out. */
static bool
id_ok(const char *id)
{
    struct conf_element ce;
    char text[128];
    struct slice rest;
    int n = snprintf(text, sizeof(text), "%s:rw:x", id);

    rest = slice_str(text);
    return n < (int)sizeof(text) &&
           conf_element_next(&rest, &ce, NULL) == ERR_OK && rest.n == 0 &&
           strcmp(ce.id, id) == 0;
}

static int
tell(enum err e, const char *id, const char *place, struct fault *f)
{
    if (e == ERR_OK) {
        printf("The storage element in %s is %s now\n", place, id);
        return CLI_OK;
    }
    if (place)
        (void)fault_in(f, place);
    return storage_fail("rename", f);
}

static int
rename_folder(const char *path, const char *id)
{
    struct fault f = {0};
    struct disk *disk;
    enum err e = owner_enter_element(path, &f);

    if (e == ERR_OK)
        e = disk_linux_open(&disk, path, NULL, &f);
    if (e != ERR_OK)
        return tell(e, id, NULL, &f);
    e = element_rename(disk, id, storage_hash(), &f);
    disk->ops->close(disk);
    return tell(e, id, path, &f);
}

static int
rename_bucket(const struct conf *conf, const char *id)
{
    struct bucket b = {.lock = -1};
    char folder[PATH_MAX];
    struct fault f = {0};
    enum err e = storage_enter_bucket(conf, folder, &f);
    int r;

    if (e == ERR_OK)
        e = bucket_open(&b, conf, &f);
    /* Where there is no folder, nobody on this host has served it. */
    if (e == ERR_OK && access(folder, F_OK) == 0)
        e = bucket_lock(&b, conf, folder, &f);
    if (e == ERR_OK)
        e = cloud_rename(b.objects, id, storage_hash(), &f);
    r = tell(e, id, b.objects ? b.objects->place : NULL, &f);
    bucket_close(&b);
    return r;
}

/* The element of `artstore storage`. */
static int
rename_alone(const struct storage_args *a, const struct conf *conf)
{
    char path[PATH_MAX];

    if (conf->storage_backend == CONF_S3)
        return rename_bucket(conf, a->id);
    if (!serve_path(conf, conf->storage_path, path))
        return cli_usage("storage rename", "STORAGE_PATH: too long");
    return rename_folder(path, a->id);
}

static int
cmd_storage_rename(int argc, char **argv)
{
    struct storage_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    int r = cli_parse("storage rename", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (!a.id || !a.path == !a.alone)
        return cli_usage("storage rename",
                         "--id, and either --path or --alone, are needed");
    if (a.path && (a.data_dir || a.config))
        return cli_usage("storage rename",
                         "--data-dir and --config are for --alone: --path is "
                         "the folder itself");
    if (!id_ok(a.id))
        return cli_usage("storage rename",
                         "--id %s: no name of an element (letters, digits, "
                         ". - _, at most 64)",
                         a.id);
    return a.alone ? storage_run(&a, rename_alone)
                   : rename_folder(a.path, a.id);
}

const struct cli_command rename_commands[] = {
    {
        .name = "storage rename",
        .summary = "give a storage element another name",
        .usage = "(--path DIR | --alone) --id ID",
        .run = cmd_storage_rename,
        .opts = rename_opts,
        .about =
            "A server takes an element only under the name in its superblock, "
            "so that two disks in each other's place are found. This writes "
            "another name there; the server must not be running. Then change "
            "STORAGE_ELEMENT_ID or STORAGE_ELEMENTS. A name that another "
            "element has or had is refused when the server starts. An Admin in "
            "another process knows the element by its old name until it is "
            "removed and registered again. With --alone and STORAGE_BACKEND=s3 "
            "the element is the one in the bucket that the S3_* options name, "
            "and must have been stopped in order.",
        .example =
            "artstore storage rename --path /mnt/disk3 --id se-07\n"
            "artstore storage rename --alone --id se-s3-07 --config FILE",
    },
    {0},
};
