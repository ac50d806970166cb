/* instance.c - DATA_DIR/server.json: {"url", "pid"} of the server that runs on
 * the folder, so that client commands need only the folder. Written whole or
 * not at all; removed at an orderly end. SPDX-License-Identifier: Apache-2.0 */
#include "cli/server.h"
#include "base/buf.h"
#include "wire/json.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct instance {
    char path[PATH_MAX];
};

static enum err
write_whole(const char *path, struct slice text, struct fault *f)
{
    char tmp[PATH_MAX + 8];
    int fd;

    snprintf(tmp, sizeof(tmp), "%s.new", path);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd == -1)
        return fault_sys(f, errno, "create", tmp);
    if (write(fd, text.p, text.n) != (ssize_t)text.n || close(fd) != 0)
        return fault_sys(f, errno, "write", tmp);
    if (rename(tmp, path) != 0)
        return fault_sys(f, errno, "rename", tmp);
    return ERR_OK;
}

enum err
instance_write(struct instance **out, const char *data_dir, const char *url,
               const char *issuer, const char *audience, struct fault *f)
{
    struct instance *i = calloc(1, sizeof(*i));
    struct json_writer w;
    struct buf b;
    enum err e;

    *out = NULL;
    if (i == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "instance");
    snprintf(i->path, sizeof(i->path), "%s/server.json", data_dir);
    buf_init(&b, 4 * KIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "url", url);
    json_put_i64(&w, "pid", getpid());
    json_put_text(&w, "issuer", issuer);
    json_put_text(&w, "audience", audience);
    json_end_object(&w);
    e = write_whole(i->path, buf_slice(&b), f);
    buf_release(&b);
    if (e != ERR_OK) {
        free(i);
        return e;
    }
    *out = i;
    return ERR_OK;
}

void
instance_remove(struct instance **ip)
{
    if (*ip == NULL)
        return;
    (void)unlink((*ip)->path);
    free(*ip);
    *ip = NULL;
}
