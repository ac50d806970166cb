/* verify.c - one file read whole, from the device, against all that is written
 * down of it: block checksums, CRC32C, MD5, SHA-256 (STO-050).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "role/storage/scan.h"
#include <stdlib.h>

struct verify {
    struct element *e;
    struct index_row row;
    struct attr_doc doc;
    struct scan_also also;
    int dir;
};

/* Digests are of the content; of what is stored only when it is stored as it
 * came. */
static enum err
compare_digests(struct verify *v, const struct element_verified *out,
                struct fault *f)
{
    const struct file_attr *a = &v->doc.attr;

    if (a->content_encoding[0])
        return ERR_OK;
    if (memcmp(out->digests.md5, a->md5, sizeof(a->md5)) != 0)
        return fault_set(f, ERR_CORRUPT, "verify", "MD5 differs");
    if (memcmp(out->digests.sha256, a->sha256, sizeof(a->sha256)) != 0)
        return fault_set(f, ERR_CORRUPT, "verify", "SHA-256 differs");
    return ERR_OK;
}

static enum err
read_whole(struct verify *v, struct element_verified *out, struct fault *f)
{
    struct element *e = v->e;
    enum err err =
        disk_open(e->disk, e->data, v->row.bucket, DISK_DIR, &v->dir, f);

    if (err == ERR_OK)
        err = scan_attr(e->disk, v->dir, v->row.attr.storage_filename, e->hash,
                        &v->doc, f);
    if (err == ERR_CORRUPT)
        return fault_set(f, err, "verify", "attr.json is damaged");
    if (err == ERR_NOENT) /* the index knows it, the disk does not */
        return fault_set(f, ERR_CORRUPT, "verify", "attr.json is missing");
    if (err != ERR_OK)
        return err;
    err = scan_verify(e->disk, v->dir, &v->doc, e->hash, &v->also, f);
    if (err != ERR_OK && err != ERR_CORRUPT)
        return err;
    out->size = v->also.read;
    hash_final(e->hash, &v->also.state, &out->digests);
    if (err == ERR_CORRUPT)
        return fault_set(f, err, "verify",
                         v->also.read == v->doc.attr.stored_size
                             ? "CRC32C differs"
                             : "the length differs");
    return compare_digests(v, out, f);
}

enum err
local_verify(struct element *e, const struct uuid *file_id,
             const atomic_bool *cancel, struct element_verified *out,
             struct fault *f)
{
    struct verify *v = calloc(1, sizeof(*v));
    enum err err;

    *out = (struct element_verified){0};
    if (!v)
        return fault_set(f, ERR_NOMEM, "verify", "");
    v->e = e;
    v->dir = DISK_NONE;
    v->also.cancel = cancel;
    hash_init(&v->also.state);
    err = e->index->ops->get(e->index, file_id, &v->row, f);
    if (err == ERR_OK) {
        err = read_whole(v, out, f);
        index_row_release(&v->row);
    }
    attr_release(&v->doc);
    disk_close(e->disk, &v->dir);
    free(v);
    return err;
}
