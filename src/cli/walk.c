/* walk.c - see walk.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/walk.h"
#include "cli/progress.h"
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum cli_exit
add(struct walk *w, const char *path, const char *relative, uint64_t size,
    bool stream, struct failure *f)
{
    struct walk_file one = {.size = size, .stream = stream};

    if (w->n == WALK_FILES_MAX)
        return failure_set(f, CLI_USAGE, "too_many",
                           "more than %d files; put them folder by folder",
                           WALK_FILES_MAX);
    if (w->n == w->cap) {
        const size_t cap = w->cap ? w->cap * 2 : 64;
        struct walk_file *more = realloc(w->file, cap * sizeof(*more));

        if (!more)
            return failure_set(f, CLI_FAILED, "no_memory", "no memory");
        w->file = more;
        w->cap = cap;
    }
    one.path = strdup(path);
    one.relative = relative ? strdup(relative) : NULL;
    if (!one.path || (relative && !one.relative)) {
        free(one.path);
        free(one.relative);
        return failure_set(f, CLI_FAILED, "no_memory", "no memory");
    }
    w->file[w->n++] = one;
    w->bytes += size;
    w->streams |= stream;
    return CLI_OK;
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static enum cli_exit
add_entry(struct walk *w, const FTSENT *e, size_t skip, struct failure *f)
{
    switch (e->fts_info) {
    case FTS_F:
        return add(w, e->fts_path, e->fts_path + skip,
                   (uint64_t)e->fts_statp->st_size, false, f);
    case FTS_DNR:
    case FTS_NS:
    case FTS_ERR:
        return failure_set(f, CLI_FAILED, "read", "%s: %s", e->fts_path,
                           strerror(e->fts_errno));
    case FTS_SL:
    case FTS_SLNONE:
        say("%s: a link, skipped", e->fts_path);
        return CLI_OK;
    case FTS_DEFAULT:
        say("%s: not a file, skipped", e->fts_path);
        return CLI_OK;
    default:
        return CLI_OK;
    }
}

/* WORD is a folder. The path that is kept begins with the folder's own name,
 * whatever stood before it. */
static enum cli_exit
add_folder(struct walk *w, const char *word, struct failure *f)
{
    char *roots[] = {strdup(word), NULL};
    enum cli_exit e = CLI_OK;
    FTS *fts = NULL;
    FTSENT *one;
    size_t n, skip;

    if (!roots[0])
        return failure_set(f, CLI_FAILED, "no_memory", "no memory");
    for (n = strlen(word); n > 1 && word[n - 1] == '/'; n--)
        roots[0][n - 1] = '\0';
    skip = (size_t)(walk_name(roots[0]) - roots[0]);
    if (strcmp(roots[0] + skip, ".") == 0 || strcmp(roots[0] + skip, "..") == 0)
        skip = strlen(roots[0]) + 1;
    fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (!fts)
        e = failure_set(f, CLI_FAILED, "read", "%s: %s", word, strerror(errno));
    while (e == CLI_OK && (one = fts_read(fts)) != NULL)
        e = add_entry(w, one, skip, f);
    if (fts)
        fts_close(fts);
    free(roots[0]);
    return e;
}

enum cli_exit
walk_add(struct walk *w, const char *word, struct failure *f)
{
    struct stat st;

    if (strcmp(word, "-") == 0)
        return add(w, word, NULL, 0, true, f);
    if (stat(word, &st) == -1)
        return failure_set(f, CLI_FAILED, "read", "%s: %s", word,
                           strerror(errno));
    if (S_ISDIR(st.st_mode))
        return add_folder(w, word, f);
    if (S_ISREG(st.st_mode))
        return add(w, word, NULL, (uint64_t)st.st_size, false, f);
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        return add(w, word, NULL, 0, true, f);
    return failure_set(f, CLI_FAILED, "read", "%s: neither a file nor a folder",
                       word);
}

void
walk_release(struct walk *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->file[i].path);
        free(w->file[i].relative);
    }
    free(w->file);
    *w = (struct walk){0};
}

const char *
walk_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

const char *
walk_type(const char *name)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {
        {"avif", "image/avif"},
        {"bz2", "application/x-bzip2"},
        {"css", "text/css"},
        {"csv", "text/csv"},
        {"doc", "application/msword"},
        {"docx", "application/vnd.openxmlformats-officedocument."
                 "wordprocessingml.document"},
        {"flac", "audio/flac"},
        {"gif", "image/gif"},
        {"gz", "application/gzip"},
        {"htm", "text/html"},
        {"html", "text/html"},
        {"jpeg", "image/jpeg"},
        {"jpg", "image/jpeg"},
        {"js", "text/javascript"},
        {"json", "application/json"},
        {"md", "text/markdown"},
        {"mkv", "video/x-matroska"},
        {"mov", "video/quicktime"},
        {"mp3", "audio/mpeg"},
        {"mp4", "video/mp4"},
        {"odt", "application/vnd.oasis.opendocument.text"},
        {"ogg", "audio/ogg"},
        {"pdf", "application/pdf"},
        {"png", "image/png"},
        {"ppt", "application/vnd.ms-powerpoint"},
        {"pptx", "application/vnd.openxmlformats-officedocument."
                 "presentationml.presentation"},
        {"svg", "image/svg+xml"},
        {"tar", "application/x-tar"},
        {"tif", "image/tiff"},
        {"tiff", "image/tiff"},
        {"txt", "text/plain"},
        {"wav", "audio/wav"},
        {"webm", "video/webm"},
        {"webp", "image/webp"},
        {"xls", "application/vnd.ms-excel"},
        {"xlsx", "application/vnd.openxmlformats-officedocument."
                 "spreadsheetml.sheet"},
        {"xml", "application/xml"},
        {"xz", "application/x-xz"},
        {"zip", "application/zip"},
        {"zst", "application/zstd"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && dot != name && i < countof(types); i++)
        if (strcasecmp(dot + 1, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}
