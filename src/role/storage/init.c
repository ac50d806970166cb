/* init.c - the birth of an element (D31): a superblock, an empty journal, and
 * the folder for data, in a folder that holds nothing else.
 *
 * The superblock comes last: a birth that was interrupted is none, and may be
 * begun again. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "wire/endpoint.h"
#include <stdio.h>

struct look {
    bool element;
    char other[DISK_NAME_MAX + 1]; /* something that is not ours */
};

/* What an interrupted birth leaves, what a fresh file system has, and the index
 * database that a caller may have opened already. */
static bool
harmless(const char *name)
{
    static const char *const known[] = {
        "superblock.new", "journal",      "lock",
        "data",           "lost+found",   "index.db",
        "index.db-wal",   "index.db-shm", "index.db-journal",
    };

    for (size_t i = 0; i < countof(known); i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static bool
see(void *arg, const char *name, bool is_dir)
{
    struct look *l = arg;

    (void)is_dir;
    if (strcmp(name, "superblock") == 0)
        l->element = true;
    else if (!harmless(name) && !l->other[0])
        snprintf(l->other, sizeof(l->other), "%s", name);
    return true;
}

static bool
see_any(void *arg, const char *name, bool is_dir)
{
    (void)name;
    (void)is_dir;
    *(bool *)arg = true;
    return false;
}

/* WHY lives forever. */
static enum err
refuse_init(struct fault *f, const char *there, const char *why)
{
    (void)fault_set(f, ERR_EXISTS, "make an element over", there);
    (void)fault_hint(f, why);
    return ERR_EXISTS;
}

static enum err
check_empty(struct disk *disk, struct fault *f)
{
    struct look l = {0};
    bool any = false;
    int data = DISK_NONE;
    enum err err = disk_list(disk, DISK_ROOT, see, &l, f);

    if (err != ERR_OK)
        return err;
    if (l.element)
        return refuse_init(f, "superblock",
                           "the folder is a storage element already");
    if (l.other[0])
        return refuse_init(f, l.other, "give an empty folder");
    err = disk_open(disk, DISK_ROOT, "data", DISK_DIR, &data, f);
    if (err == ERR_NOENT)
        return ERR_OK;
    if (err == ERR_OK)
        err = disk_list(disk, data, see_any, &any, f);
    disk_close(disk, &data);
    if (err == ERR_OK && any)
        err = refuse_init(f, "data/",
                          "it is not empty, but the superblock is missing: "
                          "what was this folder?");
    return err;
}

static enum err
make_file(struct disk *disk, const char *name, struct fault *f)
{
    int fd = DISK_NONE;
    enum err err = disk_create(disk, DISK_ROOT, name, &fd, f);

    disk_close(disk, &fd);
    return err == ERR_EXISTS ? ERR_OK : err;
}

enum err
element_init(struct disk *disk, const struct element_birth *birth,
             const struct hash_kernels *hash, struct fault *f)
{
    struct superblock sb = {
        .format_min = SUPERBLOCK_FORMAT,
        .format_max = SUPERBLOCK_FORMAT,
        .element_uuid = birth->element_uuid,
        .installation_id = birth->installation_id,
        .created_at = birth->now,
        .clean = true,
    };
    int lock = DISK_NONE;
    enum err err = check_empty(disk, f);

    if (err != ERR_OK)
        return err;
    snprintf(sb.label, sizeof(sb.label), "%s", birth->label);
    snprintf(sb.mode, sizeof(sb.mode), "%s", element_mode_text(birth->mode));
    snprintf(sb.pool_id, sizeof(sb.pool_id), "%s", birth->pool_id);
    if ((err = boot_lock(disk, &lock, f)) != ERR_OK)
        return err;
    err = disk_mkdir(disk, DISK_ROOT, "data", f);
    if (err == ERR_OK || err == ERR_EXISTS)
        err = make_file(disk, "journal", f);
    if (err == ERR_OK)
        err = boot_write_superblock(disk, &sb, hash, f);
    disk_close(disk, &lock);
    return err;
}
