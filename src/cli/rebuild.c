/* rebuild.c - `artstore storage rebuild`: the index of an element made anew, or
 * compared with its files (STO-038). SPDX-License-Identifier: Apache-2.0 */
#include "cli/bucket.h"
#include "cli/owner.h"
#include "cli/serve.h"
#include "cli/storage_impl.h"
#include "conf/items.h"
#include "io/disk_linux.h"
#include "io/index_sqlite.h"
#include "role/storage/cloud.h"
#include "wire/json.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_opt rebuild_opts[] = {
    {.name = "element",
     .kind = OPT_TEXT,
     .at = AT(element),
     .value = "ID",
     .help = "Only this one; else all in turn."},
    {.name = "alone",
     .kind = OPT_FLAG,
     .at = AT(alone),
     .help = "The element of `artstore storage`, whose options are read."},
    {.name = "check",
     .kind = OPT_FLAG,
     .at = AT(check),
     .help = "Change nothing; say how index and files differ. Exit status 6 "
             "when they do."},
    {.name = "deep",
     .kind = OPT_FLAG,
     .at = AT(deep),
     .help = "Read every byte and compare it with its checksum."},
    {.name = "json",
     .kind = OPT_FLAG,
     .at = AT(json),
     .help = "One JSON object for each element."},
    OPT_DATA_DIR,
    OPT_CONFIG,
    {0},
};

static void
report_print(const struct storage_args *a, const char *id,
             const struct element_report *r)
{
    bool same = !r->extra && !r->missing && !r->damaged;

    printf("%s: %llu files, %llu bytes, %llu folders", id,
           (unsigned long long)r->files, (unsigned long long)r->bytes,
           (unsigned long long)r->buckets);
    if (a->check && same)
        printf("; the index agrees\n");
    else if (a->check)
        printf("; the index differs: %llu rows missing or other, %llu without "
               "a file, %llu files damaged\n",
               (unsigned long long)r->extra, (unsigned long long)r->missing,
               (unsigned long long)r->damaged);
    else
        printf("; index made anew, %llu files damaged\n",
               (unsigned long long)r->damaged);
}

static void
report_json(const struct storage_args *a, const char *id,
            const struct element_report *r)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, 4 * KIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "element_id", id);
    json_put_bool(&w, "check", a->check);
    json_put_u64(&w, "files", r->files);
    json_put_u64(&w, "bytes", r->bytes);
    json_put_u64(&w, "folders", r->buckets);
    json_put_u64(&w, "extra", r->extra);
    json_put_u64(&w, "missing", r->missing);
    json_put_u64(&w, "damaged", r->damaged);
    json_end_object(&w);
    puts(buf_str(&b));
    buf_release(&b);
}

static enum err
rebuild_element(const struct storage_args *a, const char *path, const char *id,
                struct element_report *r, struct fault *f)
{
    char name[PATH_MAX + 16];
    struct index *index = NULL;
    struct disk *disk = NULL;
    enum err e = owner_enter_element(path, f);

    if (e != ERR_OK)
        return e == ERR_NOENT ? fault_hint(f, "is its disk mounted?") : e;
    snprintf(name, sizeof(name), "%s/superblock", path);
    if (access(name, F_OK) != 0) {
        (void)fault_set(f, ERR_NOENT, "open", name);
        return fault_hint(f, "is its disk mounted?");
    }
    e = disk_linux_open(&disk, path, NULL, f);
    snprintf(name, sizeof(name), "%s/index.db", path);
    if (e == ERR_OK && a->check && access(name, F_OK) != 0) {
        (void)fault_set(f, ERR_NOENT, "open", name);
        e = fault_hint(f, "rebuild without --check");
    }
    if (e == ERR_OK) {
        e = index_sqlite_open(&index, name, f);
        if (e == ERR_CORRUPT)
            (void)fault_hint(f, "move it away and rebuild again");
    }
    if (e == ERR_OK) {
        e = element_rebuild(disk, index, id, storage_hash(), a->check, a->deep,
                            r, f);
        if (e == ERR_CONFLICT || e == ERR_DENIED)
            (void)fault_in(f, path);
    }
    if (e == ERR_OK && !a->check && index->ops->sync)
        e = index->ops->sync(index, f);
    if (index)
        index->ops->close(index);
    if (disk)
        disk->ops->close(disk);
    return e;
}

static enum err
rebuild_bucket(const struct storage_args *a, const struct conf *conf,
               struct element_report *r, struct fault *f)
{
    char folder[PATH_MAX];
    struct bucket b = {.lock = -1};
    enum err e = storage_enter_bucket(conf, folder, f);

    if (e == ERR_OK)
        e = bucket_open(&b, conf, f);
    if (e == ERR_OK) {
        e = bucket_open_index(&b, conf, folder, a->check, f);
        if (e == ERR_NOENT)
            (void)fault_hint(f, "rebuild without --check");
    }
    if (e == ERR_OK)
        e = cloud_rebuild(b.objects, b.index, conf->storage_element_id,
                          storage_hash(), a->check, a->deep, r, f);
    if (e == ERR_CONFLICT)
        (void)fault_in(f, b.objects->place);
    bucket_close(&b);
    return e;
}

static int
tell_rebuilt(const struct storage_args *a, const char *id,
             const struct element_report *r)
{
    if (a->json)
        report_json(a, id, r);
    else
        report_print(a, id, r);
    return r->damaged || (a->check && (r->extra || r->missing)) ? CLI_MISMATCH
                                                                : CLI_OK;
}

/* The element of `artstore storage`. */
static int
rebuild_alone(const struct storage_args *a, const struct conf *conf)
{
    struct element_report r = {0};
    struct fault f = {0};
    char path[PATH_MAX];
    enum err e;

    if (conf->storage_backend == CONF_S3)
        e = rebuild_bucket(a, conf, &r, &f);
    else if (serve_path(conf, conf->storage_path, path))
        e = rebuild_element(a, path, conf->storage_element_id, &r, &f);
    else
        e = fault_set(&f, ERR_TOOBIG, "open", "STORAGE_PATH");
    return e == ERR_OK ? tell_rebuilt(a, conf->storage_element_id, &r)
                       : storage_fail("rebuild", &f);
}

static int
rebuild_run(const struct storage_args *a, const struct conf *conf)
{
    struct slice rest = slice_str(conf->storage_elements);
    struct conf_element ce;
    char path[PATH_MAX];
    bool found = false;
    int exit = CLI_OK;

    while (conf_element_next(&rest, &ce, NULL) == ERR_OK) {
        struct element_report r = {0};
        struct fault f = {0};

        if (a->element && strcmp(a->element, ce.id) != 0)
            continue;
        found = true;
        if (!serve_path(conf, ce.path, path))
            return cli_usage("storage rebuild", "%s: path too long", ce.id);
        if (rebuild_element(a, path, ce.id, &r, &f) != ERR_OK)
            return storage_fail("rebuild", &f);
        if (tell_rebuilt(a, ce.id, &r) != CLI_OK)
            exit = CLI_MISMATCH;
    }
    if (!found)
        return cli_usage("storage rebuild",
                         "--element %s: not in STORAGE_ELEMENTS (%s)",
                         a->element ? a->element : "", conf->storage_elements);
    return exit;
}

static int
cmd_storage_rebuild(int argc, char **argv)
{
    struct storage_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    int r = cli_parse("storage rebuild", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    return storage_run(&a, a.alone ? rebuild_alone : rebuild_run);
}

const struct cli_command rebuild_commands[] = {
    {
        .name = "storage rebuild",
        .summary = "make the index of an element anew from its files",
        .usage = "[--check] [--deep] [--element ID | --alone]",
        .run = cmd_storage_rebuild,
        .opts = rebuild_opts,
        .about =
            "The attr.json beside each file is the authority and the index "
            "only a cache of it. The server must not be running. With --check "
            "nothing is changed. --alone means the element of `artstore "
            "storage`, in a folder or in a bucket.",
        .example = "artstore storage rebuild --check --data-dir /srv/artstore",
    },
    {0},
};
