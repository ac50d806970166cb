/* reader.c - open files: facts, blocks with their checksums (D34), pages of the
 * list.
 *
 * The checksum of a one-block file is the stored CRC in its index row, so small
 * files cost no further look; those of larger ones come from attr.json, and of
 * the largest from their sidecar, all of it at open: 4 bytes per 256 KiB, 16
 * KiB per GiB. Reference counted, because reads may be under way when the
 * reader is closed. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

#define SIDECAR_MAX ((size_t)256 * 1024 * 1024) /* of a file of 16 TiB */

struct blob_reader {
    struct element *element;
    _Atomic(unsigned) refs;
    int fd;
    uint64_t generation;
    struct index_row row;
    uint32_t *crc; /* of each block; NULL: they could not be had */
    size_t n_crc;
};

static void
reader_unref(struct blob_reader *rd)
{
    if (atomic_fetch_sub(&rd->refs, 1) != 1)
        return;
    disk_close(rd->element->disk, &rd->fd);
    atomic_fetch_sub(&rd->element->n_open, 1);
    index_row_release(&rd->row);
    free(rd->crc);
    free(rd);
}

static const char *
path_of(const struct index_row *row, enum publish_name which,
        char out[DISK_PATH_MAX])
{
    char name[NAME_TEXT];

    snprintf(out, DISK_PATH_MAX, "%s/%s", row->bucket,
             folder_name(row->attr.storage_filename, which, name));
    return out;
}

static enum err
load_sidecar(struct blob_reader *rd, const struct attr_doc *doc,
             struct fault *f)
{
    struct element *e = rd->element;
    char path[DISK_PATH_MAX];
    struct buf text;
    enum err err;

    buf_init(&text, SIDECAR_MAX);
    err = disk_read_file(e->disk, e->data,
                         path_of(&rd->row, PUBLISH_SIDECAR, path), &text, f);
    if (err == ERR_OK &&
        (text.n != rd->n_crc * sizeof(*rd->crc) ||
         hash_crc32c(e->hash, 0, text.p, text.n) != doc->sidecar_crc))
        err = fault_set(f, ERR_CORRUPT, "checksums", path);
    if (err == ERR_OK)
        memcpy(rd->crc, text.p, text.n);
    buf_release(&text);
    return err;
}

static enum err
load_checksums(struct blob_reader *rd, struct fault *f)
{
    struct element *e = rd->element;
    char path[DISK_PATH_MAX];
    struct attr_doc doc;
    struct buf text;
    enum err err;

    rd->n_crc = (size_t)attr_blocks(rd->row.attr.stored_size);
    rd->crc = calloc(rd->n_crc ? rd->n_crc : 1, sizeof(*rd->crc));
    if (!rd->crc)
        return fault_set(f, ERR_NOMEM, "open", "checksums");
    if (rd->n_crc <= 1) {
        rd->crc[0] = rd->row.attr.stored_crc;
        return ERR_OK;
    }
    buf_init(&text, ATTR_TEXT_MAX);
    err = disk_read_file(e->disk, e->data,
                         path_of(&rd->row, PUBLISH_ATTR, path), &text, f);
    if (err != ERR_OK)
        goto out;
    err = attr_decode(&doc, buf_slice(&text), e->hash);
    if (err != ERR_OK || attr_blocks(doc.attr.stored_size) != rd->n_crc) {
        err = fault_set(f, ERR_CORRUPT, "attr.json", path);
        goto out;
    }
    if (doc.n_block)
        memcpy(rd->crc, doc.block_crc, rd->n_crc * sizeof(*rd->crc));
    else
        err = load_sidecar(rd, &doc, f);
    attr_release(&doc);
out:
    buf_release(&text);
    return err;
}

static bool
is_dead(struct element *e, const struct uuid *id)
{
    const struct tomb *t;
    bool dead;

    pthread_mutex_lock(&e->mu);
    t = tombs_get(&e->tombs, id);
    dead = t && t->deleted;
    pthread_mutex_unlock(&e->mu);
    return dead;
}

static enum err
wrong_size(struct fault *f, const char *path)
{
    (void)fault_set(f, ERR_CORRUPT, "size", path);
    (void)fault_hint(f, "its data does not have the length that was stored");
    return ERR_CORRUPT;
}

static enum err
open_now(struct element *e, const struct uuid *id, struct blob_reader *rd,
         struct fault *f)
{
    char path[DISK_PATH_MAX];
    struct disk_stat st;
    enum err err;

    rd->generation = atomic_load(&e->generation);
    err = e->index->ops->get(e->index, id, &rd->row, f);
    if (err != ERR_OK)
        return err;
    if (is_dead(e, id))
        return ERR_NOENT;
    path_of(&rd->row, PUBLISH_DATA, path);
    err = disk_open(e->disk, e->data, path, 0, &rd->fd, f);
    if (err == ERR_NOENT) { /* deleted since, or damage: not there anyway */
        if (is_dead(e, id))
            return ERR_NOENT;
        (void)fault_set(f, ERR_CORRUPT, "open", path);
        (void)fault_hint(f, "its data is missing");
        return ERR_CORRUPT;
    }
    if (err == ERR_OK)
        err = disk_stat(e->disk, rd->fd, &st, f);
    if (err == ERR_OK && st.size != rd->row.attr.stored_size)
        err = wrong_size(f, path);
    if (err == ERR_OK)
        err = load_checksums(rd, f);
    return err;
}

enum err
reader_make(struct element *e, const struct uuid *id, struct blob_reader **out,
            struct fault *f)
{
    struct blob_reader *rd = calloc(1, sizeof(*rd));
    enum err err;

    *out = NULL;
    if (!rd)
        return fault_set(f, ERR_NOMEM, "open", "reader");
    rd->element = e;
    rd->fd = DISK_NONE;
    atomic_init(&rd->refs, 1);
    atomic_fetch_add(&e->n_open, 1);
    err = open_now(e, id, rd, f);
    if (err == ERR_OK)
        *out = rd;
    else
        reader_unref(rd);
    return err;
}

static void
open_work(struct work *w)
{
    struct blob_open *r = container_of(w, struct blob_open, work);

    r->err =
        reader_make(element_of(r->blob), &r->file_id, &r->reader, &r->fault);
}

static void
open_done(struct loop *l, struct work *w)
{
    struct blob_open *r = container_of(w, struct blob_open, work);

    (void)l;
    r->done(r);
}

void
reader_open(struct blob *b, struct blob_open *r)
{
    r->reader = NULL;
    r->blob = b;
    r->work = (struct work){.work = open_work, .done = open_done};
    loop_work(r->loop, &r->work);
}

void
reader_info(struct blob_reader *rd, struct blob_info *out)
{
    *out = (struct blob_info){
        .attr = &rd->row.attr,
        .fd = rd->element->disk->real_fd ? rd->fd : -1,
        .size = rd->row.attr.stored_size,
        .valid = rd->generation,
    };
}

static enum err
read_result(struct blob_read *r, const struct file_io *io)
{
    struct blob_reader *rd = r->reader;
    struct element *e = rd->element;
    uint64_t left = rd->row.attr.stored_size - r->off;
    size_t want = (size_t)u64_min(io->n, left);

    if (io->res < 0)
        return fault_sys(&r->fault, (int)-io->res, "read",
                         rd->row.attr.storage_filename);
    if ((size_t)io->res < want)
        return fault_set(&r->fault, ERR_CORRUPT, "read: cut short",
                         rd->row.attr.storage_filename);
    if (r->verify && hash_crc32c(e->hash, 0, r->block->data, want) !=
                         rd->crc[r->off / BLOCK_SIZE]) {
        atomic_fetch_add(&e->n_corrupt, 1);
        counts_block(&e->counts, false);
        return fault_set(&r->fault, ERR_CORRUPT, "checksum",
                         rd->row.attr.storage_filename);
    }
    if (r->verify)
        counts_block(&e->counts, true);
    r->block->len = (uint32_t)size_min(want, r->n);
    return ERR_OK;
}

static void
read_done(struct loop *l, struct file_io *io)
{
    struct blob_read *r = container_of(io, struct blob_read, io);
    struct blob_reader *rd = r->reader;

    (void)l;
    r->err = read_result(r, io);
    atomic_fetch_add_explicit(&rd->element->n_reads, 1, memory_order_relaxed);
    r->done(r);
    reader_unref(rd);
}

/* A block is verified as a whole, whatever part of it is wanted. */
void
reader_read(struct blob *b, struct blob_read *r)
{
    struct blob_reader *rd = r->reader;

    assert(r->block->state == BLOCK_READ);
    assert(!r->verify || r->off % BLOCK_SIZE == 0);
    assert(r->off <= rd->row.attr.stored_size);
    r->block->len = 0;
    atomic_fetch_add(&rd->refs, 1);
    r->io = (struct file_io){
        .fd = rd->fd,
        .p = r->block->data,
        .n = r->verify ? BLOCK_SIZE : size_min(r->n, BLOCK_SIZE),
        .off = r->off,
        .done = read_done,
    };
    r->io.n = (size_t)u64_min(r->io.n, rd->row.attr.stored_size - r->off);
    disk_io(element_of(b)->disk, r->loop, &r->io);
}

void
reader_close(struct blob_reader *rd)
{
    reader_unref(rd);
}

struct list_into {
    struct blob_list *r;
    struct element *element;
    bool failed;
};

static bool
see_row(void *arg, const struct index_row *row)
{
    struct list_into *in = arg;
    struct file_attr *to = &in->r->rows[in->r->n];

    if (is_dead(in->element, &row->attr.file_id))
        return true;
    *to = row->attr;
    to->metadata = NULL;
    if (row->attr.metadata && !(to->metadata = strdup(row->attr.metadata))) {
        in->failed = true;
        return false;
    }
    return ++in->r->n < in->r->max;
}

static void
list_work(struct work *w)
{
    struct blob_list *r = container_of(w, struct blob_list, work);
    struct element *e = element_of(r->blob);
    struct list_into in = {.r = r, .element = e};

    r->err = e->index->ops->list(e->index, &r->after, r->max, see_row, &in,
                                 &r->fault);
    if (r->err == ERR_OK && in.failed)
        r->err = fault_set(&r->fault, ERR_NOMEM, "list", "");
}

static void
list_done(struct loop *l, struct work *w)
{
    struct blob_list *r = container_of(w, struct blob_list, work);

    (void)l;
    r->done(r);
}

void
reader_list(struct blob *b, struct blob_list *r)
{
    r->n = 0;
    r->blob = b;
    r->work = (struct work){.work = list_work, .done = list_done};
    loop_work(r->loop, &r->work);
}
