/* installation.c - whose catalogue and elements are these?
 *
 * The catalogue, the superblocks of elements and DATA_DIR/keys of one
 * installation belong together (D31). One of the three that is missing is most
 * often a disk that is not mounted, or a file that was lost, and beginning anew
 * in its place would shut out those who were served:
 *
 *     elements and keys, no catalogue   the elements know who we are: it is
 *                                       made for their installation
 *     elements, neither of the others   refused
 *     catalogue, no keys                refused; a second Admin has been given
 *                                       the first one's peers.key
 *
 * peers.key (role/admin) is what tells the keys of an installation from a key
 * that somebody has brought along for a new one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve.h"
#include "cli/server_impl.h"
#include "cli/storage_impl.h"
#include "obs/log.h"
#include "role/storage/element.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The installation that all elements belong to; nil: there are new ones only.
 */
static enum err
of_elements(const struct server *s, struct uuid *id, struct fault *f)
{
    *id = (struct uuid){0};
    for (unsigned i = 0; i < s->n_el; i++) {
        const struct join_element *el = &s->el[i];
        struct uuid found = {0};
        enum err e = ERR_OK;

        if (!el->fresh)
            e = element_installation(el->disk, storage_hash(), &found, f);
        if (e == ERR_OK && !uuid_is_nil(&found) && !uuid_is_nil(id) &&
            !uuid_eq(&found, id)) {
            e = fault_set(f, ERR_CONFLICT, "make a catalogue for", "element");
            (void)fault_hint(f, "elements before it are of another "
                                "installation: restore the catalogue "
                                "(admin.db) from a backup, or leave those of "
                                "the other out of STORAGE_ELEMENTS");
        }
        if (e != ERR_OK)
            return fault_in(f, el->place);
        if (!uuid_is_nil(&found))
            *id = found;
    }
    return ERR_OK;
}

/* One that is new beside others that are not was most often there before, and
 * comes back under the same name. */
static enum err
check_new(const struct server *s, struct fault *f)
{
    for (unsigned i = 0; i < s->n_el; i++) {
        if (!s->el[i].fresh)
            continue;
        (void)fault_set(f, ERR_NOENT, "open", "superblock");
        (void)fault_in(f, s->el[i].place);
        return fault_hint(f, "other elements have been in use, so this one is "
                             "not made: is its disk mounted? If there is "
                             "none, leave it out of STORAGE_ELEMENTS, start, "
                             "and make it with `artstore storage init`");
    }
    return ERR_OK;
}

enum err
installation_find(const struct server *s, struct uuid *id, struct fault *f)
{
    char path[PATH_MAX];
    enum err e = of_elements(s, id, f);

    if (e != ERR_OK || uuid_is_nil(id))
        return e;
    if (!serve_path(&s->conf, "keys/peers.key", path))
        return fault_set(f, ERR_TOOBIG, "open", "DATA_DIR");
    if (access(path, F_OK) == 0)
        return check_new(s, f);
    (void)fault_sys(f, ENOENT, "find", path);
    return fault_hint(f, "the elements belong to another installation, or its "
                         "keys/ are missing here: is its DATA_DIR mounted? If "
                         "that is lost, see doc/runbook.md, Restore Admin");
}

enum err
installation_take(struct server *s, const struct uuid *id, struct fault *f)
{
    char text[UUID_TEXT];

    if (uuid_is_nil(id))
        return ERR_OK;
    log_warning(s->log,
                "the catalogue was lost: it is made anew for the installation "
                "of the elements, files come from their logs; accounts and "
                "the audit log begin anew",
                F_STR("installation_id", uuid_text(id, text)));
    return s->meta->ops->setting_put(s->meta, "installation_id",
                                     slice_str(text), f);
}

static bool
is_key(const char *name)
{
    return strcmp(name, "peers.key") == 0 ||
           (strncmp(name, "key-", 4) == 0 && strstr(name, ".pem"));
}

enum err
installation_keys(const struct server *s, struct fault *f)
{
    char path[PATH_MAX];
    bool any = false;
    DIR *d;

    if (!serve_path(&s->conf, "keys", path))
        return fault_set(f, ERR_TOOBIG, "open", "DATA_DIR");
    d = opendir(path);
    if (d) {
        const struct dirent *de;

        while (!any && (de = readdir(d)))
            any = is_key(de->d_name);
        closedir(d);
    } else if (errno != ENOENT) {
        return fault_sys(f, errno, "open", path);
    }
    if (any)
        return ERR_OK;
    (void)fault_sys(f, ENOENT, "find keys in", path);
    return fault_hint(f, "the database has been in use, and with new keys all "
                         "tokens would be refused: is DATA_DIR mounted? Else "
                         "restore keys/ from a backup; for a second Admin "
                         "copy the first one's keys/peers.key there");
}
