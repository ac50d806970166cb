/* rename.c - `artstore storage rename`: another name for an element in a
 * folder.
 *
 * An element is its UUID; the name in its superblock only says which disk
 * somebody has before him (D31). So it is changed on purpose, and nowhere else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/storage_impl.h"
#include "conf/items.h"
#include "io/disk_linux.h"
#include "role/storage/element.h"
#include <stdio.h>

static const struct cli_opt rename_opts[] = {
    {.name = "path",
     .kind = OPT_TEXT,
     .at = AT(path),
     .value = "DIR",
     .help = "Folder of the element."},
    {.name = "id",
     .kind = OPT_TEXT,
     .at = AT(id),
     .value = "ID",
     .help = "Its new name, like se-03."},
    {0},
};

/* As an item of STORAGE_ELEMENTS would have it. */
static bool
id_ok(const char *id)
{
    const char *why = "malformed";
    struct conf_element ce;
    char text[128];
    struct slice rest;
    int n = snprintf(text, sizeof(text), "%s:rw:x", id);

    rest = slice_str(text);
    if (n < (int)sizeof(text) && !strchr(id, ':') &&
        conf_element_next(&rest, &ce, &why) == ERR_OK && rest.n == 0)
        return true;
    fprintf(stderr, "artstore storage rename: --id %s: %s\n", id, why);
    return false;
}

static int
cmd_storage_rename(int argc, char **argv)
{
    struct storage_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct fault f = {0};
    struct disk *disk = NULL;
    enum err e;
    int r = cli_parse("storage rename", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (!a.path || !a.id)
        return cli_usage("storage rename", "--path and --id are needed");
    if (!id_ok(a.id))
        return CLI_USAGE;
    e = disk_linux_open(&disk, a.path, NULL, &f);
    if (e == ERR_OK) {
        e = element_rename(disk, a.id, storage_hash(), &f);
        disk->ops->close(disk);
        if (e != ERR_OK)
            (void)fault_in(&f, a.path);
    }
    if (e == ERR_OK) {
        printf("The storage element in %s is %s now\n", a.path, a.id);
        return CLI_OK;
    }
    return storage_fail("rename", &f);
}

const struct cli_command rename_commands[] = {
    {
        .name = "storage rename",
        .summary = "give an element in a folder another name",
        .usage = "--path DIR --id ID",
        .run = cmd_storage_rename,
        .opts = rename_opts,
        .about =
            "A server takes an element only under the name in its superblock, "
            "so that two disks in each other's place are found. This writes "
            "another name there; the server must not be running. Then change "
            "STORAGE_ELEMENT_ID or STORAGE_ELEMENTS. An Admin in another "
            "process knows the element by its old name until it is removed "
            "and registered again.",
        .example = "artstore storage rename --path /mnt/disk3 --id se-07",
    },
    {0},
};
