/* confine.c - see confine.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/confine.h"
#include "base/base.h"
#include "cli/serve.h"
#include "conf/items.h"
#include "obs/log.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

#define PATHS_MAX 128

/* What each role may: the whole table. An element of a bucket calls out. */
static const struct profile {
    enum conf_role role;
    bool elements; /* writes to the folders of elements */
    bool connects;
} profiles[] = {
    {CONF_SERVER, true, true},
    {CONF_STORAGE, true, false},
    {CONF_ADMIN, false, true},
    {CONF_INGESTER, false, true},
};

struct paths {
    const char *path[PATHS_MAX];
    size_t n;
    bool full; /* there were more, or a longer one */
};

static void
paths_add(struct paths *p, const char *path)
{
    if (p->n == PATHS_MAX || (path = strdup(path)) == NULL) {
        p->full = true;
        return;
    }
    p->path[p->n++] = path;
}

/* The folder of a file that may be replaced while we run: by a rename. */
static void
paths_add_folder(struct paths *p, struct slice file)
{
    char path[PATH_MAX];
    char *slash;

    if (file.n == 0)
        return;
    if (!slice_copy(file, path, sizeof(path))) {
        p->full = true;
        return;
    }
    slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0';
    paths_add(p, slash ? path : ".");
}

static void
paths_release(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        free((char *)p->path[i]);
}

/* An element's folder; at the first start it is not there yet, and then its
 * parent is what is allowed. */
static void
add_element(struct paths *p, const struct conf *c, const char *path)
{
    char whole[PATH_MAX];
    struct stat st;

    if (!serve_path(c, path, whole))
        p->full = true;
    else if (stat(whole, &st) == 0)
        paths_add(p, whole);
    else
        paths_add_folder(p, slice_str(whole));
}

static void
add_written(struct paths *p, const struct conf *c, const struct profile *role)
{
    struct slice rest = slice_str(c->storage_elements);
    struct conf_element ce;

    paths_add(p, c->data_dir);
    if (strchr(c->access_log, '/'))
        paths_add_folder(p, slice_str(c->access_log));
    if (!role->elements)
        return;
    if (c->role == CONF_STORAGE) {
        add_element(p, c, c->storage_path);
        return;
    }
    while (conf_element_next(&rest, &ce, NULL) == ERR_OK)
        add_element(p, c, ce.path);
}

/* Certificates, keys, and files of options and secrets, which SIGHUP reads
 * again. A secret that a file of options names elsewhere is read at the start
 * only. */
static void
add_read(struct paths *p, const struct conf *c)
{
    const char *const files[] = {c->tls_cert_file, c->tls_key_file,
                                 c->auth_public_key_path, c->s3_ca_file,
                                 c->storage_element_ca_file};
    struct slice rest = slice_str(c->config), one;
    static const char tail[] = "_FILE";

    for (size_t i = 0; i < countof(files); i++)
        paths_add_folder(p, slice_str(files[i] ? files[i] : ""));
    while (slice_cut(&rest, ',', &one))
        paths_add_folder(p, one);
    for (char **e = environ; *e; e++) {
        struct slice value = slice_str(*e), name;

        if (slice_cut(&value, '=', &name) && slice_ends(name, slice_str(tail)))
            paths_add_folder(p, value);
    }
}

static const struct profile *
profile_of(const struct conf *c)
{
    for (size_t i = 0; i < countof(profiles); i++) {
        if (profiles[i].role == c->role)
            return &profiles[i];
    }
    return &profiles[0];
}

/* With `on` nothing less than all of it will do. */
static enum err
insist(const struct conf *c, const struct sandbox_got *got, struct fault *f)
{
    if (c->sandbox != CONF_SANDBOX_ON || got->why[0] == '\0')
        return ERR_OK;
    (void)fault_set(f, ERR_UNSUPPORTED, "SANDBOX=on", got->why);
    return fault_hint(f, "auto takes what this kernel has");
}

enum err
confine_enter(const struct conf *c, struct sandbox_got *got, struct fault *f)
{
    const struct profile *role = profile_of(c);
    struct paths write = {0}, read = {0};
    struct sandbox_plan plan = {.write = write.path, .read = read.path};
    enum err e;

    *got = (struct sandbox_got){0};
    if (c->sandbox == CONF_SANDBOX_OFF)
        return ERR_OK;
    (void)mkdir(c->data_dir, 0750); /* the opening says what is wrong */
    /* SQLite sorts large results in files, which go there. */
    (void)setenv("SQLITE_TMPDIR", c->data_dir, 0);
    add_written(&write, c, role);
    add_read(&read, c);
    plan.n_write = write.n;
    plan.n_read = read.n;
    plan.connects = role->connects ||
                    (c->role == CONF_STORAGE && c->storage_backend == CONF_S3);
    e = write.full || read.full
            ? fault_set(f, ERR_TOOBIG, "SANDBOX", "too many folders")
            : sandbox_enter(&plan, got, f);
    paths_release(&write);
    paths_release(&read);
    return e == ERR_OK ? insist(c, got, f) : e;
}

enum err
confine_seal(const struct conf *c, struct sandbox_got *got, struct log *log,
             struct fault *f)
{
    enum err e;

    if (c->sandbox == CONF_SANDBOX_OFF)
        return ERR_OK;
    e = sandbox_seal(got, f);
    if (e == ERR_OK)
        e = insist(c, got, f);
    if (e == ERR_OK && got->why[0])
        log_warning(log, "Sandbox, in part", F_BOOL("files", got->files),
                    F_BOOL("network", got->network),
                    F_BOOL("calls", got->calls), F_STR("missing", got->why));
    else if (e == ERR_OK)
        log_info(log, "Sandbox", F_BOOL("files", got->files),
                 F_BOOL("network", got->network), F_BOOL("calls", got->calls));
    return e;
}
