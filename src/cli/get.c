/* get.c - `artstore get`: where the bytes go, and under which name they appear.
 *
 * A file is complete or it is called NAME.part. The part is locked while it is
 * written, so that two commands do not write into one; the name appears by a
 * rename that does not replace (unless --force), after data and before folder
 * are synced. SPDX-License-Identifier: Apache-2.0 */
#include "cli/fetch.h"
#include "cli/name.h"
#include "cli/progress.h"
#include "cli/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

struct get_args {
    struct cli_common c;
    const char *output;
    bool force;
    uint64_t retries;
};

#define AT(member) offsetof(struct get_args, member)

const struct cli_opt get_opts[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPT_TEXT,
     .at = AT(output),
     .value = "FILE|DIR|-",
     .help = "Where to; - is standard output. The default is the current "
             "folder, under the name that the file was stored with."},
    {.name = "force",
     .letter = 'f',
     .kind = OPT_FLAG,
     .at = AT(force),
     .help = "Replace a file that exists."},
    {.name = "retries",
     .kind = OPT_UINT,
     .at = AT(retries),
     .value = "N",
     .max = 100,
     .help = "How often to go on after a broken connection, when not a byte "
             "came in between (5)."},
    {0},
};

struct get {
    struct get_args args;
    struct session s;
    struct fetch fetch;
    char path[PATH_SIZE]; /* of the file; "-": standard output */
    char part[PATH_SIZE];
    unsigned done;
};

static bool
is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The path, from --output and what the server calls the file. */
static enum cli_exit
choose_path(struct get *g, struct failure *why)
{
    const char *out = g->args.output ? g->args.output : ".";
    char name[NAME_SIZE];
    struct stat st;
    int n;

    if (strcmp(out, "-") == 0 ||
        (!is_folder(out) && out[strlen(out) - 1] != '/')) {
        n = snprintf(g->path, sizeof(g->path), "%s", out);
    } else {
        if (!name_harmless(slice_str(g->fetch.name), name))
            memcpy(name, g->fetch.id, sizeof(g->fetch.id));
        n = strcmp(out, ".") == 0
                ? snprintf(g->path, sizeof(g->path), "%s", name)
                : snprintf(g->path, sizeof(g->path), "%s%s%s", out,
                           out[strlen(out) - 1] == '/' ? "" : "/", name);
    }
    if (n < 0 || n >= (int)sizeof(g->path) - 6)
        return failure_set(why, CLI_USAGE, "path", "the path is too long");
    snprintf(g->part, sizeof(g->part), "%.*s.part", PATH_SIZE - 6, g->path);
    if (strcmp(g->path, "-") != 0 && !g->args.force &&
        lstat(g->path, &st) == 0) {
        failure_set(why, CLI_FAILED, "exists", "%s exists already", g->path);
        failure_remedy(why, "--force replaces it, --output names another");
        return why->exit;
    }
    return CLI_OK;
}

static enum cli_exit
fail_sys(struct failure *why, const char *path)
{
    return failure_set(why, errno == ENOSPC ? CLI_NOSPACE : CLI_FAILED, "file",
                       "%s: %s", path, strerror(errno));
}

/* Opens and locks the part. Someone else may finish between open and lock: then
 * the descriptor is that of a finished file, and must not be touched. */
static enum cli_exit
open_part(struct get *g, struct failure *why)
{
    struct stat ours, there;

    for (;;) {
        int fd = open(g->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

        if (fd == -1)
            return fail_sys(why, g->part);
        if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
            failure_set(why, CLI_FAILED, "busy",
                        "%s is being written by another command", g->part);
            close(fd);
            return why->exit;
        }
        if (fstat(fd, &ours) == 0 && lstat(g->part, &there) == 0 &&
            ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
            g->fetch.fd = fd;
            g->fetch.is_file = true;
            if (S_ISREG(ours.st_mode))
                return CLI_OK;
            return failure_set(why, CLI_FAILED, "file", "%s is not a file",
                               g->part);
        }
        close(fd);
    }
}

static bool
sync_folder(const char *path)
{
    char copy[PATH_SIZE];
    bool ok;
    int fd;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd != -1 && fsync(fd) == 0;
    if (fd != -1)
        close(fd);
    return ok;
}

static int
rename_new(const char *from, const char *to)
{
    struct stat st;
    int r = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (r == 0 || (errno != EINVAL && errno != ENOSYS))
        return r;
    if (lstat(to, &st) == 0) { /* a file system without that flag */
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static enum cli_exit
publish(struct get *g, struct failure *why)
{
    if (fsync(g->fetch.fd) == -1)
        return fail_sys(why, g->part);
    if ((g->args.force ? rename(g->part, g->path)
                       : rename_new(g->part, g->path)) == -1)
        return fail_sys(why, g->path);
    return sync_folder(g->path) ? CLI_OK : fail_sys(why, g->path);
}

/* Bytes to the file, and verified. A part that was there before and turns out
 * to be of something else is thrown away, once. */
static enum cli_exit
fill(struct get *g, struct failure *why)
{
    struct fetch *f = &g->fetch;
    enum cli_exit e = fetch_take_part(f, why);

    if (e == CLI_OK && f->have > f->total && !fetch_restart(f))
        return fail_sys(why, g->part);
    if (e != CLI_OK || (e = fetch_body(f, why)) != CLI_OK)
        return e;
    e = fetch_verify(f, why);
    if (e == CLI_MISMATCH && f->resumed_from > 0) {
        say("%s was a part of something else; starting over", g->part);
        if (!fetch_restart(f))
            return fail_sys(why, g->part);
        e = fetch_body(f, why);
        if (e == CLI_OK)
            e = fetch_verify(f, why);
    }
    return e;
}

static enum cli_exit
to_file(struct get *g, struct failure *why)
{
    enum cli_exit e = open_part(g, why);

    if (e == CLI_OK)
        e = fill(g, why);
    if (e == CLI_OK)
        e = publish(g, why);
    else if (g->fetch.fd != -1 && (g->fetch.have == 0 || e == CLI_MISMATCH))
        (void)unlink(g->part); /* to go on from it would be in vain */
    if (g->fetch.fd != -1)
        close(g->fetch.fd);
    return e;
}

static enum cli_exit
to_stdout(struct get *g, struct failure *why)
{
    enum cli_exit e;

    g->fetch.fd = STDOUT_FILENO;
    e = fetch_body(&g->fetch, why);
    return e == CLI_OK ? fetch_verify(&g->fetch, why) : e;
}

static void
report(const struct get *g)
{
    const struct fetch *f = &g->fetch;
    char size[TEXT_SIZE], sum[SUM_TEXT];
    struct buf path;
    json_t *o;

    progress_hide();
    if (!f->has_digest)
        say("%s: the server gave no digest; only the size was compared", f->id);
    if (strcmp(g->path, "-") == 0)
        return;
    if (g->args.c.json) {
        o = json_pack("{s:s, s:s*, s:I, s:s, s:b, s:I}", "file_id", f->id,
                      "path", g->path, "size_bytes", (json_int_t)f->have,
                      "sha256_hash", sum_text(&f->sum, sum), "verified",
                      (int)f->has_digest, "resumed_from",
                      (json_int_t)f->resumed_from);
        print_json(o);
        json_decref(o);
        return;
    }
    buf_init(&path, 4 * PATH_SIZE);
    text_safe(&path, slice_str(g->path));
    printf("%s  %s%s\n", buf_str(&path), text_size(f->have, size),
           f->has_digest ? "  verified" : "");
    buf_release(&path);
}

static void
show(void *arg)
{
    const struct get *g = arg;

    progress_update(g->fetch.have, g->fetch.total, g->done, g->path);
}

static enum cli_exit
get_one(struct get *g, const char *id)
{
    struct failure why;
    enum cli_exit e;

    g->fetch = (struct fetch){.http = &g->s.http,
                              .fd = -1,
                              .retries = g->args.retries,
                              .total = RESUME_UNKNOWN};
    memcpy(g->fetch.id, id, sizeof(g->fetch.id));
    if (!sum_open(&g->fetch.sum))
        e = failure_set(&why, CLI_FAILED, "client", "no memory");
    else if ((e = fetch_head(&g->fetch, &why)) == CLI_OK)
        e = choose_path(g, &why);
    if (e == CLI_OK) {
        g->s.http.tick = show;
        g->s.http.tick_arg = g;
        e = strcmp(g->path, "-") == 0 ? to_stdout(g, &why) : to_file(g, &why);
        g->s.http.tick = NULL;
    }
    if (e == CLI_INTERRUPTED && g->fetch.have && g->fetch.is_file)
        failure_remedy(&why, "%s is kept; the same command goes on from there",
                       g->part);
    if (e == CLI_OK)
        report(g);
    else
        session_fail("get", id, &why);
    g->done++;
    sum_close(&g->fetch.sum);
    return e;
}

static int
check_args(const struct get_args *a, const struct opt_words *words)
{
    if (words->n > 1 && a->output && !is_folder(a->output))
        return cli_usage("get", "several files need a folder as --output");
    if (a->output && strcmp(a->output, "-") == 0 && a->c.json)
        return cli_usage("get", "--json and the file cannot both go to "
                                "standard output");
    return CLI_OK;
}

int
cmd_get(int argc, char **argv)
{
    static struct get g; /* two paths and more: large for a stack */
    struct opt_words words;
    enum cli_exit e = CLI_OK;
    char id[37];
    int r;

    g = (struct get){.args = {.c = CLI_COMMON_DEFAULT, .retries = 5}};
    if ((r = cli_parse("get", argc, argv, &g.args, 1, -1, &words)) != CLI_GO)
        return r;
    if ((r = check_args(&g.args, &words)) != CLI_OK)
        return r;
    for (int i = 0; i < words.n; i++)
        if (!session_file_id("get", words.v[i], id))
            return CLI_USAGE;
    e = session_open(&g.s, &g.args.c, "get", true);
    if (e == CLI_OK) {
        progress_start(g.args.c.quiet, (unsigned)words.n);
        for (int i = 0; i < words.n && e != CLI_INTERRUPTED; i++) {
            session_file_id("get", words.v[i], id);
            e = exit_merge(e, get_one(&g, id));
        }
        progress_stop();
    }
    session_close(&g.s);
    return (int)e;
}
