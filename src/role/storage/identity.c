/* identity.c - is this the element that was meant, and may it serve so?
 *
 * An element is its UUID (D31), but who starts it knows its name and folder
 * only. So the name is compared with the one in the superblock: two disks in
 * each other's place would else be served under each other's names, and in
 * modes in which what is PERMANENT can be deleted.
 *
 * Modes go forward only (AMB-026), and the superblock remembers how far an
 * element has come. One that has never served, or was last served by a version
 * that did not write it down, may begin in any. The mode is written down by
 * element_serve(), when the whole start has gone well: one that was refused for
 * another element has served in none. And not later, when the first request
 * comes: what was served must be known after a kill -9 too.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "wire/endpoint.h"
#include <stdio.h>
#include <stdlib.h>

enum err
identity_name(const struct superblock *sb, const char *id, struct fault *f)
{
    char text[sizeof(f->what)];

    if (!id || !sb->label[0] || strcmp(id, sb->label) == 0)
        return ERR_OK;
    snprintf(text, sizeof(text), "%.64s what by its superblock is %.64s", id,
             sb->label);
    (void)fault_set(f, ERR_CONFLICT, "take for", text);
    return fault_hint(f, "is another disk mounted there? Give the name in the "
                         "superblock (STORAGE_ELEMENT_ID, STORAGE_ELEMENTS), "
                         "or the right folder or bucket; `artstore storage "
                         "rename` renames the element");
}

static enum err
check_mode(const struct superblock *sb, const struct element_conf *conf,
           enum blob_mode *mode, struct fault *f)
{
    char text[sizeof(f->what)];
    int latest = element_mode_of(slice_str(sb->latest_mode));

    *mode = conf->mode;
    if (latest <= (int)conf->mode)
        return ERR_OK;
    if (conf->keep_mode) {
        *mode = (enum blob_mode)latest;
        return ERR_OK;
    }
    snprintf(text, sizeof(text), "%s the element %.64s (in %s already)",
             element_mode_text(conf->mode), sb->label, sb->latest_mode);
    (void)fault_set(f, ERR_CONFLICT, "serve in mode", text);
    return fault_hint(f, "modes go forward only (edit, rw, ro, ar): set "
                         "STORAGE_MODE to the one that it has served in or to "
                         "a later one, or make another element");
}

enum err
identity_check(const struct superblock *sb, const struct element_conf *conf,
               enum blob_mode *mode, struct fault *f)
{
    const struct uuid *want = &conf->installation_id;
    enum err err;

    if (!uuid_is_nil(want) && !uuid_eq(want, &sb->installation_id)) {
        (void)fault_set(f, ERR_CONFLICT, "read", "superblock");
        return fault_hint(f, "the element belongs to another installation: "
                             "serve it with the data folder that it came from");
    }
    err = identity_name(sb, conf->element_id, f);
    return err == ERR_OK ? check_mode(sb, conf, mode, f) : err;
}

bool
identity_note_mode(struct superblock *sb, enum blob_mode mode)
{
    if (element_mode_of(slice_str(sb->latest_mode)) >= (int)mode)
        return false;
    snprintf(sb->latest_mode, sizeof(sb->latest_mode), "%s",
             element_mode_text(mode));
    return true;
}

enum err
element_installation(struct disk *disk, const struct hash_kernels *hash,
                     struct uuid *out, struct fault *f)
{
    struct superblock *sb = calloc(1, sizeof(*sb));
    enum err err = ERR_NOMEM;

    if (!sb)
        return fault_set(f, err, "read", "superblock");
    err = boot_superblock(sb, disk, hash, f);
    *out = sb->installation_id;
    free(sb);
    return err;
}

enum err
element_rename(struct disk *disk, const char *id,
               const struct hash_kernels *hash, struct fault *f)
{
    struct superblock *sb = calloc(1, sizeof(*sb));
    int lock = DISK_NONE;
    enum err err;

    if (!sb)
        return fault_set(f, ERR_NOMEM, "rename", "");
    /* First without the lock, whose file has no place in a folder that is no
     * element; then as it is while nobody else writes it. */
    if ((err = boot_superblock(sb, disk, hash, f)) == ERR_OK &&
        (err = boot_lock(disk, &lock, f)) == ERR_OK &&
        (err = boot_superblock(sb, disk, hash, f)) == ERR_OK) {
        snprintf(sb->label, sizeof(sb->label), "%s", id);
        err = boot_write_superblock(disk, sb, hash, f);
    }
    disk_close(disk, &lock);
    free(sb);
    return err;
}
