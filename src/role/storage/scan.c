/* scan.c - see scan.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/scan.h"
#include "hash/hash.h"
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

struct names {
    char **v;
    size_t n;
    size_t cap;
    bool folders; /* wanted; else files */
    enum err err;
};

static bool
add_name(void *arg, const char *name, bool is_dir)
{
    struct names *s = arg;

    if (is_dir != s->folders)
        return true;
    if (s->n == SCAN_NAMES_MAX) {
        s->err = ERR_TOOBIG;
        return false;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 256;
        char **grown = realloc(s->v, cap * sizeof(*grown));

        if (!grown) {
            s->err = ERR_NOMEM;
            return false;
        }
        s->v = grown;
        s->cap = cap;
    }
    if (!(s->v[s->n] = strdup(name))) {
        s->err = ERR_NOMEM;
        return false;
    }
    s->n++;
    return true;
}

static int
by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;

    assert(x && y);
    return strcmp(x, y);
}

static void
names_release(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct names){0};
}

static enum err
names_list(struct names *s, struct disk *d, int dir, bool folders,
           struct fault *f)
{
    enum err err;

    *s = (struct names){.folders = folders};
    err = disk_list(d, dir, add_name, s, f);
    if (err == ERR_OK && s->err != ERR_OK)
        err = fault_set(f, s->err, "list", "too many names in one folder");
    if (err == ERR_OK && s->n)
        qsort(s->v, s->n, sizeof(*s->v), by_name);
    return err;
}

static bool
names_have(const struct names *s, const char *name)
{
    return s->n && bsearch(&name, s->v, s->n, sizeof(*s->v), by_name) != NULL;
}

/* NAME without SUFFIX, if it ends in it. */
static bool
cut_suffix(const char *name, const char *suffix, char out[NAME_TEXT])
{
    struct slice s = slice_str(name), tail = slice_str(suffix);

    return s.n > tail.n && slice_ends(s, tail) &&
           slice_copy(slice_head(s, s.n - tail.n), out, NAME_TEXT);
}

static bool
has_suffixed(const struct names *s, const char *base, const char *suffix)
{
    char name[NAME_TEXT * 2];

    snprintf(name, sizeof(name), "%s%s", base, suffix);
    return names_have(s, name);
}

/* The storage_filename that NAME belongs to. A name that ends in .crc32c is a
 * sidecar when its file is there, else a file that happens to be called so. */
static void
base_of(const struct names *s, const char *name, char out[NAME_TEXT])
{
    if (cut_suffix(name, ATTR_SUFFIX, out))
        return;
    if (cut_suffix(name, SIDECAR_SUFFIX, out) &&
        (names_have(s, out) || has_suffixed(s, out, ATTR_SUFFIX)))
        return;
    snprintf(out, NAME_TEXT, "%s", name);
}

/* Each file is told once: at the first of its names in order. */
static bool
is_first(const struct names *s, size_t i, const char *base,
         const struct scan_file *f)
{
    const char *name = s->v[i];

    if (f->has_data)
        return strcmp(name, base) == 0;
    if (f->has_attr)
        return slice_ends(slice_str(name), SLICE(ATTR_SUFFIX));
    return true;
}

enum err
scan_folder(struct disk *d, int dir, scan_file_fn *fn, void *arg,
            struct fault *f)
{
    struct names s;
    enum err err = names_list(&s, d, dir, false, f);

    for (size_t i = 0; err == ERR_OK && i < s.n; i++) {
        char base[NAME_TEXT];
        struct scan_file file = {.name = base};

        base_of(&s, s.v[i], base);
        file.has_data = names_have(&s, base);
        file.has_attr = has_suffixed(&s, base, ATTR_SUFFIX);
        file.has_sidecar = has_suffixed(&s, base, SIDECAR_SUFFIX);
        if (is_first(&s, i, base, &file))
            err = fn(arg, &file, f);
    }
    names_release(&s);
    return err;
}

static enum err
walk(struct disk *d, int dir, const char *path, unsigned depth,
     scan_bucket_fn *fn, void *arg, struct fault *f)
{
    struct names s;
    enum err err = names_list(&s, d, dir, true, f);

    for (size_t i = 0; err == ERR_OK && i < s.n; i++) {
        char sub[BUCKET_TEXT];
        int next = DISK_NONE;
        int32_t day;
        uint32_t number;

        if ((size_t)snprintf(sub, sizeof(sub), "%s%s%s", path,
                             path[0] ? "/" : "", s.v[i]) >= sizeof(sub))
            continue;
        if (depth == 3) {
            if (bucket_parse(slice_str(sub), &day, &number))
                err = fn(arg, sub, f);
            continue;
        }
        err = disk_open(d, dir, s.v[i], DISK_DIR, &next, f);
        if (err == ERR_OK)
            err = walk(d, next, sub, depth + 1, fn, arg, f);
        disk_close(d, &next);
    }
    names_release(&s);
    return err;
}

enum err
scan_buckets(struct disk *d, int data, scan_bucket_fn *fn, void *arg,
             struct fault *f)
{
    return walk(d, data, "", 0, fn, arg, f);
}

enum err
scan_attr(struct disk *d, int dir, const char *name,
          const struct hash_kernels *hash, struct attr_doc *doc,
          struct fault *f)
{
    char path[NAME_TEXT];
    struct buf text;
    enum err err;

    buf_init(&text, ATTR_TEXT_MAX);
    err =
        disk_read_file(d, dir, folder_name(name, PUBLISH_ATTR, path), &text, f);
    if (err == ERR_TOOBIG)
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        err = attr_decode(doc, buf_slice(&text), hash);
    if (err == ERR_OK && strcmp(doc->attr.storage_filename, name) != 0) {
        attr_release(doc);
        err = ERR_CORRUPT;
    }
    buf_release(&text);
    return err;
}

static enum err
verify_sidecar(struct disk *d, int dir, const struct attr_doc *doc,
               const struct hash_kernels *hash, struct fault *f)
{
    uint64_t want = attr_blocks(doc->attr.stored_size) * 4;
    char name[NAME_TEXT];
    struct buf text;
    enum err err;

    buf_init(&text, (size_t)want);
    err = disk_read_file(
        d, dir, folder_name(doc->attr.storage_filename, PUBLISH_SIDECAR, name),
        &text, f);
    if (err == ERR_TOOBIG || err == ERR_NOENT)
        err = ERR_CORRUPT;
    if (err == ERR_OK &&
        (text.n != want ||
         hash_crc32c(hash, 0, text.p, text.n) != doc->sidecar_crc))
        err = ERR_CORRUPT;
    buf_release(&text);
    return err;
}

static enum err
see_block(struct scan_also *also, const struct hash_kernels *hash,
          const char *p, size_t n, struct fault *f)
{
    const struct hash_job job = {&also->state, (const uint8_t *)p, n};

    hash_run(hash, &job, 1);
    also->read += n;
    if (also->cancel && atomic_load(also->cancel))
        return fault_set(f, ERR_CANCELED, "verify", "the server is stopping");
    return ERR_OK;
}

enum err
scan_verify(struct disk *d, int dir, const struct attr_doc *doc,
            const struct hash_kernels *hash, struct scan_also *also,
            struct fault *f)
{
    char *p = malloc(BLOCK_SIZE);
    uint64_t off = 0;
    uint32_t crc = 0;
    size_t did = 0;
    int fd = DISK_NONE;
    enum err err;

    if (!p)
        return fault_set(f, ERR_NOMEM, "verify", "");
    err = disk_open(d, dir, doc->attr.storage_filename, DISK_FRESH, &fd, f);
    while (err == ERR_OK) {
        err = disk_pread(d, fd, p, BLOCK_SIZE, off, &did, f);
        if (err != ERR_OK || did == 0)
            break;
        crc = hash_crc32c(hash, crc, p, did);
        off += did;
        if (also)
            err = see_block(also, hash, p, did, f);
    }
    if (err == ERR_NOENT)
        err = ERR_CORRUPT;
    if (err == ERR_OK &&
        (off != doc->attr.stored_size || crc != doc->attr.stored_crc))
        err = ERR_CORRUPT;
    if (err == ERR_OK &&
        attr_blocks(doc->attr.stored_size) > ATTR_INLINE_BLOCKS)
        err = verify_sidecar(d, dir, doc, hash, f);
    disk_close(d, &fd);
    free(p);
    return err;
}
