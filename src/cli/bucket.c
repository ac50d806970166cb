/* bucket.c - see bucket.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/bucket.h"
#include "io/index_sqlite.h"
#include "io/s3.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct s3_keys
keys_of(const struct conf *c)
{
    return (struct s3_keys){.access_key = c->s3_access_key,
                            .secret_key = c->s3_secret_key,
                            .session_token = c->s3_session_token};
}

enum err
bucket_open(struct bucket *b, const struct conf *c, struct fault *f)
{
    const struct s3_conf sc = {
        .endpoint = c->s3_endpoint,
        .bucket = c->s3_bucket,
        .prefix = c->s3_prefix,
        .region = c->s3_region,
        .keys = keys_of(c),
        .ca_file = c->s3_ca_file,
        .path_style = c->s3_path_style,
        .connections = (unsigned)c->s3_connections,
        .retries = (unsigned)c->s3_retries,
        .connect_timeout = c->s3_connect_timeout,
        .timeout = c->s3_timeout,
    };

    *b = (struct bucket){.lock = -1};
    return s3_open(&b->objects, &sc, f);
}

void
bucket_adjust(struct objects *o, const struct conf *c)
{
    const struct s3_keys k = keys_of(c);

    s3_set_keys(o, &k);
}

/* FOLDER/{bucket}[+{prefix}]TAIL; a prefix may have slashes. */
static bool
file_name(const struct conf *c, const char *folder, const char *tail,
          char out[PATH_MAX])
{
    size_t at = strlen(folder) + 1;
    int n = snprintf(out, PATH_MAX, "%s/%s%s%s", folder, c->s3_bucket,
                     c->s3_prefix[0] ? "+" : "", c->s3_prefix);

    if (n < 0 || (size_t)n + strlen(tail) >= PATH_MAX)
        return false;
    while (out[n - 1] == '/')
        out[--n] = '\0';
    for (char *p = out + at; *p; p++)
        if (*p == '/')
            *p = '+';
    strcpy(out + n, tail);
    return true;
}

enum err
bucket_lock(struct bucket *b, const struct conf *c, const char *folder,
            struct fault *f)
{
    char path[PATH_MAX];

    if (!file_name(c, folder, ".lock", path))
        return fault_set(f, ERR_TOOBIG, "open", "STORAGE_PATH");
    b->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (b->lock == -1)
        return fault_sys(f, errno, "open", path);
    if (flock(b->lock, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno != EWOULDBLOCK)
        return fault_sys(f, errno, "lock", path);
    (void)fault_set(f, ERR_BUSY, "lock", path);
    return fault_hint(f, "another process serves this bucket's element");
}

enum err
bucket_open_index(struct bucket *b, const struct conf *c, const char *folder,
                  bool must_be, struct fault *f)
{
    char path[PATH_MAX];
    enum err e;

    if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
        (void)fault_sys(f, errno, "mkdir", folder);
        return fault_hint(f, "STORAGE_PATH is the folder of the index; the "
                             "one above it must be there");
    }
    if ((e = bucket_lock(b, c, folder, f)) != ERR_OK)
        return e;
    (void)file_name(c, folder, ".db", path);
    if (must_be && access(path, F_OK) != 0)
        return fault_set(f, ERR_NOENT, "open", path);
    e = index_sqlite_open(&b->index, path, f);
    if (e == ERR_CORRUPT)
        (void)fault_hint(f, "move it away: the start makes it anew from the "
                            "attr.json objects");
    return e;
}

void
bucket_close(struct bucket *b)
{
    if (b->index)
        b->index->ops->close(b->index);
    if (b->objects) {
        b->objects->ops->close(b->objects);
        if (b->lock != -1)
            (void)close(b->lock);
    }
    *b = (struct bucket){.lock = -1};
}
